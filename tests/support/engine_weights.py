"""Weights for the engine's tests: a file, copied into a sealed memfd as the vault would do."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

_F_ADD_SEALS = 1033
_ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8


def sealed(path: Path) -> Callable[[], int]:
    """What `Engine.load` wants: gives a fresh sealed file descriptor at every call."""

    def make() -> int:
        descriptor = os.memfd_create("weights", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                os.write(descriptor, block)
        fcntl.fcntl(descriptor, _F_ADD_SEALS, _ALL_SEALS)
        return descriptor

    return make
