"""Finding entries: a search index beside the log, derived from it and never trusted.

The index says which entries may match; every hit is read from the log, compared with its leaf hash
and held against the filter again, so an altered index can hide nothing but by leaving out, and
SQLCipher's page macs stand against that. It can be deleted at any time: it is built again from the
log. An index that cannot be read is treated as deleted.

Order: `open` → `catch_up` → `find`. Not safe for two threads at once.
"""

from contextlib import suppress
from pathlib import Path

import msgspec
from sqlcipher3 import dbapi2

from appliance.audit.clock import parse_utc
from appliance.audit.entries import Entry, decode_entry
from appliance.audit.reader import LogReader
from appliance.audit.tiles import WIDTH
from appliance.errors import ConfigurationError, IntegrityError, UnavailableError
from appliance.sqlcipher import open_connection

MAX_PAGE = 1000
_VERSION = 1
_COLUMNS = ("actor", "action", "subject", "outcome", "model", "policy")
_SCHEMA = (
    "CREATE TABLE entry (seq INTEGER PRIMARY KEY, time TEXT NOT NULL,"
    + ",".join(f" {column} TEXT NOT NULL" for column in _COLUMNS)
    + ") STRICT",
    "CREATE INDEX entry_time ON entry (time)",
    *(
        # Rows are in the index's order by seq within one value, so a page needs no sorting. Empty
        # values are never looked for.
        f"CREATE INDEX entry_{column} ON entry ({column}) WHERE {column} <> ''"
        for column in _COLUMNS
    ),
    f"PRAGMA user_version = {_VERSION}",
)


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; what is not given matches everything."""

    since: str | None = None
    """A time as in entries, inclusive."""
    until: str | None = None
    """A time as in entries, exclusive."""
    actor: str | None = None
    """`kind:id`."""
    action: str | None = None
    """An event's tag, or all of one noun: `exchange.`"""
    subject: str | None = None
    """`kind:id`."""
    exchange: str | None = None
    """An exchange's id: short for its subject."""
    outcome: str | None = None
    model: str | None = None
    """A model's or an alias's name."""
    policy: str | None = None

    def check(self) -> None:
        """Raise ConfigurationError if a time is not one."""
        for name, value in (("since", self.since), ("until", self.until)):
            if value is not None:
                try:
                    parse_utc(value)
                except ValueError as error:
                    raise ConfigurationError(
                        f"'{name}' is not a time like 2026-11-21T07:30:00.000000Z."
                    ) from error

    def matches(self, entry: Entry) -> bool:
        """Whether `entry` is among what is looked for."""
        row = _row(entry)
        in_time = (self.since is None or entry.time >= self.since) and (
            self.until is None or entry.time < self.until
        )
        return in_time and all(
            row[column].startswith(value)
            if column == "action" and value.endswith(".")
            else row[column] == value
            for column, value in self._wanted()
        )

    def _wanted(self) -> list[tuple[str, str]]:
        values = {column: getattr(self, column) for column in _COLUMNS}
        if self.exchange is not None:
            values["subject"] = f"exchange:{self.exchange}"
        return [(column, value) for column, value in values.items() if value is not None]

    def where(self) -> tuple[str, list[str | int]]:
        """As SQL conditions with parameters."""
        terms: list[str] = []
        values: list[str | int] = []
        for column, value in self._wanted():
            if column == "action" and value.endswith("."):
                # '/' comes right after '.': all tags that begin with the noun and the dot.
                terms.append("action >= ? AND action < ? AND action <> ''")
                values += [value, value[:-1] + "/"]
            else:
                terms.append(f"{column} = ? AND {column} <> ''")
                values.append(value)
        for term, moment in (("time >= ?", self.since), ("time < ?", self.until)):
            if moment is not None:
                terms.append(term)
                values.append(moment)
        return " AND ".join(terms), values


