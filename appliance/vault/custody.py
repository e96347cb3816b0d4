"""The file vault.json and its root key: read, opened, changed in one durable step at a time.

Changes by several processes (the server, a command) queue for a lock on the directory, and each
starts from what the one before wrote.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from appliance.errors import IntegrityError, SealedError
from appliance.vault import document
from appliance.vault.document import Document
from appliance.vault.durable import write_file
from appliance.vault.secret import Secret
from appliance.vault.unsealers.unsealer import Opener


def read(directory: Path) -> Document:
    """Read the vault's document. Nothing in it is proven before its root key is there."""
    path = directory / document.FILE_NAME
    try:
        return document.decode(path.read_bytes())
    except FileNotFoundError:
        raise SealedError(f"there is no vault at {path}; make a box with `cloister init`") from None
    except OSError as error:
        raise SealedError(f"the vault {path} cannot be read: {error.strerror}") from None


@contextmanager
def opened(directory: Path, opener: Opener) -> Iterator[tuple[Document, Secret]]:
    """Yield the proven document and the root key, which is wiped at the end of the block.

    Raises `SealedError` if the opener does not open the vault, `IntegrityError` if the document is
    not as it was written.
    """
    found = read(directory)
    root = _root(found, opener)
    try:
        document.check(found, root)
        yield found, root
    finally:
        root.wipe()


def change(
    directory: Path, opener: Opener, step: Callable[[Document, Secret], tuple[Document, Secret]]
) -> Document:
    """Apply a step to the document and write it, durably; return what was written.

    `step` is given the document and the root key, and returns the new document with the root key
    that signs it. If it returns the very document it was given, nothing is written.
    """
    with _locked(directory), opened(directory, opener) as (found, root):
        changed, signer = step(found, root)
        try:
            if changed is found:
                return found
            changed = msgspec.structs.replace(changed, generation=found.generation + 1)
            changed = document.signed(changed, signer)
            path = directory / document.FILE_NAME
            write_file(path, document.encode(changed), replace=True)
        finally:
            signer.wipe()
    return changed


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock; it goes with the process, so no crash leaves it behind."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _root(found: Document, opener: Opener) -> Secret:
    """Open the first slot that the opener opens."""
    slots = [slot for slot in found.slots if slot.kind == opener.kind]
    if not slots:
        kinds = ", ".join(sorted({slot.kind for slot in found.slots}))
        raise SealedError(f"this vault is not unsealed by {opener.kind}, but by: {kinds}")
    for slot in slots:
        key = opener.recover(slot.parameters)
        try:
            place = document.slot_context(found.id, slot.id, slot.kind, slot.root_version)
            return document.unwrap(key, slot.wrapped, place)
        except IntegrityError:
            continue
        finally:
            key.wipe()
    raise SealedError(
        f"this {opener.kind} does not open this vault: it is wrong, or belongs to another box"
    )
