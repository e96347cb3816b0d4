"""What a process does to keep its keys out of other hands: no core dump, no ptrace, no swap.

`harden` comes first of all in a process that will hold keys, before any are there. It reports what
it could do; what it could not is for `cloister doctor` to tell, not a reason to refuse: an
unprivileged demo may not lock memory.
"""

import ctypes
import os
import resource
from pathlib import Path
from typing import Final

import msgspec

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
# linux/prctl.h
_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4
# asm-generic/mman.h
_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
_MCL_ONFAULT: Final = 4


class Hardening(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for this process now."""

    dumpable: bool
    """Whether it may dump core or be traced by its own user: prctl(2), PR_SET_DUMPABLE."""
    core_limit: int
    """Bytes of core dump allowed."""
    locked_bytes: int
    """Bytes that can never be swapped out: VmLck of proc(5)."""
    swap: bool
    """Whether the machine has swap at all; without, unlocked memory goes nowhere either."""


def harden(*, lock_all: bool) -> Hardening:
    """Forbid core dumps and tracing for this process; with `lock_all` keep all of it in memory.

    `lock_all` locks pages as they are first used (MCL_ONFAULT) and needs RLIMIT_MEMLOCK or
    CAP_IPC_LOCK; without that permission keys are still locked one by one (`vault.secret`).
    A child that is executed starts afresh: it must harden itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the process cannot be made undumpable")
    if lock_all:
        _LIBC.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    return observe()


def observe() -> Hardening:
    """Say what holds now."""
    return Hardening(
        dumpable=_LIBC.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0,
        core_limit=resource.getrlimit(resource.RLIMIT_CORE)[0],
        locked_bytes=_locked_bytes(),
        swap=len(Path("/proc/swaps").read_text(encoding="ascii").splitlines()) > 1,
    )


def _locked_bytes() -> int:
    status = Path(f"/proc/{os.getpid()}/status").read_text(encoding="utf-8")
    for line in status.splitlines():
        if line.startswith("VmLck:"):
            return int(line.split()[1]) * 1024
    return 0
