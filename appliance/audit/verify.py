"""Verifies a log directory with nothing but the log's public key.

Every entry is hashed, the tree is built again from the hashes, and every file of the log is held
against it, up to the root that the checkpoint signs. So any byte changed, added or taken away in
any file shows, and so does any file too many. Memory does not grow with the log.

What a directory cannot show by itself is that it was put back, whole, to an earlier state. Hand in
an `older` checkpoint, printed or kept elsewhere, and that shows too; the journal beside the log, if
it is there, shows the crude cases.

The officer's own verifier, `installer/cloister_verify.py`, shares no line with this one.
"""

from pathlib import Path

import msgspec

from appliance.audit.checkpoint import (
    Checkpoint,
    open_checkpoint,
    parse_checkpoint,
    verified_checkpoint,
)
from appliance.audit.entries import decode_entry, split_bundle
from appliance.audit.epochs import Epochs
from appliance.audit.events import KeyEpochStarted
from appliance.audit.frontier import Frontier, split_hashes
from appliance.audit.keys import VerifierKey, parse_verifier_key
from appliance.audit.merkle import EMPTY_ROOT, HASH_SIZE, leaf_hash
from appliance.audit.note import parse_note
from appliance.audit.order import OrderCheck
from appliance.audit.snapshot import Snapshot, find_strays, take_snapshot
from appliance.audit.tiles import CHECKPOINT, ENTRIES, WIDTH, Tile
from appliance.audit.waiting import compare_journal
from appliance.errors import IntegrityError

_HANDOVER = KeyEpochStarted.action.encode()
MAX_PROBLEMS = 20
"""After so many the verifier stops: what is this broken needs no longer list."""


