"""A prompt in one of three forms: a conversation, a text, or token ids."""

from typing import Literal, TypeAlias

import msgspec

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool"]


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a conversation, its content parts already joined into text."""

    role: Role
    content: str
    name: str | None = None


class Chat(msgspec.Struct, frozen=True, kw_only=True, tag="chat", forbid_unknown_fields=True):
    """A conversation; the worker renders it with the model's own chat template."""

    messages: tuple[Message, ...]


class Text(msgspec.Struct, frozen=True, kw_only=True, tag="text", forbid_unknown_fields=True):
    """A text, tokenized as it is; text that looks like a control token is text."""

    text: str


class Tokens(msgspec.Struct, frozen=True, kw_only=True, tag="tokens", forbid_unknown_fields=True):
    """Token ids of the model's own vocabulary, used as they are."""

    tokens: tuple[int, ...]


Prompt: TypeAlias = Chat | Text | Tokens
