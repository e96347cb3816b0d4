"""Searching: what matches is found, page by page; an altered index is noticed or built again."""

import sqlite3
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from appliance.audit.entries import BOX
from appliance.audit.events import KeyRevoked, ModelActivated
from appliance.audit.log import Log
from appliance.audit.reader import LogReader
from appliance.audit.search import Filter, Page, SearchIndex
from appliance.errors import ConfigurationError, IntegrityError
from appliance.sqlcipher import open_connection
from tests.support.audit_logs import ACTOR, ORIGIN, SIGNER, SetClock, UnsyncedFiles, closed, opened

KEY = b"i" * 32


@pytest.fixture
def reader(tmp_path: Path) -> LogReader:
    """300 exchanges a second apart, then a key revoked and a model activated by the box."""
    clock = SetClock()
    log = Log.create(
        tmp_path / "audit", origin=ORIGIN, signer=SIGNER, clock=clock, files=UnsyncedFiles()
    )
    for number in range(300):
        log.append_sync(opened(number), ACTOR)
        clock.move(10**9)
        log.append_sync(closed(number), ACTOR)
    log.append_sync(KeyRevoked(key="k_test"), BOX)
    log.append_sync(ModelActivated(model="m", version="2", alias="demo"), BOX)
    log.close_sync()
    return LogReader(tmp_path / "audit" / "log", 602)


@pytest.fixture
def index(tmp_path: Path, reader: LogReader) -> SearchIndex:
    index = SearchIndex.open(tmp_path / "index", KEY)
    assert index.catch_up(reader) == 602
    return index


def _find(index: SearchIndex, reader: LogReader, **wanted: str) -> list[int]:
    return [entry.seq for entry in index.find(reader, Filter(**wanted), limit=1000).entries]


def test_each_filter_finds_what_matches_newest_first(index: SearchIndex, reader: LogReader) -> None:
    assert _find(index, reader) == list(range(601, -1, -1))
    assert _find(index, reader, action="key.revoked") == [600]
    assert len(_find(index, reader, action="exchange.")) == 600
    assert _find(index, reader, action="exchange.op") == []
    assert _find(index, reader, exchange="ex_000007") == [15, 14]
    assert _find(index, reader, subject="key:k_test") == [600]
    assert _find(index, reader, actor="box:audit") == [601, 600]
    assert _find(index, reader, model="demo", actor="box:audit") == [601]
    assert len(_find(index, reader, outcome="finished", actor="key:k_test")) == 300
    assert _find(index, reader, policy="none") == []


def test_a_period_includes_its_beginning_and_not_its_end(
    index: SearchIndex, reader: LogReader
) -> None:
    times = [index.find(reader, Filter(exchange=f"ex_{n:06}")).entries[-1].time for n in (5, 7)]
    found = _find(index, reader, since=times[0], until=times[1], action="exchange.opened")
    assert found == [12, 10]


def test_pages_follow_each_other_without_gap_or_repetition(
    index: SearchIndex, reader: LogReader
) -> None:
    seen: list[int] = []
    page = Page((), None)
    while page.next is not None or not seen:
        page = index.find(reader, Filter(action="exchange.closed"), limit=70, before=page.next)
        seen += [entry.seq for entry in page.entries]
    assert seen == list(range(599, 0, -2))


def test_a_log_that_grew_is_caught_up_with(
    index: SearchIndex, reader: LogReader, tmp_path: Path
) -> None:
    log = Log.open(tmp_path / "audit", signer=SIGNER)
    log.append_sync(opened(900), ACTOR)
    log.publish()
    grown = LogReader(tmp_path / "audit" / "log", log.status.published)
    assert index.catch_up(grown) == grown.size - 602
    assert grown.size - 1 in _find(index, grown, exchange="ex_000900")
    log.close_sync()


def test_a_log_put_back_behind_the_index_is_noticed(index: SearchIndex, reader: LogReader) -> None:
    with pytest.raises(IntegrityError, match="earlier state"):
        index.catch_up(LogReader(Path("/nowhere"), 100))


def test_a_damaged_or_foreign_index_is_built_again(
    index: SearchIndex, reader: LogReader, tmp_path: Path
) -> None:
    index.close()
    (tmp_path / "index").write_bytes(b"rubbish" * 1000)
    again = SearchIndex.open(tmp_path / "index", KEY)
    assert again.catch_up(reader) == 602
    again.close()
    other = SearchIndex.open(tmp_path / "index", b"o" * 32)
    assert other.size == 0
    other.close()


def test_an_index_edited_with_its_key_to_mislead_is_noticed(
    index: SearchIndex, reader: LogReader, tmp_path: Path
) -> None:
    index.close()
    connection = open_connection(tmp_path / "index", KEY, read_only=False)
    connection.execute("UPDATE entry SET outcome = 'failed' WHERE seq = 3")
    connection.close()
    edited = SearchIndex.open(tmp_path / "index", KEY)
    with pytest.raises(IntegrityError, match="does not agree"):
        _find(edited, reader, outcome="failed")


def test_the_index_is_unreadable_without_its_key(index: SearchIndex, tmp_path: Path) -> None:
    index.close()
    assert b"exchange" not in (tmp_path / "index").read_bytes()
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(tmp_path / "index").execute("SELECT * FROM entry")
    with pytest.raises(dbapi2.DatabaseError):
        open_connection(tmp_path / "index", b"x" * 32, read_only=True)


def test_a_time_that_is_none_is_refused(index: SearchIndex, reader: LogReader) -> None:
    with pytest.raises(ConfigurationError, match="since"):
        _find(index, reader, since="yesterday")
