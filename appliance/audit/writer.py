"""The thread that gives entries their numbers and makes them durable, all that wait at once.

States: *well*, or an *outage*, in which every append is refused at once while the thread tries to
begin a fresh journal segment. An outage ends with an entry that says how long it was and why; until
that entry is durable it has not ended.
"""

import asyncio
import errno
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias

import msgspec

from appliance.audit.clock import Clock, Stamp, Stamper, format_utc
from appliance.audit.entries import BOX, Actor, encode_entry
from appliance.audit.epochs import end_epoch
from appliance.audit.events import ClockJumped, Event, LogResumed
from appliance.audit.journal import frame_batch
from appliance.audit.keyring import Keyring
from appliance.audit.merkle import leaf_hash
from appliance.audit.publisher import Publisher
from appliance.audit.recovery import Recovered
from appliance.errors import ApplianceError, LogUnavailableError

MAX_BATCH = 1024
"""Entries made durable together at most, so that a batch stays small beside a segment."""
RETRY = 0.5
"""Seconds between attempts to end an outage."""

_REASONS = {
    errno.ENOSPC: ("disk_full", "its disk is full: make room"),
    errno.EDQUOT: ("disk_full", "its disk quota is used up: make room"),
    errno.EROFS: ("read_only", "its disk is read-only: check the disk's health and remount it"),
}
_IO_ERROR = ("io_error", "its disk reports errors: check the disk's health")
_SLOW_DISK = ("slow_disk", "its disk does not answer: check the disk's health and load")
_BEHIND = ("integration_behind", "its tiles cannot be written: check free space and the disk")


class Receipt(msgspec.Struct, frozen=True):
    """Where an entry is in the log."""

    index: int
    leaf_hash: bytes
    """32 bytes, RFC 6962."""


_Waiting: TypeAlias = "asyncio.Future[Receipt] | Future[Receipt]"


