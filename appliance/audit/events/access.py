"""Facts about who may do what: keys, people, approvals."""

from typing import ClassVar

from appliance.audit.events.event import OK, REFUSED, Event
from appliance.errors import Code


class KeyCreated(Event, frozen=True, kw_only=True):
    """An API key was issued."""

    action: ClassVar[str] = "key.created"

    key: str
    """Its public id."""
    tenant: str = ""
    role: str = ""
    models: tuple[str, ...] = ()
    expires: str = ""

    @property
    def subject(self) -> str:
        """The key."""
        return f"key:{self.key}"


class KeyRevoked(Event, frozen=True, kw_only=True):
    """An API key was withdrawn."""

    action: ClassVar[str] = "key.revoked"

    key: str
    reason: str = ""

    @property
    def subject(self) -> str:
        """The key."""
        return f"key:{self.key}"


class UserCreated(Event, frozen=True, kw_only=True):
    """A person was given an account."""

    action: ClassVar[str] = "user.created"

    user: str
    roles: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The person."""
        return f"user:{self.user}"


class UserChanged(Event, frozen=True, kw_only=True):
    """A person's roles, password, second factor or standing changed."""

    action: ClassVar[str] = "user.changed"

    user: str
    change: str
    """`roles`, `password`, `second_factor`, `locked`, `unlocked` or `removed`."""
    roles: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The person."""
        return f"user:{self.user}"


class UserLogin(Event, frozen=True, kw_only=True):
    """A person logged in, or failed to."""

    action: ClassVar[str] = "user.login"

    user: str = ""
    """Empty where no such user exists: what was typed may be a password."""
    method: str = ""
    failed: bool = False

    @property
    def subject(self) -> str:
        """The person."""
        return f"user:{self.user}" if self.user else ""

    @property
    def outcome(self) -> str:
        """Whether it was let in."""
        return REFUSED if self.failed else OK


class UserLogout(Event, frozen=True, kw_only=True):
    """A person's session ended."""

    action: ClassVar[str] = "user.logout"

    user: str
    reason: str = ""

    @property
    def subject(self) -> str:
        """The person."""
        return f"user:{self.user}"


class ApprovalGiven(Event, frozen=True, kw_only=True):
    """A person approved, or rejected, what needs approval."""

    action: ClassVar[str] = "approval.given"

    request: str
    kind: str
    """What is to be approved: `model`, `policy`, `export`, `erasure`…"""
    rejected: bool = False

    @property
    def subject(self) -> str:
        """What was to be approved."""
        return f"approval:{self.request}"

    @property
    def outcome(self) -> str:
        """The decision."""
        return REFUSED if self.rejected else OK


class OperationRefused(Event, frozen=True, kw_only=True):
    """An administrative command was refused: not allowed, or not possible."""

    action: ClassVar[str] = "operation.refused"

    operation: str
    code: Code

    @property
    def subject(self) -> str:
        """The operation."""
        return f"operation:{self.operation}"

    @property
    def outcome(self) -> str:
        """Always refused."""
        return REFUSED
