"""The log as the rest of the house has it: append a fact, and go on once it is durable.

    log = Log.open(directory, signer=signer)
    receipt = await log.append(event, actor)     # durable now, or UnavailableError
    await log.close()

Order of calls: `create` once for a box, `open` in the one process that writes (a lock refuses a
second), `append` and `append_sync` from anywhere, `close` last. An append that returned is durable;
one that raised UnavailableError must be treated as not logged, and whatever it was to log must not
happen. (It may still be found in the log later: when the disk did not say how the write ended.) An
entry is written even if the task that waits for it is cancelled.

Two threads work behind it. The writer takes all that wait, gives them numbers and times, and makes
them durable in the journal with one `fdatasync`. The publisher puts them into tiles under a signed
checkpoint, within a second. When the disk fails, the log refuses at once, tries again by itself,
and notes afterwards how long it was gone.
"""

import asyncio
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path

import msgspec

from appliance.audit.clock import Clock, SystemClock
from appliance.audit.entries import BOX, Actor
from appliance.audit.events import Event, LogRecovered, LogTailDiscarded
from appliance.audit.files import Files
from appliance.audit.keyring import Keyring
from appliance.audit.keys import Signer, VerifierKey
from appliance.audit.layout import Layout
from appliance.audit.lock import WriterLock
from appliance.audit.note import Note
from appliance.audit.publisher import Publisher
from appliance.audit.recovery import create_log, recover_log
from appliance.audit.writer import Receipt, Ticket, Writer
from appliance.errors import ConfigurationError, LogUnavailableError

SLOW = 5.0
"""Seconds after which a write that has not become durable counts as failed."""
_TURN = 0.1


class Status(msgspec.Struct, frozen=True):
    """How the log is doing."""

    size: int
    """Durable entries."""
    published: int
    """Entries that the checkpoint covers."""
    outage: str
    """Why nothing can be logged now; empty if all is well."""
    refused: int
    """Appends refused since the last time all was well."""


