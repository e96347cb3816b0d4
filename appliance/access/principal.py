"""A principal and what its role may do. Pure."""

from enum import StrEnum

import msgspec


class Permission(StrEnum):
    """One thing that a role allows."""

    GENERATE = "generate"
    READ_STATUS = "read_status"
    MANAGE_ACCESS = "manage_access"
    MANAGE_MODELS = "manage_models"
    APPROVE_MODELS = "approve_models"
    READ_AUDIT = "read_audit"
    MANAGE_POLICY = "manage_policy"
    OPERATE = "operate"


class Role(StrEnum):
    """The people and programs of the house, kept apart on purpose.

    The operator keeps the box running and can read neither prompts nor evidence; the officer reads
    evidence and cannot change the machine; nobody who signs in holds both.
    """

    APPLICATION = "application"
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"
    OFFICER = "officer"
    APPROVER = "approver"
    OWNER = "owner"
    """The system account that runs the box, at its own command line. Nobody signs in as it."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role may do; everything else is refused."""
        return _PERMISSIONS[self]


_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.APPLICATION: frozenset({Permission.GENERATE}),
    Role.ADMINISTRATOR: frozenset(
        {Permission.READ_STATUS, Permission.MANAGE_ACCESS, Permission.MANAGE_MODELS}
    ),
    Role.OPERATOR: frozenset({Permission.READ_STATUS, Permission.OPERATE}),
    Role.OFFICER: frozenset(
        {Permission.READ_STATUS, Permission.READ_AUDIT, Permission.MANAGE_POLICY}
    ),
    Role.OWNER: frozenset(Permission) - {Permission.GENERATE, Permission.APPROVE_MODELS},
    Role.APPROVER: frozenset({Permission.READ_STATUS, Permission.APPROVE_MODELS}),
}


class Via(StrEnum):
    """How somebody proved who they are."""

    API_KEY = "api_key"
    SESSION = "session"
    COMMAND = "command"
    """At the box's own command line, as a system account that may read its keys."""


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticated caller: an application by its key, or a person by a session."""

    id: str
    """Stable and free of meaning; what the log names."""
    name: str
    role: Role
    via: Via
    models: frozenset[str] | None = None
    """Aliases that the key may use; none means every active model."""

    def may(self, permission: Permission) -> bool:
        """Whether the role allows it."""
        return permission in self.role.permissions

    def may_use(self, alias: str) -> bool:
        """Whether the key covers the model."""
        return self.models is None or alias in self.models
