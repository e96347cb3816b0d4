"""Bytes of a file, read forward through a small window and never past a budget.

A `ByteSource` answers like `pread`: fewer bytes than asked for is allowed, none means the end. It
is what the import hands in for a medium that may have bad sectors or be pulled out, and what tests
use to count every byte read. A `Cursor` goes over one source from the front: every length is
compared with what is left *before* anything of that size is read or allocated.
"""

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from appliance.registry.gguf.finding import MalformedError, Rule

WINDOW = 256 * 1024
"""Bytes fetched at a time."""

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class ByteSource(Protocol):
    """A file of known size that can be read at any offset."""

    @property
    def size(self) -> int:
        """Size in bytes, fixed for the length of a scan."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Return at most `length` bytes from `offset`, none at the end. May raise `OSError`."""
        ...


class FileSource:
    """A regular file, opened for reading alone; use as a context manager.

    A pipe or a device is never opened: that alone can block or act. So the path is resolved once,
    looked at, and what was looked at is opened. Raises `OSError` and `MalformedError`.
    """

    def __init__(self, path: Path) -> None:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            status = os.fstat(place)
            if not stat.S_ISREG(status.st_mode):
                raise MalformedError(Rule.UNREADABLE, "file", "is not a regular file")
            self._fd = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(place)
        self.size = status.st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """See `ByteSource`."""
        return os.pread(self._fd, length, offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)


def read_exactly(source: ByteSource, offset: int, length: int) -> bytes:
    """Read `length` bytes at `offset`, over as many short reads as it takes.

    Raises `MalformedError` if the source ends early or fails.
    """
    parts: list[bytes] = []
    missing = length
    while missing:
        try:
            part = source.read_at(offset, missing)
        except OSError as error:
            text = f"cannot be read ({os.strerror(error.errno or 0)}); try another copy or medium"
            raise MalformedError(Rule.UNREADABLE, f"offset {offset}", text) from error
        if not part:
            text = f"the file ends here, {missing} bytes early; copy it again"
            raise MalformedError(Rule.TRUNCATED, f"offset {offset}", text)
        part = part[:missing]
        parts.append(part)
        offset += len(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class Cursor:
    """Goes over a source once, from `start` to `end` at most.

    The end is the smaller of the file's size and the budget that the caller grants. Every method
    raises `MalformedError` where the bytes stop making sense; `what` names the thing being read.
    """

    def __init__(self, source: ByteSource, *, start: int = 0, budget: int) -> None:
        self._source = source
        self._end = min(source.size, start + budget)
        self._limited = self._end < source.size
        self._window = b""
        self._origin = start
        self._at = 0

    @property
    def position(self) -> int:
        """Offset in the file of the next byte."""
        return self._origin + self._at

    @property
    def left(self) -> int:
        """Bytes that may still be read."""
        return self._end - self.position

    def need(self, length: int, what: str) -> None:
        """Refuse unless `length` more bytes can be there."""
        if length > self.left:
            where = f"offset {self.position}"
            if self._limited and length <= self._source.size - self.position:
                text = f"{what} goes beyond the {self._end} bytes that a header may take"
                raise MalformedError(Rule.HEADER_SIZE, where, text)
            text = f"{what} takes {length} bytes and only {self.left} are left"
            raise MalformedError(Rule.TRUNCATED, where, text)

    def _fill(self, length: int) -> None:
        """Have `length` bytes in the window; `need` was asked before."""
        if len(self._window) - self._at >= length:
            return
        begin = self.position
        fetch = min(max(length, WINDOW), self._end - begin)
        kept = self._window[self._at :]
        fresh = read_exactly(self._source, begin + len(kept), fetch - len(kept))
        self._window = kept + fresh
        self._origin = begin
        self._at = 0

    def take(self, length: int, what: str) -> bytes:
        """Return the next `length` bytes."""
        self.need(length, what)
        self._fill(length)
        taken = self._window[self._at : self._at + length]
        self._at += length
        return taken

    def skip(self, length: int, what: str) -> None:
        """Pass over the next `length` bytes without reading those outside the window."""
        self.need(length, what)
        if self._at + length <= len(self._window):
            self._at += length
        else:
            self._origin = self.position + length
            self._window = b""
            self._at = 0

    def u32(self, what: str) -> int:
        """Return the next 32-bit unsigned integer."""
        value: int = _U32.unpack(self.take(4, what))[0]
        return value

    def u64(self, what: str) -> int:
        """Return the next 64-bit unsigned integer."""
        value: int = _U64.unpack(self.take(8, what))[0]
        return value

    def string(self, longest: int, what: str) -> bytes:
        """Return the next length-prefixed string, refused if longer than `longest` bytes."""
        where = self.position
        length = self.u64(f"length of {what}")
        if length > longest:
            self.need(length, what)
            text = f"{what} is {length} bytes long; at most {longest} are accepted"
            raise MalformedError(Rule.VALUE, f"offset {where}", text)
        return self.take(length, what)

    def batches(self, count: int, longest: int, what: str) -> Iterator["Batch"]:
        """Yield `count` length-prefixed strings, a window full at a time; keeps none of them.

        A vocabulary has a quarter of a million strings, so this loop works on the window directly
        and makes no object of any of them.
        """
        unpack = _U64.unpack_from
        done = 0
        while done < count:
            if len(self._window) - self._at < 8:
                self.need(8, f"length of {what}")
                self._fill(8)
            window, first = self._window, self._at
            size = len(window)
            at = first
            stops: list[int] = []
            while done + len(stops) < count and at + 8 <= size:
                length = unpack(window, at)[0]
                stop = at + 8 + length
                if length > longest or stop > size:
                    break
                stops.append(stop)
                at = stop
            if stops:
                self._at = at
                yield Batch(window[first:at], [stop - first for stop in stops], done)
                done += len(stops)
            elif at + 8 <= size and length <= longest:
                self.need(8 + length, what)
                self._fill(8 + length)
            else:
                self.string(longest, what)  # too long: raises, with the place


class Batch:
    """Consecutive strings of an array."""

    def __init__(self, raw: bytes, stops: list[int], first: int) -> None:
        self.first = first
        """Index in the array of the first of them."""
        self.stops = np.array(stops, dtype=np.int64)
        """Where each ends in `data`."""
        self.starts = np.concatenate((np.zeros(1, dtype=np.int64), self.stops[:-1])) + 8
        bytes_ = np.frombuffer(raw, dtype=np.uint8).copy()
        for byte in range(8):
            bytes_[self.starts - 8 + byte] = 0
        self.data = bytes_
        """Their bytes, each string after eight zeros in place of its length."""

    def __iter__(self) -> Iterator[bytes]:
        raw = self.data.tobytes()
        for start, stop in zip(self.starts.tolist(), self.stops.tolist(), strict=True):
            yield raw[start:stop]

    def not_utf8(self) -> int | None:
        """Return the index of the first string that is not UTF-8.

        The zeros between the strings are UTF-8 and end any sequence, so the whole is valid exactly
        if each of them is.
        """
        try:
            self.data.tobytes().decode("utf-8")
        except UnicodeDecodeError as error:
            return self.first + int(np.searchsorted(self.stops, error.start, side="right"))
        return None
