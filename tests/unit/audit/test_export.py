"""Exports: the officer's verifier accepts them whole, and nothing less or more than whole."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from appliance.audit.entries import BOX, Actor, ActorKind, decode_entry
from appliance.audit.events import KeyRevoked, UserLogin
from appliance.audit.export import Export, export_entries
from appliance.audit.formats import FORMATS, cef, ocsf
from appliance.audit.keyring import Keyring
from appliance.audit.log import Log
from appliance.audit.reader import LogReader
from appliance.errors import ConfigurationError
from tests.support.audit_logs import (
    ACTOR,
    ORIGIN,
    SetClock,
    UnsyncedFiles,
    load_officer_verifier,
    opened,
)

OFFICER = load_officer_verifier()
NOW = 1_800_000_000_000_000_000


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 40 entries in two key epochs; entry 20 changes the key."""
    directory = tmp_path_factory.mktemp("box")
    ring = Keyring.create(directory, name=ORIGIN, secret=b"s" * 32)
    log = Log.create(directory, origin=ORIGIN, signer=ring, clock=SetClock(), files=UnsyncedFiles())
    for number in range(20):
        log.append_sync(opened(number), ACTOR)
    log.change_key()
    log.append_sync(UserLogin(user="ada", failed=True), Actor(kind=ActorKind.UNKNOWN, source="::1"))
    for number in range(18):
        log.append_sync(KeyRevoked(key=f"=k|{number}"), BOX)
    log.close_sync()
    return directory


def _export(box: Path, target: Path, indexes: list[int], *formats: str) -> Export:
    ring = Keyring.open(box, name=ORIGIN, secret=b"s" * 32)
    log = Log.open(box, signer=ring, clock=SetClock(), files=UnsyncedFiles())
    try:
        return export_entries(
            target,
            reader=LogReader(log.directory, 40),
            note=log.note,
            signer=ring,
            indexes=indexes,
            epochs=[20],
            created_ns=NOW,
            formats=formats,
        )
    finally:
        log.close_sync()


def _accepted(box: Path, export: Path) -> bool:
    return OFFICER.main(["export", str(export), "--key", str(box / "log.vkey")]) == 0


def test_an_export_in_all_formats_is_accepted(box: Path, tmp_path: Path) -> None:
    export = _export(box, tmp_path / "e", list(range(10, 40)), *FORMATS)
    assert (export.first, export.entries) == (10, 30)
    assert {path.name for path in (tmp_path / "e").iterdir()} == {
        "manifest",
        "checkpoint",
        "entries.jsonl",
        "epochs.jsonl",
        "report.html",
        "entries.csv",
        "ocsf.jsonl",
        "cef.log",
    }
    assert _accepted(box, tmp_path / "e")
    assert "complete yes" in (tmp_path / "e" / "manifest").read_text()


def test_a_selection_is_accepted_and_says_that_it_is_one(box: Path, tmp_path: Path) -> None:
    _export(box, tmp_path / "e", [3, 7, 33])
    assert _accepted(box, tmp_path / "e")
    assert "complete no" in (tmp_path / "e" / "manifest").read_text()
    _export(box, tmp_path / "none", [])
    assert _accepted(box, tmp_path / "none")


def test_any_file_changed_taken_away_or_added_is_refused(box: Path, tmp_path: Path) -> None:
    _export(box, tmp_path / "e", [3, 7, 33], *FORMATS)
    for path in sorted((tmp_path / "e").iterdir()):
        data = path.read_bytes()
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        for replacement in (bytes(changed), data[:-1], data + b"\n"):
            path.write_bytes(replacement)
            assert not _accepted(box, tmp_path / "e"), path
        path.unlink()
        assert not _accepted(box, tmp_path / "e"), path
        path.write_bytes(data)
    (tmp_path / "e" / "more").touch()
    assert not _accepted(box, tmp_path / "e")


def test_an_export_of_another_box_is_refused(box: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    ring = Keyring.create(other, name=ORIGIN, secret=b"s" * 32)
    log = Log.create(other, origin=ORIGIN, signer=ring, files=UnsyncedFiles())
    log.close_sync()
    _export(box, tmp_path / "e", [1])
    assert not _accepted(other, tmp_path / "e")


def test_an_unfinished_export_leaves_nothing(box: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="in order"):
        _export(box, tmp_path / "e", [5, 3])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigurationError, match="no export format 'pdf'"):
        _export(box, tmp_path / "e", [5], "pdf")
    (tmp_path / "e").mkdir()
    with pytest.raises(ConfigurationError, match="exists"):
        _export(box, tmp_path / "e", [5])
    shutil.rmtree(tmp_path / "e")


def test_csv_reads_back_and_runs_nothing(box: Path, tmp_path: Path) -> None:
    _export(box, tmp_path / "e", [21, 22], "csv")
    with (tmp_path / "e" / "entries.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["action"] for row in rows] == ["user.login", "key.revoked"]
    assert rows[1]["subject"] == "key:=k|0"
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())


def test_siem_formats_carry_the_facts_and_escape_them(box: Path) -> None:
    reader = LogReader(box / "log", 40)
    login, revoked = (decode_entry(reader.entry(index)) for index in (21, 22))
    event = ocsf(login)
    assert (event["class_uid"], event["status_id"], event["time"]) == (3002, 2, NOW // 10**6)
    assert json.dumps(event)
    line = cef(revoked)
    assert line.startswith("CEF:0|Cloister|Cloister|1|key.revoked|key.revoked|1|rt=1800000000000 ")
    assert "cs1=key:\\=k|0 " in line
    assert "src=::1" in cef(login)


def test_the_report_shows_markup_as_text(box: Path, tmp_path: Path) -> None:
    writer = FORMATS["html"](tmp_path, "<script>")
    entry = decode_entry(LogReader(box / "log", 40).entry(22))
    writer.add(entry)
    writer.close()
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
