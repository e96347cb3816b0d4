"""Makes a box from backups, on a machine that knows nothing of it but a way to unseal.

    restored = restore([newest, *older], directory, opener)

Everything is written beside the place where the box will be and checked there: the vault opens, the
box's signature holds, every byte is authentic, the log verifies and is the one that the manifest
names. Then the box gets its name in one step. A crash leaves no box, never half a one.

The restored log continues the old one. The caller appends `BackupRestored` to it as its next entry,
so that the log says where it went back; whoever holds a later checkpoint of the old one sees the
two part there.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

import msgspec

from appliance.audit.keys import parse_verifier_key
from appliance.audit.verify import verify_directory
from appliance.backup import contents
from appliance.backup.making import first_member
from appliance.backup.manifest import Manifest
from appliance.backup.sealing import check_seal, current_key
from appliance.errors import ConfigurationError, IntegrityError
from appliance.vault.archive import Archive
from appliance.vault.document import FILE_NAME
from appliance.vault.durable import make_directory, new_file, sync_directory, write_file
from appliance.vault.unsealers.unsealer import Opener
from appliance.vault.vault import Vault

_FOLDERS: Final = {"policies", "database", "audit", "models"}
_PIECE: Final = 1 << 20


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A box that was made from a backup."""

    backup: str
    digest: str
    """`sha256:` and the hex digest that the old box signed."""
    box: str
    created: datetime
    """When the backup was made: everything later is not in the box."""
    log_size: int
    vault_generation: int
    vkey: str
    """The log's first verifier key. Compare it with one kept outside of the box."""


def restore(
    archives: Sequence[Path], directory: Path, opener: Opener, *, vkey: str | None = None
) -> Restored:
    """Make the box `directory`, which must not exist, from its newest backup and those it needs.

    `vkey`, if given, is the box's verifier key as somebody kept it; without it, the one in the
    backup is believed, because the backup was encrypted by the same vault.
    Raises `SealedError` if `opener` does not open the backup's vault, `IntegrityError` if anything
    is not as it was written, `ConfigurationError` if a backup is missing.
    """
    if not archives:
        raise ConfigurationError("name the backup to restore")
    if directory.exists():
        raise ConfigurationError(
            f"{directory} exists already; a box is only restored where there is none"
        )
    with _workplace(directory) as place:
        newest = Archive(archives[0])
        make_directory(place / "keys")
        write_file(place / "keys" / FILE_NAME, newest.header.vault.encode(), replace=False)
        vault = Vault.unseal(place / "keys", opener)
        try:
            with first_member(newest, vault) as (manifest, members):
                for name, content in members:
                    _store(place, name, content)
            _inherit(place, manifest, archives[1:], vault)
        finally:
            vault.seal()
        key_text = (place / contents.VERIFIER_KEY).read_text(encoding="utf-8").strip()
        if vkey is not None and vkey.strip() != key_text:
            raise IntegrityError("this backup is of another box: its verifier key differs")
        _check_log(place, key_text, manifest)
        first = parse_verifier_key(key_text)
        signer = current_key(place / contents.LOG, manifest.log_size, first)
        digest = check_seal(newest, signer)
        for name in ("audit/staging", "run"):
            _make_folders(place, PurePosixPath(name))
    return Restored(
        backup=manifest.id,
        digest=f"sha256:{digest.hex()}",
        box=manifest.box,
        created=manifest.created,
        log_size=manifest.log_size,
        vault_generation=manifest.vault_generation,
        vkey=key_text,
    )


@contextmanager
def _workplace(directory: Path) -> Iterator[Path]:
    """Yield a directory that becomes `directory` if the block ends well, and else nothing."""
    place = directory.with_name(f".{directory.name}.{os.urandom(6).hex()}.restoring")
    make_directory(place)
    try:
        yield place
        os.rename(place, directory)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    sync_directory(directory.parent)


def _store(place: Path, name: str, content: BinaryIO) -> None:
    """Write a member, if its name is one that a backup has."""
    path = PurePosixPath(name)
    plain = str(path) == name and ".." not in path.parts and not path.is_absolute()
    if not plain or (path.parts[0] not in _FOLDERS and name != "cloister.toml"):
        raise IntegrityError("the backup holds a file that no box has")
    _make_folders(place, path.parent)
    with new_file(place / path, replace=False) as target:
        while piece := content.read(_PIECE):
            target.write(piece)


def _make_folders(place: Path, folder: PurePosixPath) -> None:
    for parent in (*reversed(folder.parents), folder):
        if parent.parts:
            make_directory(place / parent)


def _inherit(place: Path, manifest: Manifest, older: Sequence[Path], vault: Vault) -> None:
    """Take from older backups the weights that the newest one leaves to them."""
    missing = {
        contents.weights_name(file_id): archive_id
        for file_id, archive_id in manifest.weights.items()
        if archive_id != manifest.id
    }
    for path in older:
        archive = Archive(path)
        with first_member(archive, vault) as (_, members):
            for name, content in members:
                if missing.get(name) == archive.header.id:
                    _store(place, name, content)
                    del missing[name]
    if missing:
        ids = ", ".join(sorted(set(missing.values())))
        raise ConfigurationError(f"the weights of some models lie in other backups: add {ids}")


def _check_log(place: Path, vkey: str, manifest: Manifest) -> None:
    report = verify_directory(place / contents.LOG, vkey)
    if report.problems:
        raise IntegrityError(f"the log in this backup does not verify: {report.problems[0]}")
    if (report.size, report.root.hex()) != (manifest.log_size, manifest.log_root):
        raise IntegrityError("the log in this backup is not the one that its manifest names")
