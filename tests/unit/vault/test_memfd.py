import fcntl
import hashlib
import io
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.errors import IntegrityError, UnavailableError
from appliance.vault import memfd
from appliance.vault.chunked import CHUNK_SIZE, HEADER_SIZE, SEALED_CHUNK_SIZE
from appliance.vault.files import RUN_CHUNKS, RUN_SIZE, encrypt_file
from appliance.vault.memfd import SEALS, decrypt_to_memfd
from tests.support import cobblestone

KEY = bytes(range(32))
PLAIN = cobblestone.plaintext(3 * RUN_SIZE + 2 * CHUNK_SIZE + 100)
SIZES = [0, 1, CHUNK_SIZE, RUN_SIZE - 1, RUN_SIZE, RUN_SIZE + 1, len(PLAIN)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    encrypt_file(io.BytesIO(PLAIN), tmp_path / "f", KEY, b"c")
    return tmp_path / "f"


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@contextmanager
def loaded(path: Path, **options: object) -> Iterator[int]:
    descriptor = decrypt_to_memfd(path, KEY, b"c", name="weights", **options)  # type: ignore[arg-type]
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("digest", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_what_was_encrypted_is_in_memory(
    tmp_path: Path, size: int, digest: bool, threads: int
) -> None:
    plain = PLAIN[:size]
    encrypt_file(io.BytesIO(plain), tmp_path / "f", KEY, b"c")
    expected = hashlib.sha256(plain).digest() if digest else None
    with loaded(tmp_path / "f", expected_sha256=expected, threads=threads) as descriptor:
        assert os.fstat(descriptor).st_size == size
        assert os.pread(descriptor, size + 1, 0) == plain


def test_nobody_can_change_it_any_more(path: Path) -> None:
    with loaded(path) as descriptor:
        assert fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & SEALS == SEALS
        for change in (
            lambda: os.pwrite(descriptor, b"x", 0),
            lambda: os.ftruncate(descriptor, 1),
            lambda: os.ftruncate(descriptor, len(PLAIN) + 1),
            lambda: mmap.mmap(descriptor, len(PLAIN)),
            lambda: os.write(os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY), b"x"),
        ):
            with pytest.raises(PermissionError):
                change()
        with mmap.mmap(descriptor, len(PLAIN), prot=mmap.PROT_READ) as view:
            assert view[:] == PLAIN


def test_it_does_not_leak_into_a_program_that_is_executed(path: Path) -> None:
    with loaded(path) as descriptor:
        assert not os.get_inheritable(descriptor)


def test_it_can_be_opened_by_path_as_a_worker_does(path: Path) -> None:
    with loaded(path) as descriptor, open(f"/proc/self/fd/{descriptor}", "rb") as again:
        assert again.read(100) == PLAIN[:100]


CHUNKS = {
    "first": 0,
    "last of a run": RUN_CHUNKS - 1,
    "first of a run": RUN_CHUNKS,
    "in the middle": 2 * RUN_CHUNKS - 5,
    "last full": 3 * RUN_CHUNKS + 1,
    "last, short": 3 * RUN_CHUNKS + 2,
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("number", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize("part", ["body", "tag"])
def test_a_changed_chunk_stops_the_load(path: Path, number: int, part: str, threads: int) -> None:
    content = bytearray(path.read_bytes())
    start = HEADER_SIZE + number * SEALED_CHUNK_SIZE
    end = min(start + SEALED_CHUNK_SIZE, len(content))
    content[start if part == "body" else end - 1] ^= 0x80
    path.write_bytes(content)
    before = descriptors()
    with pytest.raises(IntegrityError, match=f"chunk {number} "):
        decrypt_to_memfd(path, KEY, b"c", name="weights", threads=threads)
    assert descriptors() == before


def test_swapped_chunks_stop_the_load(path: Path) -> None:
    content = path.read_bytes()
    cut = [HEADER_SIZE + n * SEALED_CHUNK_SIZE for n in (10, 11, 12)]
    swapped = content[cut[1] : cut[2]] + content[cut[0] : cut[1]]
    path.write_bytes(content[: cut[0]] + swapped + content[cut[2] :])
    with pytest.raises(IntegrityError, match="chunk 10 "):
        decrypt_to_memfd(path, KEY, b"c", name="weights", threads=1)


def test_a_chunk_of_another_file_under_the_same_key_stops_the_load(path: Path) -> None:
    other = path.with_name("other")
    encrypt_file(io.BytesIO(PLAIN), other, KEY, b"c")
    start = HEADER_SIZE + 7 * SEALED_CHUNK_SIZE
    content = bytearray(path.read_bytes())
    content[start : start + SEALED_CHUNK_SIZE] = other.read_bytes()[
        start : start + SEALED_CHUNK_SIZE
    ]
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="chunk 7 "):
        decrypt_to_memfd(path, KEY, b"c", name="weights", threads=1)


@pytest.mark.parametrize("keep", [0, 55, 56, HEADER_SIZE + RUN_CHUNKS * SEALED_CHUNK_SIZE, -1])
def test_a_shortened_file_stops_the_load(path: Path, keep: int) -> None:
    size = path.stat().st_size
    os.truncate(path, keep if keep >= 0 else size - 1)
    with pytest.raises(IntegrityError):
        decrypt_to_memfd(path, KEY, b"c", name="weights")


def test_a_file_that_shrinks_under_the_load_stops_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = memfd._create

    def shrink_then_create(name: str) -> int:
        os.truncate(path, path.stat().st_size - 3 * SEALED_CHUNK_SIZE)
        return create(name)

    monkeypatch.setattr(memfd, "_create", shrink_then_create)
    with pytest.raises(IntegrityError, match="shorter"):
        decrypt_to_memfd(path, KEY, b"c", name="weights")


def test_a_whole_other_file_is_refused_by_its_context(path: Path) -> None:
    with pytest.raises(IntegrityError, match="another key or another place"):
        decrypt_to_memfd(path, KEY, b"another file", name="weights")


def test_another_digest_is_refused_and_nothing_stays_open(path: Path) -> None:
    before = descriptors()
    with pytest.raises(IntegrityError, match="digest differs"):
        decrypt_to_memfd(path, KEY, b"c", name="weights", expected_sha256=bytes(32))
    assert descriptors() == before


def test_too_little_memory_is_a_refusal_and_not_a_kill(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memfd, "_available_memory", lambda: len(PLAIN))
    with pytest.raises(UnavailableError, match="stop another model"):
        decrypt_to_memfd(path, KEY, b"c", name="weights")


def test_a_kernel_without_the_newer_flag_serves_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = os.memfd_create

    def old_kernel(name: str, flags: int) -> int:
        if flags & 0x8:
            raise OSError(22, "Invalid argument")
        return create(name, flags)

    monkeypatch.setattr(os, "memfd_create", old_kernel)
    with loaded(path) as descriptor:
        assert fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & SEALS == SEALS
