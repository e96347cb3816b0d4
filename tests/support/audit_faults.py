"""A disk that fails at a chosen system call of the log's write path."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from appliance.audit.files import Files


class FaultyFiles(Files):
    """Counts the calls; `fault(number, name)` says what happens at each.

    None: as usual. An errno: the call fails and does nothing. "short": a write writes half and the
    rest comes in another call. "dead": the disk is gone from here on. "torn": a write writes half,
    then the disk is gone.

    Nothing is really synced: what a process wrote outlives the process, and no test pulls a plug.
    """

    def __init__(self, fault: Callable[[int, str], int | str | None]) -> None:
        self.calls = 0
        self.gone = False
        self._fault = fault

    def _meet(self, name: str) -> str | None:
        number, self.calls = self.calls, self.calls + 1
        fault = "dead" if self.gone else self._fault(number, name)
        if fault == "dead":
            self.gone = True
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if isinstance(fault, int):
            raise OSError(fault, os.strerror(fault))
        return fault

    def create(self, path: Path) -> int:
        self._meet("create")
        return super().create(path)

    def open_append(self, path: Path) -> int:
        self._meet("open_append")
        return super().open_append(path)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        fault = self._meet("write")
        if fault is None or len(data) < 2:
            return super().write(descriptor, data)
        written = super().write(descriptor, data[: len(data) // 2])
        if fault == "torn":
            self.gone = True
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return written

    def datasync(self, descriptor: int) -> None:
        self._meet("datasync")

    def sync(self, descriptor: int) -> None:
        self._meet("sync")

    def replace(self, source: Path, target: Path) -> None:
        self._meet("replace")
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._meet("remove")
        super().remove(path)

    def make_directory(self, path: Path) -> None:
        self._meet("make_directory")
        super().make_directory(path)

    def remove_directory(self, path: Path) -> None:
        self._meet("remove_directory")
        super().remove_directory(path)
