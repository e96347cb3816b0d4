"""The house's database: one engine, sessions that are transactions, migrations.

Promises
- What `session()` did is durable when its block ends without an error, and undone otherwise.
- The file is encrypted whole (SQLCipher, raw key), its WAL too; nothing goes to temporary files.
- No error or log line carries the key or the parameters of a statement.

Order: `open` (creates the file if there is none) → `migrate` → `session`/`reading` … → `close`.

SQLite has one writer at a time. Writers queue for the single connection of the writing pool, in
order of arrival, instead of colliding in SQLite and sleeping; readers have connections of their
own and never wait (WAL). Hence: never open a `session()` inside another of the same task.

Rooms put their tables on `Base` in their own `models.py`, and turn
`sqlalchemy.exc.IntegrityError` into a refusal where they expect one. Everything else the database
may raise becomes an `ApplianceError` here.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import alembic.command
import alembic.config
import alembic.util.exc
from sqlalchemy import AsyncAdaptedQueuePool, Connection, Dialect, MetaData, String, event, exc
from sqlalchemy.dialects import registry
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator
from sqlcipher3 import dbapi2

from appliance.errors import ApplianceError, ConfigurationError, IntegrityError, UnavailableError
from appliance.sqlcipher import connector, open_connection, rekey, snapshot

registry.register("sqlite.sqlcipher", "appliance.sqlcipher", "SQLCipherDialect")

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITER_PATIENCE_S = 15.0
_ALTERED = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})


class UtcTime(TypeDecorator[datetime]):
    """A moment, stored as `2026-11-21T00:47:14.123456Z`: sorts as text, reads without a tool."""

    impl = String(27)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Refuse a moment without a time zone: it would mean another moment elsewhere."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        return None if value is None else datetime.fromisoformat(value)


class Base(DeclarativeBase):
    """Every table of the house. Constraints have names, so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcTime()}  # noqa: RUF012 - SQLAlchemy's own attribute


class Database:
    """An open database. Made by `open`, shared by all rooms, closed by the assembly."""

    def __init__(self, path: Path, key: bytes, readers: int) -> None:
        self._path = path
        self._readers = readers
        self._gate = _Gate()
        self._connect(key)

    @classmethod
    async def open(
        cls, path: Path, key: bytes, *, former: Sequence[bytes] = (), readers: int = 4
    ) -> Self:
        """Open or create the database file, unlocked by `key` (32 random bytes).

        If the file is still under one of the `former` keys, a rotation was interrupted: it is
        finished here. `readers` transactions may read at once; more wait.
        Raises `IntegrityError` if no key is the file's or its first page was altered,
        `UnavailableError` if the file cannot be opened.
        """
        try:
            path = _create_private(path)
        except OSError as error:
            raise UnavailableError(
                f"the database file {path} cannot be created: {error.strerror}"
            ) from None
        await asyncio.to_thread(_unlock, path, key, former)
        return cls(path, key, readers)

    async def rekey(self, new_key: bytes) -> None:
        """Encrypt the file anew under another key. Sessions wait meanwhile, and none is lost.

        Must not be called inside a session. Raises `UnavailableError` if a session does not end;
        then the key is the old one.
        """
        async with self._gate.closed():
            old_key = self._key
            if new_key == old_key:
                return
            await self._dispose()
            try:
                await asyncio.to_thread(rekey, self._path, old_key, new_key)
                self._connect(new_key)
            except dbapi2.Error as error:
                self._connect(old_key)
                raise _appliance_error(error) from None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Run the block as one transaction that may write; commit at its end, or roll back."""
        with _translated():
            async with self._gate.passing(), self._writer_sessions.begin() as session:
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Run the block on one unchanging snapshot; a write in it is an error."""
        with _translated():
            async with self._gate.passing(), self._reader_sessions.begin() as session:
                yield session

    async def migrate(self) -> None:
        """Bring the tables to this version's shape: all steps, or none.

        Raises `ConfigurationError` if the file was written by a newer version.
        """
        with _translated():
            async with self._gate.passing(), self._writer.begin() as connection:
                try:
                    await connection.run_sync(_upgrade)
                except alembic.util.exc.CommandError:
                    raise ConfigurationError(
                        "the database was written by a newer version of cloister; "
                        "install that version, or restore the backup made before the upgrade"
                    ) from None

    async def snapshot(self, target: Path) -> None:
        """Write a copy of the file as of one moment, under the same key; sessions go on.

        `target` must not exist, in a directory that is the box's alone.
        """
        async with self._gate.passing():
            try:
                await asyncio.to_thread(snapshot, self._path, self._key, target)
            except dbapi2.Error as error:
                raise _appliance_error(error) from None

    async def close(self) -> None:
        """Close every connection. The last one folds the WAL back into the file."""
        await self._dispose()

    def _connect(self, key: bytes) -> None:
        self._key = key
        self._writer = _engine(self._path, key, readers=0)
        self._reader = _engine(self._path, key, readers=self._readers)
        self._writer_sessions = async_sessionmaker(self._writer, expire_on_commit=False)
        self._reader_sessions = async_sessionmaker(self._reader, expire_on_commit=False)

    async def _dispose(self) -> None:
        await self._reader.dispose()
        await self._writer.dispose()


