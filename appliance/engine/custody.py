"""The generations that one model owes an ending, and what a crash makes of them.

Contract: `Custody` holds every generation from `add` to its ending. After a crash, `blame` says who
was being computed. Those are *suspects*: they are resumed one after the other, each as soon as the
one before is past the place where it stood when the worker died. Whoever was taken up last comes
first, and whoever was being tried when another worker died comes before all: it is then alone. A
suspect that kills a worker alone, having been there once before, is the poison and fails; all
others go on. Pure: no process, no clock.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from appliance.engine.generation import Generation
from appliance.engine.wire import Generate, Progress
from appliance.generation.outcome import Delta
from appliance.generation.request import GenerationRequest

PAST_THE_PLACE = 2
"""Tokens beyond the place of the crash after which a suspect is cleared."""


@dataclass(slots=True, eq=False)
class Held:
    """One generation and what it takes to resume it."""

    generation: Generation
    request: GenerationRequest
    domain: str
    seed: int
    tokens: list[int] = field(default_factory=list)
    released: int = 0
    """Characters delivered."""
    sent: bool = False
    begun: bool = False
    """The present worker has taken it up."""
    crashes: int = 0
    cleared_at: int = 0
    """Number of tokens at which it is no suspect any more."""

    def message(self) -> Generate:
        """What begins it, or resumes it."""
        return Generate(
            id=self.generation.id,
            request=self.request,
            domain=self.domain,
            seed=self.seed,
            resume=tuple(self.tokens),
            released=self.released,
        )


class Custody:
    """All generations of one model that have no ending yet."""

    def __init__(self) -> None:
        self._held: dict[int, Held] = {}
        self._suspects: list[Held] = []
        self._probed: Held | None = None

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(tuple(self._held.values()))

    def add(self, held: Held) -> None:
        """Take a generation into custody."""
        self._held[held.generation.id] = held

    def get(self, generation: int) -> Held | None:
        """One that has no ending yet."""
        return self._held.get(generation)

    def remove(self, generation: int) -> Held | None:
        """It has its ending."""
        held = self._held.pop(generation, None)
        if held is not None and held in self._suspects:
            self._suspects.remove(held)
        if held is self._probed:
            self._probed = None
        return held

    @property
    def probing(self) -> bool:
        """Whether suspects are being resumed one by one; nobody else is sent meanwhile."""
        return self._probed is not None or bool(self._suspects)

    @property
    def awaiting_worker(self) -> bool:
        """Whether the worker owes anything."""
        return any(held.sent for held in self._held.values())

    def begun(self, generations: Iterable[int]) -> None:
        """The worker computes these from now on."""
        for generation in generations:
            held = self._held.get(generation)
            if held is not None:
                held.begun = True

    def progress(self, news: Progress) -> None:
        """Remember and deliver what was decoded."""
        held = self._held.get(news.id)
        if held is None:
            return
        held.tokens += news.tokens
        held.released += len(news.text)
        held.generation.deliver(Delta(text=news.text, tokens=news.tokens))
        if held is self._probed and len(held.tokens) >= held.cleared_at:
            self._probed = None

    def blame(self) -> Held | None:
        """The worker died. Returns the poison, if it is found out; it is no longer held."""
        on_board = [held for held in self._held.values() if held.begun]
        if not on_board:  # it died over a message: before it could say what it began
            on_board = [held for held in self._held.values() if held.sent]
        poison = None
        for held in on_board:
            held.crashes += 1
            held.cleared_at = len(held.tokens) + PAST_THE_PLACE
        if len(on_board) == 1 and on_board[0].crashes > 1:
            poison = on_board[0]
        for held in self._held.values():
            held.sent = held.begun = False
        tried, self._probed = self._probed, None
        if poison is not None:
            self.remove(poison.generation.id)
        doubtful = {id(held) for held in [*self._suspects, *on_board]}
        self._suspects = sorted(
            (held for held in self._held.values() if id(held) in doubtful),
            key=lambda held: (held is not tried, len(held.tokens)),
        )
        return poison

    def due(self) -> list[Held]:
        """Those to send now: one suspect, or, when there are none left, everybody."""
        if self._probed is not None:
            return []
        if self._suspects:
            self._probed = self._suspects.pop(0)
            self._probed.sent = True
            return [self._probed]
        unsent = [held for held in self._held.values() if not held.sent]
        for held in unsent:
            held.sent = True
        return unsent
