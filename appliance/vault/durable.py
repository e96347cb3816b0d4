"""Files that are either there whole or not there, whatever moment the power fails.

Durable means two things on a POSIX file system: the file's bytes are synced before it gets its
name, and the directory is synced after. A name that a reader can see is a file that is whole.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PART_SUFFIX = ".part"
"""What a crash may leave behind ends in this, and may be deleted by anyone at any time."""


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Create a directory for its owner alone, durably; one that is there already stays as it is.

    The parent must exist.
    """
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        if not directory.is_dir():
            raise
        return
    sync_directory(directory.parent)


@contextmanager
def new_file(path: Path, *, replace: bool) -> Iterator[BinaryIO]:
    """Write a file (mode 0600) in the block; it gets its name, durably, when the block ends well.

    With `replace` it takes the place of one of that name in one step; without, a file of that
    name is a `FileExistsError` and stays untouched. If the block raises, nothing remains.
    """
    part = path.with_name(f".{path.name}.{os.urandom(6).hex()}{PART_SUFFIX}")
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w+b", buffering=0) as file:
            yield file
            os.fsync(file.fileno())
        if replace:
            os.replace(part, path)
        else:
            # A link, unlike a rename, refuses to take a name that is in use.
            os.link(part, path)
            part.unlink()
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_file(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a small file durably; see `new_file`."""
    with new_file(path, replace=replace) as file:
        remaining = memoryview(content)
        while remaining:
            remaining = remaining[file.write(remaining) :]
