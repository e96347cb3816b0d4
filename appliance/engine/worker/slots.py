"""The KV cache as a table of slots, and which finished prompts in it can be used again.

Contract: a slot is one llama.cpp sequence id. It is *busy* while a running sequence is computed
under it and *idle* otherwise; an idle slot keeps the tokens of the sequence that left it, so that
a later prompt that begins alike need not compute them again. `find` says where the longest such
beginning lies, `claim` makes a slot busy, `release` makes it idle. Slots of different isolation
domains never share: a match in another domain is no match. Pure bookkeeping; the caller carries out
on the KV cache what is decided here.
"""

from collections.abc import Iterator
from collections.abc import Sequence as Tokens
from dataclasses import dataclass, field

from appliance.engine.worker.sequence import Sequence

MIN_SHARED_TOKENS = 16
"""Copying less costs more than computing it."""


@dataclass(slots=True)
class Slot:
    """One llama.cpp sequence id and what its cells hold."""

    id: int
    tokens: list[int] = field(default_factory=list)
    """While idle: what its cells hold."""
    domain: str = ""
    used_at: int = 0
    """Order of release, for eviction of the least recently used."""
    owner: Sequence | None = None

    @property
    def length(self) -> int:
        """Cells it occupies."""
        return self.owner.computed if self.owner is not None else len(self.tokens)


@dataclass(frozen=True, slots=True)
class Match:
    """A slot whose cells begin like a prompt."""

    slot: Slot
    length: int
    """Tokens that can be used now."""
    promised: int
    """Tokens that can be used once the slot's owner has prefilled its prompt."""


def common_prefix(left: Tokens[int], right: Tokens[int], limit: int) -> int:
    """Length of the common beginning of two token lists, `limit` at most."""
    low, high = 0, min(len(left), len(right), limit)
    if high == 0 or left[0] != right[0]:
        return 0
    step = MIN_SHARED_TOKENS
    while low < high:  # gallop forward, then close in: most prompts differ early or never
        until = min(low + step, high)
        if left[low:until] == right[low:until]:
            low, step = until, step * 2
        elif until - low == 1:
            break
        else:
            high, step = until - 1, max(1, (until - low) // 2)
    return low


class SlotTable:
    """All slots of one KV cache."""

    def __init__(self, count: int, *, sharing: bool = True) -> None:
        self._slots = [Slot(n) for n in range(count)]
        self._clock = 0
        self._sharing = sharing

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)

    def __getitem__(self, slot_id: int) -> Slot:
        return self._slots[slot_id]

    @property
    def cells_used(self) -> int:
        """Cells of all slots; cells shared between slots count for each."""
        return sum(slot.length for slot in self._slots)

    @property
    def cells_cached(self) -> int:
        """Cells of idle slots."""
        return sum(len(slot.tokens) for slot in self._slots if slot.owner is None)

    @property
    def idle(self) -> list[Slot]:
        """Idle slots: empty ones first, then the least recently used; low ids first.

        Low ids together let llama.cpp compute them in one pass (its batches of separate streams
        take consecutive ids only).
        """
        idle = [slot for slot in self._slots if slot.owner is None]
        return sorted(idle, key=lambda slot: (bool(slot.tokens), slot.used_at, slot.id))

    def find(self, sequence: Sequence) -> Match | None:
        """Where the longest usable beginning of its tokens lies; idle slots win a draw."""
        if not self._sharing:
            return None
        tokens, best = sequence.tokens, None
        usable = len(tokens) - 1  # the last one is computed anew: its logits are wanted
        for slot in self._slots:
            if slot.domain != sequence.domain:
                continue
            owner = slot.owner
            held = slot.tokens if owner is None else owner.tokens
            shared = common_prefix(tokens, held, usable)
            if shared < MIN_SHARED_TOKENS:
                continue
            now = shared if owner is None else min(shared, owner.computed)
            better = best is None or (shared, now, owner is None) > (
                best.promised,
                best.length,
                best.slot.owner is None,
            )
            if better:
                best = Match(slot, now, shared)
        return best

    def claim(self, slot: Slot, sequence: Sequence) -> None:
        """Make an idle slot busy."""
        slot.owner = sequence
        slot.tokens = []
        slot.domain = sequence.domain
        sequence.slot = slot.id

    def move(self, sequence: Sequence, target: int) -> None:
        """Its cells are copied to an idle slot; the one it leaves is empty."""
        left = self._slots[sequence.slot]
        left.owner, left.tokens = None, []
        self.claim(self._slots[target], sequence)

    def release(self, sequence: Sequence, *, keep: bool) -> None:
        """Make its slot idle; `keep` the cells for later prompts, or know them empty."""
        slot = self._slots[sequence.slot]
        slot.owner = None
        slot.tokens = sequence.tokens[: sequence.computed] if keep and self._sharing else []
        self._clock += 1
        slot.used_at = self._clock
        sequence.slot, sequence.computed = -1, 0

    def clear(self, slot: Slot) -> None:
        """Forget what an idle slot holds."""
        slot.tokens = []
