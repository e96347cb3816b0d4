"""The step loop: messages in, one step of computation, one frame out, again.

Contract: `run` serves until the gateway drains or closes the channel. While there is work each turn
takes one receive, one computation and one send, even if only gauges changed: the supervisor's
watchdog listens for it. Without work it blocks. A cancelled generation
leaves with the next frame. Every `Generate` gets exactly one `Ended`. A breakage of the
computation ends the worker (`DecodeError`): the supervisor starts another and resumes.
"""

import time
from collections.abc import Sequence as Many

import numpy as np

from appliance.engine.wire import (
    Begun,
    Cancel,
    Configure,
    Drain,
    Ended,
    Gauges,
    Generate,
    Progress,
    Step,
    ToWorker,
)
from appliance.engine.worker.answer import Answer
from appliance.engine.worker.channel import Channel
from appliance.engine.worker.decoder import Decoder, Outcome
from appliance.engine.worker.intake import Intake
from appliance.engine.worker.pace import Pace
from appliance.engine.worker.plan import Piece, Plan
from appliance.engine.worker.scheduler import Scheduler
from appliance.errors import Code, RefusalError
from appliance.generation.outcome import Finished, NotServed

GAUGES_EVERY_SECONDS = 0.05


class DecodeError(Exception):
    """llama.cpp could not compute, and trying again will not help."""


