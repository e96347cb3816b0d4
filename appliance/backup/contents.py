"""What goes into a backup, gathered while the box runs: names and bytes, or names and files.

The database is copied first and the log after it, so that the log of a backup knows of everything
that its database does. Model files never change. Keys of unsealing stay out: a backup that
brought its own key along would protect nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from appliance.audit.journal import segment_name, segment_starts
from appliance.audit.snapshot import Snapshot, take_snapshot
from appliance.audit.tiles import CHECKPOINT, files
from appliance.errors import UnavailableError
from appliance.settings import Layout

Item: TypeAlias = tuple[str, bytes | Path]
"""Name in the archive, and content: in memory, or a file that does not change."""

DATABASE: Final = "database/cloister.db"
VERIFIER_KEY: Final = "audit/log.vkey"
KEYRING: Final = "audit/keyring"
LOG: Final = "audit/log"
JOURNAL: Final = "audit/journal"
_TRIES: Final = 20


def configuration(layout: Layout) -> Iterator[Item]:
    """Yield cloister.toml and the policies."""
    yield "cloister.toml", layout.config.read_bytes()
    for path in sorted(layout.policies.rglob("*")):
        if path.is_file():
            name = path.relative_to(layout.policies).as_posix()
            yield f"policies/{name}", path.read_bytes()


def log(layout: Layout) -> tuple[Snapshot, list[Item]]:
    """Return the log at one checkpoint, with the journal that carries on from it.

    Raises `UnavailableError` if it never holds still.
    """
    directory = layout.audit / "log"
    for _ in range(_TRIES):
        keyring = _keyring(layout)
        found = take_snapshot(directory)
        try:
            starts = segment_starts(layout.audit / "journal")
            segments: list[Item] = [
                (f"{JOURNAL}/{segment_name(start)}", _segment(layout, start)) for start in starts
            ]
        except FileNotFoundError:
            continue  # a segment was published and removed since it was listed
        if not starts or starts[0] > found.checkpoint.size:
            continue  # published since the checkpoint was read
        if _keyring(layout) != keyring:
            continue  # the key was changed since
        return found, [
            *keyring,
            (VERIFIER_KEY, (layout.audit / "log.vkey").read_bytes()),
            *_tiles(found),
            *segments,
            (f"{LOG}/{CHECKPOINT}", str(found.note).encode()),
        ]
    raise UnavailableError("the log changes faster than it can be copied; try again later")


def models(layout: Layout) -> Iterator[str]:
    """Yield the file ids of all stored models whose key is there."""
    if layout.models.exists():
        for folder in sorted(layout.models.iterdir()):
            if (folder / "key").exists():
                yield folder.name


def model_key(layout: Layout, file_id: str) -> Item:
    """Return a model's wrapped key; rotation replaces it, so it is in every backup."""
    return f"models/{file_id}/key", (layout.models / file_id / "key").read_bytes()


def model_weights(layout: Layout, file_id: str) -> Item:
    """Return a model's weights, which never change."""
    return weights_name(file_id), layout.models / file_id / "weights.cob"


def weights_name(file_id: str) -> str:
    """Return the name of a model's weights in an archive."""
    return f"models/{file_id}/weights.cob"


def _keyring(layout: Layout) -> list[Item]:
    """Return the log's signing keys, encrypted as they lie there; a log of one key has no ring."""
    try:
        return [(KEYRING, (layout.audit / "keyring").read_bytes())]
    except FileNotFoundError:
        return []


def _segment(layout: Layout, start: int) -> bytes:
    return (layout.audit / "journal" / segment_name(start)).read_bytes()


def _tiles(found: Snapshot) -> Iterator[Item]:
    for tile in files(found.checkpoint.size):
        name = f"{LOG}/{tile.path}"
        content = found.edge.get(tile)
        yield name, found.directory / tile.path if content is None else content
