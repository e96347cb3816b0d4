"""The system calls of a worker: a seccomp allow-list, as classic BPF.

Contract: `install` puts the filter on the calling thread and, by inheritance, on all that it
starts; it needs `no_new_privs`. A system call that is not listed fails with EPERM, so that a
library that tries something new degrades instead of vanishing. `clone3` fails with ENOSYS: glibc
then uses `clone`, whose flags can be inspected, and only threads may be made. Files can be opened
for reading only. A process may signal itself alone (abort does). Layouts: linux/seccomp.h,
linux/filter.h, linux/audit.h; numbers: the kernel's tables for x86-64 and for arm64.
"""

import ctypes
import errno
import os
import platform
import struct

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_KILL_PROCESS = 0x80000000

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32_BIT = 0x40000000

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column of the tables below, and AUDIT_ARCH value."""

_PLAIN = {
    # name: (x86-64, arm64); -1 where an architecture has no such call
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "poll": (7, -1),
    "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215),
    "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "pread64": (17, 67), "readv": (19, 65), "writev": (20, 66),
    "sched_yield": (24, 124), "mremap": (25, 216), "madvise": (28, 233), "nanosleep": (35, 101),
    "getitimer": (36, 102), "setitimer": (38, 103), "getpid": (39, 172), "sendto": (44, 206),
    "recvfrom": (45, 207), "shutdown": (48, 210), "exit": (60, 93), "uname": (63, 160),
    "gettimeofday": (96, 169), "getrusage": (98, 165), "sysinfo": (99, 179), "getuid": (102, 174),
    "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177), "sigaltstack": (131, 132),
    "gettid": (186, 178), "futex": (202, 98), "sched_setaffinity": (203, 122),
    "sched_getaffinity": (204, 123), "set_tid_address": (218, 96), "fadvise64": (221, 223),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115),
    "exit_group": (231, 94), "newfstatat": (262, 79), "ppoll": (271, 73),
    "set_robust_list": (273, 99), "getrandom": (318, 278), "membarrier": (324, 283),
    "statx": (332, 291), "rseq": (334, 293),
}  # fmt: skip

_CLONE = (56, 220)
_CLONE3 = (435, 435)
_OPENAT = (257, 56)
_TGKILL = (234, 131)
_PRLIMIT = (302, 261)
_FCNTL = (72, 25)

_CLONE_THREAD = 0x00010000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_F_GETFD, _F_SETFD, _F_GETFL, _F_SETFL = 1, 2, 3, 4


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _refuse(number: int) -> bytes:
    return _instruction(_RETURN, _ERRNO | number)


_PERMIT = _instruction(_RETURN, _ALLOW)


def _when(number: int, *body: bytes) -> bytes:
    """`body`, which returns on every path, for one system call."""
    return _instruction(_EQUAL, number, 0, len(body)) + b"".join(body)


def _argument(index: int, half: int = 0) -> bytes:
    """Load the low (0) or high (1) half of an argument."""
    return _instruction(_LOAD, _ARGUMENTS + 8 * index + 4 * half)


def program(machine: str, process: int) -> bytes | None:
    """The filter for an architecture and a process id; none if the architecture is unknown."""
    if machine not in _ARCHITECTURES:
        return None
    column, audit_architecture = _ARCHITECTURES[machine]
    parts = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, audit_architecture, 1, 0),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        parts += [_instruction(_AT_LEAST, _X32_BIT, 0, 1), _refuse(errno.EPERM)]
    parts += [_when(row[column], _PERMIT) for row in _PLAIN.values() if row[column] >= 0]
    parts += [
        _when(
            _CLONE[column],
            _argument(0),
            _instruction(_ANY_BIT, _CLONE_THREAD, 0, 1),
            _PERMIT,
            _refuse(errno.EPERM),
        ),
        _when(_CLONE3[column], _refuse(errno.ENOSYS)),
        _when(
            _OPENAT[column],
            _argument(2),
            _instruction(_ANY_BIT, _WRITING, 0, 1),
            _refuse(errno.EPERM),
            _PERMIT,
        ),
        _when(
            _TGKILL[column],
            _argument(0),
            _instruction(_EQUAL, process, 0, 1),
            _PERMIT,
            _refuse(errno.EPERM),
        ),
        _when(  # reading limits: the pointer to new ones is null
            _PRLIMIT[column],
            _argument(2),
            _instruction(_EQUAL, 0, 0, 3),
            _argument(2, half=1),
            _instruction(_EQUAL, 0, 0, 1),
            _PERMIT,
            _refuse(errno.EPERM),
        ),
        _when(
            _FCNTL[column],
            _argument(1),
            _instruction(_EQUAL, _F_GETFD, 3, 0),
            _instruction(_EQUAL, _F_SETFD, 2, 0),
            _instruction(_EQUAL, _F_GETFL, 1, 0),
            _instruction(_EQUAL, _F_SETFL, 0, 1),
            _PERMIT,
            _refuse(errno.EPERM),
        ),
        _refuse(errno.EPERM),
    ]
    return b"".join(parts)


def install() -> bool:
    """Filter this thread and all that it starts; false if kernel or architecture cannot."""
    filter_ = program(platform.machine(), os.getpid())
    if filter_ is None:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(filter_, len(filter_))
    described = _Program(len(filter_) // 8, ctypes.addressof(code))
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(described), 0, 0) == 0)