class StepLoop:
    """Serves one model over one channel."""

    def __init__(
        self,
        channel: Channel,
        intake: Intake,
        scheduler: Scheduler,
        decoder: Decoder,
        pace: Pace,
    ) -> None:
        self._channel = channel
        self._intake = intake
        self._scheduler = scheduler
        self._decoder = decoder
        self._answers: dict[int, Answer] = {}
        self._ended: list[Ended] = []
        self._changed: list[Answer] = []
        self._draining = False
        self._decoded = self._prefilled = self._cached = 0
        self._step_seconds = 0.0
        self._gauges_due = 0.0
        self._pace = pace

    def run(self) -> None:
        """Serve.

        Raises `ChannelClosedError`, `WireError` or `DecodeError`.
        """
        while True:
            working = self._scheduler.has_work
            if not working and self._draining:
                return
            for message in self._channel.receive(wait=not working):
                self._handle(message)
            if self._scheduler.has_work:
                self._step()
                self._report()
            elif self._ended or self._changed:
                self._report()

    # Messages

    def _handle(self, message: ToWorker) -> None:
        match message:
            case Generate():
                self._generate(message)
            case Cancel():
                answer = self._answers.get(message.id)
                if answer is not None:
                    answer.cancel()
                    self._finish(answer)
            case Drain():
                self._draining = True
            case Configure():
                raise DecodeError("configured twice")

    def _generate(self, message: Generate) -> None:
        if self._draining:
            self._refuse(message.id, Code.SHUTTING_DOWN, "This model is being unloaded.")
            return
        try:
            answer = self._intake.accept(message)
        except RefusalError as refused:
            refusal = refused.refusal
            ending = NotServed(
                code=refusal.code,
                message=refusal.message,
                param=refusal.param,
                retry_after=refusal.retry_after,
            )
            self._ended.append(Ended(id=message.id, ending=ending))
            return
        self._answers[message.id] = answer
        if answer.ended is not None:  # nothing left to do after a crash, or max_tokens is 0
            self._changed.append(answer)
            self._leave(answer, answer.ended)
        elif not self._scheduler.submit(answer.sequence, always=bool(message.resume)):
            del self._answers[message.id]
            answer.close()
            self._refuse(
                message.id,
                Code.QUEUE_FULL,
                "Too many requests wait for this model; try again shortly.",
                retry_after=1.0,
            )

    def _refuse(
        self, generation: int, code: Code, message: str, retry_after: float | None = None
    ) -> None:
        ending = NotServed(code=code, message=message, retry_after=retry_after)
        self._ended.append(Ended(id=generation, ending=ending))

    # The step

    def _step(self) -> None:
        began = time.perf_counter()
        scheduler = self._scheduler
        depth = scheduler.prefill_depth
        plan = scheduler.plan(self._pace.prefill_tokens(len(scheduler.running), depth))
        if plan.begun:
            self._channel.send(Begun(ids=tuple(sequence.id for sequence in plan.begun)))
            self._cached += sum(sequence.computed for sequence in plan.begun)
        if plan.changes and not self._change_cache(plan):
            return
        if not plan.decoding and not plan.prefilled:
            raise DecodeError("a step without anything to compute")
        decoder = self._decoder
        for pieces in plan.passes:
            rows = decoder.fill(pieces)
            outcome = decoder.decode()
            if outcome is not Outcome.DONE:
                self._recover(pieces, outcome)
                return
            scheduler.computed(pieces)
            self._sample(pieces, rows)
        self._prefilled += plan.prefilled
        self._step_seconds = time.perf_counter() - began
        self._pace.observe(plan.decoding, plan.prefilled, depth, self._step_seconds)

    def _change_cache(self, plan: Plan) -> bool:
        """Carry out the changes; false if a cache that cannot be cut makes the plan void."""
        lost = self._decoder.apply(plan.changes)
        for sequence in self._scheduler.running:
            if sequence.slot in lost:
                sequence.computed = sequence.cached = 0
        return not lost

    def _recover(self, pieces: Many[Piece], outcome: Outcome) -> None:
        for slot in self._decoder.restore(pieces):
            for sequence in self._scheduler.running:
                if sequence.slot == slot:
                    sequence.computed = 0
        if outcome is Outcome.NO_SLOT:
            relief = self._scheduler.relieve()
            if relief.changes:
                self._decoder.apply(relief.changes)
                return
        elif outcome is Outcome.ABORTED:
            return
        raise DecodeError(outcome.name)

    def _sample(self, pieces: Many[Piece], rows: Many[int]) -> None:
        """Choose the next token of every sequence whose logits are there."""
        answers = self._answers
        wanted = [
            (answers[piece.sequence.id], row)
            for piece, row in zip(pieces, rows, strict=True)
            if piece.samples
        ]
        self._decoded += len(wanted)
        if not wanted:
            return
        logits = self._decoder.logits(len(wanted))
        likeliest = logits.argmax(axis=1).tolist()
        context = self._decoder.context
        changed = self._changed
        for at, (answer, row) in enumerate(wanted):
            sampler = answer.sampler
            if len(answer.sequence.tokens) < answer.may_end_at:
                logits[at, answer.end_ids] = -np.inf
                likeliest[at] = int(logits[at].argmax())
            if not sampler.greedy:
                token = sampler.sample(context, row)
            else:
                token = likeliest[at]
                if token in sampler.forbidden:
                    logits[at, sampler.forbidden_ids] = -np.inf
                    token = int(logits[at].argmax())
            if answer.take(token):
                changed.append(answer)
            else:
                self._finish(answer)

    def _finish(self, answer: Answer) -> None:
        """An answer has its ending: free its place."""
        slot = self._scheduler.finish(answer.sequence)
        if slot is not None:
            self._decoder.clear(slot)
        self._changed.append(answer)
        assert answer.ended is not None
        self._leave(answer, answer.ended)

    def _leave(self, answer: Answer, ending: Finished) -> None:
        answer.close()
        del self._answers[answer.sequence.id]
        self._ended.append(Ended(id=answer.sequence.id, ending=ending))

    def _report(self) -> None:
        """One frame for all that changed."""
        progress: list[Progress] = []
        for answer in self._changed:
            news = answer.progress()
            if news is not None:
                progress.append(news)
        now = time.perf_counter()
        gauges = None
        if now >= self._gauges_due or not self._scheduler.has_work:
            self._gauges_due = now + GAUGES_EVERY_SECONDS
            gauges = self._gauges()
        self._channel.send(Step(progress=tuple(progress), ended=tuple(self._ended), gauges=gauges))
        self._changed.clear()
        self._ended.clear()

    def _gauges(self) -> Gauges:
        slots = self._scheduler.slots
        return Gauges(
            running=len(self._scheduler.running),
            waiting=len(self._scheduler.waiting),
            cells_used=slots.cells_used,
            cells_total=self._scheduler.limits.cells,
            cells_cached=slots.cells_cached,
            step_seconds=self._step_seconds,
            tokens_decoded=self._decoded,
            tokens_prefilled=self._prefilled,
            tokens_cached=self._cached,
            preemptions=self._scheduler.preemptions,
        )