class Log:
    """One audit log. Made by `create` or `open`."""

    def __init__(
        self, layout: Layout, lock: WriterLock, signer: Signer, writer: Writer, publisher: Publisher
    ) -> None:
        self._layout = layout
        self._lock = lock
        self._signer = signer
        self._writer = writer
        self._publisher = publisher
        self._watches: set[asyncio.AbstractEventLoop] = set()
        self._slow = SLOW
        self._closed = False

    @classmethod
    def create(
        cls,
        directory: Path,
        *,
        origin: str,
        signer: Signer,
        clock: Clock | None = None,
        files: Files | None = None,
    ) -> "Log":
        """Make an empty log in `directory` and open it.

        Raises ConfigurationError if there is one already, or the signer is not of this origin.
        """
        create_log(files or Files(), Layout(directory), origin, signer)
        return cls.open(directory, signer=signer, clock=clock, files=files)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        signer: Signer,
        clock: Clock | None = None,
        files: Files | None = None,
        slow: float = SLOW,
        unsafe_discard_tail: bool = False,
    ) -> "Log":
        """Open the log for writing, and finish what a crash left unfinished.

        Raises IntegrityError when checkpoint, tiles, journal and key disagree in a way that no
        crash explains; UnavailableError when another process has the log open or the disk fails.
        `unsafe_discard_tail` throws a damaged journal away, which can lose the last second's
        acknowledged entries, and logs that it did.
        """
        files = files or Files()
        layout = Layout(directory)
        lock = WriterLock(layout.lock)
        try:
            recovered = recover_log(files, layout, signer, unsafe_discard_tail=unsafe_discard_tail)
            publisher = Publisher(recovered.integrator, recovered.journal)
            writer = Writer(recovered, publisher, clock or SystemClock())
        except BaseException:
            lock.release()
            raise
        log = cls(layout, lock, signer, writer, publisher)
        log._slow = slow
        publisher.start()
        writer.start()
        try:
            log._note_recovery(recovered.report, recovered.discarded)
        except BaseException:
            log.close_sync()
            raise
        return log

    def _note_recovery(self, report: LogRecovered | None, lost: LogTailDiscarded | None) -> None:
        for event in (lost, report):
            if event is not None:
                self.append_sync(event, BOX)

    @property
    def vkey(self) -> VerifierKey:
        """The key that signs checkpoints now."""
        return self._signer.vkey

    @property
    def directory(self) -> Path:
        """The directory that `verify` takes."""
        return self._layout.log

    @property
    def note(self) -> Note:
        """The newest checkpoint on disk, as signed."""
        return self._publisher.note

    @property
    def status(self) -> Status:
        """How the log is doing; cheap, never blocks."""
        outage = self._writer.outage
        return Status(
            size=self._writer.size,
            published=self._publisher.published,
            outage=outage.reason if outage else "",
            refused=self._writer.refused,
        )

    async def append(self, event: Event, actor: Actor) -> Receipt:
        """Log a fact; returns when it is durable.

        Raises UnavailableError if the log cannot be written, ConfigurationError if the entry is
        larger than an entry may be.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        self._writer.submit(Ticket(event, actor, future, loop))
        if loop not in self._watches:
            self._watches.add(loop)
            loop.call_later(self._slow, self._watch, loop)
        return await future

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        # One timer for all that wait, on the event loop's side: the threads may hang in the disk.
        self._watches.discard(loop)
        if self._writer.give_up_if_slower_than(self._slow):
            return
        if self._writer.busy:
            self._watches.add(loop)
            loop.call_later(self._slow, self._watch, loop)

    def append_sync(self, event: Event, actor: Actor) -> Receipt:
        """Log a fact from a thread without an event loop; otherwise as `append`."""
        future: Future[Receipt] = Future()
        self._writer.submit(Ticket(event, actor, future, None))
        try:
            return future.result(self._slow)
        except FutureTimeoutError:
            self._writer.give_up_if_slower_than(0)
            raise LogUnavailableError(
                "The audit log's disk does not answer, so nothing may be done now. "
                "Check the disk's health and load; the log recovers by itself."
            ) from None

    def publish(self, timeout: float = 10.0) -> Note:
        """Have all durable entries under a checkpoint now, and return it.

        Raises UnavailableError if that takes longer than `timeout` seconds.
        """
        size = self._writer.size
        deadline = time.monotonic() + timeout
        while self._publisher.published < size:
            # In short turns: an attempt that the disk refused is made again.
            if not self._publisher.hurry(_TURN) and time.monotonic() > deadline:
                raise LogUnavailableError(
                    "The audit log's tiles cannot be written now; its entries are safe in the "
                    "journal. Check free space and the disk's health, then try again."
                )
        return self._publisher.note

    def change_key(self) -> VerifierKey:
        """Begin a new key epoch; the new key. Only for a log that was opened with a `Keyring`.

        Raises UnavailableError if the log cannot be written now; then call it again.
        """
        ring = self._signer
        if not isinstance(ring, Keyring):
            raise ConfigurationError("This log is signed with one key for ever.")
        try:
            self._writer.between(lambda: self._writer.change_key(ring))
        except OSError as error:
            raise LogUnavailableError(
                f"The log's key was not changed: {error.strerror}. Check the disk and try again."
            ) from error
        return ring.vkey

    async def close(self) -> None:
        """Write all that waits, publish the last checkpoint, give the log free."""
        await asyncio.get_running_loop().run_in_executor(None, self.close_sync)

    def close_sync(self) -> None:
        """As `close`, from a thread without an event loop. A second call does nothing.

        Raises UnavailableError if the last checkpoint cannot be written; the entries are safe in
        the journal, and the next `open` publishes them.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._writer.stop()
            self._publisher.stop()
            self._writer.finish()
        except OSError as error:
            raise LogUnavailableError(
                "The audit log was closed without its last checkpoint: the disk refused "
                f"({error.strerror}). Every entry is safe in the journal; make room or repair the "
                "disk, and the next start publishes them."
            ) from error
        finally:
            self._lock.release()
