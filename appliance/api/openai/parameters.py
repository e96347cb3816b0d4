"""Fields that chat completions and completions share, and what they mean to the engine.

A field that would change the answer and is not honoured is refused by name. It is accepted where
its value says "nothing special", because SDKs and frameworks send such values unasked.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec

from appliance.errors import Code, refuse
from appliance.generation.sampling import Sampling

Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]
Bias = Annotated[float, msgspec.Meta(ge=-100, le=100)]
StopString = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]

MAX_STOP_STRINGS = 16

# OpenAI's scale ends at ±100, "bans or exclusive selection of the token".
_BAN = float("-inf")


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a stream carries besides text."""

    include_usage: bool = False


class SharedFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields that both endpoints take, llama-server's sampling extensions among them."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    max_tokens: Count | None = None
    temperature: Temperature | None = None
    top_p: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] | None = None
    min_p: Fraction | None = None
    seed: int | None = None
    repeat_penalty: Annotated[float, msgspec.Meta(gt=0, le=10)] | None = None
    repeat_last_n: Annotated[int, msgspec.Meta(ge=-1, le=1 << 20)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    logit_bias: dict[str, Bias] | None = None
    ignore_eos: bool | None = None
    stop: StopString | list[StopString] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    user: Annotated[str, msgspec.Meta(max_length=512)] | None = None

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with a chunk of token counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    def sampling(self) -> Sampling:
        """Translate to the engine's parameters; what is absent keeps its default."""
        given = {
            name: value for name in _SAMPLING_FIELDS if (value := getattr(self, name)) is not None
        }
        if self.seed is not None:
            given["seed"] = self.seed & 0xFFFFFFFF
        if self.logit_bias is not None:
            given["logit_bias"] = _biases(self.logit_bias)
        return Sampling(**given)

    def stop_strings(self) -> tuple[str, ...]:
        """The stop strings as a tuple; refused if there are too many."""
        if self.stop is None:
            return ()
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if len(stop) > MAX_STOP_STRINGS:
            raise refuse(
                Code.INVALID_REQUEST, f"at most {MAX_STOP_STRINGS} stop strings", param="stop"
            )
        return stop


_SAMPLING_FIELDS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repeat_penalty",
    "repeat_last_n",
    "frequency_penalty",
    "presence_penalty",
    "ignore_eos",
)


def refuse_unless_neutral(fields: Iterable[tuple[str, object, tuple[object, ...]]]) -> None:
    """Refuse the first field whose value is none of its neutral ones.

    Args:
        fields: (name, value, neutral values) of each; an absent field is None and passes.

    Raises:
        RefusalError: names the field.
    """
    for name, value, neutral in fields:
        if value is not None and value not in neutral:
            raise refuse(
                Code.UNSUPPORTED_FIELD,
                f"this server does not support this value of `{name}`; leave the field out",
                param=name,
            )


def _biases(biases: dict[str, float]) -> tuple[tuple[int, float], ...]:
    try:
        return tuple((int(token), _BAN if bias == -100 else bias) for token, bias in biases.items())
    except ValueError:
        raise refuse(
            Code.INVALID_REQUEST, "the keys of `logit_bias` are token ids", param="logit_bias"
        ) from None
