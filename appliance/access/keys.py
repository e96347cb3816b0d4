"""API keys: issue, revoke, and recognise.

The keyring in memory is the whole truth while the gateway runs: only the gateway writes the table,
and it updates both. So recognising a key costs one HMAC and one look-up, and no query.
"""

import uuid
from datetime import UTC, datetime

import msgspec
from sqlalchemy import select

from appliance.access import secret
from appliance.access.models import ApiKey
from appliance.access.principal import Principal, Role, Via
from appliance.database import Database
from appliance.errors import Code, refuse


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What may be told of a key."""

    id: str
    name: str
    role: Role
    models: tuple[str, ...] | None
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Whether the key opens anything at this moment."""
        return self.revoked is None and (self.expires is None or now < self.expires)


class ApiKeys:
    """The keyring. `load` first; then `recognise` without I/O, `issue` and `revoke` with it."""

    def __init__(self, database: Database, digest_key: bytes) -> None:
        self._database = database
        self._digest_key = digest_key
        self._by_digest: dict[bytes, KeyRecord] = {}

    async def load(self) -> None:
        """Read the table into memory."""
        async with self._database.reading() as session:
            rows = (await session.scalars(select(ApiKey))).all()
        self._by_digest = {row.digest: _record(row) for row in rows}

    async def issue(
        self,
        name: str,
        role: Role,
        *,
        models: tuple[str, ...] | None = None,
        expires: datetime | None = None,
    ) -> tuple[str, KeyRecord]:
        """Make a key. The text is returned this once and cannot be had again."""
        key = secret.generate(secret.API_KEY)
        row = ApiKey(
            id=str(uuid.uuid4()),
            name=name,
            role=role.value,
            digest=secret.digest(key, self._digest_key),
            models=None if models is None else list(models),
            created=datetime.now(UTC),
            expires=expires,
            revoked=None,
        )
        record = _record(row)
        digest = row.digest
        async with self._database.session() as session:
            session.add(row)
        self._by_digest[digest] = record
        return key, record

    async def revoke(self, key_id: str) -> KeyRecord:
        """End a key at once; requests that run go on. Revoking twice changes nothing.

        Raises:
            RefusalError: there is no such key.
        """
        digest = next((d for d, record in self._by_digest.items() if record.id == key_id), None)
        if digest is None:
            raise refuse(Code.NOT_FOUND, f"there is no API key with the id {key_id}", param="id")
        record = self._by_digest[digest]
        if record.revoked is not None:
            return record
        ended = msgspec.structs.replace(record, revoked=datetime.now(UTC))
        # Memory first: whatever happens to the write, the key opens nothing from now on.
        self._by_digest[digest] = ended
        async with self._database.session() as session:
            row = await session.get_one(ApiKey, key_id)
            row.revoked = ended.revoked
        return ended

    def records(self) -> list[KeyRecord]:
        """All keys ever issued, oldest first."""
        return sorted(self._by_digest.values(), key=lambda record: record.created)

    def recognise(self, key: str) -> Principal | None:
        """Return whom the key stands for, or none if it is malformed, unknown, expired, revoked."""
        if not secret.is_well_formed(key, secret.API_KEY):
            return None
        record = self._by_digest.get(secret.digest(key, self._digest_key))
        if record is None or not record.valid(datetime.now(UTC)):
            return None
        return Principal(
            id=record.id,
            name=record.name,
            role=record.role,
            via=Via.API_KEY,
            models=None if record.models is None else frozenset(record.models),
        )


def _record(row: ApiKey) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        models=None if row.models is None else tuple(row.models),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
    )
