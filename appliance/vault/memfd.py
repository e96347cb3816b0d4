"""Decrypted files that exist in memory only: sealed memfds, decrypted by all cores.

`decrypt_to_memfd` returns a descriptor whose bytes nobody can change any more, this process
included; a worker inherits it and maps it. Any chunk that is not what was encrypted stops the
load, and then there is no descriptor.

The plaintext goes through a small buffer and is *written* into the memfd. A mapping would save
the copy, but each of its pages would first be faulted in and zeroed (measured: 1.0 GB/s through
a mapping, 1.7 GB/s by writing), and a writable mapping forbids the seal until it is gone.
"""

import fcntl
import hashlib
import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from appliance.errors import IntegrityError, UnavailableError
from appliance.vault import chunked
from appliance.vault.files import RUN_CHUNKS, RUN_SIZE, SEALED_RUN_SIZE, EncryptedFile

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_MFD_NOEXEC_SEAL = 0x8
"""linux/memfd.h, since 6.3: not executable, for ever. Python 3.11 has no name for it."""
_RESERVE = 64 << 20
"""Bytes of memory that a load leaves for the rest of the box."""


def decrypt_to_memfd(
    path: Path,
    key: bytes,
    context: bytes,
    *,
    name: str,
    expected_sha256: bytes | None = None,
    threads: int | None = None,
) -> int:
    """Decrypt a file into a new sealed memfd and return its descriptor (close-on-exec).

    `name` is what `/proc/PID/fd` shows: it must not tell what the file is. With
    `expected_sha256` the plaintext's digest is compared too, on a core of its own; a caller that
    has bound the digest to the key (see `registry.store`) need not pay for that.
    `threads` defaults to one per core that this process may use.

    Raises `IntegrityError` if key, context, length, any chunk or the digest is not what was
    encrypted; `UnavailableError` if memory is short; `OSError` if the file cannot be read.
    """
    with EncryptedFile(path, key, context) as source:
        _require_memory(source.size)
        descriptor = _create(name)
        try:
            os.ftruncate(descriptor, source.size)
            _Load(source, descriptor, expected_sha256, threads or _cores()).run()
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
        except BaseException:
            os.close(descriptor)
            raise
        source.forget_cache()
    return descriptor


class _Load:
    """One load: threads take runs in order; a digest, if asked for, follows behind them."""

    def __init__(
        self, source: EncryptedFile, target: int, expected_sha256: bytes | None, threads: int
    ) -> None:
        self._source = source
        self._target = target
        self._expected = expected_sha256
        self._runs = -(-source.size // RUN_SIZE)
        self._threads = max(1, min(threads, self._runs))
        self._next = itertools.count()
        self._progress = threading.Condition()
        self._done: set[int] = set()
        self._failed = False

    def run(self) -> None:
        with ThreadPoolExecutor(self._threads, "vault-load") as pool:
            workers = [pool.submit(self._work) for _ in range(self._threads)]
            if self._expected is not None:
                self._check_digest(self._expected)
        for worker in workers:
            worker.result()

    def _work(self) -> None:
        sealed = memoryview(bytearray(SEALED_RUN_SIZE))
        plain = memoryview(bytearray(RUN_SIZE))
        places = chunked.cut(sealed, plain)
        try:
            # next() on a count is atomic under the interpreter lock: each run is taken once.
            while not self._failed and (run := next(self._next)) < self._runs:
                size = min(RUN_SIZE, self._source.size - run * RUN_SIZE)
                if size < RUN_SIZE:
                    sealed = sealed[: size + -(-size // chunked.CHUNK_SIZE) * chunked.TAG_SIZE]
                    places = chunked.cut(sealed, plain)
                if self._source.read_sealed(run * RUN_CHUNKS, sealed) != len(sealed):
                    raise IntegrityError("the encrypted file became shorter while it was read")
                self._source.reader.open_places(run * RUN_CHUNKS, places)
                _write_at(self._target, plain[:size], run * RUN_SIZE)
                self._report(run)
        except BaseException:
            with self._progress:
                self._failed = True
                self._progress.notify()
            raise

    def _report(self, run: int) -> None:
        if self._expected is not None:
            with self._progress:
                self._done.add(run)
                self._progress.notify()

    def _check_digest(self, expected: bytes) -> None:
        digest = hashlib.sha256()
        buffer = memoryview(bytearray(RUN_SIZE))
        for run in range(self._runs):
            with self._progress:
                while not (self._failed or run in self._done):
                    self._progress.wait()
                if self._failed:
                    return
                self._done.discard(run)
            count = os.preadv(self._target, [buffer], run * RUN_SIZE)
            digest.update(buffer[:count])
        if digest.digest() != expected:
            raise IntegrityError(
                "the decrypted file is not the one that was registered: its digest differs"
            )


def _create(name: str) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(name, flags | _MFD_NOEXEC_SEAL)
    except OSError:
        # A kernel before 6.3 knows no such flag. Nobody executes a model either way.
        return os.memfd_create(name, flags)


def _write_at(descriptor: int, content: memoryview, offset: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, offset)
        content, offset = content[written:], offset + written


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _require_memory(size: int) -> None:
    """Refuse a load that the kernel would answer by killing something."""
    available = _available_memory()
    if size + _RESERVE > available:
        raise UnavailableError(
            f"loading this model takes {size >> 20} MiB of memory and {available >> 20} MiB are "
            "free: stop another model, or choose a smaller one"
        )


def _available_memory() -> int:
    """Return what the kernel says could be used without swapping, in bytes (proc(5))."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise UnavailableError("/proc/meminfo does not say how much memory is available")
