"""What the rest of the house may know of a loaded model."""

from enum import StrEnum

import msgspec

from appliance.engine.wire import Gauges


class ModelState(StrEnum):
    """Where a model stands."""

    LOADING = "loading"
    READY = "ready"
    RESTARTING = "restarting"
    """Its worker is gone; another is being started, generations wait."""
    FAILED = "failed"
    """It cannot be kept running; unload it and look at `reason`."""
    CLOSED = "closed"


class ModelDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as its worker described it."""

    name: str
    state: ModelState
    reason: str = ""
    context_tokens: int = 0
    """Most tokens of one prompt and its answer."""
    vocabulary: tuple[bytes, ...] = ()
    """The bytes of each token id, special tokens as their text."""
    template_digest: str = ""
    architecture: str = ""
    parameters: int = 0
    weights_bytes: int = 0
    state_bytes: int = 0
    threads: int = 0
    restrictions: tuple[str, ...] = ()
    unrestricted: tuple[str, ...] = ()
    """Restrictions that this machine would not grant its worker; `doctor` reports them."""
    worker_pid: int = 0


class ModelGauges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Figures of one model; counters count since it was loaded."""

    state: ModelState
    held: int
    """Generations without an ending, wherever they are."""
    worker: Gauges | None
    """The worker's own figures after its last step; they start anew with each worker."""
    restarts: int
    resumed: int
    """Generations that went on in another worker."""
    poisoned: int
    """Generations that failed alone because they killed their worker twice."""
    hung: int
    """Workers that were replaced because a step took too long."""
