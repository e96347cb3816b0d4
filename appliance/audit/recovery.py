"""Making a log, and bringing one back to where it was, whatever moment it was stopped at.

Everything acknowledged is in the tiles or in the journal. Recovery restores the right edge of the
tree from the tiles, checks it against the signed checkpoint, takes from the journal what the tiles
lack, publishes it, and begins a fresh journal segment. It believes nothing that does not fit: the
checkpoint's signature, the root, the journal's macs, and the two holding the same entries.
"""

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from appliance.audit.checkpoint import Checkpoint, verified_checkpoint
from appliance.audit.clock import Stamp
from appliance.audit.entries import decode_entry, event_of, split_bundle
from appliance.audit.events import KeyEpochStarted, LogRecovered, LogTailDiscarded
from appliance.audit.files import Files, make_directories, store, sync_directory
from appliance.audit.frontier import Frontier, split_hashes
from appliance.audit.integrator import Integrator
from appliance.audit.journal import Journal, Replay, segment_name, segment_starts
from appliance.audit.keyring import Keyring
from appliance.audit.keys import Signer, parse_verifier_key
from appliance.audit.layout import Layout
from appliance.audit.merkle import EMPTY_ROOT, leaf_hash
from appliance.audit.note import Note, parse_note, sign_note
from appliance.audit.publication import FILE, Publication, parse_publication
from appliance.audit.reader import LogReader, read_checkpoint
from appliance.audit.tiles import CHECKPOINT, ENTRIES, WIDTH, Tile, files, right_edge
from appliance.errors import ConfigurationError, IntegrityError, UnavailableError

_ADVICE = (
    " Keep a copy of the whole audit directory, verify it with an older checkpoint, and restore "
    "the box from a backup."
)
_JOURNAL_ADVICE = (
    " Keep a copy of the whole audit directory first. If the entries of the last second may be "
    "given up, open the log with --unsafe-discard-tail; the log will say so for ever."
)


class Recovered(msgspec.Struct, frozen=True):
    """A log ready to be written on."""

    journal: Journal
    integrator: Integrator
    last_stamp: Stamp | None
    report: LogRecovered | None
    """To be logged, if a crash left something to do."""
    discarded: LogTailDiscarded | None
    """To be logged, if the journal was given up."""


class _Stored(msgspec.Struct, frozen=True):
    """What the log's own files hold."""

    note: Note
    checkpoint: Checkpoint
    frontier: Frontier
    bundle: bytes
    last_stamp: Stamp | None


def create_log(files_: Files, layout: Layout, origin: str, signer: Signer) -> None:
    """Make an empty log; its checkpoint, of size 0, comes last.

    Raises ConfigurationError if there is a log already or the signer's name is not `origin`.
    """
    if (layout.log / CHECKPOINT).exists():
        raise ConfigurationError(
            f"There is an audit log in {layout.root} already. A log is never begun anew: choose "
            "another directory, or keep this one."
        )
    if signer.vkey.name != origin:
        raise ConfigurationError("The signing key's name must be the log's origin.")
    try:
        for directory in (layout.root, layout.log, layout.journal, layout.staging):
            make_directories(files_, directory)
        store(files_, layout.staging, layout.vkey, f"{signer.vkey}\n".encode())
        sync_directory(files_, layout.root)
        journal = _journal(files_, layout, signer)
        journal.restart(0)
        journal.close()
        note = sign_note(str(Checkpoint(origin, 0, EMPTY_ROOT)), signer)
        store(files_, layout.staging, layout.log / CHECKPOINT, str(note).encode())
        sync_directory(files_, layout.log)
    except OSError as error:
        raise UnavailableError(
            f"The audit log cannot be made in {layout.root}: {error.strerror}."
        ) from error


def recover_log(
    files_: Files, layout: Layout, signer: Signer, *, unsafe_discard_tail: bool = False
) -> Recovered:
    """Bring a log back. The caller holds its lock.

    Raises IntegrityError when something does not fit that no crash explains, UnavailableError when
    the disk refuses.
    """
    try:
        return _recover(files_, layout, signer, unsafe_discard_tail=unsafe_discard_tail)
    except OSError as error:
        raise UnavailableError(
            f"The audit log in {layout.root} cannot be opened for writing: {error.strerror}. "
            "Make room or check the disk's health, then start again."
        ) from error


def _recover(
    files_: Files, layout: Layout, signer: Signer, *, unsafe_discard_tail: bool
) -> Recovered:
    for draft in layout.staging.iterdir():
        files_.remove(draft)
    if isinstance(signer, Keyring):
        _settle_keys(layout, signer)
    stored = _read_stored(layout, signer)
    size = stored.checkpoint.size
    integrator = Integrator(files_, layout, signer, stored.frontier, stored.bundle, stored.note)
    publication = _read_publication(layout)
    target = size
    if publication is not None:
        target = _target(publication, signer)
        if size not in (publication.old_size, target) or publication.old_size > target:
            raise IntegrityError("The log's checkpoint is not one that was under way." + _ADVICE)
        integrator.resume(publication, target)

    replay = Replay(layout.journal, signer.derive("journal"))
    last_stamp, discarded = stored.last_stamp, None
    try:
        last_entry = _replay(replay, integrator, LogReader(layout.log, size), target, signer)
        if last_entry is not None:
            last_stamp = decode_entry(last_entry).stamp
    except IntegrityError as error:
        if not unsafe_discard_tail:
            raise IntegrityError(str(error) + _JOURNAL_ADVICE) from error
        discarded = _discard(layout, integrator, target)

    replayed = integrator.size - size
    integrator.publish()
    if isinstance(signer, Keyring):
        _settle_keys(layout, signer)
    journal = _journal(files_, layout, signer)
    journal.restart(integrator.size)
    journal.remove_covered(integrator.size)
    report = None
    if replayed or replay.torn:
        report = LogRecovered(replayed=replayed, torn_bytes=len(replay.torn))
    return Recovered(journal, integrator, last_stamp, report, discarded)


