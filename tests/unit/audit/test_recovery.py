"""Opening a log: what a crash explains is repaired, what it does not explain is refused."""

import shutil
from pathlib import Path

import pytest

from appliance.audit.entries import decode_entry
from appliance.audit.journal import segment_name
from appliance.audit.log import Log
from appliance.audit.reader import LogReader
from appliance.audit.verify import verify_directory
from appliance.errors import ConfigurationError, IntegrityError
from tests.support.audit_faults import FaultyFiles
from tests.support.audit_logs import ACTOR, ORIGIN, SIGNER, VKEY, SetClock, UnsyncedFiles, opened


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A box killed with 5 entries under a checkpoint and 3 more in the journal alone."""
    files = FaultyFiles(lambda _, __: None)
    box = tmp_path / "box"
    log = Log.create(box, origin=ORIGIN, signer=SIGNER, clock=SetClock(), files=files)
    for number in range(5):
        log.append_sync(opened(number), ACTOR)
    log.publish()
    shutil.copytree(box / "log", tmp_path / "log")
    for number in range(3):
        log.append_sync(opened(100 + number), ACTOR)
    # As if the process had died before publishing: the journal has 8 entries, the log 5.
    shutil.copytree(box / "journal", tmp_path / "journal")
    log.close_sync()
    shutil.rmtree(box / "log")
    shutil.rmtree(box / "journal")
    shutil.move(tmp_path / "log", box / "log")
    shutil.move(tmp_path / "journal", box / "journal")
    return box


def _open(box: Path, *, unsafe_discard_tail: bool = False) -> Log:
    return Log.open(
        box,
        signer=SIGNER,
        clock=SetClock(),
        files=UnsyncedFiles(),
        unsafe_discard_tail=unsafe_discard_tail,
    )


def _segment(box: Path) -> Path:
    return box / "journal" / segment_name(0)


def _actions(box: Path, size: int) -> list[str]:
    reader = LogReader(box / "log", size)
    return [decode_entry(reader.entry(index)).action for index in range(size)]


def test_entries_that_only_the_journal_has_are_published_and_the_crash_is_logged(
    crashed: Path,
) -> None:
    assert verify_directory(crashed / "log", VKEY).journal_entries == 3
    _open(crashed).close_sync()
    assert _actions(crashed, 9) == ["exchange.opened"] * 8 + ["log.recovered"]
    assert verify_directory(crashed / "log", VKEY).sound


def test_an_unfinished_last_write_is_dropped_and_its_length_is_logged(crashed: Path) -> None:
    data = _segment(crashed).read_bytes()
    _segment(crashed).write_bytes(data[:-3])
    _open(crashed).close_sync()
    entry = decode_entry(LogReader(crashed / "log", 8).entry(7))
    assert entry.action == "log.recovered"
    assert entry.details["replayed"] == 2
    assert entry.details["torn_bytes"] > 0


def test_a_journal_record_replaced_before_publication_is_refused(crashed: Path) -> None:
    data = _segment(crashed).read_bytes()
    _segment(crashed).write_bytes(data.replace(b"ex_000101", b"ex_999999"))
    with pytest.raises(IntegrityError, match="altered at or after entry 6"):
        _open(crashed)


def test_a_journal_that_is_gone_is_refused(crashed: Path) -> None:
    _segment(crashed).unlink()
    with pytest.raises(IntegrityError, match="journal is gone"):
        _open(crashed)


def test_a_damaged_journal_can_be_given_up_and_the_log_says_so_for_ever(crashed: Path) -> None:
    data = _segment(crashed).read_bytes()
    _segment(crashed).write_bytes(data.replace(b"ex_000101", b"ex_999999"))
    _open(crashed, unsafe_discard_tail=True).close_sync()
    actions = _actions(crashed, 8)
    assert actions == ["exchange.opened"] * 6 + ["log.tail_discarded", "log.recovered"]
    report = verify_directory(crashed / "log", VKEY)
    assert report.sound, str(report)


def test_a_log_put_back_behind_its_journal_is_refused(crashed: Path, tmp_path: Path) -> None:
    shutil.copytree(crashed / "log", tmp_path / "earlier")
    _open(crashed).close_sync()
    shutil.rmtree(crashed / "log")
    shutil.move(tmp_path / "earlier", crashed / "log")
    with pytest.raises(IntegrityError, match="put back to an earlier state"):
        _open(crashed)


def test_a_journal_put_back_behind_its_log_is_refused(crashed: Path, tmp_path: Path) -> None:
    shutil.copytree(crashed / "journal", tmp_path / "earlier")
    _open(crashed).close_sync()
    shutil.rmtree(crashed / "journal")
    shutil.move(tmp_path / "earlier", crashed / "journal")
    with pytest.raises(IntegrityError, match="journal was cut off or put back"):
        _open(crashed)


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/000.p/5", "tile/entries/000.p/5"])
def test_a_log_whose_newest_files_were_altered_or_removed_is_refused(
    crashed: Path, path: str
) -> None:
    file = crashed / "log" / path
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(IntegrityError):
        _open(crashed)
    file.unlink()
    with pytest.raises(IntegrityError):
        _open(crashed)


def test_a_public_key_exchanged_or_removed_is_refused(crashed: Path) -> None:
    (crashed / "log.vkey").unlink()
    with pytest.raises(IntegrityError, match="public key"):
        _open(crashed)


def test_a_refused_log_gives_its_lock_free(crashed: Path) -> None:
    data = _segment(crashed).read_bytes()
    _segment(crashed).unlink()
    with pytest.raises(IntegrityError):
        _open(crashed)
    _segment(crashed).write_bytes(data)
    _open(crashed).close_sync()


def test_no_log_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no audit log"):
        _open(tmp_path / "nowhere")
