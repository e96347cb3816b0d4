"""Exports: entries that leave the box with everything needed to verify them elsewhere.

An export is a directory, written whole or not at all:

| file | is |
|---|---|
| `manifest` | a signed note by the log's key: what this is, and the SHA-256 of every other file |
| `checkpoint` | the log's checkpoint to which all proofs lead |
| `entries.jsonl` | per entry a line: `index`, `entry` (its exact text), `proof` (RFC 6962 path) |
| `epochs.jsonl` | the entries that changed the signing key, in order |
| `report.html` | the same for a person, printable |
| `entries.csv`, `ocsf.jsonl`, `cef.log` | the same for other programs (`formats`) |

The manifest's text, each line ended by a newline: `cloister/export/v1`, the origin, then `export
<id>`, `created <time>`, `count <entries>`, `complete yes|no` (yes: no entry between the first and
the last is left out), `sha256 <hex> <file>` for each file. `cloister_verify.py export` reads it.
"""

import base64
import os
import shutil
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from appliance.audit.checkpoint import verified_checkpoint
from appliance.audit.clock import format_utc
from appliance.audit.entries import Entry, decode_entry
from appliance.audit.events import KeyEpochStarted
from appliance.audit.formats import FORMATS, Writer
from appliance.audit.keys import Signer
from appliance.audit.note import Note, sign_note
from appliance.audit.reader import LogReader
from appliance.errors import ConfigurationError, UnavailableError

_MAGIC = "cloister/export/v1"


class _Record(msgspec.Struct, frozen=True):
    index: int
    entry: str
    proof: tuple[str, ...]


class Export(msgspec.Struct, frozen=True):
    """What was exported, for the entry `log.exported`."""

    id: str
    directory: Path
    digest: str
    """Of the manifest, `sha256:` and hexadecimal digits."""
    first: int
    entries: int


def export_entries(
    target: Path,
    *,
    reader: LogReader,
    note: Note,
    signer: Signer,
    indexes: Iterable[int],
    epochs: Iterable[int],
    created_ns: int,
    formats: Iterable[str] = ("html",),
) -> Export:
    """Write the entries `indexes` (ascending) of the log as `note` has it into `target`.

    `epochs` are the numbers of the log's `log.epoch_started` entries. Raises ConfigurationError if
    `target` exists or a format is unknown, IntegrityError if an entry is not what was logged,
    UnavailableError if the disk refuses.
    """
    if target.exists():
        raise ConfigurationError(f"{target} exists already; choose another place for the export.")
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        known = ", ".join(sorted(FORMATS))
        raise ConfigurationError(f"There is no export format '{unknown[0]}'; there are: {known}.")
    checkpoint = verified_checkpoint(note, signer.vkey)
    identity = os.urandom(8).hex()
    draft = target.with_name(f".{target.name}.{identity}")
    try:
        draft.mkdir(mode=0o700)
        (draft / "checkpoint").write_bytes(str(note).encode())
        with (draft / "epochs.jsonl").open("wb") as file:
            for index in epochs:
                if decode_entry(reader.entry(index)).action == KeyEpochStarted.action:
                    file.write(reader.entry(index) + b"\n")
        title = f"{checkpoint.origin}, export {identity}"
        writers = [FORMATS[name](draft, title) for name in sorted(set(formats))]
        first, count, last = _write_entries(draft, reader, indexes, writers)
        complete = "yes" if count and last - first + 1 == count else "no"
        facts = [
            _MAGIC,
            checkpoint.origin,
            f"export {identity}",
            f"created {format_utc(created_ns)}",
            f"count {count}",
            f"complete {complete}",
            *(f"sha256 {_digest(path)} {path.name}" for path in sorted(draft.iterdir())),
        ]
        manifest = str(sign_note("".join(f"{line}\n" for line in facts), signer)).encode()
        (draft / "manifest").write_bytes(manifest)
        draft.rename(target)
    except OSError as error:
        raise UnavailableError(
            f"The export cannot be written to {target}: {error.strerror}."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    digest = f"sha256:{sha256(manifest).hexdigest()}"
    return Export(id=identity, directory=target, digest=digest, first=first, entries=count)


def _write_entries(
    draft: Path, reader: LogReader, indexes: Iterable[int], writers: list[Writer]
) -> tuple[int, int, int]:
    first = last = -1
    count = 0
    with (draft / "entries.jsonl").open("wb") as file:
        for index, data, entry in _read(reader, indexes):
            if index <= last:
                raise ConfigurationError("The entries to export must be given in order, once.")
            proof = tuple(base64.b64encode(node).decode() for node in reader.inclusion_proof(index))
            record = _Record(index, data.decode(), proof)
            file.write(msgspec.json.encode(record) + b"\n")
            for writer in writers:
                writer.add(entry)
            first = index if first < 0 else first
            last, count = index, count + 1
    for writer in writers:
        writer.close()
    return max(first, 0), count, last


def _read(reader: LogReader, indexes: Iterable[int]) -> Iterator[tuple[int, bytes, Entry]]:
    for index in indexes:
        data = reader.entry(index)
        yield index, data, decode_entry(data)


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