def _settle_keys(layout: Layout, ring: Keyring) -> None:
    """Destroy the old key if the next one has signed the checkpoint on disk already."""
    following = ring.next
    if following is not None and parse_note(read_checkpoint(layout.log)).by(following.vkey):
        ring.advance()


def _target(publication: Publication, signer: Signer) -> int:
    following = signer.next if isinstance(signer, Keyring) else None
    if following is not None and publication.note.by(following.vkey):
        return publication.target(following.vkey).size
    return publication.target(signer.vkey).size


def _journal(files_: Files, layout: Layout, signer: Signer) -> Journal:
    return Journal(files_, layout.journal, layout.staging, signer.derive("journal"))


def _read_stored(layout: Layout, signer: Signer) -> _Stored:
    try:
        vkey = parse_verifier_key(layout.vkey.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise IntegrityError(f"The log's public key {layout.vkey} is missing." + _ADVICE) from error
    epoch = signer.epoch if isinstance(signer, Keyring) else 0
    if vkey.name != signer.vkey.name or (not epoch and vkey != signer.vkey):
        raise IntegrityError(
            "The vault's audit signing key is not that of this log: one of the two was exchanged."
            + _ADVICE
        )
    note = parse_note(read_checkpoint(layout.log))
    checkpoint = verified_checkpoint(note, signer.vkey)
    edge = _read_edge(layout.log, checkpoint.size)
    try:
        frontier = Frontier.restore(checkpoint.size, edge)
    except IntegrityError as error:
        raise IntegrityError(f"The log's file {error}." + _ADVICE) from error
    if frontier.root() != checkpoint.root:
        raise IntegrityError("The log's newest tiles do not fit its checkpoint." + _ADVICE)
    index, width = divmod(checkpoint.size, WIDTH)
    bundle = edge.get(Tile(ENTRIES, index, width), b"")
    entries = list(split_bundle(bundle))
    if [leaf_hash(entry) for entry in entries] != split_hashes(
        edge.get(Tile(0, index, width), b"")
    ):
        raise IntegrityError("The log's newest entries do not fit its tiles." + _ADVICE)
    last_stamp = None
    if checkpoint.size:
        last = LogReader(layout.log, checkpoint.size).entry(checkpoint.size - 1)
        last_stamp = decode_entry(last).stamp
    return _Stored(note, checkpoint, frontier, bundle, last_stamp)


def _read_edge(log: Path, size: int) -> dict[Tile, bytes]:
    edge = {}
    for tile in right_edge(size):
        with suppress(FileNotFoundError):
            edge[tile] = (log / tile.path).read_bytes()
    return edge


def _read_publication(layout: Layout) -> Publication | None:
    try:
        return parse_publication((layout.root / FILE).read_bytes())
    except FileNotFoundError:
        return None


def _replay(
    replay: Replay, integrator: Integrator, reader: LogReader, target: int, signer: Signer
) -> bytes | None:
    """Take from the journal what the tiles lack; the last entry of those."""
    size, last_entry = reader.size, None
    for batch in replay.batches():
        if batch.first > integrator.size:
            break
        leaves = [leaf_hash(entry) for entry in batch.entries]
        covered = max(0, size - batch.first)
        for place, leaf in enumerate(leaves[:covered]):
            if reader.leaf(batch.first + place) != leaf:
                raise IntegrityError(
                    f"The journal and the tiles hold different entries {batch.first + place}."
                )
        for number, entry in enumerate(batch.entries[covered:], batch.first + covered):
            if isinstance(signer, Keyring):
                _follow_handover(integrator, signer, number, entry)
        integrator.add(batch.entries[covered:], leaves[covered:])
        if len(leaves) > covered:
            last_entry = batch.entries[-1]
    starts = segment_starts(replay.directory)
    if starts[0] > size:
        raise IntegrityError(
            f"The log ends with {size} entries, but {starts[0]} were published: its directory was "
            "put back to an earlier state."
        )
    if replay.end < max(size, target):
        raise IntegrityError(
            f"The journal ends with entry {replay.end}, the log with {max(size, target)}: the "
            "journal was cut off or put back to an earlier state."
        )
    return last_entry


def _follow_handover(integrator: Integrator, ring: Keyring, number: int, entry: bytes) -> None:
    following = ring.next
    if following is None or KeyEpochStarted.action.encode() not in entry:
        return
    event = event_of(decode_entry(entry))
    if isinstance(event, KeyEpochStarted) and event.vkey == str(following.vkey):
        integrator.change_signer(number, following)


def _discard(layout: Layout, integrator: Integrator, target: int) -> LogTailDiscarded:
    digest, count = sha256(), 0
    for start in segment_starts(layout.journal):
        data = (layout.journal / segment_name(start)).read_bytes()
        digest.update(data)
        count += len(data)
    integrator.abandon(set(files(target)) - set(files(integrator.size)))
    return LogTailDiscarded(discarded_bytes=count, discarded_digest=f"sha256:{digest.hexdigest()}")
