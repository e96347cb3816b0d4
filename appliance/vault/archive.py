r"""An encrypted archive: one file that can be moved, and opened again with the vault's own means.

    cloister-archive/1 \n
    length of the header (4 bytes, big-endian) ‖ header (JSON)
    Cobblestone-256 message: a tar stream (POSIX.1-2001)
    seal (any bytes) ‖ length of the seal (4 bytes, big-endian)

The header names format, algorithm and key version and carries a copy of `vault.json`, which holds
no plaintext secret: so the archive needs nothing but a way to unseal that vault. The message's key
is derived for this archive alone, and everything before the message is its context. The seal is
for whoever vouches for the archive from outside, over the digest of all that precedes it; this
module stores it and computes the digest, and does not judge it.

Writing is streaming and durable: the file has its name when it is whole.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec
import rfc8785
from typing_extensions import Buffer

from appliance.errors import IntegrityError
from appliance.vault import chunked, document
from appliance.vault.document import context
from appliance.vault.durable import new_file
from appliance.vault.files import RUN_SIZE, EncryptedFile
from appliance.vault.purpose import Purpose
from appliance.vault.vault import Vault

_MAGIC: Final = b"cloister-archive/1\n"
_MAX_HEADER: Final = 1 << 20
_MAX_SEAL: Final = 1 << 16
_LENGTH: Final = 4


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an archive says before it is opened."""

    format: Literal["cloister-archive/1"] = "cloister-archive/1"
    id: str
    created: datetime
    algorithm: Literal["Cobblestone-256"] = "Cobblestone-256"
    key_version: int
    vault: str
    """vault.json as it was, byte for byte."""


class ArchiveWriter:
    """Takes members one by one; made by `writing`."""

    def __init__(self, target: BinaryIO, key: bytes, beginning: bytes) -> None:
        self._stream = _Sealing(target, key, beginning)
        # tarfile writes through any object with write(); it never seeks in stream mode.
        self._tar = tarfile.open(  # noqa: SIM115 - closed by `finish`
            fileobj=self._stream, mode="w|", bufsize=RUN_SIZE, format=tarfile.PAX_FORMAT
        )

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add a member from memory."""
        self._tar.addfile(_member(name, len(content)), io.BytesIO(content))

    def add_file(self, name: str, path: Path) -> None:
        """Add a member from a file that does not change meanwhile."""
        with path.open("rb") as source:
            self._tar.addfile(_member(name, os.fstat(source.fileno()).st_size), source)

    def finish(self) -> bytes:
        """End the message; return the SHA-256 of all that was written."""
        self._tar.close()
        return self._stream.finish()

    def abandon(self) -> None:
        """Write no more: what is there so far will be thrown away."""
        self._stream.abandoned = True
        self._tar.close()


@contextmanager
def writing(
    path: Path, vault: Vault, vault_json: bytes, now: datetime, seal: Callable[[str, bytes], bytes]
) -> Iterator[tuple[str, ArchiveWriter]]:
    """Write an archive to the new file `path`; yields its id and what takes the members.

    At the end of the block `seal` is asked, with the id and the digest, for the closing bytes.
    Raises `FileExistsError` if `path` exists, `SealedError` if the vault is sealed.
    """
    version = vault.version(Purpose.BACKUPS)
    header = Header(
        id=os.urandom(16).hex(), created=now, key_version=version, vault=vault_json.decode()
    )
    encoded = rfc8785.dumps(msgspec.to_builtins(header))
    beginning = _MAGIC + len(encoded).to_bytes(_LENGTH, "big") + encoded
    key = _key(vault, header)
    with new_file(path, replace=False) as target:
        writer = ArchiveWriter(target, key, beginning)
        try:
            yield header.id, writer
        except BaseException:
            writer.abandon()
            raise
        closing = seal(header.id, writer.finish())
        if len(closing) > _MAX_SEAL:
            raise ValueError("the seal is too long")
        target.write(closing + len(closing).to_bytes(_LENGTH, "big"))


class Archive:
    """An archive on disk, its header read and nothing of it believed yet."""

    def __init__(self, path: Path) -> None:
        """Raises `IntegrityError` if the file is none, `OSError` if it cannot be read."""
        self._path = path
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(0)
            if file.read(len(_MAGIC)) != _MAGIC:
                raise IntegrityError(f"{path.name} is not an archive of cloister")
            length = int.from_bytes(file.read(_LENGTH), "big")
            if length > _MAX_HEADER:
                raise IntegrityError(f"the header of {path.name} was altered")
            encoded = file.read(length)
            self._start = file.tell()
            file.seek(max(self._start, end - _LENGTH))
            seal_length = int.from_bytes(file.read(_LENGTH), "big")
            self._end = end - _LENGTH - seal_length
            if seal_length > _MAX_SEAL or self._end < self._start:
                raise IntegrityError(f"{path.name} was cut off")
            file.seek(self._end)
            self.seal: bytes = file.read(seal_length)
            """The closing bytes, to be judged by whoever knows the one who gave them."""
        try:
            self.header: Header = msgspec.json.decode(encoded, type=Header)
        except msgspec.MsgspecError:
            raise IntegrityError(
                f"the header of {path.name} cannot be read: it was altered, or written by a newer "
                "version of cloister"
            ) from None

    def digest(self) -> bytes:
        """Compute the SHA-256 of all that precedes the seal."""
        digest = hashlib.sha256()
        with self._path.open("rb") as file:
            remaining = self._end
            while remaining and (piece := file.read(min(RUN_SIZE, remaining))):
                digest.update(piece)
                remaining -= len(piece)
        return digest.digest()

    @contextmanager
    def members(self, vault: Vault) -> Iterator[Iterator[tuple[str, BinaryIO]]]:
        """Yield names and contents, in order; each content must be read before the next.

        Every byte is authentic when it comes; whether all came is certain when the iterator ends.
        Raises `IntegrityError` if anything was altered, or the vault is not the archive's.
        """
        key = _key(vault, self.header)
        with self._path.open("rb") as file:
            beginning = file.read(self._start)
        with (
            EncryptedFile(
                self._path, key, _context(beginning), start=self._start, end=self._end
            ) as message,
            _translated(self._path.name),
            tarfile.open(fileobj=_Opening(message), mode="r|", bufsize=RUN_SIZE) as tar,
        ):
            yield _regular(tar)


def vault_of(header: Header) -> document.Document:
    """Return the vault's document that an archive carries. Nothing in it is proven yet."""
    return document.decode(header.vault.encode())


