"""What the scheduler wants done in one step. Values only."""

from dataclasses import dataclass, field
from typing import NamedTuple

from appliance.engine.worker.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Clear:
    """Give up the cells of a slot."""

    slot: int


@dataclass(frozen=True, slots=True)
class Place:
    """A sequence takes a slot: first copy, then cut the slot's cells to `keep` tokens."""

    slot: int
    keep: int
    source: int | None = None
    """The slot whose cells are copied; none means that the slot's own are used."""


class Piece(NamedTuple):
    """Tokens `start` to `start + length` of a sequence, computed in this step."""

    sequence: Sequence
    start: int
    length: int
    samples: bool
    """Whether its last token's logits choose the next one."""


@dataclass(slots=True)
class Plan:
    """What to do to the KV cache: the changes in their order, then the passes in theirs."""

    changes: list[Clear | Place] = field(default_factory=list)
    begun: list[Sequence] = field(default_factory=list)
    """Sequences that were admitted."""
    passes: list[list[Piece]] = field(default_factory=list)
    """Each is computed at once: first who decodes, then prefill. Sorted by slot."""
    decoding: int = 0
    """Sequences of which one token is computed."""
    prefilled: int = 0
    """Tokens of prompts."""
