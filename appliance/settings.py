"""cloister.toml: one frozen struct per room, and nothing that a room does not read.

`load` refuses an unknown key, a wrong type and an impossible value with a sentence that names the
place. Relative paths count from the folder that holds the file, so a box can be moved whole.
A secret never stands in the file: it lies under `keys/`, wrapped, or comes in at unsealing.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from appliance.errors import ConfigurationError

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Hours = Annotated[float, msgspec.Meta(gt=0)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table of the file."""


class ServerSettings(Section, frozen=True, kw_only=True):
    """Where the gateway listens and what it takes from a client."""

    host: str = "127.0.0.1"
    port: Port = 8600
    tls_certificate: str = ""
    tls_key: str = ""
    max_body_bytes: Positive = 8 << 20
    max_connections: Positive = 1024
    slow_reader_seconds: Seconds = 30.0
    """A client that takes nothing from a full queue for so long is cut off."""
    shutdown_seconds: Seconds = 20.0


class EngineSettings(Section, frozen=True, kw_only=True):
    """How workers run. 0 means: chosen by the worker for this machine."""

    sequences: Positive = 32
    context_tokens: Natural = 0
    """KV cells shared by all sequences of a model."""
    sequence_tokens: Natural = 0
    """Most tokens of one prompt and its answer; 0 means the model's own context."""
    batch_tokens: Positive = 512
    queue_limit: Natural = 128
    threads: Natural = 0
    batch_threads: Natural = 0
    gpu_layers: Natural = 0
    prefix_cache: bool = True
    """Keep computed prompts for later ones of the same isolation domain that begin alike."""
    flash_attention: bool = True
    kv_type: Literal["f16", "q8_0", "q4_0"] = "f16"
    """Number format of the KV cache; q8_0 needs flash attention and half the memory."""
    load_seconds: Seconds = 600.0
    step_seconds: Seconds = 120.0
    """A step that takes longer means a hung worker; it is replaced."""


class AuditSettings(Section, frozen=True, kw_only=True):
    """When the log counts as unavailable."""

    fsync_seconds: Seconds = 5.0
    """A slower disk refuses service rather than queueing requests without end."""
    epoch_hours: Hours = 24.0
    """How long one signing key is used; the next start ends its epoch as well."""


class PolicySettings(Section, frozen=True, kw_only=True):
    """Which redaction policy holds. The files lie in the box's `policies/`."""

    active: str = "default"


class VaultSettings(Section, frozen=True, kw_only=True):
    """How the box is unsealed at start."""

    unsealer: Literal["key-file"] = "key-file"
    key_file: str = "keys/unseal.key"


class Settings(Section, frozen=True, kw_only=True):
    """The whole file."""

    profile: Literal["demo", "production"]
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9./_-]{0,100}$")]
    """The box's name for ever: the origin of its log, which every checkpoint is signed for."""
    server: ServerSettings = ServerSettings()
    engine: EngineSettings = EngineSettings()
    audit: AuditSettings = AuditSettings()
    policy: PolicySettings = PolicySettings()
    vault: VaultSettings = VaultSettings()


class Layout:
    """Where things lie in a box. The names under `audit/` are part of the contract."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.config = self.root / "cloister.toml"
        self.keys = self.root / "keys"
        self.database = self.root / "database" / "cloister.db"
        self.audit = self.root / "audit"
        self.models = self.root / "models"
        self.policies = self.root / "policies"
        self.socket = self.root / "run" / "admin.sock"

    def path(self, relative: str) -> Path:
        """Resolve a path of the file against the box."""
        return self.root / relative


def load(path: Path) -> tuple[Settings, Layout]:
    """Read cloister.toml.

    Raises:
        ConfigurationError: the file is missing, is not TOML, or says something impossible.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"no configuration at {path}: make a box with `cloister init DIR --profile demo`"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    try:
        settings = msgspec.convert(tomllib.loads(text), Settings)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    if bool(settings.server.tls_certificate) != bool(settings.server.tls_key):
        raise ConfigurationError(f"{path}: server.tls_certificate and server.tls_key go together")
    return settings, Layout(path.parent)


def render(settings: Settings) -> str:
    """Write settings as TOML with one table per room: what `cloister init` leaves behind."""
    document = msgspec.to_builtins(settings)
    lines = [f"{key} = {_toml(document.pop(key))}" for key in ("profile", "name")]
    for room, table in document.items():
        lines += ["", f"[{room}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    # JSON's strings, numbers and booleans are TOML's as well.
    return msgspec.json.encode(value).decode()
