"""Facts about the box as a whole."""

from typing import ClassVar

from appliance.audit.events.event import Event


class BoxInitialised(Event, frozen=True, kw_only=True):
    """The first entry: the box was set up."""

    action: ClassVar[str] = "box.initialised"

    profile: str
    program: str
    """Version of the program."""


class ServiceStarted(Event, frozen=True, kw_only=True):
    """The service began to run."""

    action: ClassVar[str] = "service.started"

    program: str
    settings_digest: str = ""


class ServiceStopped(Event, frozen=True, kw_only=True):
    """The service ended in order. A start without a stop before it followed a crash."""

    action: ClassVar[str] = "service.stopped"

    reason: str = ""


class SettingsChanged(Event, frozen=True, kw_only=True):
    """cloister.toml differs from what the service last ran with."""

    action: ClassVar[str] = "settings.changed"

    settings_digest: str
    previous_digest: str = ""
    names: tuple[str, ...] = ()
    """Names of the settings that differ; never their values."""


class BackupCreated(Event, frozen=True, kw_only=True):
    """An encrypted backup was written."""

    action: ClassVar[str] = "backup.created"

    backup: str
    backup_digest: str

    @property
    def subject(self) -> str:
        """The backup."""
        return f"backup:{self.backup}"


class BackupRestored(Event, frozen=True, kw_only=True):
    """The box was restored from a backup; the entries after its making are elsewhere."""

    action: ClassVar[str] = "backup.restored"

    backup: str
    backup_digest: str

    @property
    def subject(self) -> str:
        """The backup."""
        return f"backup:{self.backup}"
