"""Facts about policies and the vault."""

from typing import ClassVar

from appliance.audit.events.event import OK, REFUSED, Event


class PolicyActivated(Event, frozen=True, kw_only=True):
    """A policy passed its own test cases and is in force."""

    action: ClassVar[str] = "policy.activated"

    policy: str
    policy_digest: str
    previous_digest: str = ""
    cases: int = 0
    """Test cases that it passed."""

    @property
    def subject(self) -> str:
        """The policy."""
        return f"policy:{self.policy}"


class PolicyRefused(Event, frozen=True, kw_only=True):
    """A policy was not activated; the one before stays in force."""

    action: ClassVar[str] = "policy.refused"

    policy: str
    policy_digest: str = ""
    failed_cases: int = 0

    @property
    def subject(self) -> str:
        """The policy."""
        return f"policy:{self.policy}"

    @property
    def outcome(self) -> str:
        """Always refused."""
        return REFUSED


class VaultUnsealed(Event, frozen=True, kw_only=True):
    """The keys are in memory; or someone tried in vain."""

    action: ClassVar[str] = "vault.unsealed"

    method: str
    """`key_file`, `passphrase`, `shares`, `tpm` or `pkcs11`."""
    failed: bool = False

    @property
    def outcome(self) -> str:
        """Whether it opened."""
        return REFUSED if self.failed else OK


class VaultSealed(Event, frozen=True, kw_only=True):
    """The keys were wiped from memory; nothing is served until they come back."""

    action: ClassVar[str] = "vault.sealed"


class VaultRotated(Event, frozen=True, kw_only=True):
    """A key was replaced and what it wrapped was wrapped again."""

    action: ClassVar[str] = "vault.rotated"

    purpose: str
    version: int

    @property
    def subject(self) -> str:
        """The key's purpose."""
        return f"purpose:{self.purpose}"
