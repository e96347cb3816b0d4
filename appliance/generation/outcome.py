"""What comes back: deltas, then exactly one ending."""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from appliance.errors import Code


class FinishReason(StrEnum):
    """Why a generation that went well ended."""

    STOP = "stop"
    """The model ended its turn, or a stop string appeared."""
    LENGTH = "length"
    """`max_tokens` or the end of the context."""
    CANCELLED = "cancelled"
    """The caller went away."""


class Usage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tokens counted by the worker; `cached` of the prompt's were in the KV cache already."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


class Delta(msgspec.Struct, frozen=True, kw_only=True, tag="delta", forbid_unknown_fields=True):
    """Text that became final, and the tokens decoded since the last delta.

    `text` is whole characters, and never the beginning of a stop string that may still complete;
    so the two need not correspond token by token.
    """

    text: str
    tokens: tuple[int, ...] = ()


class Finished(
    msgspec.Struct, frozen=True, kw_only=True, tag="finished", forbid_unknown_fields=True
):
    """The answer is complete; all its text came in deltas before."""

    reason: FinishReason
    usage: Usage
    seed: int = 0
    """The seed that was used; the same one repeats a sampled answer."""


class NotServed(
    msgspec.Struct, frozen=True, kw_only=True, tag="not_served", forbid_unknown_fields=True
):
    """The engine did not begin: too long, queue full, model gone. The text says what to do."""

    code: Code
    message: str
    param: str | None = None
    retry_after: float | None = None


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed", forbid_unknown_fields=True):
    """The engine began and could not end it; the tokens so far are what came in deltas."""

    code: Code
    message: str
    usage: Usage | None = None


Ending: TypeAlias = Finished | NotServed | Failed
Event: TypeAlias = Delta | Ending
