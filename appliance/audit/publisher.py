"""The thread that keeps the tiles and the checkpoint close behind the journal."""

import threading
import time
from collections import deque
from collections.abc import Sequence

from appliance.audit.integrator import Integrator
from appliance.audit.journal import Journal
from appliance.audit.keys import Signer
from appliance.audit.note import Note

INTERVAL = 0.5
"""Seconds from an entry's becoming durable to the beginning of its publication."""
MAX_BACKLOG = 200_000
"""Entries that may wait for publication; more would not fit into memory for ever."""
MAX_AGE = 30.0
"""Seconds that an entry may wait for publication before nothing more is logged."""


class Publisher:
    """`hand_over` from the writer; `start` and `stop` from the log."""

    def __init__(self, integrator: Integrator, journal: Journal) -> None:
        self._integrator = integrator
        self._journal = journal
        self._inbox: deque[tuple[Sequence[bytes], Sequence[bytes]]] = deque()
        self._waiting = 0
        self._oldest: float | None = None
        self._work = threading.Lock()
        self._signal = threading.Condition()
        self._hurried = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="audit-publisher", daemon=True)

    @property
    def published(self) -> int:
        """Entries that the checkpoint on disk covers."""
        return self._integrator.published

    @property
    def note(self) -> Note:
        """The checkpoint on disk."""
        return self._integrator.note

    @property
    def root(self) -> bytes:
        """Root of the entries published; for the writer's thread, right after `publish`."""
        return self._integrator.root

    def change_signer(self, first: int, signer: Signer) -> None:
        """Sign checkpoints of more than `first` entries with `signer`."""
        with self._work:
            self._integrator.change_signer(first, signer)

    def behind(self) -> bool:
        """Whether so much waits, or for so long, that no more may be taken in."""
        oldest = self._oldest
        late = oldest is not None and time.monotonic() - oldest > MAX_AGE
        return late or self._waiting > MAX_BACKLOG

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def hand_over(self, entries: Sequence[bytes], leaves: Sequence[bytes]) -> None:
        """Take durable entries, in order. Cheap; never blocks on the disk."""
        with self._signal:
            self._inbox.append((entries, leaves))
            self._waiting += len(entries)
            if self._oldest is None:
                self._oldest = time.monotonic()
                self._signal.notify_all()

    def hurry(self, timeout: float) -> bool:
        """Wait for the next publication, which begins at once; False after `timeout` seconds."""
        before = self.published
        with self._signal:
            self._hurried = True
            self._signal.notify_all()
            return self._signal.wait_for(lambda: self.published > before, max(0.0, timeout))

    def stop(self) -> None:
        """End the thread and publish what is left. Raises OSError if that fails."""
        with self._signal:
            self._stopping = True
            self._signal.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self.publish()

    def publish(self) -> None:
        """Publish all that was handed over. Raises OSError; nothing is lost, call again."""
        with self._work:
            with self._signal:
                batches = list(self._inbox)
                self._inbox.clear()
            for entries, leaves in batches:
                self._integrator.add(entries, leaves)
            self._integrator.publish()
            self._journal.remove_covered(self._integrator.published)
            with self._signal:
                self._waiting = sum(len(entries) for entries, _ in self._inbox)
                self._oldest = time.monotonic() if self._inbox else None
                self._signal.notify_all()

    def _run(self) -> None:
        while True:
            with self._signal:
                self._signal.wait_for(lambda: self._stopping or self._oldest is not None)
                self._signal.wait_for(lambda: self._stopping or self._hurried, INTERVAL)
                if self._stopping:
                    return
                self._hurried = False
            try:
                self.publish()
            except OSError:
                # Tried again after the interval; `behind` refuses work if it stays so.
                continue
