"""Facts about models and the workers that run them."""

from typing import ClassVar

from appliance.audit.events.event import REFUSED, Event


class ModelEvent(Event, frozen=True, kw_only=True):
    """Something about one version of a model."""

    model: str
    version: str = ""
    model_digest: str = ""

    @property
    def subject(self) -> str:
        """The model's version."""
        return f"model:{self.model}@{self.version}" if self.version else f"model:{self.model}"


class ModelImported(ModelEvent, frozen=True, kw_only=True):
    """A bundle came in and lies in quarantine."""

    action: ClassVar[str] = "model.imported"

    bundle_digest: str = ""
    signers: tuple[str, ...] = ()


class ModelRefused(ModelEvent, frozen=True, kw_only=True):
    """A model file or bundle did not pass a gate."""

    action: ClassVar[str] = "model.refused"

    gate: str
    """`signature`, `digest`, `gguf`, `template`, `trial` or `evaluation`."""
    reasons: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """Always refused."""
        return REFUSED


class ModelRegistered(ModelEvent, frozen=True, kw_only=True):
    """A model passed the gates and lies encrypted in the store."""

    action: ClassVar[str] = "model.registered"

    bundle_digest: str = ""


class ModelApproved(ModelEvent, frozen=True, kw_only=True):
    """A person approved a model version for service."""

    action: ClassVar[str] = "model.approved"

    evaluation_digest: str = ""


class ModelActivated(ModelEvent, frozen=True, kw_only=True):
    """A model version serves an alias, fully or as a canary."""

    action: ClassVar[str] = "model.activated"

    alias: str
    previous: str = ""
    """The version that served before."""
    canary_percent: int = 0
    """Share of requests; 0 means all."""


class ModelRolledBack(ModelEvent, frozen=True, kw_only=True):
    """An alias went back to an earlier version."""

    action: ClassVar[str] = "model.rolled_back"

    alias: str
    previous: str = ""
    reason: str = ""


class ModelRetired(ModelEvent, frozen=True, kw_only=True):
    """A model version was withdrawn and its weights destroyed."""

    action: ClassVar[str] = "model.retired"


class ModelLoaded(ModelEvent, frozen=True, kw_only=True):
    """A worker has a model's weights and serves it."""

    action: ClassVar[str] = "model.loaded"

    template_digest: str = ""
    build: str = ""


class ModelUnloaded(ModelEvent, frozen=True, kw_only=True):
    """A model's worker ended in order."""

    action: ClassVar[str] = "model.unloaded"


class ModelTuned(ModelEvent, frozen=True, kw_only=True):
    """Threads, batch sizes and cache types were measured and set."""

    action: ClassVar[str] = "model.tuned"

    tuning_digest: str


class WorkerRestarted(ModelEvent, frozen=True, kw_only=True):
    """A worker died and was started again."""

    action: ClassVar[str] = "worker.restarted"

    signal: str = ""
    """The signal that ended it, `SIGKILL`; or `exit` and its status."""
    resumed: int = 0
    """Generations that went on in the new worker."""
    failed: int = 0
    """Generations that were given up."""
