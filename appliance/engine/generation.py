"""One generation as its caller sees it: events in batches, then exactly one ending.

Contract: iterate (`async for events in generation`) until the iteration stops; the last event of
the last batch is the ending. A batch holds everything that came since the last one, so a slow
reader is woken less often, never flooded. `cancel` returns at once and may be called any number of
times; the ending still comes. One reader only.
"""

import asyncio
from collections.abc import Callable
from typing import Self

from appliance.generation.outcome import Delta, Ending, Event


class Generation:
    """The reading end of one generation."""

    __slots__ = ("_cancel", "_events", "_waiter", "ending", "id")

    def __init__(self, generation: int, cancel: Callable[[int], None]) -> None:
        self.id = generation
        self.ending: Ending | None = None
        """How it ended, as soon as that is known."""
        self._cancel = cancel
        self._events: list[Event] = []
        self._waiter: asyncio.Future[None] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        if not self._events:
            if self.ending is not None:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        events, self._events = self._events, []
        return events

    def cancel(self) -> None:
        """Ask for the end; it comes within one step, with reason `cancelled`."""
        if self.ending is None:
            self._cancel(self.id)

    def deliver(self, delta: Delta) -> None:
        """Called by the supervisor alone."""
        self._events.append(delta)
        if delta.text:
            self._wake()

    def end(self, ending: Ending) -> None:
        """Called by the supervisor alone, once."""
        self.ending = ending
        self._events.append(ending)
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
