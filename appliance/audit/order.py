"""What the entries say of themselves: numbers and times in order, endings for beginnings."""

from collections.abc import Iterator

import msgspec

from appliance.audit.events import ClockJumped, ExchangeClosed, ExchangeOpened

_TIME_LENGTH = len("2026-11-21T07:30:00.123456Z")


class _Exchange(msgspec.Struct, frozen=True):
    exchange: str = ""


class _Glance(msgspec.Struct, frozen=True):
    """The members of an entry that order is about; the rest is skipped, which is fast."""

    seq: int
    time: str
    boot: str
    mono: str
    action: str
    details: msgspec.Raw = msgspec.Raw(b"{}")


_glance = msgspec.json.Decoder(_Glance).decode
_exchange = msgspec.json.Decoder(_Exchange).decode


class OrderCheck:
    """Fed with every entry in turn; remembers one entry, and the exchanges that are open."""

    def __init__(self) -> None:
        self._boot = ""
        self._mono = -1
        self._open: dict[str, int] = {}
        self.first_time = ""
        self.last_time = ""

    def problems(self, index: int, data: bytes) -> Iterator[str]:
        """What is wrong with entry `index`, seen after those before it."""
        try:
            entry = _glance(data)
            mono = int(entry.mono)
        except (msgspec.DecodeError, ValueError):
            yield "is not in the log's format"
            return
        if entry.seq != index:
            yield f"says that it is entry {entry.seq}"
        if len(entry.time) != _TIME_LENGTH or not entry.time.endswith("Z"):
            yield "has a malformed time"
        elif entry.time < self.last_time and entry.action != ClockJumped.action:
            # Times of one fixed length in UTC sort as text.
            yield f"is dated {entry.time}, before the one in front of it, without a clock jump"
        if entry.boot == self._boot and mono < self._mono:
            yield "is older than the one in front of it by the monotonic clock"
        self.first_time = self.first_time or entry.time
        self.last_time, self._boot, self._mono = entry.time, entry.boot, mono
        if entry.action == ExchangeOpened.action:
            self._open[_exchange(entry.details).exchange] = index
        elif (
            entry.action == ExchangeClosed.action
            and self._open.pop(_exchange(entry.details).exchange, None) is None
        ):
            yield "closes an exchange that was not open"

    @property
    def unclosed(self) -> dict[str, int]:
        """Exchanges without an ending, and the number of the entry that opened each."""
        return self._open
