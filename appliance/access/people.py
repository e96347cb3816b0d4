"""People who sign in, and their sessions.

A session is a secret like an API key, lives in memory alone, ends after eight hours or with the
process, and carries the person's role. Passwords are checked in a thread: Argon2id takes a
tenth of a second on purpose.
"""

import asyncio
import uuid
from datetime import UTC, datetime

from sqlalchemy import select

from appliance.access import password, secret
from appliance.access.models import Person
from appliance.access.principal import Principal, Role, Via
from appliance.database import Database

SESSION_SECONDS = 8 * 3600.0

# Compared when nobody has that name, so that an unknown name takes as long as a wrong password.
_NOBODY = password.hash_password("nobody has this password")


class People:
    """Sign-in by name and password."""

    def __init__(self, database: Database, digest_key: bytes) -> None:
        self._database = database
        self._digest_key = digest_key
        self._sessions: dict[bytes, tuple[Principal, float]] = {}

    async def add(self, name: str, role: Role) -> str:
        """Add a person; returns the first password, which cannot be had again."""
        first = password.generate()
        hashed = await asyncio.to_thread(password.hash_password, first)
        async with self._database.session() as session:
            session.add(
                Person(
                    id=str(uuid.uuid4()),
                    name=name,
                    role=role.value,
                    password=hashed,
                    created=datetime.now(UTC),
                )
            )
        return first

    async def sign_in(self, name: str, attempt: str, now: float) -> tuple[str, Principal] | None:
        """Return a new session token and its principal, or none if name or password is wrong."""
        async with self._database.reading() as session:
            person = await session.scalar(select(Person).where(Person.name == name))
            principal, stored = (None, _NOBODY)
            if person is not None:
                principal = Principal(
                    id=person.id, name=person.name, role=Role(person.role), via=Via.SESSION
                )
                stored = person.password
        if not await asyncio.to_thread(password.matches, attempt, stored) or principal is None:
            return None
        token = secret.generate(secret.SESSION)
        self._sessions = {d: s for d, s in self._sessions.items() if s[1] > now}
        self._sessions[secret.digest(token, self._digest_key)] = (principal, now + SESSION_SECONDS)
        return token, principal

    def recognise(self, token: str, now: float) -> Principal | None:
        """Return whose session it is, or none if it is malformed, unknown or over."""
        if not secret.is_well_formed(token, secret.SESSION):
            return None
        principal, until = self._sessions.get(secret.digest(token, self._digest_key), (None, 0.0))
        return principal if until > now else None
