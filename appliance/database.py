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
from collections.abc import AsyncIterator, Iterator
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
from appliance.sqlcipher import connector, open_connection

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

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine) -> None:
        self._writer = writer
        self._reader = reader
        self._writer_sessions = async_sessionmaker(writer, expire_on_commit=False)
        self._reader_sessions = async_sessionmaker(reader, expire_on_commit=False)

    @classmethod
    async def open(cls, path: Path, key: bytes, *, readers: int = 4) -> Self:
        """Open or create the database file, unlocked by `key` (32 random bytes).

        `readers` transactions may read at once; more wait.

        Raises `IntegrityError` if the key is not the file's or its first page was altered,
        `UnavailableError` if the file cannot be opened.
        """
        try:
            path = _create_private(path)
        except OSError as error:
            raise UnavailableError(
                f"the database file {path} cannot be created: {error.strerror}"
            ) from None
        try:
            # Opened once outside the pool: it proves the key, and a failure here leaves no
            # thread of a half-made pool behind.
            probe = await asyncio.to_thread(open_connection, path, key, read_only=False)
            await asyncio.to_thread(probe.close)
        except dbapi2.Error as error:
            raise _appliance_error(error) from None
        return cls(_engine(path, key, readers=0), _engine(path, key, readers=readers))

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """Run the block as one transaction that may write; commit at its end, or roll back."""
        with _translated():
            async with (
                AsyncSession(self._writer, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Run the block on one unchanging snapshot; a write in it is an error."""
        with _translated():
            async with (
                AsyncSession(self._reader, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    async def migrate(self) -> None:
        """Bring the tables to this version's shape: all steps, or none.

        Raises `ConfigurationError` if the file was written by a newer version.
        """
        with _translated():
            async with self._writer.begin() as connection:
                try:
                    await connection.run_sync(_upgrade)
                except alembic.util.exc.CommandError:
                    raise ConfigurationError(
                        "the database was written by a newer version of cloister; "
                        "install that version, or restore the backup made before the upgrade"
                    ) from None

    async def close(self) -> None:
        """Close every connection. The last one folds the WAL back into the file."""
        await self._reader.dispose()
        await self._writer.dispose()


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
