"""Facts about kept content: reading, erasing, holding, pruning."""

from typing import ClassVar

from appliance.audit.events.event import Event


class ContentRead(Event, frozen=True, kw_only=True):
    """A person read the kept content of an exchange."""

    action: ClassVar[str] = "content.read"

    exchange: str
    reason: str = ""

    @property
    def subject(self) -> str:
        """The exchange."""
        return f"exchange:{self.exchange}"


class SubjectErased(Event, frozen=True, kw_only=True):
    """The tombstone: a person's key and ciphertexts were destroyed; their entries still verify."""

    action: ClassVar[str] = "subject.erased"

    data_subject: str
    """Keyed id."""
    exchanges: int = 0
    """How many exchanges lost their content."""
    certificate_digest: str = ""

    @property
    def subject(self) -> str:
        """The person, by keyed id."""
        return f"subject:{self.data_subject}"


class HoldPlaced(Event, frozen=True, kw_only=True):
    """A legal hold: nothing of this person is erased or pruned until it is lifted."""

    action: ClassVar[str] = "hold.placed"

    data_subject: str
    hold: str

    @property
    def subject(self) -> str:
        """The person, by keyed id."""
        return f"subject:{self.data_subject}"


class HoldLifted(Event, frozen=True, kw_only=True):
    """A legal hold ended."""

    action: ClassVar[str] = "hold.lifted"

    data_subject: str
    hold: str

    @property
    def subject(self) -> str:
        """The person, by keyed id."""
        return f"subject:{self.data_subject}"


class ContentPruned(Event, frozen=True, kw_only=True):
    """Content older than policy keeps was destroyed; entries and digests stay."""

    action: ClassVar[str] = "content.pruned"

    exchanges: int
    before: str
    policy_digest: str = ""
