"""`POST /v1/chat/completions`: request in, completion or chunks out."""

from typing import Annotated, Literal

import msgspec

from appliance.api.openai.parameters import Count, SharedFields, refuse_unless_neutral
from appliance.errors import Code, refuse
from appliance.generation.outcome import FinishReason, Usage
from appliance.generation.prompt import Chat, Message, Role
from appliance.generation.request import GenerationRequest


class TextPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The one kind of content part that a text model reads."""

    type: Literal["text"]
    text: str


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn as the SDK sends it."""

    role: Role
    content: str | list[TextPart] | None = None
    """Nothing where an assistant's turn said nothing, as SDKs send it back."""
    name: Annotated[str, msgspec.Meta(max_length=256)] | None = None

    def joined(self) -> str:
        """The content parts as one text."""
        if self.content is None:
            return ""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class ResponseFormat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the answer is constrained."""

    type: Literal["text"]


class ChatRequest(SharedFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request."""

    messages: Annotated[list[ChatMessage], msgspec.Meta(min_length=1)]
    max_completion_tokens: Count | None = None
    response_format: ResponseFormat | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None
    safety_identifier: Annotated[str, msgspec.Meta(max_length=512)] | None = None

    def generation(self) -> GenerationRequest:
        """Translate to what the engine is asked for.

        Raises:
            RefusalError: a field asks for something that is not done here.
        """
        refuse_unless_neutral(
            (
                ("n", self.n, (1,)),
                ("logprobs", self.logprobs, (False,)),
                ("top_logprobs", self.top_logprobs, (0,)),
                ("tools", self.tools, ([],)),
                ("store", self.store, (False,)),
            )
        )
        limits = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(limits) > 1:
            raise refuse(
                Code.INVALID_REQUEST,
                "`max_tokens` and `max_completion_tokens` disagree; send the second one alone",
                param="max_tokens",
            )
        for number, message in enumerate(self.messages):
            if message.content is None and message.role != "assistant":
                param = f"messages[{number}].content"
                raise refuse(Code.INVALID_REQUEST, f"the field `{param}` is required", param=param)
        messages = tuple(
            Message(role=message.role, content=message.joined(), name=message.name)
            for message in self.messages
        )
        return GenerationRequest(
            prompt=Chat(messages=messages),
            sampling=self.sampling(),
            max_tokens=limits.pop() if limits else None,
            stop=self.stop_strings(),
        )


decoder = msgspec.json.Decoder(ChatRequest)


class ChatFormat:
    """Writes one chat completion, whole or as the chunks of a stream."""

    def __init__(self, exchange_id: str, model: str, created: int) -> None:
        self._envelope = {"id": f"chatcmpl-{exchange_id}", "created": created, "model": model}
        head = msgspec.json.encode({**self._envelope, "object": "chat.completion.chunk"})
        # Everything of a text chunk but its text is written once: this is the path of every token.
        self._before = b"data: " + head[:-1] + b',"choices":[{"index":0,"delta":{"content":'
        self._after = b'},"finish_reason":null}]}\n\n'

    def whole(self, text: str, reason: FinishReason, usage: Usage) -> bytes:
        """Write the body of a request that was not streamed."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None,
            "finish_reason": reason.value,
        }
        return msgspec.json.encode(
            {
                **self._envelope,
                "object": "chat.completion",
                "choices": [choice],
                "usage": usage_of(usage),
            }
        )

    def opening(self) -> bytes:
        """Write the first chunk: the role."""
        return self._chunk({"role": "assistant", "content": ""}, None)

    def text(self, text: str) -> bytes:
        """Write a chunk of text."""
        return self._before + msgspec.json.encode(text) + self._after

    def closing(self, reason: FinishReason, usage: Usage | None) -> bytes:
        """Write the last chunk, the counts if they were asked for, and the end of the stream."""
        frames = [self._chunk({}, reason.value)]
        if usage is not None:
            counts = {
                **self._envelope,
                "object": "chat.completion.chunk",
                "choices": [],
                "usage": usage_of(usage),
            }
            frames.append(b"data: " + msgspec.json.encode(counts) + b"\n\n")
        return b"".join([*frames, b"data: [DONE]\n\n"])

    def _chunk(self, delta: dict[str, str], reason: str | None) -> bytes:
        chunk = {
            **self._envelope,
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        }
        return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def usage_of(usage: Usage) -> dict[str, object]:
    """Write token counts with OpenAI's names."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
