"""One generation as the gateway asks for it."""

from enum import IntEnum

import msgspec

from appliance.generation.prompt import Prompt
from appliance.generation.sampling import Sampling


class Priority(IntEnum):
    """Who goes first when the batch is full; the lower value wins."""

    INTERACTIVE = 0
    BATCH = 1


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to generate, from what, and when to stop."""

    prompt: Prompt
    sampling: Sampling = Sampling()
    max_tokens: int | None = None
    """Most tokens to generate; none means up to the end of the context."""
    stop: tuple[str, ...] = ()
    """Strings that end the answer and are not part of it; they may span tokens."""
    priority: Priority = Priority.INTERACTIVE
