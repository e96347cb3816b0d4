"""Encrypted files beside raw AES-256-GCM of the same library, in one run, as JSON lines.

    python -m tests.bench.vault_files [--mib 256] [--rounds 7] [--directory DIR]

Each round measures every candidate once, in turn, so that a busy machine disturbs all alike;
a figure is the median of its rounds, a ratio the median of the rounds' ratios.

    raw            AES-256-GCM over 16 KiB pieces in memory, one core: the best that could be
    chunks         the same bytes decrypted as Cobblestone-256 chunks in memory, one core
    file-encrypt   plaintext file → encrypted file, durably, with its SHA-256
    memfd-1, -all  encrypted file → sealed memfd, by one thread and by all cores
    copy           plaintext file → memfd: what loading costs without encryption
    cold-…         the two before, files read from the disk instead of the page cache
    file-copy      plaintext file → file, durably, with its SHA-256
"""

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.vault import chunked
from appliance.vault.durable import new_file
from appliance.vault.files import RUN_CHUNKS, RUN_SIZE, SEALED_RUN_SIZE, encrypt_file
from appliance.vault.memfd import decrypt_to_memfd

PAIRS = (
    ("chunks", "raw"),
    ("memfd-1", "copy"),
    ("memfd-all", "copy"),
    ("cold-memfd", "cold-copy"),
    ("file-encrypt", "file-copy"),
)
KEY, CONTEXT, NONCE = os.urandom(32), b"bench", os.urandom(12)


def measure(work: Callable[[], None], size: int) -> float:
    """Return GB/s."""
    start = time.perf_counter()
    work()
    return size / 1e9 / (time.perf_counter() - start)


class Candidates:
    def __init__(self, directory: Path, size: int) -> None:
        self.size = size
        self.plain = directory / "plain"
        self.sealed = directory / "sealed"
        self.directory = directory
        run = os.urandom(RUN_SIZE)
        with self.plain.open("wb") as file:
            for _ in range(size // RUN_SIZE):
                file.write(run)
        with self.plain.open("rb") as source:
            encrypt_file(source, self.sealed, KEY, CONTEXT)
        self.raw_aead = AESGCM(KEY)
        message = chunked.seal(KEY, run, CONTEXT)
        self.reader = chunked.MessageReader(KEY, message[: chunked.HEADER_SIZE], CONTEXT)
        body = memoryview(message)[chunked.HEADER_SIZE :]
        self.out = memoryview(bytearray(RUN_SIZE))
        self.places = chunked.cut(body[:SEALED_RUN_SIZE], self.out)
        # Same memory, same sizes, all views made beforehand: nothing but the cipher is left.
        raw = memoryview(bytearray(SEALED_RUN_SIZE))
        self.raw_calls = []
        for number in range(RUN_CHUNKS):
            at = number * chunked.CHUNK_SIZE
            place = raw[number * chunked.SEALED_CHUNK_SIZE :][: chunked.SEALED_CHUNK_SIZE]
            place[:] = self.raw_aead.encrypt(NONCE, run[at : at + chunked.CHUNK_SIZE], None)
            self.raw_calls.append((place, self.out[at : at + chunked.CHUNK_SIZE]))

    def raw(self) -> None:
        decrypt = self.raw_aead.decrypt_into
        for _ in range(self.size // RUN_SIZE):
            for piece, place in self.raw_calls:
                decrypt(NONCE, piece, None, place)

    def chunks(self) -> None:
        for _ in range(self.size // RUN_SIZE):
            self.reader.open_places(0, self.places)

    def file_encrypt(self) -> None:
        target = self.directory / "new"
        with self.plain.open("rb") as source:
            encrypt_file(source, target, KEY, CONTEXT)
        target.unlink()

    def memfd_1(self) -> None:
        os.close(decrypt_to_memfd(self.sealed, KEY, CONTEXT, name="bench", threads=1))

    def memfd_all(self) -> None:
        os.close(decrypt_to_memfd(self.sealed, KEY, CONTEXT, name="bench"))

    def copy(self) -> None:
        target = os.memfd_create("bench")
        buffer = memoryview(bytearray(RUN_SIZE))
        with self.plain.open("rb", buffering=0) as source:
            while count := source.readinto(buffer):
                os.write(target, buffer[:count])
        os.close(target)

    def cold_memfd(self) -> None:
        os.close(decrypt_to_memfd(self.sealed, KEY, CONTEXT, name="bench"))

    def cold_copy(self) -> None:
        self.copy()

    def file_copy(self) -> None:
        target = self.directory / "new"
        buffer = memoryview(bytearray(RUN_SIZE))
        digest = hashlib.sha256()
        with self.plain.open("rb", buffering=0) as source, new_file(target, replace=False) as file:
            while count := source.readinto(buffer):
                digest.update(buffer[:count])
                file.write(buffer[:count])
        target.unlink()


def prepare(candidates: Candidates, *, cold: bool) -> None:
    """Bring both files into the page cache, or out of it."""
    for path in (candidates.plain, candidates.sealed):
        with path.open("rb", buffering=0) as file:
            os.fsync(file.fileno())
            if cold:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            else:
                while file.read(1 << 20):
                    pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--mib", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--directory", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as folder:
        candidates = Candidates(Path(folder), options.mib << 20)
        works = {
            "raw": candidates.raw,
            "chunks": candidates.chunks,
            "file-encrypt": candidates.file_encrypt,
            "memfd-1": candidates.memfd_1,
            "memfd-all": candidates.memfd_all,
            "copy": candidates.copy,
            "cold-memfd": candidates.cold_memfd,
            "cold-copy": candidates.cold_copy,
            "file-copy": candidates.file_copy,
        }
        rounds = []
        for number in range(options.rounds + 1):
            found = {}
            for name, work in works.items():
                prepare(candidates, cold=name.startswith("cold"))
                found[name] = measure(work, candidates.size)
            if number:
                rounds.append(found)
        for name in works:
            report(name, "GB/s", statistics.median(found[name] for found in rounds))
        for name, peer in PAIRS:
            ratio = statistics.median(found[name] / found[peer] for found in rounds)
            report(f"{name}/{peer}", "ratio", ratio)


def report(name: str, unit: str, value: float) -> None:
    json.dump(
        {"bench": "vault_files", "name": name, "unit": unit, "value": round(value, 3)}, sys.stdout
    )
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
