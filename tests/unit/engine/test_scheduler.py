"""The scheduler against a simulator of llama.cpp's KV cache."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.engine.worker.plan import Clear, Piece, Plan
from appliance.engine.worker.scheduler import GATHER_AFTER_STEPS, Limits, Scheduler
from appliance.engine.worker.sequence import Sequence
from appliance.engine.worker.slots import MIN_SHARED_TOKENS
from appliance.generation.request import Priority


def pieces_of(plan: Plan) -> list[Piece]:
    return [piece for pieces in plan.passes for piece in pieces]


@dataclass
class CacheSimulator:
    """Holds, per slot, the tokens that were really computed there; refuses what llama.cpp would."""

    limits: Limits
    slots: dict[int, list[int]] = field(default_factory=dict)
    domains: dict[int, str] = field(default_factory=dict)

    def carry_out(self, plan: Plan) -> None:
        for change in plan.changes:
            if isinstance(change, Clear):
                self.slots[change.slot] = []
                continue
            if change.source is not None:
                self.slots[change.slot] = list(self.slots[change.source])
                self.domains[change.slot] = self.domains[change.source]
            assert len(self.slots[change.slot]) >= change.keep, "keeps more than there is"
            self.slots[change.slot] = self.slots[change.slot][: change.keep]
        for pieces in plan.passes:
            order = [piece.sequence.slot for piece in pieces]
            assert order == sorted(order)
        for piece in pieces_of(plan):
            sequence = piece.sequence
            held = self.slots.setdefault(sequence.slot, [])
            assert len(held) == piece.start, "a gap in the positions"
            assert held == sequence.tokens[: piece.start], "somebody else's cells"
            if piece.start:
                assert self.domains[sequence.slot] == sequence.domain, "another domain's cells"
            self.domains[sequence.slot] = sequence.domain
            held += sequence.tokens[piece.start : piece.start + piece.length]
        assert sum(map(len, self.slots.values())) <= self.limits.cells
        assert sum(p.length for p in pieces_of(plan)) <= self.limits.batch_tokens


def make(id_: int, prompt: list[int], new: int, domain: str = "a", batch: bool = False) -> Sequence:
    return Sequence(
        id=id_,
        domain=domain,
        tokens=list(prompt),
        limit=len(prompt) + new,
        priority=Priority.BATCH if batch else Priority.INTERACTIVE,
        prompt_tokens=len(prompt),
    )


def step(scheduler: Scheduler, cache: CacheSimulator, prefill: int | None = None) -> Plan:
    """One engine step: plan, compute, sample; sequences at their limit finish."""
    plan = scheduler.plan(prefill)
    cache.carry_out(plan)
    for pieces in plan.passes:
        scheduler.computed(pieces)
    for piece in pieces_of(plan):
        sequence = piece.sequence
        assert piece.samples == (sequence.pending == 0)
        if sequence.pending == 0:
            sequence.tokens.append(sequence.id * 1000 + len(sequence.tokens))
            if len(sequence.tokens) >= sequence.limit:
                slot = scheduler.finish(sequence)
                if slot is not None:
                    cache.slots[slot] = []
    return plan


def limits(**changes: int) -> Limits:
    values = {"slots": 4, "slot_tokens": 64, "cells": 256, "batch_tokens": 32, "queue_limit": 8}
    return Limits(**(values | changes))


arrivals = st.lists(
    st.tuples(
        st.integers(1, 60),  # prompt tokens
        st.integers(1, 30),  # new tokens
        st.sampled_from("ab"),  # domain
        st.booleans(),  # batch priority
        st.integers(0, 3),  # which common beginning
        st.integers(0, 5),  # steps until the next arrival
        st.integers(0, 40),  # cancelled after so many steps; 40: never
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(
    arrivals,
    st.sampled_from([384, 256, 200, 130, 96]),
    st.sampled_from([8, 32]),
    st.sampled_from([None, 1, 8]),
)
def test_everything_ends_once_and_the_cache_is_never_overfilled(
    plan_of_arrivals: list[tuple[int, int, str, bool, int, int, int]],
    cells: int,
    batch_tokens: int,
    prefill: int | None,
) -> None:
    bounds = limits(slot_tokens=96, cells=cells, batch_tokens=batch_tokens, queue_limit=100)
    scheduler, cache = Scheduler(bounds), CacheSimulator(bounds)
    alive: dict[int, tuple[Sequence, int]] = {}
    for number, (prompt, new, domain, batch, family, wait, cancel) in enumerate(plan_of_arrivals):
        tokens = [family * 100 + n for n in range(prompt)]
        sequence = make(number, tokens, new, domain, batch)
        assert scheduler.submit(sequence)
        alive[number] = (sequence, cancel)
        for _ in range(wait):
            if scheduler.has_work:
                step(scheduler, cache, prefill)
            for victim, (running, left) in list(alive.items()):
                if running.slot < 0 and running not in list(waiting_of(scheduler)):
                    del alive[victim]
                elif left == 0:
                    slot = scheduler.finish(running)
                    if slot is not None:
                        cache.slots[slot] = []
                    del alive[victim]
                elif left < 40:
                    alive[victim] = (running, left - 1)
    bound = 20 + sum(p + n for p, n, *_ in plan_of_arrivals) * 4
    steps = 0
    while scheduler.has_work:
        before = sum(s.computed + len(s.tokens) for s in scheduler.running)
        plan = step(scheduler, cache, prefill)
        assert pieces_of(plan), (before, "work, but nothing to compute")
        steps += 1
        assert steps <= bound, "somebody starves"
    assert all(slot.owner is None for slot in scheduler.slots)
    assert not len(scheduler.waiting)
    for slot in scheduler.slots:
        assert slot.tokens == cache.slots.get(slot.id, [])


def waiting_of(scheduler: Scheduler) -> list[Sequence]:
    return [s for priority in Priority for s in scheduler.waiting.turns(priority)]


def test_a_long_prompt_never_stalls_those_who_decode() -> None:
    bounds = limits(slot_tokens=600, cells=4 * 600)
    scheduler, cache = Scheduler(bounds), CacheSimulator(bounds)
    talkers = [make(n, [n] * 3, 40) for n in range(3)]
    for talker in talkers:
        scheduler.submit(talker)
    step(scheduler, cache)
    scheduler.submit(make(9, list(range(500)), 1))
    for _ in range(10):
        lengths = [len(t.tokens) for t in talkers]
        plan = step(scheduler, cache)
        assert [len(t.tokens) for t in talkers] == [n + 1 for n in lengths]
        assert sum(p.length for p in pieces_of(plan)) == 32


def test_prefill_is_narrowed_only_while_somebody_decodes() -> None:
    bounds = limits(slot_tokens=600, cells=4 * 600)
    scheduler, cache = Scheduler(bounds), CacheSimulator(bounds)
    scheduler.submit(make(1, list(range(500)), 1))
    assert sum(p.length for p in pieces_of(step(scheduler, cache, 4))) == 32
    scheduler.submit(make(2, [1], 9))
    step(scheduler, cache, 4)
    assert [p.length for p in pieces_of(step(scheduler, cache, 4))] == [1, 4]


def test_a_full_line_refuses_one_more() -> None:
    scheduler = Scheduler(limits(slots=1, queue_limit=2))
    assert all(scheduler.submit(make(n, [1], 5)) for n in range(3))
    assert not scheduler.submit(make(3, [1], 5))
    assert scheduler.submit(make(4, [1], 5), always=True)


def test_interactive_goes_first_and_takes_the_slot_of_a_batch_sequence() -> None:
    bounds = limits(slots=1)
    scheduler, cache = Scheduler(bounds), CacheSimulator(bounds)
    slow = make(1, [1] * 5, 10, batch=True)
    scheduler.submit(slow)
    step(scheduler, cache)
    quick = make(2, [2] * 5, 2)
    scheduler.submit(quick)
    step(scheduler, cache)
    assert scheduler.running == [quick]
    assert scheduler.preemptions == 1
    while scheduler.has_work:
        step(scheduler, cache)
    assert len(slow.tokens) == slow.limit


def test_domains_take_turns_however_much_one_of_them_sends() -> None:
    bounds = limits(slots=1)
    scheduler, cache = Scheduler(bounds), CacheSimulator(bounds)
    for n in range(5):
        scheduler.submit(make(n, [n], 1, "loud"))
    scheduler.submit(make(9, [9], 1, "quiet"))
    order = [pieces_of(step(scheduler, cache))[0].sequence.id for _ in range(3)]
    assert order == [0, 9, 1]


def test_a_prompt_that_another_one_is_computing_waits_and_is_copied() -> None:
    bounds = limits(slot_tokens=256, cells=1024)
    scheduler, cache = Scheduler(bounds), CacheSimulator(bounds)
    shared = list(range(100))
    first, second = make(1, [*shared, 7], 3), make(2, [*shared, 8], 3)
    scheduler.submit(first)
    scheduler.submit(second)
    computed = 0
    while scheduler.has_work:
        computed += sum(p.length for p in pieces_of(step(scheduler, cache)))
    assert 100 - MIN_SHARED_TOKENS < second.cached <= 100
    assert computed == 101 + (101 - second.cached) + 2 * 2


def test_a_finished_conversation_is_taken_up_where_it_ended() -> None:
    bounds = limits(slot_tokens=256, cells=1024)
    scheduler, cache = Scheduler(bounds), CacheSimulator(bounds)
    first = make(1, list(range(50)), 5)
    scheduler.submit(first)
    while scheduler.has_work:
        step(scheduler, cache)
    follow_up = make(2, [*first.tokens, 1, 2, 3], 2)
    scheduler.submit(follow_up)
    step(scheduler, cache)
    assert follow_up.cached == 54  # its last token was sampled, never computed


def test_another_domain_neither_gets_the_cells_nor_waits_for_them() -> None:
    bounds = limits(slot_tokens=256, cells=1024, batch_tokens=256)
    scheduler, cache = Scheduler(bounds), CacheSimulator(bounds)
    shared = list(range(100))
    scheduler.submit(make(1, shared, 3, "ward"))
    scheduler.submit(make(2, shared, 3, "bank"))
    plan = step(scheduler, cache)
    assert [p.length for p in pieces_of(plan)] == [100, 100]


def test_with_sharing_off_nothing_is_kept() -> None:
    bounds = limits(slot_tokens=256, cells=1024)
    scheduler, cache = Scheduler(bounds, sharing=False), CacheSimulator(bounds)
    for n in range(2):
        scheduler.submit(make(n, list(range(60)), 2))
        while scheduler.has_work:
            step(scheduler, cache)
    assert scheduler.slots.cells_used == 0


def test_sequences_left_scattered_are_moved_together() -> None:
    bounds = limits(slots=8, slot_tokens=128, cells=8 * 128)
    scheduler, cache = Scheduler(bounds), CacheSimulator(bounds)
    stays = [make(n, [n] * 4, 100) for n in (0, 3, 7)]
    for n in range(8):
        scheduler.submit(stays.pop(0) if n in (0, 3, 7) else make(n, [n] * 4, 2))
    for _ in range(3 * GATHER_AFTER_STEPS + 3):
        step(scheduler, cache)
    assert sorted(s.slot for s in scheduler.running) == [0, 1, 2]
    while scheduler.has_work:
        step(scheduler, cache)
