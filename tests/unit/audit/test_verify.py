"""Attacks on a log directory: each is found, and its place is named.

Every case is put to the box's own verifier and to the officer's, which share no code.
"""

import base64
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.audit.checkpoint import Checkpoint, parse_checkpoint
from appliance.audit.entries import frame_entry, split_bundle
from appliance.audit.frontier import Frontier
from appliance.audit.keys import Ed25519Signer
from appliance.audit.log import Log
from appliance.audit.merkle import leaf_hash
from appliance.audit.note import parse_note, sign_note
from appliance.audit.verify import verify_directory
from tests.support.audit_logs import (
    ACTOR,
    ORIGIN,
    SIGNER,
    VKEY,
    SetClock,
    build_log,
    closed,
    load_officer_verifier,
    opened,
)

SIZE = 1000
OFFICER = load_officer_verifier()


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pristine")
    build_log(directory, SIZE // 2)
    return directory


@pytest.fixture
def log(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the log directory alone, as an officer would carry it away."""
    shutil.copytree(pristine / "log", tmp_path / "log")
    return tmp_path / "log"


def _problems(log: Path, older: bytes | None = None) -> list[str]:
    report = verify_directory(log, VKEY, older=older)
    assert report.sound == (not report.problems)
    problems = [str(problem) for problem in report.problems]
    if not any("../journal" in text for text in problems):
        assert _officer_finds_it_sound(log, older) == report.sound, problems
    return problems


def _officer_finds_it_sound(log: Path, older: bytes | None) -> bool:
    command = ["log", str(log), "--key", VKEY]
    if older is not None:
        printed = log.parent / "printed"
        printed.write_bytes(older)
        command += ["--older", str(printed)]
    return not OFFICER.main(command)


def _entries(log: Path) -> list[bytes]:
    bundles = [*sorted((log / "tile/entries").glob("[0-9][0-9][0-9]"))]
    bundles += (log / "tile/entries").glob("*.p/*")
    return [entry for bundle in bundles for entry in split_bundle(bundle.read_bytes())]


def _rebuild(log: Path, entries: list[bytes], checkpoint: bytes | None = None) -> None:
    """What someone with all the box's rights but not its key can do: build the tree again."""
    shutil.rmtree(log / "tile")
    frontier, tiles = Frontier(), {}
    tiles.update(frontier.extend(leaf_hash(entry) for entry in entries))
    tiles.update(frontier.edge())
    files = {tile.path: data for tile, data in tiles.items()}
    for start in range(0, len(entries), 256):
        group = entries[start : start + 256]
        suffix = "" if len(group) == 256 else f".p/{len(group)}"
        files[f"tile/entries/{start // 256:03}{suffix}"] = b"".join(map(frame_entry, group))
    for path, data in files.items():
        (log / path).parent.mkdir(parents=True, exist_ok=True)
        (log / path).write_bytes(data)
    if checkpoint is not None:
        (log / "checkpoint").write_bytes(checkpoint)


def test_an_untouched_log_is_sound(log: Path) -> None:
    report = verify_directory(log, VKEY)
    assert str(report) == f"{ORIGIN}: 1000 entries, all in order"
    assert report.unclosed == {}
    assert report.first_time <= report.last_time


def test_an_empty_log_is_sound(tmp_path: Path) -> None:
    Log.create(tmp_path, origin=ORIGIN, signer=SIGNER).close_sync()
    assert _problems(tmp_path / "log") == []


def _files(log: Path) -> Iterator[Path]:
    yield from sorted(path for path in log.rglob("*") if path.is_file())


def test_a_changed_byte_anywhere_in_any_file_is_found_and_its_file_named(log: Path) -> None:
    dice = random.Random(1)
    for path in _files(log):
        data = path.read_bytes()
        places = {0, len(data) - 1, *(dice.randrange(len(data)) for _ in range(12))}
        for place in sorted(places):
            changed = bytearray(data)
            changed[place] ^= 1 << dice.randrange(8)
            path.write_bytes(changed)
            name = path.relative_to(log).as_posix()
            problems = _problems(log)
            assert problems, (name, place)
            related = name.replace("/0/", "/entries/")
            assert any(name in text or related in text for text in problems), (name, problems)
        path.write_bytes(data)
    assert _problems(log) == []


def test_every_byte_of_the_checkpoint_counts(tmp_path: Path) -> None:
    build_log(tmp_path, 3)
    log = tmp_path / "log"
    path = log / "checkpoint"
    data = path.read_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        assert _problems(log), place


def test_every_file_cut_off_anywhere_is_found(log: Path) -> None:
    dice = random.Random(2)
    for path in _files(log):
        data = path.read_bytes()
        for length in {0, len(data) - 1, len(data) // 2, dice.randrange(len(data))}:
            path.write_bytes(data[:length])
            assert _problems(log), (path, length)
        path.write_bytes(data + b"\n")
        assert _problems(log), path
        path.unlink()
        assert _problems(log), path
        path.write_bytes(data)


@pytest.mark.parametrize("name", ["note.txt", "tile/0/009", "tile/x", "tile/entries/003.p/17"])
def test_a_file_too_many_is_found(log: Path, name: str) -> None:
    (log / name).write_bytes(b"\0" * 32)
    assert any(name in text and "does not belong" in text for text in _problems(log))


def test_a_link_in_place_of_a_stray_is_found(log: Path) -> None:
    (log / "tile" / "more").symlink_to("/nowhere")
    assert any("tile/more" in text for text in _problems(log))


def test_an_entry_changed_at_any_place_is_named_by_its_number(log: Path) -> None:
    for index in range(0, SIZE, 37):
        bundle, place = divmod(index, 256)
        path = next((log / "tile/entries").glob(f"{bundle:03}*"))
        path = path if path.is_file() else next(path.iterdir())
        data = path.read_bytes()
        entries = list(split_bundle(data))
        entries[place] = (
            entries[place].replace(b'"finished"', b'"refusedx"').replace(b'"demo"', b'"omed"')
        )
        path.write_bytes(b"".join(map(frame_entry, entries)))
        assert any(text.startswith(f"entry {index}:") for text in _problems(log)), index
        path.write_bytes(data)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 257, 511, 512, 767, 768, 998, 999])
@pytest.mark.parametrize("attack", ["change", "delete", "insert", "swap", "truncate"])
def test_a_tree_built_again_without_the_key_is_found(log: Path, attack: str, index: int) -> None:
    entries = _entries(log)
    match attack:
        case "change":
            entries[index] = entries[index].replace(b"ex_", b"ey_")
        case "delete":
            del entries[index]
        case "insert":
            entries.insert(index, entries[0])
        case "swap":
            entries[index], entries[index - 1] = entries[index - 1], entries[index]
        case "truncate":
            del entries[index:]
    _rebuild(log, entries)
    assert _problems(log)


def test_a_whole_tree_built_again_and_signed_by_another_key_is_found(log: Path) -> None:
    entries = _entries(log)[:-2]
    frontier = Frontier()
    list(frontier.extend(leaf_hash(entry) for entry in entries))
    text = str(Checkpoint(ORIGIN, len(entries), frontier.root()))
    forged = sign_note(text, Ed25519Signer.from_seed(ORIGIN, b"f" * 32))
    _rebuild(log, entries, str(forged).encode())
    assert any("not signed by" in text for text in _problems(log))


def _yesterday(pristine: Path, tmp_path: Path) -> tuple[Path, bytes]:
    """A box that went on after a copy was made of it; the copy, and today's checkpoint."""
    shutil.copytree(pristine, tmp_path / "box")
    shutil.copytree(pristine, tmp_path / "yesterday")
    log = Log.open(tmp_path / "box", signer=SIGNER, clock=SetClock(1_900_000_000_000_000_000))
    log.append_sync(opened(7000), ACTOR)
    log.append_sync(closed(7000), ACTOR)
    log.close_sync()
    return tmp_path / "yesterday", (tmp_path / "box/log/checkpoint").read_bytes()


def test_a_log_rolled_back_whole_is_found_by_the_printed_checkpoint(
    pristine: Path, tmp_path: Path
) -> None:
    yesterday, printed = _yesterday(pristine, tmp_path)
    assert _problems(yesterday / "log") == []
    problems = _problems(yesterday / "log", printed)
    assert any("cut off" in text and "1003" in text for text in problems)


def test_a_log_rolled_back_without_its_journal_is_found_by_the_journal(
    pristine: Path, tmp_path: Path
) -> None:
    yesterday, _ = _yesterday(pristine, tmp_path)
    shutil.rmtree(tmp_path / "box/log")
    shutil.move(yesterday / "log", tmp_path / "box/log")
    assert any("earlier state" in text for text in _problems(tmp_path / "box/log"))


def test_an_older_checkpoint_of_the_same_log_is_a_beginning_of_it(log: Path) -> None:
    entries = _entries(log)
    for size in (0, 1, 255, 256, 300, 512, 1000):
        frontier = Frontier()
        list(frontier.extend(leaf_hash(entry) for entry in entries[:size]))
        older = sign_note(str(Checkpoint(ORIGIN, size, frontier.root())), SIGNER)
        assert _problems(log, str(older).encode()) == []


def test_a_fork_signed_with_the_true_key_is_found_by_the_older_checkpoint(log: Path) -> None:
    entries = _entries(log)
    frontier = Frontier()
    list(frontier.extend(leaf_hash(entry) for entry in [b"other", *entries[1:300]]))
    older = sign_note(str(Checkpoint(ORIGIN, 300, frontier.root())), SIGNER)
    problems = _problems(log, str(older).encode())
    assert any("first 300 entries are not those" in text for text in problems)


def test_an_older_checkpoint_that_is_forged_is_refused(log: Path) -> None:
    forger = Ed25519Signer.from_seed(ORIGIN, b"f" * 32)
    older = sign_note(str(Checkpoint(ORIGIN, 300, b"\0" * 32)), forger)
    assert any("older checkpoint" in text for text in _problems(log, str(older).encode()))


def test_a_signature_added_to_the_checkpoint_is_found(log: Path) -> None:
    path = log / "checkpoint"
    line = base64.b64encode(b"abcd" + bytes(64)).decode()
    path.write_bytes(path.read_bytes() + f"\u2014 someone {line}\n".encode())
    assert any("did not put there" in text for text in _problems(log))


def test_entries_signed_out_of_order_are_found(log: Path) -> None:
    entries = _entries(log)
    entries[10], entries[20] = entries[20], entries[10]
    entries[30] = re.sub(rb'"time":"2027', b'"time":"2028', entries[30])
    entries[41] = re.sub(rb'"mono":"5"', b'"mono":"3"', entries[41])
    entries[50] = b"{}"
    entries[61] = re.sub(rb"ex_\d+", b"ex_none", entries[61])
    frontier = Frontier()
    list(frontier.extend(leaf_hash(entry) for entry in entries))
    note = sign_note(str(Checkpoint(ORIGIN, SIZE, frontier.root())), SIGNER)
    _rebuild(log, entries, str(note).encode())
    text = "\n".join(_problems(log))
    assert "entry 10: says that it is entry 20" in text
    assert "entry 31: is dated" in text
    assert "entry 41: is older" in text
    assert "entry 50: is not in the log's format" in text
    assert "entry 61: closes an exchange that was not open" in text


def test_the_wrong_public_key_is_told_from_a_damaged_log(log: Path) -> None:
    other = Ed25519Signer.from_seed(ORIGIN, b"x" * 32).vkey
    report = verify_directory(log, str(other))
    assert ["not signed by" in str(problem) for problem in report.problems] == [True]


def test_the_checkpoint_states_size_and_root(log: Path) -> None:
    checkpoint = parse_checkpoint(parse_note((log / "checkpoint").read_bytes()).text)
    report = verify_directory(log, VKEY)
    assert (report.size, report.root) == (checkpoint.size, checkpoint.root)
