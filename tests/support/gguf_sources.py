"""Byte sources for the tests of the gate: counting, short, failing."""

import errno
import os


class CountingSource:
    """Bytes in memory that note how much was read of them."""

    def __init__(self, data: bytes, *, size: int | None = None) -> None:
        self._data = data
        self.size = len(data) if size is None else size
        self.bytes_read = 0
        self.calls = 0

    def read_at(self, offset: int, length: int) -> bytes:
        part = self._data[offset : offset + length]
        if not part and offset < self.size:
            part = b"\0" * min(length, self.size - offset)
        self.bytes_read += len(part)
        self.calls += 1
        return part


class ShortSource(CountingSource):
    """Gives at most a few bytes at a time, as a slow medium may."""

    def read_at(self, offset: int, length: int) -> bytes:
        return super().read_at(offset, min(length, 7))


class BadSectorSource(CountingSource):
    """Fails with EIO for every read that touches one offset."""

    def __init__(self, data: bytes, bad: int) -> None:
        super().__init__(data)
        self._bad = bad

    def read_at(self, offset: int, length: int) -> bytes:
        if offset <= self._bad < offset + length:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read_at(offset, length)


class PulledOutSource(CountingSource):
    """Ends before the size that it announced, like a medium pulled out or a file truncated."""

    def __init__(self, data: bytes, end: int) -> None:
        super().__init__(data)
        self._end = end

    def read_at(self, offset: int, length: int) -> bytes:
        return super().read_at(offset, max(0, min(length, self._end - offset)))