class Problem(msgspec.Struct, frozen=True):
    """One thing that is not as it was logged."""

    place: str
    """The file, relative to the log directory."""
    what: str
    entry: int | None = None
    """The first entry concerned."""

    def __str__(self) -> str:
        entry = f"entry {self.entry}: " if self.entry is not None else ""
        return f"{entry}{self.what} ({self.place})"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found."""

    origin: str
    size: int
    root: bytes
    problems: tuple[Problem, ...] = ()
    unclosed: dict[str, int] = msgspec.field(default_factory=dict)
    """Exchanges that were opened and not closed, by entry number: a crash, or still running."""
    first_time: str = ""
    last_time: str = ""
    journal_entries: int = 0
    """Durable entries in the journal that await publication."""

    @property
    def sound(self) -> bool:
        """Whether everything is as it was logged."""
        return not self.problems

    def __str__(self) -> str:
        if self.problems:
            lines = "\n".join(f"  {problem}" for problem in self.problems)
            return f"{self.origin}: NOT SOUND, {self.size} entries\n{lines}"
        return f"{self.origin}: {self.size} entries, all in order"


def verify_directory(path: Path, vkey: str, *, older: bytes | None = None) -> Report:
    """Verify the log in `path` (it holds `checkpoint`) with the verifier key's text.

    `older` is an earlier checkpoint of this log, as signed. Raises ConfigurationError if the key
    cannot be read. Everything else is in the report.
    """
    key = parse_verifier_key(vkey)
    try:
        snapshot = take_snapshot(path)
    except (IntegrityError, OSError) as error:
        problem = Problem(CHECKPOINT, str(error))
        return Report(origin=key.name, size=0, root=EMPTY_ROOT, problems=(problem,))
    return _Verification(snapshot, key, older).run()


class _Verification:
    """One pass over a log, in order; every method adds to `problems`."""

    def __init__(self, snapshot: Snapshot, key: VerifierKey, older: bytes | None) -> None:
        self._snapshot = snapshot
        self._size = snapshot.checkpoint.size
        self._epochs = Epochs(key)
        self._handovers: dict[int, bytes] = {}
        self._older = older
        self._problems: list[Problem] = []
        self._order = OrderCheck()
        self._frontier = Frontier()
        self._waiting = 0

    def run(self) -> Report:
        """Check everything that can be checked."""
        checkpoint = self._snapshot.checkpoint
        older = self._read_older()
        roots = {0: EMPTY_ROOT}
        for index in range(-(-self._size // WIDTH)):
            if len(self._problems) >= MAX_PROBLEMS:
                break
            leaves = self._bundle(index)
            if leaves is None:
                break
            marks = set(self._handovers) | ({older.size} if older is not None else set())
            for mark in sorted(marks & set(range(index * WIDTH, index * WIDTH + len(leaves)))):
                place = mark - self._frontier.size
                self._extend(leaves[:place])
                leaves = leaves[place:]
                roots[mark] = self._frontier.root()
                self._hand_over(mark, roots[mark])
            self._extend(leaves)
        else:
            roots[self._size] = self._frontier.root()
            self._finish(roots, older)
        self._signature(older)
        self._strays()
        self._journal()
        return Report(
            origin=checkpoint.origin,
            size=self._size,
            root=checkpoint.root,
            problems=tuple(self._problems[:MAX_PROBLEMS]),
            unclosed=self._order.unclosed,
            first_time=self._order.first_time,
            last_time=self._order.last_time,
            journal_entries=self._waiting,
        )

    def _add(self, place: str, what: str, entry: int | None = None) -> None:
        self._problems.append(Problem(place, what, entry))

    def _bundle(self, index: int) -> list[bytes] | None:
        """Check one bundle of entries and their hashes; the leaf hashes, None if both are gone."""
        first = index * WIDTH
        width = min(WIDTH, self._size - first)
        bundle, tile = Tile(ENTRIES, index, width), Tile(0, index, width)
        stored = self._hashes(tile)
        entries = self._entries(bundle)
        if entries is None:
            return stored
        leaves = [leaf_hash(entry) for entry in entries]
        if stored is not None and leaves != stored:
            pairs = zip(leaves, stored, strict=True)
            wrong = next(place for place, (ours, theirs) in enumerate(pairs) if ours != theirs)
            self._add(bundle.path, f"is not what {tile.path} says was logged", first + wrong)
            return stored
        for place, entry in enumerate(entries):
            for what in self._order.problems(first + place, entry):
                self._add(bundle.path, what, first + place)
            if _HANDOVER in entry:
                self._handovers[first + place] = entry
        return leaves

    def _hand_over(self, index: int, root: bytes) -> None:
        """Follow the change of keys that entry `index` is, if it is one."""
        data = self._handovers.pop(index, None)
        if data is None:
            return
        try:
            entry = decode_entry(data)
            if entry.action == KeyEpochStarted.action:
                self._epochs.follow(entry, index, root)
        except IntegrityError as error:
            self._add(Tile(ENTRIES, index // WIDTH).path, str(error), index)

    def _hashes(self, tile: Tile) -> list[bytes] | None:
        data = self._snapshot.read(tile)
        if data is None:
            self._add(tile.path, "the file is missing", tile.first_entry)
        elif len(data) != tile.width * HASH_SIZE:
            what = f"the file has {len(data)} bytes instead of {tile.width * HASH_SIZE}"
            self._add(tile.path, what, tile.first_entry)
        else:
            return split_hashes(data)
        return None

    def _entries(self, bundle: Tile) -> list[bytes] | None:
        data = self._snapshot.read(bundle)
        if data is None:
            self._add(bundle.path, "the file is missing", bundle.first_entry)
            return None
        try:
            entries = list(split_bundle(data))
        except IntegrityError as error:
            self._add(bundle.path, str(error), bundle.first_entry)
            return None
        if len(entries) != bundle.width:
            what = f"the file holds {len(entries)} entries instead of {bundle.width}"
            self._add(bundle.path, what, bundle.first_entry)
            return None
        return entries

    def _extend(self, leaves: list[bytes]) -> None:
        for tile, data in self._frontier.extend(leaves):
            self._compare(tile, data)

    def _compare(self, tile: Tile, data: bytes) -> None:
        """Hold a tile as computed against the file; those of leaves were checked with entries."""
        if tile.level == 0:
            return
        stored = self._hashes(tile)
        if stored is None:
            return
        for place, (ours, theirs) in enumerate(zip(split_hashes(data), stored, strict=True)):
            if ours != theirs:
                span = WIDTH**tile.level
                start = tile.first_entry + place * span
                what = f"the entries {start} to {start + span - 1} are not those that were logged"
                self._add(tile.path, what, start)
                return

    def _finish(self, roots: dict[int, bytes], older: Checkpoint | None) -> None:
        for tile, data in self._frontier.edge():
            self._compare(tile, data)
        checkpoint = self._snapshot.checkpoint
        if roots[self._size] != checkpoint.root:
            self._add(CHECKPOINT, "the entries do not add up to the signed root")
        if older is not None and older.size <= self._size and roots[older.size] != older.root:
            what = f"the first {older.size} entries are not those of the older checkpoint"
            self._add(CHECKPOINT, what)

    def _read_older(self) -> Checkpoint | None:
        if self._older is None:
            return None
        try:
            older = parse_checkpoint(parse_note(self._older).text)
        except IntegrityError as error:
            self._add("the older checkpoint", str(error))
            return None
        if older.size > self._size:
            what = f"the log was cut off: an older checkpoint counts {older.size} entries"
            self._add(CHECKPOINT, what, self._size)
            return None
        return older

    def _signature(self, older: Checkpoint | None) -> None:
        try:
            verified_checkpoint(self._snapshot.note, self._epochs.key_for(self._size))
        except IntegrityError as error:
            self._add(CHECKPOINT, str(error))
        if older is not None and self._older is not None:
            try:
                open_checkpoint(self._older, self._epochs.key_for(older.size))
            except IntegrityError as error:
                self._add("the older checkpoint", str(error))
        if len(self._snapshot.note.signatures) != 1:
            self._add(CHECKPOINT, "carries signatures that the log did not put there")

    def _strays(self) -> None:
        try:
            strays = find_strays(self._snapshot.directory, self._size)
        except (IntegrityError, OSError) as error:
            self._add(CHECKPOINT, str(error))
            return
        for path in strays:
            self._add(path, "the file does not belong to a log of this size")

    def _journal(self) -> None:
        journal = self._snapshot.directory.parent / "journal"
        if not journal.is_dir():
            return
        try:
            self._waiting = compare_journal(journal, self._snapshot.directory)
        except IntegrityError as error:
            self._add("../journal", str(error))