class Page(msgspec.Struct, frozen=True):
    """Some of what was found, newest first."""

    entries: tuple[Entry, ...]
    next: int | None
    """Hand this back as `before` to go on; None at the end."""


class SearchIndex:
    """The index in one file. Made by `open`."""

    def __init__(self, connection: dbapi2.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path, key: bytes) -> "SearchIndex":
        """Open the index, encrypted under `key` (32 bytes); an unreadable one is begun anew.

        Raises UnavailableError if the disk refuses.
        """
        try:
            return cls(_open(path, key))
        except dbapi2.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        try:
            return cls(_open(path, key))
        except dbapi2.DatabaseError as error:
            raise UnavailableError(
                f"The search index {path} cannot be written. Check free space and permissions."
            ) from error

    @property
    def size(self) -> int:
        """How many entries are in it: all before this number."""
        row = self._connection.execute("SELECT max(seq) FROM entry").fetchone()
        return 0 if row[0] is None else int(row[0]) + 1

    def catch_up(self, reader: LogReader) -> int:
        """Take in what the log has and the index has not; how many entries that was.

        Raises IntegrityError if the index is ahead of the log.
        """
        start = size = self.size
        if size > reader.size:
            raise IntegrityError(
                f"The search index knows {size} entries, the log ends with {reader.size}: the log "
                "was put back to an earlier state. Verify it with an older checkpoint."
            )
        while size < reader.size:
            bundle, place = divmod(size, WIDTH)
            rows = [_values(decode_entry(data)) for data in reader.bundle(bundle)[place:]]
            marks = ",".join("?" * (len(_COLUMNS) + 2))
            self._connection.execute("BEGIN")
            self._connection.executemany(f"INSERT INTO entry VALUES ({marks})", rows)  # noqa: S608 - marks are question marks
            self._connection.execute("COMMIT")
            size += len(rows)
        return size - start

    def find(
        self, reader: LogReader, wanted: Filter, *, limit: int = 100, before: int | None = None
    ) -> Page:
        """A page of what matches, newest first.

        Raises ConfigurationError for a filter that makes no sense, IntegrityError if the index
        and the log disagree.
        """
        wanted.check()
        limit = max(1, min(limit, MAX_PAGE))
        where, values = wanted.where()
        terms = [term for term in (where, "seq < ?") if term]
        values.append(reader.size if before is None else min(before, reader.size))
        query = f"SELECT seq FROM entry WHERE {' AND '.join(terms)} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - terms are constants
        try:
            rows = self._connection.execute(query, (*values, limit + 1)).fetchall()
        except dbapi2.DatabaseError as error:
            raise IntegrityError(
                "The search index was altered. Delete the file; it is built again from the log."
            ) from error
        entries = [decode_entry(reader.entry(seq)) for (seq,) in rows[:limit]]
        if not all(wanted.matches(entry) for entry in entries):
            raise IntegrityError(
                "The search index does not agree with the log. Delete the file; it is built again."
            )
        more = len(rows) > limit
        return Page(tuple(entries), entries[-1].seq if more else None)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _open(path: Path, key: bytes) -> dbapi2.Connection:
    connection = open_connection(path, key, read_only=False)
    try:
        # What a power cut loses here is in the log.
        connection.execute("PRAGMA synchronous = OFF")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise dbapi2.DatabaseError("another version's index")
        if version == 0:
            for statement in _SCHEMA:
                connection.execute(statement)
    except BaseException:
        with suppress(dbapi2.Error):
            connection.close()
        raise
    return connection


def _row(entry: Entry) -> dict[str, str]:
    details = entry.details
    return {
        "actor": f"{entry.actor.kind}:{entry.actor.id}",
        "action": entry.action,
        "subject": entry.subject,
        "outcome": entry.outcome,
        "model": str(details.get("alias") or details.get("model") or ""),
        "policy": str(details.get("policy") or ""),
    }


def _values(entry: Entry) -> tuple[int | str, ...]:
    return (entry.seq, entry.time, *_row(entry).values())