class Ticket:
    """Someone who waits for an entry to be durable."""

    __slots__ = ("actor", "event", "future", "loop", "result")

    def __init__(
        self,
        event: Event,
        actor: Actor,
        future: _Waiting,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.event = event
        self.actor = actor
        self.future = future
        self.loop = loop
        self.result: Receipt | ApplianceError | None = None


class Task:
    """Something that the writer's thread does between two batches."""

    __slots__ = ("future", "work")

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.future: Future[None] = Future()


class Outage(msgspec.Struct, frozen=True):
    """Since when nothing can be logged, and why."""

    reason: str
    advice: str
    since: str

    def error(self) -> LogUnavailableError:
        """What those who wait are told."""
        return LogUnavailableError(
            f"The audit log cannot be written, so nothing may be done now: {self.advice}. "
            "The box goes on by itself once that is done."
        )


class Writer:
    """`submit` from anywhere; everything else from the log."""

    def __init__(self, recovered: Recovered, publisher: Publisher, clock: Clock) -> None:
        self._journal = recovered.journal
        self._publisher = publisher
        self._clock = clock
        self._stamper = Stamper(clock, recovered.last_stamp)
        self._queue: queue.SimpleQueue[Ticket | Task | None] = queue.SimpleQueue()
        self._tasks: deque[Task] = deque()
        self._size = recovered.integrator.size
        self._outage: Outage | None = None
        self._refused = 0
        self._in_flight: list[Ticket] = []
        self._began: float | None = None
        self._settling = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="audit-writer", daemon=True)

    @property
    def size(self) -> int:
        """Durable entries."""
        return self._size

    @property
    def outage(self) -> Outage | None:
        """The outage, if there is one."""
        return self._outage

    @property
    def refused(self) -> int:
        """Appends refused in this outage."""
        return self._refused

    @property
    def busy(self) -> bool:
        """Whether someone waits."""
        return self._began is not None or not self._queue.empty()

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(self, ticket: Ticket) -> None:
        """Queue a ticket. Raises LogUnavailableError at once during an outage or after `stop`."""
        if self._stopping:
            raise LogUnavailableError("The audit log is closed: the service is stopping.")
        outage = self._outage
        if outage is None and self._publisher.behind():
            outage = Outage(*_BEHIND, self._now())
        if outage is not None:
            self._refused += 1
            raise outage.error()
        self._queue.put(ticket)

    def give_up_if_slower_than(self, seconds: float) -> bool:
        """Begin an outage if the disk has been at one write for longer than that."""
        began = self._began
        if began is None or time.monotonic() - began < seconds:
            return False
        with self._settling:
            self._outage = self._outage or Outage(*_SLOW_DISK, self._now())
            outage = self._outage
            tickets = self._in_flight + self._take_queued()
            self._in_flight = []
            self._refused += len(tickets)
        _fail(tickets, outage)
        return True

    def stop(self) -> None:
        """Write what is queued and end the thread; nothing is taken in any more."""
        self._stopping = True
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        # Whoever came in while the thread ended must not wait for ever.
        for ticket in self._take_queued():
            ticket.result = LogUnavailableError("The audit log is closed: the service is stopping.")
            _settle([ticket])
        while self._tasks:
            self._tasks.pop().future.set_exception(
                LogUnavailableError("The audit log is closed: the service is stopping.")
            )

    def between(self, work: Callable[[], None]) -> None:
        """Have the writer's thread do `work` between two batches, and wait for that.

        Raises LogUnavailableError after `stop`, and whatever `work` raises.
        """
        if self._stopping:
            raise LogUnavailableError("The audit log is closed: the service is stopping.")
        task = Task(work)
        self._queue.put(task)
        task.future.result()

    def finish(self) -> None:
        """Leave an empty segment behind that remembers where the log ended. Raises OSError."""
        self._journal.restart(self._size)
        self._journal.remove_covered(self._size)
        self._journal.close()

    def _run(self) -> None:
        while True:
            try:
                item = self._queue.get(timeout=RETRY if self._outage else None)
            except queue.Empty:
                self._try_to_resume()
                continue
            tickets = [item] if isinstance(item, Ticket) else []
            if isinstance(item, Task):
                self._tasks.append(item)
            tickets += self._take_queued(MAX_BATCH - 1)
            outage = self._outage
            if outage is not None:
                self._refused += len(tickets)
                _fail(tickets, outage)
            elif tickets:
                self._commit(tickets)
            self._perform_tasks()
            if self._stopping and self._queue.empty():
                return

    def _perform_tasks(self) -> None:
        while self._tasks:
            task = self._tasks.popleft()
            try:
                if self._outage is not None:
                    raise self._outage.error()
                task.work()
            except (ApplianceError, OSError) as error:
                task.future.set_exception(error)
            else:
                task.future.set_result(None)

    def _take_queued(self, most: int = 1 << 30) -> list[Ticket]:
        tickets: list[Ticket] = []
        while len(tickets) < most:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if isinstance(item, Ticket):
                tickets.append(item)
            elif item is not None:
                self._tasks.append(item)
        return tickets

    def change_key(self, keyring: Keyring) -> None:
        """Begin a new key epoch (see `epochs`) and destroy the old key; for `between` alone.

        Raises OSError or LogUnavailableError; then the old key goes on, or the new one already does
        and the old is destroyed by the next change or start.
        """
        stamp, jump = self._stamper.now()
        if jump:
            # The statement is about the entry right before it, so this must not come in between.
            self._log_now(ClockJumped(by_ns=str(jump)), stamp)
        self._publisher.publish()
        old, new, size = keyring.current, keyring.draw(), self._size
        event = end_epoch(old, new.vkey, keyring.epoch + 1, size, self._publisher.root)
        self._publisher.change_signer(size, new)
        self._log_now(event, stamp)
        self._publisher.publish()
        keyring.advance()

    def _log_now(self, event: Event, stamp: Stamp) -> None:
        future: Future[Receipt] = Future()
        self._commit([Ticket(event, BOX, future, None)], stamp)
        future.result(timeout=0)

    def _commit(self, tickets: list[Ticket], stamp: Stamp | None = None) -> bool:
        """Make the tickets' entries durable and settle them; whether that succeeded."""
        entries: list[bytes] = []
        leaves: list[bytes] = []
        with self._settling:
            self._in_flight = tickets
            self._began = time.monotonic()
        for ticket in tickets:
            self._draw_up(ticket, entries, leaves, stamp)
        try:
            if entries:
                self._journal.append(frame_batch(entries), len(entries))
        except OSError as error:
            reason, advice = _REASONS.get(error.errno or 0, _IO_ERROR)
            outage = self._outage or Outage(reason, advice, self._now())
            with self._settling:
                if self._outage is None:
                    self._refused = len(tickets)
                self._outage = outage
                self._in_flight, self._began = [], None
            _fail(tickets, outage)
            return False
        self._size += len(entries)
        self._publisher.hand_over(entries, leaves)
        with self._settling:
            settled, self._in_flight = self._in_flight, []
            self._began = None
        _settle(settled)
        return True

    def _draw_up(
        self, ticket: Ticket, entries: list[bytes], leaves: list[bytes], given: Stamp | None
    ) -> None:
        stamp, jump = (given, 0) if given is not None else self._stamper.now()
        if jump:
            seq = self._size + len(entries)
            entries.append(encode_entry(ClockJumped(by_ns=str(jump)), BOX, seq, stamp))
            leaves.append(leaf_hash(entries[-1]))
        seq = self._size + len(entries)
        try:
            entry = encode_entry(ticket.event, ticket.actor, seq, stamp)
        except ApplianceError as error:
            ticket.result = error
            return
        entries.append(entry)
        leaves.append(leaf_hash(entry))
        ticket.result = Receipt(seq, leaves[-1])

    def _try_to_resume(self) -> None:
        outage = self._outage
        if outage is None or self._stopping:
            return
        try:
            # What is acknowledged must not depend on a file of which a write has failed.
            self._publisher.publish()
            self._journal.restart(self._size)
        except OSError:
            return
        event = LogResumed(paused_at=outage.since, reason=outage.reason, refused=self._refused)
        note: Future[Receipt] = Future()
        if self._commit([Ticket(event, BOX, note, None)]):
            with self._settling:
                self._outage, self._refused = None, 0

    def _now(self) -> str:
        return format_utc(self._clock.utc_ns())


def _fail(tickets: list[Ticket], outage: Outage) -> None:
    for ticket in tickets:
        ticket.result = outage.error()
    _settle(tickets)


def _settle(tickets: list[Ticket]) -> None:
    """Tell those who wait: one wake-up per event loop, however many wait on it."""
    loops: dict[asyncio.AbstractEventLoop, list[Ticket]] = {}
    for ticket in tickets:
        if ticket.loop is None:
            _resolve([ticket])
        else:
            loops.setdefault(ticket.loop, []).append(ticket)
    for loop, waiting in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, waiting)


def _resolve(tickets: list[Ticket]) -> None:
    for ticket in tickets:
        if ticket.future.done():
            continue
        if isinstance(ticket.result, Receipt):
            ticket.future.set_result(ticket.result)
        elif ticket.result is not None:
            ticket.future.set_exception(ticket.result)
