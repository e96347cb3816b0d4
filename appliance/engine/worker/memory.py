"""How much memory this worker may still take.

Contract: `available_bytes` is asked before the lockdown, which closes `/proc` and `/sys`. It is the
smaller of what the machine has left and what the worker's control group has left
(https://docs.kernel.org/admin-guide/cgroup-v2.html); none if neither can be read.
"""

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Bytes that can be taken without pushing somebody out of memory."""
    known = [
        value for value in (_machine(_MEMINFO), _group(_OWN_GROUP, _GROUPS)) if value is not None
    ]
    return min(known, default=None)


def _machine(meminfo: Path) -> int | None:
    """`MemAvailable`: free memory and what the kernel would give back."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _group(own_group: Path, groups: Path) -> int | None:
    """The tightest limit on the way from our control group up, less what is in use there."""
    try:
        name = own_group.read_text().rpartition("::")[2].strip().lstrip("/")
    except OSError:
        return None
    left: list[int] = []
    folder = groups / name
    while folder == groups or groups in folder.parents:
        limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
        if limit is not None and used is not None:
            left.append(max(0, limit - used))
        folder = folder.parent
    return min(left, default=None)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such group, or "max"
        return None
