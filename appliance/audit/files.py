"""System calls that make bytes durable, one method each, so that tests can make each of them fail.

Durable means: the file's bytes are synced, and so is the directory that names it. A file that
readers may see is written beside its place and renamed into it, so that nobody sees half of one.
"""

import os
from pathlib import Path

_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600


class Files:
    """The calls of the write path. Each raises OSError as the system does."""

    def create(self, path: Path) -> int:
        """A descriptor to write a new file, or an old one from its beginning."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)

    def open_append(self, path: Path) -> int:
        """A descriptor to write on at the end of an existing file."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write some of `data`; how many bytes."""
        return os.write(descriptor, data)

    def datasync(self, descriptor: int) -> None:
        """Make a file's bytes durable, and its length."""
        os.fdatasync(descriptor)

    def sync(self, descriptor: int) -> None:
        """Make a file or directory durable."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Rename, over what is there."""
        os.replace(source, target)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is no error."""
        path.unlink(missing_ok=True)

    def make_directory(self, path: Path) -> None:
        """Make one directory; one that is there already is no error."""
        path.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        path.rmdir()


def write_all(files: Files, descriptor: int, data: bytes) -> None:
    """Write all of `data`, in as many calls as the system wants."""
    rest = memoryview(data)
    while rest:
        rest = rest[files.write(descriptor, rest) :]


def sync_directory(files: Files, path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files.sync(descriptor)
    finally:
        files.close(descriptor)


def store(files: Files, staging: Path, path: Path, data: bytes) -> None:
    """Put a whole file into place by way of `staging`, a directory of the same file system.

    Its bytes are durable on return; its name is after `sync_directory(path.parent)`.
    """
    store_all(files, staging, {path: data})


def store_all(files: Files, staging: Path, contents: dict[Path, bytes]) -> None:
    """As `store`, for several files: all are written before the first is synced.

    A journalling file system makes them durable in one go then; one after the other, each sync
    would wait for a commit of its own.
    """
    # Named after its target: the journal's thread and the tiles' never write the same names.
    drafts = {staging / f"{number}.{path.name}": path for number, path in enumerate(contents)}
    descriptors: list[int] = []
    try:
        for draft, path in drafts.items():
            descriptors.append(files.create(draft))
            write_all(files, descriptors[-1], contents[path])
        for descriptor in descriptors:
            files.sync(descriptor)
    finally:
        for descriptor in descriptors:
            files.close(descriptor)
    for draft, path in drafts.items():
        files.replace(draft, path)


def make_directories(files: Files, path: Path) -> None:
    """Make a directory and those above it, durably."""
    if not path.is_dir():
        make_directories(files, path.parent)
        files.make_directory(path)
        sync_directory(files, path.parent)
