"""The step loop with a real model and a decoder that fails on demand."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.engine.wire import (
    Begun,
    Cancel,
    Configure,
    Drain,
    Ended,
    FromWorker,
    Generate,
    Step,
    ToWorker,
)
from appliance.engine.worker.channel import ChannelClosedError
from appliance.engine.worker.decoder import Decoder, Outcome
from appliance.engine.worker.intake import Intake
from appliance.engine.worker.loop import DecodeError, StepLoop
from appliance.engine.worker.model import Model, load
from appliance.engine.worker.pace import Pace
from appliance.engine.worker.scheduler import Limits, Scheduler
from appliance.errors import Code
from appliance.generation.outcome import Finished, FinishReason, NotServed
from appliance.generation.prompt import Chat, Message, Tokens
from appliance.generation.sampling import Sampling
from tests.support.engine_talk import asking

SIZES = {"sequences": 4, "queue_limit": 8, "batch_tokens": 128, "threads": 1, "batch_threads": 1}


@pytest.fixture(scope="module")
def model(small_model: Path) -> Iterator[Model]:
    descriptor = os.open(small_model, os.O_RDONLY)
    yield load(descriptor, Configure(context_tokens=0, **SIZES), None)
    os.close(descriptor)


@dataclass
class ScriptedChannel:
    """Gives out messages in turn, each when the loop has taken so many steps; then closes."""

    script: list[tuple[int, ToWorker]]
    sent: list[FromWorker] = field(default_factory=list)
    turns: int = 0

    def receive(self, *, wait: bool) -> list[ToWorker]:
        if wait and not self.script:
            raise ChannelClosedError
        self.turns = max(self.turns + 1, self.script[0][0] if wait else 0)
        due = [message for turn, message in self.script if turn <= self.turns]
        self.script = [entry for entry in self.script if entry[0] > self.turns]
        return due

    def send(self, message: FromWorker) -> None:
        self.sent.append(message)

    @property
    def endings(self) -> dict[int, Ended]:
        ended = [e for m in self.sent if isinstance(m, Step) for e in m.ended]
        assert len({e.id for e in ended}) == len(ended), "somebody ended twice"
        return {e.id: e for e in ended}

    def tokens(self, generation: int) -> tuple[int, ...]:
        news = [p for m in self.sent if isinstance(m, Step) for p in m.progress]
        return tuple(token for p in news if p.id == generation for token in p.tokens)


def generate(id_: int, *tokens: int, **changes: object) -> Generate:
    return Generate(id=id_, request=asking(Tokens(tokens=tokens), **changes), domain="ward")


def serve(model: Model, channel: ScriptedChannel) -> StepLoop:
    geometry = model.geometry
    model.decoder.clear(-1)  # whatever an earlier test left
    limits = Limits(
        slots=geometry.slots,
        slot_tokens=geometry.slot_tokens,
        cells=geometry.cells,
        batch_tokens=geometry.batch_tokens,
        queue_limit=8,
    )
    return StepLoop(
        channel,  # type: ignore[arg-type] # a script in the channel's place
        Intake(model.vocabulary, None, geometry.slot_tokens),
        Scheduler(limits),
        model.decoder,
        Pace(),
    )


def run(model: Model, *script: tuple[int, ToWorker]) -> ScriptedChannel:
    channel = ScriptedChannel(list(script))
    with pytest.raises(ChannelClosedError):
        serve(model, channel).run()
    return channel


def failing(
    monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome, after: int = 2
) -> Callable[[], int]:
    """Let `decode` fail so and so after some good steps; returns how often it was called."""
    whole, calls = Decoder.decode, 0

    def decode(self: Decoder) -> Outcome:
        nonlocal calls
        calls += 1
        at = calls - after - 1
        return outcomes[at] if 0 <= at < len(outcomes) else whole(self)

    monkeypatch.setattr(Decoder, "decode", decode)
    return lambda: calls


def test_sixteen_tokens_take_sixteen_steps_and_one_ending(model: Model) -> None:
    channel = run(model, (0, generate(1, 5, 6, 7)))
    ending = channel.endings[1].ending
    assert isinstance(ending, Finished)
    assert len(channel.tokens(1)) == 16
    assert [m.ids for m in channel.sent if isinstance(m, Begun)] == [(1,)]
    assert sum(isinstance(m, Step) for m in channel.sent) == 16


def test_a_cancel_takes_effect_with_the_next_frame(model: Model) -> None:
    channel = run(model, (0, generate(1, 5, 6, 7)), (5, Cancel(id=1)))
    ending = channel.endings[1].ending
    assert isinstance(ending, Finished)
    assert ending.reason is FinishReason.CANCELLED
    assert len(channel.tokens(1)) <= 5


def test_a_cancel_for_somebody_unknown_is_nothing(model: Model) -> None:
    assert run(model, (0, Cancel(id=99)), (0, generate(1, 5))).endings.keys() == {1}


@pytest.mark.parametrize("outcome", [Outcome.NO_SLOT, Outcome.ABORTED])
def test_a_step_that_can_be_repeated_is_repeated_with_the_same_result(
    model: Model, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    quiet = run(model, (0, generate(1, 5, 6)), (0, generate(2, 9, 8)))
    calls = failing(monkeypatch, outcome)
    channel = run(model, (0, generate(1, 5, 6)), (0, generate(2, 9, 8)))
    assert channel.tokens(1) == quiet.tokens(1)
    assert channel.tokens(2) == quiet.tokens(2)
    assert calls() > 16


def test_without_room_somebody_is_taken_off_and_still_ends_whole(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = run(model, (0, generate(1, 5, 6)), (0, generate(2, 9, 8)))
    failing(monkeypatch, Outcome.NO_SLOT)
    channel = ScriptedChannel([(0, generate(1, 5, 6)), (0, generate(2, 9, 8))])
    with pytest.raises(ChannelClosedError):
        serve(model, channel).run()
    assert channel.tokens(2) == quiet.tokens(2)
    gauges = [m.gauges for m in channel.sent if isinstance(m, Step) and m.gauges]
    assert gauges[-1].preemptions >= 1
    assert gauges[-1].running == gauges[-1].waiting == 0


@pytest.mark.parametrize("outcome", [Outcome.FATAL, Outcome.INVALID])
def test_a_step_that_cannot_be_repeated_ends_the_worker(
    model: Model, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    failing(monkeypatch, outcome)
    with pytest.raises(DecodeError):
        serve(model, ScriptedChannel([(0, generate(1, 5, 6))])).run()


def test_no_room_for_a_single_sequence_ends_the_worker_instead_of_spinning(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, *[Outcome.NO_SLOT] * 100)
    with pytest.raises(DecodeError):
        serve(model, ScriptedChannel([(0, generate(1, 5, 6))])).run()


def test_a_cache_that_cannot_be_cut_computes_anew(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = range(5, 60)
    quiet = run(model, (0, generate(1, *prompt)))
    monkeypatch.setattr(Decoder, "truncate", lambda *_: False)
    channel = run(model, (0, generate(1, *prompt)), (40, generate(2, *prompt)))
    assert channel.tokens(2) == quiet.tokens(1)
    ending = channel.endings[2].ending
    assert isinstance(ending, Finished)
    assert ending.usage.cached_tokens == 0


def test_draining_finishes_what_runs_and_refuses_what_comes(model: Model) -> None:
    channel = ScriptedChannel([(0, generate(1, 5, 6)), (3, Drain()), (4, generate(2, 7))])
    serve(model, channel).run()
    assert isinstance(channel.endings[1].ending, Finished)
    late = channel.endings[2].ending
    assert isinstance(late, NotServed)
    assert late.code is Code.SHUTTING_DOWN


def test_a_conversation_without_a_template_is_refused(model: Model) -> None:
    chat = Chat(messages=(Message(role="user", content="x"),))
    channel = run(model, (0, Generate(id=1, request=asking(chat), domain="ward")))
    ending = channel.endings[1].ending
    assert isinstance(ending, NotServed)
    assert "chat template" in ending.message


def test_a_resumed_generation_that_was_over_just_ends(model: Model) -> None:
    whole = run(model, (0, generate(1, 5, 6))).tokens(1)
    message = generate(2, 5, 6)
    resumed = Generate(id=2, request=message.request, domain="ward", resume=whole, released=10_000)
    channel = run(model, (0, resumed))
    ending = channel.endings[2].ending
    assert isinstance(ending, Finished)
    assert ending.reason is FinishReason.LENGTH
    assert ending.usage.completion_tokens == 16
    assert channel.tokens(2) == ()


numbers = st.one_of(st.floats(), st.floats(-2, 2), st.just(0.0), st.just(1.0))
whole = st.one_of(st.integers(-3, 50), st.sampled_from([2**31 - 1, -(2**31), 2**31, 2**63]))
samplings = st.builds(
    Sampling,
    temperature=numbers,
    top_k=whole,
    top_p=numbers,
    min_p=numbers,
    seed=st.none() | st.integers(0, 2**32 - 1),
    repeat_penalty=numbers,
    repeat_last_n=whole,
    frequency_penalty=numbers,
    presence_penalty=numbers,
    logit_bias=st.lists(st.tuples(st.integers(-2, 400), numbers), max_size=4).map(tuple),
    ignore_eos=st.booleans(),
    min_tokens=whole,
    typical_p=numbers,
    top_n_sigma=numbers,
    xtc_probability=numbers,
    xtc_threshold=numbers,
    dynamic_temperature_range=numbers,
    dynamic_temperature_exponent=numbers,
    mirostat=st.integers(-1, 3),
    mirostat_tau=numbers,
    mirostat_eta=numbers,
    dry_multiplier=numbers,
    dry_base=numbers,
    dry_allowed_length=whole,
    dry_last_n=whole,
    dry_breakers=st.lists(st.text(max_size=4), max_size=3).map(tuple),
)
DEFAULTS = Sampling()


@st.composite
def mostly_ordinary(draw: st.DrawFn) -> Sampling:
    """Wild values in a few fields only, or a refusal for one hides what the others do."""
    wild = draw(samplings)
    names = draw(st.lists(st.sampled_from(Sampling.__struct_fields__), max_size=4))
    return msgspec.structs.replace(DEFAULTS, **{name: getattr(wild, name) for name in names})


@settings(max_examples=300, deadline=None)
@given(
    samplings | mostly_ordinary(),
    st.none() | st.integers(0, 8),
    st.lists(st.text(max_size=3), max_size=3),
)
def test_no_parameters_whatever_harm_the_worker(
    model: Model, sampling: Sampling, max_tokens: int | None, stop: list[str]
) -> None:
    tokens = 8 if max_tokens is None else max_tokens
    message = generate(1, 5, 6, sampling=sampling, max_tokens=tokens, stop=tuple(stop))
    ending = run(model, (0, message)).endings[1].ending
    assert isinstance(ending, Finished | NotServed)
