"""A worker takes away its own rights before it touches the weights.

Contract: `lock_down` is called once, single-threaded, after every import and before the first byte
of a model is read. It returns which restrictions hold and which this kernel or container would not
grant; none can be taken back by the process. What remains possible: computing, threads, the
inherited channel, and opening the inherited weights again for reading through `/proc/self/fd`
(they lie on a kernel-internal mount, which Landlock does not govern).

- `no-new-privileges`, `not-dumpable` (no core, no ptrace by the same user), `limits`: prctl(2),
  setrlimit(2);
- `no-network`: an empty network namespace of its own, where user namespaces are allowed;
- `landlock`: no file can be opened, no TCP port bound or connected, no signal or abstract socket
  reach outside (https://docs.kernel.org/userspace-api/landlock.html);
- `seccomp`: an allow-list of system calls (`seccomp_filter`); anything else fails with EPERM.
"""

import ctypes
import os
import resource
import struct
from dataclasses import dataclass

from appliance.engine.worker import seccomp_filter

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_SIGKILL = 9
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000

_SYS_LANDLOCK_CREATE_RULESET = 444
_SYS_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_CREATE_RULESET_VERSION = 1
_FS_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Number of file-system rights that an ABI version knows (linux/landlock.h)."""
_NETWORK_RIGHTS_FROM_ABI = 4
_SCOPES_FROM_ABI = 6

_MAX_OPEN_FILES = 64
_FIRST_FOR_THE_OOM_KILLER = b"500"


@dataclass(frozen=True, kw_only=True)
class Lockdown:
    """What came of it."""

    held: tuple[str, ...]
    refused: tuple[str, ...]


def die_with_parent(parent: int) -> None:
    """See that no worker outlives its gateway, even one that is killed."""
    _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        os._exit(0)


def offer_to_oom_killer() -> None:
    """When memory runs out a worker goes before the gateway: it can be started again."""
    try:
        with open("/proc/self/oom_score_adj", "wb") as file:
            file.write(_FIRST_FOR_THE_OOM_KILLER)
    except OSError:
        return  # without /proc the kernel decides by size, which also hits the worker first


def lock_down() -> Lockdown:
    """Give up every right that inference does not need."""
    steps = {
        "no-new-privileges": _forbid_new_privileges,
        "no-network": _leave_the_network,
        "limits": _limit_resources,
        "not-dumpable": _forbid_dumping,
        "landlock": _close_the_file_system,
        "seccomp": seccomp_filter.install,
    }
    held: list[str] = []
    refused: list[str] = []
    for name, step in steps.items():
        (held if step() else refused).append(name)
    return Lockdown(held=tuple(held), refused=tuple(refused))


def _forbid_new_privileges() -> bool:
    return bool(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def _forbid_dumping() -> bool:
    return bool(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)


def _leave_the_network() -> bool:
    if _libc.unshare(_CLONE_NEWNET) == 0:
        return True
    left = bool(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)
    # New credentials may have cleared the wish to die with the parent: prctl(2).
    _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    return left


def _limit_resources() -> bool:
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _MAX_OPEN_FILES),
    ):
        resource.setrlimit(limit, (value, value))
    return True


def _close_the_file_system() -> bool:
    """Landlock: handle every right, allow none."""
    abi = int(
        _libc.syscall(
            _SYS_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_CREATE_RULESET_VERSION
        )
    )
    if abi < 1:
        return False
    files = (1 << _FS_RIGHTS_BY_ABI[min(abi, max(_FS_RIGHTS_BY_ABI))]) - 1
    network = 0b11 if abi >= _NETWORK_RIGHTS_FROM_ABI else 0
    scopes = 0b11 if abi >= _SCOPES_FROM_ABI else 0
    # struct landlock_ruleset_attr grew with the ABI; an older kernel takes a shorter one.
    attributes = struct.pack("<QQQ", files, network, scopes)
    size = 24 if scopes else 16 if network else 8
    ruleset = int(
        _libc.syscall(
            _SYS_LANDLOCK_CREATE_RULESET, ctypes.c_char_p(attributes), ctypes.c_size_t(size), 0
        )
    )
    if ruleset < 0:
        return False
    restricted = bool(_libc.syscall(_SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    os.close(ruleset)
    return restricted
