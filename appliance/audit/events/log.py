"""Facts about the log itself."""

from typing import ClassVar

from appliance.audit.events.event import FAILED, OK, Event


class LogRecovered(Event, frozen=True, kw_only=True):
    """The log was opened after a crash and found every acknowledged entry in its journal."""

    action: ClassVar[str] = "log.recovered"

    replayed: int
    """Entries that the journal had and the tiles had not."""
    torn_bytes: int = 0
    """Bytes of an unfinished write at the journal's end: nobody had been told that it succeeded."""


class LogTailDiscarded(Event, frozen=True, kw_only=True):
    """Someone had the damaged end of the journal thrown away: acknowledged entries may be lost."""

    action: ClassVar[str] = "log.tail_discarded"

    discarded_bytes: int
    discarded_digest: str

    @property
    def outcome(self) -> str:
        """A failure, even if the log goes on."""
        return FAILED


class LogResumed(Event, frozen=True, kw_only=True):
    """The log could not be written for a while, in which the box refused all work."""

    action: ClassVar[str] = "log.resumed"

    paused_at: str
    """Since when."""
    reason: str
    """`disk_full`, `read_only`, `io_error`, `slow_disk` or `integration_behind`."""
    refused: int = 0
    """How many entries were refused meanwhile."""


class ClockJumped(Event, frozen=True, kw_only=True):
    """UTC moved against the monotonic clock, or back over a restart."""

    action: ClassVar[str] = "clock.jumped"

    by_ns: str
    """Nanoseconds, as a decimal string; negative is backwards."""


class KeyEpochStarted(Event, frozen=True, kw_only=True):
    """The log's signing key was replaced and the old one destroyed (see `epochs`)."""

    action: ClassVar[str] = "log.epoch_started"

    epoch: int
    """1 for the first key after that in `log.vkey`."""
    vkey: str
    """The new verifier key."""
    size: int
    """Entries that the old key vouches for: all before this one."""
    root: str
    """Base64 root hash of those."""
    signature: str
    """Base64 Ed25519 signature of the old key over the statement of the four fields above."""

    @property
    def subject(self) -> str:
        """The epoch."""
        return f"epoch:{self.epoch}"


class LogVerified(Event, frozen=True, kw_only=True):
    """Someone had the log verified on the box."""

    action: ClassVar[str] = "log.verified"

    size: int
    sound: bool

    @property
    def outcome(self) -> str:
        """Whether the log was sound."""
        return OK if self.sound else FAILED


class LogSearched(Event, frozen=True, kw_only=True):
    """Someone searched or read the log."""

    action: ClassVar[str] = "log.searched"

    filters: tuple[str, ...] = ()
    """Names of the filters that were set; values too where they are not personal data."""
    results: int = 0


class LogExported(Event, frozen=True, kw_only=True):
    """Entries left the box, with proofs."""

    action: ClassVar[str] = "log.exported"

    export: str
    export_digest: str
    first: int = 0
    entries: int = 0
    format: str = ""
    with_content: bool = False
    reason: str = ""
    """Why, chosen from a list by whoever exported content."""

    @property
    def subject(self) -> str:
        """The export."""
        return f"export:{self.export}"


class ProofIssued(Event, frozen=True, kw_only=True):
    """An inclusion or consistency proof was handed out."""

    action: ClassVar[str] = "log.proof_issued"

    kind: str
    """`inclusion` or `consistency`."""
    size: int
    entry: int | None = None


class CheckpointAnchored(Event, frozen=True, kw_only=True):
    """A checkpoint left the box: printed, pushed, sent to syslog or cosigned by a witness."""

    action: ClassVar[str] = "checkpoint.anchored"

    kind: str
    """`print`, `directory`, `syslog` or `witness`."""
    size: int
    root: str
    """Base64, as in the checkpoint."""
    anchor: str = ""
    """Which one: a witness's name, a configured directory's name."""
    failed: bool = False

    @property
    def subject(self) -> str:
        """The anchor."""
        return f"anchor:{self.anchor or self.kind}"

    @property
    def outcome(self) -> str:
        """Whether it arrived."""
        return FAILED if self.failed else OK
