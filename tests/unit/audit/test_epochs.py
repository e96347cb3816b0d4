"""Key epochs: the chain is followed, and yesterday cannot be signed with today's key."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.audit.checkpoint import Checkpoint
from appliance.audit.entries import decode_entry, frame_entry
from appliance.audit.epochs import end_epoch
from appliance.audit.files import Files
from appliance.audit.frontier import Frontier
from appliance.audit.keyring import FILE, Keyring
from appliance.audit.keys import Ed25519Signer
from appliance.audit.log import Log
from appliance.audit.merkle import leaf_hash
from appliance.audit.note import sign_note
from appliance.audit.reader import LogReader
from appliance.audit.verify import verify_directory
from appliance.errors import ConfigurationError, IntegrityError, UnavailableError
from tests.support.audit_faults import FaultyFiles
from tests.support.audit_logs import ACTOR, ORIGIN, SIGNER, SetClock, UnsyncedFiles, opened

SECRET = b"s" * 32


def _ring(directory: Path, files: Files | None = None) -> Keyring:
    if (directory / FILE).exists():
        return Keyring.open(directory, name=ORIGIN, secret=SECRET, files=files)
    directory.mkdir(parents=True, exist_ok=True)
    return Keyring.create(directory, name=ORIGIN, secret=SECRET, files=files)


def _open(directory: Path, files: Files | None = None) -> Log:
    quick = files or UnsyncedFiles()
    return Log.open(directory, signer=_ring(directory, quick), clock=SetClock(), files=quick)


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A log of three epochs, 10 exchanges in each."""
    directory = tmp_path / "audit"
    ring = _ring(directory)
    log = Log.create(directory, origin=ORIGIN, signer=ring, clock=SetClock(), files=UnsyncedFiles())
    for epoch in range(3):
        if epoch:
            log.change_key()
        for number in range(10):
            log.append_sync(opened(number), ACTOR)
    log.close_sync()
    return directory


def _vkey(box: Path) -> str:
    return (box / "log.vkey").read_text()


def test_a_log_of_several_epochs_verifies_with_the_first_key(box: Path) -> None:
    report = verify_directory(box / "log", _vkey(box))
    assert str(report) == f"{ORIGIN}: 32 entries, all in order"
    assert _ring(box).epoch == 2
    assert str(_ring(box).vkey) != _vkey(box).strip()


def test_a_log_goes_on_after_reopening_in_a_later_epoch(box: Path) -> None:
    log = _open(box)
    log.append_sync(opened(50), ACTOR)
    log.change_key()
    log.append_sync(opened(51), ACTOR)
    log.close_sync()
    assert verify_directory(box / "log", _vkey(box)).sound
    assert _ring(box).epoch == 3


def test_a_checkpoint_of_an_earlier_epoch_still_counts(box: Path) -> None:
    shutil.copytree(box, box.parent / "then")
    older = (box / "log/checkpoint").read_bytes()
    log = _open(box)
    log.change_key()
    log.close_sync()
    assert verify_directory(box / "log", _vkey(box), older=older).sound


def _rewrite(box: Path, entries: list[bytes], signer: Ed25519Signer) -> None:
    frontier = Frontier()
    list(frontier.extend(leaf_hash(entry) for entry in entries))
    shutil.rmtree(box / "log/tile")
    files = {tile.path: data for tile, data in frontier.edge()}
    files[f"tile/entries/000.p/{len(entries)}"] = b"".join(map(frame_entry, entries))
    note = sign_note(str(Checkpoint(ORIGIN, len(entries), frontier.root())), signer)
    files["checkpoint"] = str(note).encode()
    for path, data in files.items():
        (box / "log" / path).parent.mkdir(parents=True, exist_ok=True)
        (box / "log" / path).write_bytes(data)


def _entries(box: Path) -> list[bytes]:
    reader = LogReader(box / "log", 32)
    return [reader.entry(index) for index in range(32)]


def test_todays_key_cannot_rewrite_an_earlier_epoch(box: Path) -> None:
    today = _ring(box).current
    entries = _entries(box)
    entries[3] = entries[3].replace(b"ex_000003", b"ex_999999")
    _rewrite(box, entries, today)
    problems = [str(problem) for problem in verify_directory(box / "log", _vkey(box)).problems]
    assert any("entry 10: the change of keys is not about" in text for text in problems)


