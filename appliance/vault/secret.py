"""Key bytes in memory of their own: not swapped, not dumped, not forked, wiped when done with.

A `Secret` holds its bytes in an anonymous mapping instead of a Python object, because `bytes`
cannot be overwritten and the allocator keeps what it frees. Whoever reads `view` passes it straight
on to the library, which takes any buffer: no copy is made on the way.

The limits are plain: a library's own key schedule, and `bytes` that a caller asked for, are copies
that nothing here can wipe.
"""

import ctypes
import mmap
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.mlock.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_LIBC.getrandom.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint)
_LIBC.getrandom.restype = ctypes.c_ssize_t
_MADV_WIPEONFORK: Final = 18
"""asm-generic/mman-common.h, since Linux 4.14; Python has no name for it."""


class Secret:
    """A fixed number of secret bytes, at most one page. Zeros until something fills `view`."""

    __slots__ = ("_map", "locked", "size", "view")

    def __init__(self, size: int) -> None:
        if not 0 < size <= mmap.PAGESIZE:
            raise ValueError("a secret has between one byte and one page")
        self.size = size
        self._map = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._map.madvise(mmap.MADV_DONTDUMP)
        self._map.madvise(_MADV_WIPEONFORK)
        self.locked: bool = _LIBC.mlock(_address(self._map), mmap.PAGESIZE) == 0
        """Whether the kernel promised never to write the page to swap; RLIMIT_MEMLOCK decides."""
        self.view: memoryview = memoryview(self._map)[:size]
        """The bytes themselves."""

    @classmethod
    def random(cls, size: int) -> "Secret":
        """Return new random bytes, which the kernel wrote in place."""
        secret = cls(size)
        if _LIBC.getrandom(_address(secret._map), size, 0) != size:
            secret.wipe()
            raise OSError(ctypes.get_errno(), "the kernel gives no random bytes")
        return secret

    @classmethod
    def copied(cls, content: bytes | bytearray | memoryview) -> "Secret":
        """Return the same bytes in memory of their own; a `bytearray` given is then wiped."""
        secret = cls(len(content))
        secret.view[:] = content
        if isinstance(content, bytearray):
            content[:] = bytes(len(content))
        return secret

    def wipe(self) -> None:
        """Overwrite the bytes and give the memory back. `view` is unusable from now on."""
        if self._map.closed:
            return
        self._map[:] = bytes(mmap.PAGESIZE)
        self.view.release()
        self._map.close()

    def __del__(self) -> None:
        if hasattr(self, "view"):
            self.wipe()

    def __repr__(self) -> str:
        return f"Secret({self.size} bytes)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not copied or pickled")


def _address(area: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(area))
