"""Encrypted files: one Cobblestone-256 message per file, and nothing else in it.

`encrypt_file` streams and publishes durably: a file that has its name is whole. `EncryptedFile`
reads one at any offset. Loading a model into memory, in parallel, is `memfd`.

A file says nothing about itself: which key and context open it is for the caller to remember.
"""

import hashlib
import itertools
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import msgspec

from appliance.errors import IntegrityError
from appliance.vault import chunked
from appliance.vault.durable import new_file

RUN_CHUNKS: Final = 16
"""Chunks handled at once: 256 KiB, so that input and output stay in a core's own cache."""
RUN_SIZE: Final = RUN_CHUNKS * chunked.CHUNK_SIZE
SEALED_RUN_SIZE: Final = RUN_CHUNKS * chunked.SEALED_CHUNK_SIZE


class Encrypted(msgspec.Struct, frozen=True, kw_only=True):
    """What went into an encrypted file."""

    size: int
    """Bytes of plaintext."""
    sha256: bytes
    """Digest of the plaintext as it was read: what was encrypted, even if the source changed."""


def encrypt_file(source: BinaryIO, target: Path, key: bytes, context: bytes) -> Encrypted:
    """Encrypt `source`, from where it stands to its end, into the new file `target`.

    `key` is 32 random bytes; `context` binds what the file is. Digest and encryption run side by
    side. Raises `FileExistsError` if `target` exists, `OSError` as the disk does; then nothing
    of the new file remains.
    """
    message = chunked.encryptor(key, context)
    digest = hashlib.sha256()
    # Two buffers: one is hashed and encrypted while the next run is read into the other.
    buffers = [memoryview(bytearray(RUN_SIZE)), memoryview(bytearray(RUN_SIZE))]
    # The first run brings the header along.
    sealed = memoryview(bytearray(chunked.HEADER_SIZE + SEALED_RUN_SIZE))
    size = 0
    hashing: Future[None] | None = None
    with (
        ThreadPoolExecutor(1, "vault-digest") as hasher,
        new_file(target, replace=False) as file,
    ):
        for buffer in itertools.cycle(buffers):
            plain = buffer[: _fill(source, buffer)]
            if hashing is not None:
                hashing.result()
            if not plain:
                break
            hashing = hasher.submit(digest.update, plain)
            _write_all(file, sealed[: message.update_into(plain, sealed)])
            size += len(plain)
        _write_all(file, memoryview(message.finalize()))
    return Encrypted(size=size, sha256=digest.digest())


class EncryptedFile:
    """An encrypted file opened for reading at any offset. Use as a context manager.

    Opening checks key and context (the commitment) and the length: the last chunk is decrypted,
    so a file that was cut off or extended is refused before anything is read from it.
    """

    def __init__(
        self, path: Path, key: bytes, context: bytes, *, start: int = 0, end: int | None = None
    ) -> None:
        """Open the message that lies in the file from byte `start` to `end`: all of it, normally.

        Raises `IntegrityError`, or `OSError` if the file cannot be read.
        """
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._start = start
        try:
            end = os.fstat(self._descriptor).st_size if end is None else end
            self.size = chunked.plaintext_size(end - start)
            """Bytes of plaintext."""
            header = os.pread(self._descriptor, chunked.HEADER_SIZE, start)
            self.reader = chunked.MessageReader(key, header, context)
            last = self.size // chunked.CHUNK_SIZE
            self._open_chunks(last, last)
        except BaseException:
            os.close(self._descriptor)
            raise

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes of plaintext from `offset`; fewer only at the end.

        Raises `IntegrityError` naming the chunk that was altered.
        """
        if offset < 0 or size < 0:
            raise ValueError("offset and size are not negative")
        end = min(offset + size, self.size)
        if offset >= end:
            return b""
        first, last = offset // chunked.CHUNK_SIZE, (end - 1) // chunked.CHUNK_SIZE
        start = first * chunked.CHUNK_SIZE
        return self._open_chunks(first, last)[offset - start : end - start]

    def read_sealed(self, first: int, into: memoryview) -> int:
        """Read the ciphertext from chunk `first` on, filling `into`; return the bytes read."""
        offset = self._start + chunked.HEADER_SIZE + first * chunked.SEALED_CHUNK_SIZE
        done = 0
        while done < len(into):
            count = os.preadv(self._descriptor, [into[done:]], offset + done)
            if count == 0:
                break
            done += count
        return done

    def forget_cache(self) -> None:
        """Let the kernel drop the ciphertext from its page cache: it was read to be used once."""
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def _open_chunks(self, first: int, last: int) -> bytes:
        end = min((last + 1) * chunked.CHUNK_SIZE, self.size)
        size = end - first * chunked.CHUNK_SIZE
        sealed = memoryview(bytearray(size + (last + 1 - first) * chunked.TAG_SIZE))
        if self.read_sealed(first, sealed) != len(sealed):
            raise IntegrityError("the encrypted file became shorter while it was read")
        plain = bytearray(size)
        self.reader.open_into(first, sealed, memoryview(plain))
        return bytes(plain)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _fill(source: BinaryIO, buffer: memoryview) -> int:
    """Read until the buffer is full or the source ends: a short read means the end only."""
    filled = 0
    while filled < len(buffer):
        piece = source.read(len(buffer) - filled)
        if not piece:
            break
        buffer[filled : filled + len(piece)] = piece
        filled += len(piece)
    return filled


def _write_all(file: BinaryIO, content: memoryview) -> None:
    while content:
        content = content[file.write(content) :]
