"""Which sequences are computed in the next step, and which tokens of them.

Contract: `submit` puts a sequence into the waiting line or says that it is full. Before every step
`plan` admits what fits and shares out the step; the caller carries the plan out on the KV cache and
reports back: `computed` for every pass, `finish` for every sequence that ended. Sampled tokens it
appends to the sequences itself. Pure bookkeeping: no llama.cpp, no clock.

What it promises:
- every running sequence that decodes is in every step; prefill takes what is left of the budget,
  so that a long prompt never stalls the others, and every prefilling sequence advances in the end;
- interactive sequences before batch ones; a batch sequence gives up its slot when an interactive
  one waits, and is taken up again where it was;
- domains take turns in the waiting line, whoever sends more;
- the cells of all slots never exceed the KV cache; idle ones go, least recently used first;
- a prompt whose beginning another one is just computing waits for it instead of computing it too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.engine.worker.plan import Clear, Piece, Place, Plan
from appliance.engine.worker.sequence import Sequence
from appliance.engine.worker.slots import MIN_SHARED_TOKENS, Match, Slot, SlotTable
from appliance.engine.worker.waiting_line import WaitingLine
from appliance.generation.request import Priority

RESERVED_CELLS = 32
"""Room to grow that an admission leaves to each running sequence where cells are scarce."""

GATHER_AFTER_STEPS = 8
"""Copying a slot costs about a step; it pays for a sequence that stays."""

TAKE_OVER_SHARE = 0.5
"""An idle slot is taken over, its rest lost, if at least this share of it is used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The size of one KV cache and of one step."""

    slots: int
    slot_tokens: int
    """Most tokens of one sequence."""
    cells: int
    """Cells of the whole cache; `slots` × `slot_tokens` where each slot has its own."""
    batch_tokens: int
    queue_limit: int
    tile: int = 1
    """Tokens of one prompt that attention computes together; fewer cost as much as a whole tile."""


class Scheduler:
    """The bookkeeping of one KV cache."""

    def __init__(self, limits: Limits, *, sharing: bool = True) -> None:
        self.limits = limits
        self.slots = SlotTable(limits.slots, sharing=sharing)
        self.waiting = WaitingLine()
        self.running: list[Sequence] = []
        """In order of admission."""
        self.preemptions = 0
        self._arrivals = 0
        self._own_cells = limits.cells >= limits.slots * limits.slot_tokens
        """Every slot has cells of its own: they never run out."""
        self._scattered_steps = 0

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return bool(self.running) or len(self.waiting) > 0

    @property
    def prefill_depth(self) -> int:
        """How deep in its prompt the oldest prefilling sequence is; 0 if there is none."""
        return next((one.computed for one in self.running if one.pending > 1), 0)

    def submit(self, sequence: Sequence, *, always: bool = False) -> bool:
        """Let a sequence wait for its turn; false if the line is full (`always` overrides)."""
        idle = self.limits.slots - len(self.running)
        if not always and len(self.waiting) >= self.limits.queue_limit + idle:
            return False
        self._arrivals += 1
        sequence.arrival = self._arrivals
        self.waiting.add(sequence)
        return True

    def plan(self, prefill_tokens: int | None = None) -> Plan:
        """Decide the next step; `prefill_tokens` narrows the budget that prefill may use."""
        plan = Plan()
        if len(self.waiting):
            self._admit(plan)
        if self._own_cells:
            self._gather(plan)
        else:
            self._make_cells(plan)
        self._share_out(plan, prefill_tokens)
        return plan

    def computed(self, pieces: list[Piece]) -> None:
        """A pass went well: its tokens lie in the KV cache."""
        for piece in pieces:
            piece.sequence.computed += piece.length

    def finish(self, sequence: Sequence, *, keep: bool = True) -> int | None:
        """It ended, running or waiting; returns its slot if the caller has to clear that."""
        if sequence.slot < 0:
            self.waiting.remove(sequence)
            return None
        slot = sequence.slot
        self.running.remove(sequence)
        self.slots.release(sequence, keep=keep)
        return None if self.slots[slot].tokens else slot

    def preempt(self, sequence: Sequence) -> None:
        """Take a running sequence off; it goes on, where it was, when its turn comes again."""
        self.running.remove(sequence)
        self.slots.release(sequence, keep=True)
        self.waiting.add(sequence, first=True)
        self.preemptions += 1

    def relieve(self) -> Plan:
        """No room in the KV cache after all: give up something, or nothing is left to give up."""
        plan = Plan()
        if not self._evict(plan) and len(self.running) > 1:
            self.preempt(self._victim(self.running))
            self._evict(plan)
        return plan

    # Admission

    def _admit(self, plan: Plan) -> None:
        for priority in Priority:
            for sequence in self.waiting.turns(priority):
                if self._awaits_another(sequence):
                    continue
                if len(self.running) == self.limits.slots and not self._make_room_for(sequence):
                    break
                self._place(plan, sequence)

    def _awaits_another(self, sequence: Sequence) -> bool:
        """Whether a running sequence is just computing a good part of its beginning."""
        match = self.slots.find(sequence)
        return match is not None and match.promised - match.length >= MIN_SHARED_TOKENS

    def _make_room_for(self, sequence: Sequence) -> bool:
        """Take a less urgent sequence off its slot."""
        below = [other for other in self.running if other.priority > sequence.priority]
        if not below:
            return False
        self.preempt(self._victim(below))
        return True

    @staticmethod
    def _victim(candidates: list[Sequence]) -> Sequence:
        """The least urgent, and of those the last come."""
        return max(candidates, key=lambda sequence: (sequence.priority, sequence.arrival))

    def _place(self, plan: Plan, sequence: Sequence) -> None:
        """Give it a slot, unless cells are short."""
        match = self.slots.find(sequence)
        target, source, keep = self._choose(match)
        if not self._room_for(plan, sequence, target, source):
            if source is None:
                return
            source, keep = None, 0
            if not self._room_for(plan, sequence, target, source):
                return
        if keep:
            plan.changes.append(Place(target.id, keep, source.id if source else None))
        elif target.tokens:
            plan.changes.append(Clear(target.id))
        self.waiting.served(sequence)
        self.slots.claim(target, sequence)
        sequence.computed = keep
        if len(sequence.tokens) == sequence.prompt_tokens:
            sequence.cached = keep
        self.running.append(sequence)
        plan.begun.append(sequence)

    def _choose(self, match: Match | None) -> tuple[Slot, Slot | None, int]:
        """The slot to take, the one to copy from if that is another, and the cells to keep."""
        idle = self.slots.idle
        if match is None:
            return idle[0], None, 0
        mostly_used = match.length >= TAKE_OVER_SHARE * len(match.slot.tokens)
        if match.slot.owner is None and (mostly_used or len(idle) == 1):
            return match.slot, None, match.length
        other = next(slot for slot in idle if slot is not match.slot)
        return other, match.slot, match.length

    def _room_for(self, plan: Plan, sequence: Sequence, target: Slot, source: Slot | None) -> bool:
        """Whether its tokens fit beside the others, idle slots given up as needed."""
        need = len(sequence.tokens) - len(target.tokens)
        if self.running:
            need += RESERVED_CELLS * (len(self.running) + 1)
        need += sum(other.pending for other in self.running)
        while self.slots.cells_used + need > self.limits.cells:
            if not self._evict(plan, target, source):
                return False
        return True

    def _evict(self, plan: Plan, *spared: Slot | None) -> bool:
        """Give up the least recently used idle slot."""
        for slot in self.slots.idle:
            if slot.tokens and slot not in spared:
                self.slots.clear(slot)
                plan.changes.append(Clear(slot.id))
                return True
        return False

    # The step

    def _share_out(self, plan: Plan, prefill_tokens: int | None) -> None:
        decoding: list[Piece] = []
        prefilling: list[Sequence] = []
        for sequence in self.running:
            start = sequence.computed
            if len(sequence.tokens) - start == 1:
                decoding.append(Piece(sequence, start, 1, True))
            else:
                prefilling.append(sequence)
        decoding.sort(key=_slot_of)
        plan.decoding = len(decoding)
        if not prefilling:
            plan.passes.append(decoding)
            return
        budget = self.limits.batch_tokens - len(decoding)
        if prefill_tokens is not None and decoding:
            budget = min(budget, prefill_tokens)
        room = self.limits.cells - self.slots.cells_used - len(decoding)
        prefill = [
            Piece(sequence, sequence.computed, count, count == sequence.pending)
            for sequence, count in _divide(prefilling, min(budget, room), self.limits.tile)
        ]
        plan.prefilled = sum(piece.length for piece in prefill)
        if not self._own_cells:
            plan.passes.append(sorted([*decoding, *prefill], key=_slot_of))
            return
        if decoding:
            plan.passes.append(decoding)
        plan.passes += _alike(prefill)

    def _gather(self, plan: Plan) -> None:
        """Move sequences together that have been computed apart for a while.

        With cells of their own, only sequences of consecutive slots are computed in one pass.
        """
        running = self.running
        if len(running) < 2:
            return
        taken = [sequence.slot for sequence in running]
        if max(taken) - min(taken) < len(taken):
            self._scattered_steps = 0
            return
        self._scattered_steps += 1
        if self._scattered_steps < GATHER_AFTER_STEPS:
            return
        self._scattered_steps = 0
        last = max(running, key=_slot)
        gap = next(n for n in range(min(taken), len(self.slots)) if n not in taken)
        left = last.slot
        keep = last.computed
        plan.changes.append(Place(gap, keep, left) if keep else Clear(gap))
        plan.changes.append(Clear(left))
        self.slots.move(last, gap)

    def _make_cells(self, plan: Plan) -> None:
        """See that every running sequence can advance by a token, whatever has to go for it."""
        while self.slots.cells_used + len(self.running) > self.limits.cells:
            if not self._evict(plan):
                self.preempt(self._victim(self.running))


def _slot(sequence: Sequence) -> int:
    return sequence.slot


def _slot_of(piece: Piece) -> int:
    return piece.sequence.slot


def _divide(prefilling: list[Sequence], budget: int, tile: int) -> Iterator[tuple[Sequence, int]]:
    """The oldest gets half, so that none starves; the rest goes to whoever is done soonest.

    A prompt that is not finished with its share gets whole tiles, if it can have any.
    """
    left = budget
    oldest, *others = prefilling
    share = min(oldest.pending, max(1, budget // 2) if others else budget)
    order = [(oldest, share)]
    order += [(other, other.pending) for other in sorted(others, key=_pending)]
    order.append((oldest, oldest.pending - share))
    counts = dict.fromkeys(prefilling, 0)
    for sequence, wanted in order:
        count = min(wanted, left)
        if count < sequence.pending - counts[sequence] and counts[sequence] + count >= tile:
            count -= (counts[sequence] + count) % tile
        counts[sequence] += count
        left -= count
    yield from ((sequence, count) for sequence, count in counts.items() if count)


def _pending(sequence: Sequence) -> int:
    return sequence.pending


def _alike(prefill: list[Piece]) -> list[list[Piece]]:
    """Pieces of one length together: llama.cpp would cut a mixed batch into equal parts."""
    groups: dict[int, list[Piece]] = {}
    for piece in sorted(prefill, key=_slot_of):
        groups.setdefault(piece.length, []).append(piece)
    return list(groups.values())