def test_todays_key_can_rewrite_only_its_own_epoch(box: Path) -> None:
    entries = _entries(box)
    entries[25] = entries[25].replace(b'"demo"', b'"omed"')
    _rewrite(box, entries, _ring(box).current)
    assert verify_directory(box / "log", _vkey(box)).sound


@pytest.mark.parametrize("attack", ["resign", "cut", "skip"])
def test_a_forged_change_of_keys_is_found(box: Path, attack: str) -> None:
    today = _ring(box).current
    entries = _entries(box)
    match attack:
        case "resign":
            # Rewrites the past and signs the old epoch's statement with today's key.
            entries[3] = entries[3].replace(b"ex_000003", b"ex_999999")
            frontier = Frontier()
            list(frontier.extend(leaf_hash(entry) for entry in entries[:10]))
            forged = end_epoch(today, today.vkey, 1, 10, frontier.root())
            true = decode_entry(entries[10]).details["signature"]
            entries[10] = entries[10].replace(true.encode(), forged.signature.encode())
        case "cut":
            entries = entries[:10]
        case "skip":
            entries = entries[:10] + entries[11:]
    _rewrite(box, entries, today)
    assert not verify_directory(box / "log", _vkey(box)).sound


def test_the_old_seed_is_gone_from_the_box(box: Path) -> None:
    ring = _ring(box)
    before = ring.current
    log = _open(box)
    log.change_key()
    log.close_sync()
    again = _ring(box)
    assert again.next is None
    assert again.current.vkey != before.vkey
    assert sorted(path.name for path in (box / "staging").iterdir()) == []


def test_a_change_of_keys_interrupted_at_any_call_is_finished_or_forgotten(box: Path) -> None:
    def change(directory: Path, fault: Callable[[int, str], int | str | None]) -> int:
        files = FaultyFiles(fault)
        log = None
        try:
            log = _open(directory, files)
            log.change_key()
            log.append_sync(opened(60), ACTOR)
        except UnavailableError:
            pass
        finally:
            if log is not None:
                try:
                    log.close_sync()
                except UnavailableError:
                    assert files.gone
        return files.calls

    shutil.copytree(box, box.parent / "rehearsal")
    calls = change(box.parent / "rehearsal", lambda _, __: None)
    for at in range(calls):
        directory = box.parent / f"box{at}"
        shutil.copytree(box, directory)
        change(directory, lambda n, _, at=at: "dead" if n >= at else None)
        report = verify_directory(directory / "log", _vkey(box))
        assert report.sound, (at, str(report))
        log = _open(directory)
        log.change_key()
        log.append_sync(opened(61), ACTOR)
        log.close_sync()
        report = verify_directory(directory / "log", _vkey(box))
        assert report.sound, (at, str(report))
        assert _ring(directory).epoch in (3, 4)
        assert _ring(directory).next is None
        shutil.rmtree(directory)


def test_a_ring_of_another_box_or_altered_is_refused(box: Path) -> None:
    with pytest.raises(IntegrityError, match="altered or belongs"):
        Keyring.open(box, name=ORIGIN, secret=b"x" * 32)
    with pytest.raises(IntegrityError, match="altered or belongs"):
        Keyring.open(box, name="other/log", secret=SECRET)
    data = bytearray((box / FILE).read_bytes())
    for place in (0, 25, len(data) - 1):
        data[place] ^= 1
        (box / FILE).write_bytes(data)
        with pytest.raises(IntegrityError, match="altered or belongs"):
            _ring(box)
        data[place] ^= 1
    (box / FILE).unlink()
    with pytest.raises(IntegrityError, match="missing"):
        Keyring.open(box, name=ORIGIN, secret=SECRET)


def test_a_ring_is_not_made_twice_and_a_single_key_cannot_change(box: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="already"):
        Keyring.create(box, name=ORIGIN, secret=SECRET)
    log = Log.create(tmp_path / "plain", origin=ORIGIN, signer=SIGNER)
    with pytest.raises(ConfigurationError, match="one key"):
        log.change_key()
    log.close_sync()
