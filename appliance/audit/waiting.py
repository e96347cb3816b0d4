"""Compares a log directory with the journal beside it, without the journal's key."""

from pathlib import Path

from appliance.audit.checkpoint import parse_checkpoint
from appliance.audit.journal import Replay, segment_starts
from appliance.audit.merkle import leaf_hash
from appliance.audit.note import parse_note
from appliance.audit.reader import LogReader, read_checkpoint
from appliance.errors import IntegrityError

_TRIES = 20


def compare_journal(journal: Path, directory: Path) -> int:
    """How many durable entries in `journal` await publication into the log in `directory`.

    Raises IntegrityError when the two contradict each other: that is a log, or a journal, put back
    to an earlier state, or one of the two altered.
    """
    for _ in range(_TRIES):
        try:
            return _compare(journal, directory)
        except FileNotFoundError:
            # On a running box a segment that was covered went away between listing and reading.
            continue
    raise IntegrityError("The journal changes faster than it can be read.")


def _compare(journal: Path, directory: Path) -> int:
    starts = segment_starts(journal)
    size = parse_checkpoint(parse_note(read_checkpoint(directory)).text).size
    if not starts:
        raise IntegrityError("the journal is gone")
    if starts[0] > size:
        raise IntegrityError(
            f"the log ends with {size} entries, but {starts[0]} were published: its directory was "
            "put back to an earlier state"
        )
    reader, replay = LogReader(directory, size), Replay(journal, None)
    for batch in replay.batches():
        for number, entry in enumerate(batch.entries, batch.first):
            if number < size and reader.leaf(number) != leaf_hash(entry):
                raise IntegrityError(f"the journal holds another entry {number} than the log")
    if replay.end < size:
        raise IntegrityError(f"the journal ends before entry {replay.end}, the log with {size}")
    return replay.end - size
