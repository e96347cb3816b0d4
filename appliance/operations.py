"""Administrative commands: each checks who asks, acts, and is logged once.

The command line, `/admin/v1` and the console all come through here, so an act has the same
conditions and the same entry whoever performs it. A right that was given and cannot be logged is
taken back, and the caller gets the log's error; one that was taken stays taken.
"""

from appliance.access.authenticator import Authenticator
from appliance.access.keys import ApiKeys, KeyRecord
from appliance.access.principal import Permission, Principal, Role
from appliance.audit.events import (
    KeyCreated,
    KeyRevoked,
    OperationRefused,
    UserLogin,
    VaultSealed,
)
from appliance.errors import Code, RefusalError, refuse
from appliance.gateway.call import actor_of
from appliance.gateway.needs import Journal


class Operations:
    """What people may do to a box that is unsealed."""

    def __init__(self, keys: ApiKeys, authenticator: Authenticator, journal: Journal) -> None:
        self._keys = keys
        self._authenticator = authenticator
        self._journal = journal

    async def sign_in(self, name: str, password: str, origin: str) -> str:
        """Check a person's password; returns a session token for eight hours."""
        try:
            token, principal = await self._authenticator.sign_in(name, password, origin)
        except RefusalError:
            # Without the name: what was typed there may be the password.
            await self._journal.append(
                UserLogin(method="password", failed=True), actor_of(None, origin)
            )
            raise
        await self._journal.append(
            UserLogin(user=principal.id, method="password"), actor_of(principal, origin)
        )
        return token

    async def issue_key(
        self, by: Principal, name: str, models: tuple[str, ...] | None, *, source: str = ""
    ) -> tuple[str, KeyRecord]:
        """Make an API key for an application; the key is shown this once."""
        require(by, Permission.MANAGE_ACCESS)
        key, record = await self._keys.issue(name, Role.APPLICATION, models=models)
        event = KeyCreated(key=record.id, role=record.role.value, models=models or ())
        try:
            await self._journal.append(event, actor_of(by, source))
        except BaseException:
            await self._keys.revoke(record.id)
            raise
        return key, record

    async def revoke_key(self, by: Principal, key_id: str, *, source: str = "") -> KeyRecord:
        """End an API key at once."""
        require(by, Permission.MANAGE_ACCESS)
        record = await self._keys.revoke(key_id)
        await self._journal.append(KeyRevoked(key=record.id), actor_of(by, source))
        return record

    async def note_sealing(self, by: Principal, *, source: str = "") -> None:
        """Log that the box is about to be sealed: afterwards nothing can be logged."""
        require(by, Permission.OPERATE)
        await self._journal.append(VaultSealed(), actor_of(by, source))

    async def note_refusal(
        self, operation: str, code: Code, by: Principal | None, *, source: str = ""
    ) -> None:
        """Log an act that was refused: who, what, why."""
        await self._journal.append(
            OperationRefused(operation=operation, code=code), actor_of(by, source)
        )

    def list_keys(self, by: Principal) -> list[KeyRecord]:
        """All keys ever issued, oldest first."""
        require(by, Permission.READ_STATUS)
        return self._keys.records()


def require(principal: Principal, permission: Permission) -> None:
    """Refuse a principal whose role does not allow the act.

    Raises:
        RefusalError: names the permission that is missing.
    """
    if not principal.may(permission):
        raise refuse(
            Code.PERMISSION_DENIED,
            f"the role {principal.role.value} does not include `{permission.value}`; "
            "ask someone whose role does",
        )