class _Gate:
    """Lets sessions pass; closed, it waits for those inside and holds up the others."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._inside = 0

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        while not self._open.is_set():
            await self._open.wait()
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if self._inside == 0:
                self._empty.set()

    @asynccontextmanager
    async def closed(self) -> AsyncIterator[None]:
        if not self._open.is_set():
            raise UnavailableError("the database is being rekeyed already; wait for it to end")
        self._open.clear()
        try:
            async with asyncio.timeout(_WRITER_PATIENCE_S):
                await self._empty.wait()
            yield
        except TimeoutError:
            raise UnavailableError("the database stays busy; try again at a quieter time") from None
        finally:
            self._open.set()


def _unlock(path: Path, key: bytes, former: Sequence[bytes]) -> None:
    """Prove the key by opening the file once outside the pool, or finish an interrupted rekey.

    A failure here leaves no thread of a half-made pool behind.
    """
    try:
        try:
            open_connection(path, key, read_only=False).close()
        except dbapi2.Error:
            for old_key in former:
                if _opens(path, old_key):
                    rekey(path, old_key, key)
                    return
            raise
    except dbapi2.Error as error:
        raise _appliance_error(error) from None


def _opens(path: Path, key: bytes) -> bool:
    try:
        open_connection(path, key, read_only=False).close()
    except dbapi2.DatabaseError:
        return False
    return True


def _engine(path: Path, key: bytes, *, readers: int) -> AsyncEngine:
    """Build an engine: with `readers` connections that read, or with 0, one that writes."""
    engine = create_async_engine(
        "sqlite+sqlcipher://",
        async_creator=connector(path, key, read_only=readers > 0),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=max(readers, 1),
        max_overflow=0,
        pool_timeout=_WRITER_PATIENCE_S,
        hide_parameters=True,
    )
    # IMMEDIATE takes the write lock at once: a transaction that starts by reading and then
    # writes would otherwise fail with SQLITE_BUSY, without waiting, if another came between.
    begin = "BEGIN" if readers else "BEGIN IMMEDIATE"

    @event.listens_for(engine.sync_engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _upgrade(connection: Connection) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")


def _create_private(path: Path) -> Path:
    """Create the file for its owner alone; SQLite gives the WAL the same mode."""
    path = path.absolute()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return path
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return path


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what breaks in the database into the house's errors; conflicts stay SQLAlchemy's."""
    try:
        yield
    except exc.IntegrityError:
        raise
    except exc.DBAPIError as error:
        raise _appliance_error(error.orig) from None
    except exc.TimeoutError:
        raise UnavailableError(
            "the database has been busy for too long; try again, and see `cloister doctor` "
            "if it stays so"
        ) from None


def _appliance_error(error: BaseException | None) -> ApplianceError:
    """Name a driver's error by SQLite's own code: its text could quote what was stored."""
    code = str(getattr(error, "sqlite_errorname", type(error).__name__))
    if code in _ALTERED or code.startswith("SQLITE_CORRUPT"):
        return IntegrityError(
            f"the database cannot be read ({code}): its key is another one, or the file was "
            "altered. Restore it from a backup, or unseal with the keys it was made with"
        )
    if code.startswith("SQLITE_FULL"):
        return UnavailableError(f"the disk is full ({code}); free space and try again")
    return UnavailableError(
        f"the database failed ({code}); if it stays so, check the disk and its permissions"
    )
