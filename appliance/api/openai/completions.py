"""`POST /v1/completions`: a text or token ids in, a text out."""

from typing import Annotated

import msgspec

from appliance.api.openai.chat import usage_of
from appliance.api.openai.parameters import SharedFields, refuse_unless_neutral
from appliance.errors import Code, refuse
from appliance.generation.outcome import FinishReason, Usage
from appliance.generation.prompt import Prompt, Text, Tokens
from appliance.generation.request import GenerationRequest

TokenId = Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)]

DEFAULT_MAX_TOKENS = 16
"""OpenAI's own default for this endpoint."""


class CompletionRequest(SharedFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request."""

    prompt: str | list[str | TokenId | list[TokenId]]
    echo: bool | None = None
    suffix: str | None = None
    logprobs: int | None = None
    best_of: int | None = None

    def generation(self) -> GenerationRequest:
        """Translate to what the engine is asked for.

        Raises:
            RefusalError: a field asks for something that is not done here.
        """
        refuse_unless_neutral(
            (
                ("n", self.n, (1,)),
                ("echo", self.echo, (False,)),
                ("suffix", self.suffix, ("",)),
                ("logprobs", self.logprobs, ()),
                ("best_of", self.best_of, (1,)),
            )
        )
        return GenerationRequest(
            prompt=self._prompt(),
            sampling=self.sampling(),
            max_tokens=self.max_tokens or DEFAULT_MAX_TOKENS,
            stop=self.stop_strings(),
        )

    def _prompt(self) -> Prompt:
        prompt = self.prompt
        if isinstance(prompt, str):
            return Text(text=prompt)
        match prompt:
            case [str(text)]:
                return Text(text=text)
            case [list(tokens)] if tokens:
                return Tokens(tokens=tuple(tokens))
            case _ if prompt:
                ids = tuple(token for token in prompt if isinstance(token, int))
                if len(ids) == len(prompt):
                    return Tokens(tokens=ids)
        raise refuse(
            Code.INVALID_REQUEST,
            "`prompt` is one text or one list of token ids; send several prompts one by one",
            param="prompt",
        )


decoder = msgspec.json.Decoder(CompletionRequest)


class CompletionFormat:
    """Writes one completion, whole or as the chunks of a stream."""

    def __init__(self, exchange_id: str, model: str, created: int) -> None:
        self._envelope = {
            "id": f"cmpl-{exchange_id}",
            "object": "text_completion",
            "created": created,
            "model": model,
        }
        head = msgspec.json.encode(self._envelope)[:-1]
        self._before = b"data: " + head + b',"choices":[{"index":0,"logprobs":null,"text":'
        self._after = b',"finish_reason":null}]}\n\n'

    def whole(self, text: str, reason: FinishReason, usage: Usage) -> bytes:
        """Write the body of a request that was not streamed."""
        return msgspec.json.encode({**self._choice(text, reason), "usage": usage_of(usage)})

    def opening(self) -> bytes:
        """Nothing precedes the text in this format."""
        return b""

    def text(self, text: str) -> bytes:
        """Write a chunk of text."""
        return self._before + msgspec.json.encode(text) + self._after

    def closing(self, reason: FinishReason, usage: Usage | None) -> bytes:
        """Write the last chunk, the counts if they were asked for, and the end of the stream."""
        frames = [b"data: " + msgspec.json.encode(self._choice("", reason)) + b"\n\n"]
        if usage is not None:
            counts = {**self._envelope, "choices": [], "usage": usage_of(usage)}
            frames.append(b"data: " + msgspec.json.encode(counts) + b"\n\n")
        return b"".join([*frames, b"data: [DONE]\n\n"])

    def _choice(self, text: str, reason: FinishReason) -> dict[str, object]:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason.value}
        return {**self._envelope, "choices": [choice]}
