"""One request on its way, as its reader sees it.

The gateway runs an exchange in a task of its own and puts what may be shown into the exchange;
whoever answers the client only reads: `admitted`, then the pieces of text, then `ending`. A reader
that goes away calls `abandon` and reads no further; the exchange still ends and is still logged.

The text in between is bounded: the writer waits while the reader has more than `HELD_CHARACTERS`
to take, and gives up on a reader that takes nothing for too long.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable

from appliance.errors import Refusal
from appliance.generation.outcome import Finished

HELD_CHARACTERS = 64 * 1024


class SlowReaderError(Exception):
    """The reader took nothing for longer than it may."""


class Exchange:
    """The meeting point of the task that carries a request and the response that shows it."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.created = int(time.time())
        self._pieces: list[str] = []
        self._held = 0
        self._ending: Finished | Refusal | None = None
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._on_abandon: Callable[[], None] | None = None
        self.abandoned = False

    # The reader's side.

    async def admitted(self) -> Refusal | None:
        """Wait until the first text or the end is there. A refusal means: nothing was shown."""
        if not self._pieces and self._ending is None:
            await self._changed.wait()
        if not self._pieces and isinstance(self._ending, Refusal):
            return self._ending
        return None

    async def pieces(self) -> AsyncIterator[list[str]]:
        """Yield all text that is there, each time there is some, until the end."""
        while True:
            while not self._pieces:
                if self._ending is not None:
                    return
                self._changed.clear()
                await self._changed.wait()
            taken, self._pieces, self._held = self._pieces, [], 0
            self._room.set()
            yield taken

    @property
    def ending(self) -> Finished | Refusal:
        """How it ended; there once `pieces` is exhausted."""
        if self._ending is None:
            raise RuntimeError("the exchange has not ended")
        return self._ending

    def abandon(self) -> None:
        """Stop generating: nobody reads any more."""
        self.abandoned = True
        self._room.set()
        if self._on_abandon is not None:
            self._on_abandon()

    # The gateway's side.

    def when_abandoned(self, stop: Callable[[], None]) -> None:
        """Call `stop` once the reader goes away; at once if it has gone."""
        self._on_abandon = stop
        if self.abandoned:
            stop()

    def show(self, text: str) -> None:
        """Hand over text that may be shown."""
        self._pieces.append(text)
        self._held += len(text)
        self._changed.set()

    @property
    def full(self) -> bool:
        """Whether the reader has to take something first."""
        return self._held > HELD_CHARACTERS and not self.abandoned

    async def room(self, seconds: float) -> None:
        """Wait until the reader has taken what there is.

        Raises:
            SlowReaderError: it took nothing for so many seconds.
        """
        while self.full:
            self._room.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._room.wait()
            except TimeoutError:
                raise SlowReaderError from None

    def end(self, ending: Finished | Refusal) -> None:
        """Close it. Called once, after the closing entry is durable."""
        self._ending = ending
        self._changed.set()
