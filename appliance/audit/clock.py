"""What time it is, twice: UTC, which people set, and the monotonic clock, which nobody can.

`Stamper` gives each entry its time so that the log's order and its times agree: within one boot
the monotonic clock never steps back, and UTC steps back only where the log says `clock.jumped`.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec

JUMP = 1_000_000_000
"""UTC and monotonic clock drifting apart by more than this many nanoseconds between two entries is
a jump. Time daemons correct smaller offsets by slewing."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where the time comes from."""

    @property
    def boot(self) -> str:
        """Identifies the boot during which `monotonic_ns` counts: 32 hexadecimal digits."""
        ...

    def utc_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment of this boot."""
        ...


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        self._boot = boot_id.strip().replace("-", "")

    @property
    def boot(self) -> str:
        """The kernel's boot id."""
        return self._boot

    def utc_ns(self) -> int:
        """CLOCK_REALTIME."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC."""
        return time.monotonic_ns()


class Stamp(msgspec.Struct, frozen=True):
    """One moment by both clocks."""

    utc_ns: int
    boot: str
    monotonic_ns: int


class Stamper:
    """Hands out stamps in order; `last` is that of the newest entry in the log, if it has any."""

    def __init__(self, clock: Clock, last: Stamp | None) -> None:
        self._clock = clock
        self._last = last

    def now(self) -> tuple[Stamp, int]:
        """The stamp for the next entry, and by how many nanoseconds UTC jumped before it (or 0).

        A backward step too small to be a jump is held back until UTC has caught up.
        """
        stamp = Stamp(self._clock.utc_ns(), self._clock.boot, self._clock.monotonic_ns())
        jump = 0
        if self._last is not None:
            moved = stamp.utc_ns - self._last.utc_ns
            elapsed = stamp.monotonic_ns - self._last.monotonic_ns
            if stamp.boot != self._last.boot:
                # The monotonic clocks of two boots cannot be compared: only going back is certain.
                jump = min(0, moved)
            elif abs(moved - elapsed) > JUMP:
                jump = moved - elapsed
            if jump > -JUMP and moved < 0:
                jump = 0
                stamp = Stamp(self._last.utc_ns, stamp.boot, stamp.monotonic_ns)
        self._last = stamp
        return stamp, jump


def format_utc(utc_ns: int) -> str:
    """RFC 3339 in UTC with microseconds: `2026-11-21T07:30:00.123456Z`."""
    moment = _EPOCH + timedelta(microseconds=utc_ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_utc(text: str) -> int:
    """Nanoseconds since 1970 of what `format_utc` wrote. Raises ValueError for anything else."""
    elapsed = datetime.fromisoformat(text) - _EPOCH
    utc_ns = (elapsed // timedelta(microseconds=1)) * 1000
    if format_utc(utc_ns) != text:
        raise ValueError("not a UTC time with microseconds")
    return utc_ns
