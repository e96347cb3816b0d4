"""SQLCipher under SQLAlchemy's asyncio: the sqlcipher3 driver in place of the standard sqlite3.

`SQLCipherDialect` is SQLAlchemy's aiosqlite dialect with the driver module exchanged. aiosqlite
wraps whatever connection it is given, but SQLAlchemy takes the exception classes from aiosqlite,
which has them from the standard library: sqlcipher3's own would pass through unmapped, and an
`IntegrityError` would not be `sqlalchemy.exc.IntegrityError`. So the classes are mapped here.

`connector` makes the function that opens one connection. The key travels in a closure: never in a
URL, in the engine's options, in a log line, or in the driver's cache of statements.

Formats: SQLCipher 4 (AES-256-CBC pages of 4,096 bytes, each with HMAC-SHA-512), opened with a raw
key (https://www.zetetic.net/sqlcipher/sqlcipher-api/#key), so that no passphrase KDF runs.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_dbapi,
    SQLiteDialect_aiosqlite,
)
from sqlcipher3 import dbapi2

# aiosqlite writes every statement with its parameters at DEBUG; those are content.
logging.getLogger("aiosqlite").setLevel(logging.WARNING)

KEY_BYTES = 32
BUSY_TIMEOUT_MS = 5_000
"""How long a statement waits for another *process*; inside this one writers queue in the pool."""

_EXCEPTIONS = (
    "Warning",
    "Error",
    "InterfaceError",
    "DatabaseError",
    "DataError",
    "OperationalError",
    "IntegrityError",
    "InternalError",
    "ProgrammingError",
    "NotSupportedError",
)

_PRAGMAS = (
    # Deleted content is overwritten with zeros before its page is encrypted again: a key that is
    # lost later must not bring back what was erased earlier.
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    # A commit that was acknowledged survives a power cut; WAL alone (NORMAL) would not promise it.
    "PRAGMA synchronous = FULL",
)


class _SQLCipherModule(AsyncAdapt_aiosqlite_dbapi):
    """aiosqlite as a DBAPI whose exceptions and version are sqlcipher3's."""

    def _init_dbapi_attributes(self) -> None:
        super()._init_dbapi_attributes()
        for name in (*_EXCEPTIONS, "sqlite_version", "sqlite_version_info"):
            setattr(self, name, getattr(dbapi2, name))


class SQLCipherDialect(SQLiteDialect_aiosqlite):
    """`sqlite+sqlcipher://`. Says nothing about the key: see `connector`."""

    driver = "sqlcipher"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> AsyncAdapt_aiosqlite_dbapi:
        """Return the driver as SQLAlchemy wants it."""
        return _SQLCipherModule(aiosqlite, dbapi2)


def open_connection(path: Path, key: bytes, *, read_only: bool) -> dbapi2.Connection:
    """Open one connection and unlock it; `key` is 32 uniformly random bytes.

    Statements run in autocommit mode: whoever uses it says BEGIN.
    Raises sqlcipher3's `DatabaseError` (`SQLITE_NOTADB`) if the key is not this file's, or the
    file's first page was altered.
    """
    if len(key) != KEY_BYTES:
        raise ValueError("a database key has 32 bytes")
    connection = dbapi2.connect(str(path), isolation_level=None, check_same_thread=False)
    try:
        # Otherwise SQLCipher reports a wrong key on stderr, past every rule about logs.
        connection.executescript("PRAGMA cipher_log_level = NONE")
        # executescript, because execute would keep this text in its cache of statements.
        connection.executescript(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        # Only after the key, which is what makes the file's header readable.
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        for pragma in _PRAGMAS:
            connection.execute(pragma).fetchall()
        if read_only:
            connection.execute("PRAGMA query_only = ON").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def rekey(path: Path, key: bytes, new_key: bytes) -> None:
    """Encrypt the file anew under another key, in one transaction; nobody else may have it open.

    A crash in between leaves it wholly under one of the two keys. The WAL is emptied, so that
    nothing encrypted under the old key is left beside the file.
    Raises as `open_connection` does.
    """
    if len(new_key) != KEY_BYTES:
        raise ValueError("a database key has 32 bytes")
    connection = open_connection(path, key, read_only=False)
    try:
        connection.executescript(f"PRAGMA rekey = \"x'{new_key.hex()}'\"")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()


def snapshot(path: Path, key: bytes, target: Path) -> None:
    """Write a copy of the database as of one moment, under the same key, and prove it readable.

    Writers go on meanwhile. `target` must not exist. Raises as `open_connection` does.
    """
    connection = open_connection(path, key, read_only=False)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    finally:
        connection.close()
    copy = open_connection(target, key, read_only=False)
    try:
        if copy.execute("PRAGMA cipher_integrity_check").fetchall():
            raise dbapi2.DatabaseError("the copy is not whole")
        # One file, no WAL beside it.
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
    finally:
        copy.close()


def connector(path: Path, key: bytes, *, read_only: bool) -> Callable[[], aiosqlite.Connection]:
    """Return what `create_async_engine(async_creator=…)` wants: each call is one new connection."""

    def connect() -> aiosqlite.Connection:
        connection = aiosqlite.Connection(
            lambda: open_connection(path, key, read_only=read_only), iter_chunk_size=256
        )
        # A thread that outlives a crashed event loop must not hold the process.
        connection._thread.daemon = True
        return connection

    return connect
