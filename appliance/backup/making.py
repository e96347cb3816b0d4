"""Makes a backup of a box while it runs.

    made = await make(target, sources, previous=None)

The file is written, synced, named, and then read back whole before `make` returns: every byte of it
was authenticated once, and every member was there. Only then is it a backup, and the caller logs
it (`BackupCreated` with `made.id` and `made.digest`).

With `previous`, weights that lie in an earlier backup of this box are not written again; to
restore, both files are needed, and the manifest says which.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeAlias

import msgspec

from appliance.audit.keys import Signer, VerifierKey
from appliance.audit.log import Log
from appliance.audit.note import sign_note
from appliance.backup import contents, manifest
from appliance.backup.contents import Item
from appliance.backup.manifest import Manifest
from appliance.backup.sealing import check_seal, seal_text
from appliance.database import Database
from appliance.errors import IntegrityError, UnavailableError
from appliance.settings import Layout
from appliance.vault.archive import Archive, ArchiveWriter, writing
from appliance.vault.document import FILE_NAME
from appliance.vault.vault import Vault

Members: TypeAlias = Iterator[tuple[str, BinaryIO]]


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """The rooms of a running box that a backup is made from."""

    layout: Layout
    vault: Vault
    database: Database
    log: Log
    signer: Signer


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was written and read back."""

    id: str
    digest: str
    """`sha256:` and the hex digest that the box signed."""
    size: int
    log_size: int
    weights: int
    """Model files inside it."""
    inherited: int
    """Model files that lie in an earlier backup."""


async def make(
    target: Path,
    sources: Sources,
    *,
    previous: Path | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Made:
    """Write a backup to the new file `target`.

    Raises `UnavailableError` if it cannot be written; `IntegrityError` if `previous` is no backup
    of this box, or if what was written does not read back. Then there is no `target`.
    """
    try:
        workplace = Path(
            await asyncio.to_thread(tempfile.mkdtemp, prefix=".backup-", dir=target.parent)
        )
    except OSError as error:
        raise UnavailableError(
            f"the backup cannot be written to {target.parent}: {error.strerror}"
        ) from None
    try:
        database = workplace / "cloister.db"
        await sources.database.snapshot(database)
        await asyncio.to_thread(sources.log.publish)
        return await asyncio.to_thread(_write, target, sources, database, previous, clock())
    except FileExistsError:
        raise UnavailableError(f"{target} exists already and is not overwritten") from None
    except OSError as error:
        raise UnavailableError(
            f"the backup cannot be written to {target.parent}: {error.strerror}"
        ) from None
    finally:
        await asyncio.to_thread(shutil.rmtree, workplace, ignore_errors=True)


def _write(
    target: Path, sources: Sources, database: Path, previous: Path | None, now: datetime
) -> Made:
    layout, vault = sources.layout, sources.vault
    inherited = _weights_of(previous, sources) if previous else {}
    vault_json = (layout.keys / FILE_NAME).read_bytes()
    snapshot, log_items = contents.log(layout)
    vkey = sources.signer.vkey
    file_ids = list(contents.models(layout))

    def seal(archive_id: str, digest: bytes) -> bytes:
        if sources.signer.vkey != vkey:
            raise UnavailableError("the log's key was changed meanwhile; make the backup again")
        return str(sign_note(seal_text(archive_id, digest), sources.signer)).encode()

    with writing(target, vault, vault_json, now, seal) as (archive_id, writer):
        inside = {file_id: inherited.get(file_id, archive_id) for file_id in file_ids}
        made_of = Manifest(
            id=archive_id,
            box=sources.signer.vkey.name,
            created=now,
            vault_generation=vault.status().generation,
            log_size=snapshot.checkpoint.size,
            log_root=snapshot.checkpoint.root.hex(),
            weights=inside,
        )
        new = [file_id for file_id in file_ids if inside[file_id] == archive_id]
        names = _add(
            writer,
            [
                (manifest.NAME, manifest.encode(made_of)),
                *contents.configuration(layout),
                (contents.DATABASE, database),
                *log_items,
                *(contents.model_key(layout, file_id) for file_id in file_ids),
                *(contents.model_weights(layout, file_id) for file_id in new),
            ],
        )
    try:
        digest = _read_back(target, vault, vkey, names)
    except BaseException:
        target.unlink()
        raise
    return Made(
        id=archive_id,
        digest=f"sha256:{digest.hex()}",
        size=target.stat().st_size,
        log_size=snapshot.checkpoint.size,
        weights=len(new),
        inherited=len(file_ids) - len(new),
    )


def _add(writer: ArchiveWriter, items: list[Item]) -> list[str]:
    for name, content in items:
        if isinstance(content, Path):
            writer.add_file(name, content)
        else:
            writer.add_bytes(name, content)
    return [name for name, _ in items]


def _read_back(target: Path, vault: Vault, vkey: VerifierKey, names: list[str]) -> bytes:
    """Authenticate the whole file; return its digest."""
    archive = Archive(target)
    digest = check_seal(archive, vkey)
    with archive.members(vault) as members:
        found = []
        for name, content in members:
            while content.read(1 << 20):
                pass
            found.append(name)
    if found != names:
        raise IntegrityError("the backup does not read back as it was written; check the medium")
    return digest


@contextmanager
def first_member(archive: Archive, vault: Vault) -> Iterator[tuple[Manifest, Members]]:
    """Yield a backup's manifest and its other members."""
    with archive.members(vault) as members:
        name, content = next(members, ("", None))
        if name != manifest.NAME or content is None:
            raise IntegrityError("this archive is not a backup: it has no manifest")
        found = manifest.decode(content.read())
        if found.id != archive.header.id:
            raise IntegrityError("the manifest of this backup belongs to another one")
        yield found, members


def _weights_of(previous: Path, sources: Sources) -> dict[str, str]:
    """Return which archive holds the weights of each model, as an earlier backup knows."""
    # Encrypted by this vault is enough here: the key that signed it may be gone by now.
    with first_member(Archive(previous), sources.vault) as (found, _):
        if found.box != sources.signer.vkey.name:
            raise IntegrityError("the earlier backup is of another box")
        return found.weights
