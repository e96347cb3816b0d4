import hashlib
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from appliance.errors import IntegrityError
from appliance.vault import chunked
from appliance.vault.chunked import CHUNK_SIZE, HEADER_SIZE, SEALED_CHUNK_SIZE
from appliance.vault.files import RUN_SIZE, EncryptedFile, encrypt_file
from tests.support import cobblestone

KEY = bytes(range(32))
SIZES = [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, RUN_SIZE - 1, RUN_SIZE, RUN_SIZE + 1, 2 * RUN_SIZE + 77]


class Trickle(io.RawIOBase):
    """A source that gives a few bytes at a time, as a pipe may."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        piece = self._content[self._at : self._at + min(size, 9001)]
        self._at += len(piece)
        return piece


class Broken(io.RawIOBase):
    """A source whose medium fails in the middle."""

    def __init__(self) -> None:
        self._left = 2

    def read(self, size: int = -1) -> bytes:
        if self._left == 0:
            raise OSError(5, "Input/output error")
        self._left -= 1
        return bytes(size)


def as_file(content: bytes) -> BinaryIO:
    return io.BytesIO(content)


@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_exactly_one_message(tmp_path: Path, size: int) -> None:
    plain = cobblestone.plaintext(size)
    written = encrypt_file(as_file(plain), tmp_path / "f", KEY, b"c")
    assert written.size == size
    assert written.sha256 == hashlib.sha256(plain).digest()
    message = (tmp_path / "f").read_bytes()
    assert chunked.open_sealed(KEY, message, b"c") == plain
    assert cobblestone.encrypt(KEY, message[:24], b"c", plain) == message


def test_a_source_that_trickles_gives_the_same_plaintext(tmp_path: Path) -> None:
    plain = cobblestone.plaintext(RUN_SIZE + 12345)
    written = encrypt_file(Trickle(plain), tmp_path / "f", KEY, b"c")  # type: ignore[arg-type]
    assert written.sha256 == hashlib.sha256(plain).digest()
    with EncryptedFile(tmp_path / "f", KEY, b"c") as file:
        assert file.read_at(0, len(plain)) == plain


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    encrypt_file(as_file(b"x"), tmp_path / "f", KEY, b"c")
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


def test_a_failing_source_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output"):
        encrypt_file(Broken(), tmp_path / "f", KEY, b"c")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        encrypt_file(as_file(b"x"), tmp_path / "f", KEY, b"c")
    assert (tmp_path / "f").read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("offset", "size"),
    [
        (0, 1),
        (0, 0),
        (CHUNK_SIZE - 1, 2),
        (CHUNK_SIZE, CHUNK_SIZE),
        (CHUNK_SIZE + 5, 3 * CHUNK_SIZE),
        (5 * CHUNK_SIZE, 100),
        (5 * CHUNK_SIZE + 70, 100),
        (10**9, 5),
    ],
)
def test_any_range_can_be_read_by_itself(tmp_path: Path, offset: int, size: int) -> None:
    plain = cobblestone.plaintext(5 * CHUNK_SIZE + 77)
    encrypt_file(as_file(plain), tmp_path / "f", KEY, b"c")
    with EncryptedFile(tmp_path / "f", KEY, b"c") as file:
        assert file.size == len(plain)
        assert file.read_at(offset, size) == plain[offset : offset + size]


def test_a_damaged_chunk_spoils_only_the_ranges_that_touch_it(tmp_path: Path) -> None:
    plain = cobblestone.plaintext(4 * CHUNK_SIZE)
    encrypt_file(as_file(plain), tmp_path / "f", KEY, b"c")
    content = bytearray((tmp_path / "f").read_bytes())
    content[HEADER_SIZE + 2 * SEALED_CHUNK_SIZE + 5] ^= 1
    (tmp_path / "f").write_bytes(content)
    with EncryptedFile(tmp_path / "f", KEY, b"c") as file:
        assert file.read_at(0, 2 * CHUNK_SIZE) == plain[: 2 * CHUNK_SIZE]
        with pytest.raises(IntegrityError, match="chunk 2"):
            file.read_at(0, 2 * CHUNK_SIZE + 1)


@pytest.mark.parametrize("cut", [1, 16, 17, SEALED_CHUNK_SIZE, 3 * SEALED_CHUNK_SIZE])
def test_a_shortened_file_does_not_even_open(tmp_path: Path, cut: int) -> None:
    encrypt_file(as_file(cobblestone.plaintext(4 * CHUNK_SIZE + 9)), tmp_path / "f", KEY, b"c")
    os.truncate(tmp_path / "f", (tmp_path / "f").stat().st_size - cut)
    with pytest.raises(IntegrityError):
        EncryptedFile(tmp_path / "f", KEY, b"c")


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    encrypt_file(as_file(b"x"), tmp_path / "f", KEY, b"c")
    (tmp_path / "link").symlink_to(tmp_path / "f")
    with pytest.raises(OSError, match="symbolic"):
        EncryptedFile(tmp_path / "link", KEY, b"c")
