"""The list of model versions and their states, in the encrypted database.

    registered ──approve──► approved ──activate──► active ──┐
         └──────────────────── retire ◄─────────────────────┘
                         approved ◄── another version is activated

Every method runs in the caller's session, so that a change and what belongs to it are one
transaction. Who may call is for `access` to say, and logging it for `operations`.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError as Conflict
from sqlalchemy.ext.asyncio import AsyncSession

from appliance.errors import Code, IntegrityError, refuse
from appliance.registry.models import ModelVersionRow
from appliance.registry.version import ModelDetails, ModelVersion, State, StoredFile

_MAY_FOLLOW: Final = {
    State.REGISTERED: {State.APPROVED, State.RETIRED},
    State.APPROVED: {State.ACTIVE, State.RETIRED},
    State.ACTIVE: {State.APPROVED, State.RETIRED},
    State.RETIRED: set[State](),
}


def _now() -> datetime:
    return datetime.now(UTC)


class Catalogue:
    """The versions of all models."""

    def __init__(self, session: AsyncSession, *, clock: Callable[[], datetime] = _now) -> None:
        self._session = session
        self._clock = clock

    async def register(self, alias: str, file: StoredFile, details: ModelDetails) -> ModelVersion:
        """Add a version in state `registered`.

        Raises `RefusalError` (conflict) if the alias has this file already.
        """
        now = self._clock()
        row = ModelVersionRow(
            id=os.urandom(16).hex(),
            alias=alias,
            digest=file.digest,
            size=file.size,
            file_id=file.file_id,
            state=State.REGISTERED,
            details=msgspec.json.encode(details).decode(),
            created=now,
            changed=now,
        )
        try:
            async with self._session.begin_nested():
                self._session.add(row)
        except Conflict:
            raise refuse(
                Code.CONFLICT, f"the model {alias} has this file already as one of its versions"
            ) from None
        return _version(row)

    async def approve(self, version_id: str) -> ModelVersion:
        """Let a version serve. Raises `RefusalError` if it is unknown or not waiting for it."""
        return await self._move(version_id, State.APPROVED)

    async def activate(self, version_id: str) -> ModelVersion:
        """Make an approved version the one that serves its alias; the one before steps back.

        Raises `RefusalError` if the version is unknown or not approved.
        """
        row = await self._row(version_id)
        if row.state == State.ACTIVE:
            return _version(row)
        self._check(row, State.ACTIVE)
        serving = await self._session.scalars(
            select(ModelVersionRow).where(
                ModelVersionRow.alias == row.alias, ModelVersionRow.state == State.ACTIVE
            )
        )
        for other in serving:
            self._set(other, State.APPROVED)
        # Written before the next one: at no moment may two be active.
        await self._session.flush()
        self._set(row, State.ACTIVE)
        await self._session.flush()
        return _version(row)

    async def retire(self, version_id: str) -> ModelVersion:
        """Take a version out of service for good."""
        return await self._move(version_id, State.RETIRED)

    async def get(self, version_id: str) -> ModelVersion:
        """Return one version. Raises `RefusalError` (not found)."""
        return _version(await self._row(version_id))

    async def active(self) -> tuple[ModelVersion, ...]:
        """Return the versions that serve, ordered by alias."""
        return await self._list(State.ACTIVE)

    async def list(self) -> tuple[ModelVersion, ...]:
        """Return every version, ordered by alias, then by age."""
        return await self._list(None)

    async def _list(self, state: State | None) -> tuple[ModelVersion, ...]:
        query = select(ModelVersionRow).order_by(ModelVersionRow.alias, ModelVersionRow.created)
        if state is not None:
            query = query.where(ModelVersionRow.state == state)
        return tuple(_version(row) for row in await self._session.scalars(query))

    async def _move(self, version_id: str, state: State) -> ModelVersion:
        row = await self._row(version_id)
        self._check(row, state)
        self._set(row, state)
        await self._session.flush()
        return _version(row)

    async def _row(self, version_id: str) -> ModelVersionRow:
        row = await self._session.get(ModelVersionRow, version_id)
        if row is None:
            raise refuse(
                Code.NOT_FOUND, "there is no such model version; see `cloister models list`"
            )
        return row

    def _check(self, row: ModelVersionRow, state: State) -> None:
        if state not in _MAY_FOLLOW[State(row.state)]:
            raise refuse(
                Code.CONFLICT, f"a version that is {row.state} cannot become {state.value}"
            )

    def _set(self, row: ModelVersionRow, state: State) -> None:
        row.state = state
        row.changed = self._clock()


def _version(row: ModelVersionRow) -> ModelVersion:
    try:
        details = msgspec.json.decode(row.details, type=ModelDetails)
    except msgspec.MsgspecError:
        raise IntegrityError("the details of a model version cannot be read") from None
    return ModelVersion(
        id=row.id,
        alias=row.alias,
        file=StoredFile(file_id=row.file_id, digest=row.digest, size=row.size),
        details=details,
        state=State(row.state),
        created=row.created,
        changed=row.changed,
    )