def _regular(tar: tarfile.TarFile) -> Iterator[tuple[str, BinaryIO]]:
    for member in tar:
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            raise IntegrityError("the archive holds something that is not a file")
        yield member.name, content  # type: ignore[misc]  # IO[bytes] is what BinaryIO is


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except tarfile.TarError:
        raise IntegrityError(f"the contents of {name} cannot be read: it was cut off") from None


class _Sealing(io.RawIOBase):
    """Encrypts what is written to it into a file, and takes the digest of what goes there."""

    def __init__(self, target: BinaryIO, key: bytes, beginning: bytes) -> None:
        super().__init__()
        self.abandoned = False
        self._target = target
        self._message = chunked.encryptor(key, _context(beginning))
        self._digest = hashlib.sha256()
        self._put(beginning)

    def write(self, content: Buffer) -> int:
        view = memoryview(content)
        if not self.abandoned:
            self._put(self._message.update(view))
        return view.nbytes

    def finish(self) -> bytes:
        self._put(self._message.finalize())
        return self._digest.digest()

    def _put(self, content: bytes) -> None:
        self._digest.update(content)
        remaining = memoryview(content)
        while remaining:
            remaining = remaining[self._target.write(remaining) :]


class _Opening(io.RawIOBase):
    """Reads an encrypted message from beginning to end."""

    def __init__(self, message: EncryptedFile) -> None:
        self._message = message
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._message.read_at(self._at, self._message.size if size < 0 else size)
        self._at += len(piece)
        return piece


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    return member


def _key(vault: Vault, header: Header) -> bytes:
    info = context("cloister-archive/1", header.id)
    return vault.derive(Purpose.BACKUPS, info, version=header.key_version)


def _context(beginning: bytes) -> bytes:
    return context("cloister-archive/1", hashlib.sha256(beginning).hexdigest())
