"""From a `Generate` message to an `Answer` ready to be scheduled, or a refusal.

Contract: renders and tokenizes the prompt and checks it against vocabulary and context. Nothing is
ever cut: a prompt that does not fit is refused, with both numbers.
"""

import math

from appliance.engine.wire import Generate
from appliance.engine.worker.answer import Answer
from appliance.engine.worker.template import ChatTemplate
from appliance.engine.worker.vocabulary import Vocabulary
from appliance.errors import Code, refuse
from appliance.generation.prompt import Chat, Text
from appliance.generation.sampling import Sampling

_MOST_BREAKERS = 32
_LONGEST_BREAKER = 40
"""llama.cpp searches the whole vocabulary for each."""


def check_sampling(sampling: Sampling) -> None:
    """Refuse values on which llama.cpp would end the process, or choose nonsense.

    Raises `RefusalError`.
    """
    numbers = {
        "temperature": (sampling.temperature, 0.0, 100.0),
        "top_k": (sampling.top_k, 0, math.inf),
        "top_p": (sampling.top_p, 0.0, 1.0),
        "min_p": (sampling.min_p, 0.0, 1.0),
        "repeat_penalty": (sampling.repeat_penalty, 1e-3, 1e3),
        "repeat_last_n": (sampling.repeat_last_n, -1, math.inf),
        "frequency_penalty": (sampling.frequency_penalty, -1e3, 1e3),
        "presence_penalty": (sampling.presence_penalty, -1e3, 1e3),
        "min_tokens": (sampling.min_tokens, 0, math.inf),
        "typical_p": (sampling.typical_p, 0.0, 1.0),
        "top_n_sigma": (sampling.top_n_sigma, -1.0, 1e3),
        "xtc_probability": (sampling.xtc_probability, 0.0, 1.0),
        "xtc_threshold": (sampling.xtc_threshold, 0.0, 1.0),
        "dynamic_temperature_range": (sampling.dynamic_temperature_range, 0.0, 100.0),
        "dynamic_temperature_exponent": (sampling.dynamic_temperature_exponent, 0.0, 100.0),
        "mirostat": (sampling.mirostat, 0, 2),
        "mirostat_tau": (sampling.mirostat_tau, 0.0, 100.0),
        "mirostat_eta": (sampling.mirostat_eta, 0.0, 1.0),
        "dry_multiplier": (sampling.dry_multiplier, 0.0, 100.0),
        "dry_base": (sampling.dry_base, 0.0, 100.0),
        "dry_allowed_length": (sampling.dry_allowed_length, 1, 1_000_000),
        "dry_last_n": (sampling.dry_last_n, -1, math.inf),
    }
    for name, (value, least, most) in numbers.items():
        if not least <= value <= most:  # also refuses what is not a number
            raise refuse(
                Code.INVALID_REQUEST, f"{name} must lie between {least} and {most}.", param=name
            )
    if len(sampling.dry_breakers) > _MOST_BREAKERS or any(
        not 0 < len(text) <= _LONGEST_BREAKER or "\0" in text for text in sampling.dry_breakers
    ):
        raise refuse(
            Code.INVALID_REQUEST,
            f"At most {_MOST_BREAKERS} breakers of 1 to {_LONGEST_BREAKER} characters, please.",
            param="dry_breakers",
        )
    if any(math.isnan(bias) or bias == math.inf for _, bias in sampling.logit_bias):
        raise refuse(Code.INVALID_REQUEST, "A logit bias must be a number.", param="logit_bias")


class Intake:
    """Turns messages into answers for one model."""

    def __init__(
        self, vocabulary: Vocabulary, template: ChatTemplate | None, context_tokens: int
    ) -> None:
        self._vocabulary = vocabulary
        self._template = template
        self._context_tokens = context_tokens

    def accept(self, message: Generate) -> Answer:
        """Build the answer of one generation.

        Raises `RefusalError`.
        """
        tokens = self._tokens(message)
        if not tokens:
            raise refuse(Code.INVALID_REQUEST, "The prompt is empty.", param="prompt")
        check_sampling(message.request.sampling)
        self._check_ids([token for token, _ in message.request.sampling.logit_bias], "logit_bias")
        if len(tokens) >= self._context_tokens:
            raise refuse(
                Code.CONTEXT_LENGTH_EXCEEDED,
                f"The prompt has {len(tokens)} tokens; this model's context holds "
                f"{self._context_tokens}, and the answer needs room in it. Shorten the prompt.",
                param="prompt",
            )
        return Answer(message, tokens, self._vocabulary, self._context_tokens)

    def _tokens(self, message: Generate) -> list[int]:
        prompt = message.request.prompt
        if isinstance(prompt, Chat):
            if self._template is None:
                raise refuse(
                    Code.INVALID_REQUEST,
                    "This model has no usable chat template; send a text completion instead.",
                    param="messages",
                )
            return self._vocabulary.tokenize_parts(self._template.render(prompt.messages))
        if isinstance(prompt, Text):
            return self._vocabulary.tokenize_text(prompt.text)
        tokens = list(prompt.tokens)
        self._check_ids(tokens, "prompt")
        return tokens

    def _check_ids(self, tokens: list[int], param: str) -> None:
        if tokens and (min(tokens) < 0 or max(tokens) >= self._vocabulary.size):
            raise refuse(
                Code.INVALID_REQUEST,
                f"A token id is outside the model's vocabulary of {self._vocabulary.size}.",
                param=param,
            )
