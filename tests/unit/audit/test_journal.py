"""The journal: what is in it comes back, what was done to it shows."""

import shutil
from pathlib import Path

import pytest

from appliance.audit.journal import Journal, Replay, frame_batch, segment_name
from appliance.errors import IntegrityError
from tests.support.audit_logs import UnsyncedFiles

KEY = b"j" * 32
BATCHES = [[b"one"], [b"two", b"three"], [b"four"]]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    (tmp_path / "staging").mkdir()
    journal = _journal(tmp_path / "journal")
    journal.restart(10)
    for batch in BATCHES:
        journal.append(frame_batch(batch), len(batch))
    journal.close()
    return tmp_path / "journal"


def _journal(directory: Path) -> Journal:
    return Journal(UnsyncedFiles(), directory, directory.parent / "staging", KEY)


def _replay(directory: Path, key: bytes | None = KEY) -> tuple[list[bytes], Replay]:
    replay = Replay(directory, key)
    return [entry for batch in replay.batches() for entry in batch.entries], replay


def _segment(directory: Path) -> Path:
    return directory / segment_name(10)


def test_what_was_appended_comes_back_in_order(directory: Path) -> None:
    entries, replay = _replay(directory)
    assert entries == [b"one", b"two", b"three", b"four"]
    assert replay.end == 14
    assert replay.torn == b""


def test_the_format_is_what_it_was(directory: Path) -> None:
    assert (
        _segment(directory).read_bytes().hex()
        == (Path(__file__).parents[2] / "vectors" / "audit" / "journal-v1.hex").read_text().strip()
    )


def test_an_end_cut_off_anywhere_is_an_unfinished_write(directory: Path) -> None:
    data = _segment(directory).read_bytes()
    whole = {}
    for length in range(60, len(data)):
        _segment(directory).write_bytes(data[:length])
        entries, replay = _replay(directory)
        assert entries == [b"one", b"two", b"three", b"four"][: len(entries)]
        whole[len(entries)] = length
        assert replay.end == 10 + len(entries)
    assert sorted(whole) == [0, 1, 3]


def test_a_changed_byte_anywhere_before_the_last_length_is_found(directory: Path) -> None:
    data = _segment(directory).read_bytes()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x40
        _segment(directory).write_bytes(changed)
        try:
            entries, replay = _replay(directory)
        except IntegrityError:
            continue
        # A length that now reaches past the end looks like an unfinished write: entries are
        # missing from there on, never different.
        assert entries == [b"one", b"two", b"three", b"four"][: len(entries)]
        assert len(entries) < 4
        assert replay.torn


def test_a_batch_replaced_moved_or_taken_out_is_found(directory: Path) -> None:
    data = _segment(directory).read_bytes()
    sizes = [40 + len(frame_batch(batch)) for batch in BATCHES]
    header, first, second = data[:60], data[60:][: sizes[0]], data[60 + sizes[0] :][: sizes[1]]
    third = data[60 + sizes[0] + sizes[1] :]
    forged = first.replace(b"one", b"eno")
    for attack in (
        header + second + third,
        header + first + third,
        header + second + first + third,
        header + first + first + third,
        header + forged + second + third,
    ):
        _segment(directory).write_bytes(attack)
        with pytest.raises(IntegrityError, match="altered"):
            _replay(directory)


def test_a_segment_under_another_number_or_key_is_found(directory: Path) -> None:
    with pytest.raises(IntegrityError, match="does not begin"):
        _replay(directory, b"x" * 32)
    assert len(_replay(directory, None)[0]) == 4
    _segment(directory).rename(directory / segment_name(11))
    with pytest.raises(IntegrityError, match="does not begin"):
        _replay(directory)


def test_a_later_segment_overrules_what_nobody_was_told_of(directory: Path) -> None:
    journal = _journal(directory)
    journal.restart(13)
    journal.append(frame_batch([b"instead"]), 1)
    journal.close()
    assert _replay(directory)[0] == [b"one", b"two", b"three", b"instead"]


def test_a_gap_between_segments_is_found(directory: Path) -> None:
    journal = _journal(directory)
    journal.restart(15)
    journal.close()
    with pytest.raises(IntegrityError, match="lacks the entries 14 to 14"):
        _replay(directory)


def test_covered_segments_go_and_the_newest_stays(directory: Path) -> None:
    journal = _journal(directory)
    journal.restart(14)
    journal.remove_covered(13)
    assert len(list(directory.iterdir())) == 2
    journal.remove_covered(14)
    assert [path.name for path in directory.iterdir()] == [segment_name(14)]
    journal.remove_covered(99)
    journal.close()
    assert [path.name for path in directory.iterdir()] == [segment_name(14)]


def test_a_foreign_file_or_no_file_is_found(directory: Path) -> None:
    (directory / "x").touch()
    with pytest.raises(IntegrityError, match="not the journal's"):
        _replay(directory)
    shutil.rmtree(directory)
    directory.mkdir()
    with pytest.raises(IntegrityError, match="gone"):
        _replay(directory)
