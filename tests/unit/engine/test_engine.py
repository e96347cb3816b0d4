"""The engine with real workers and a real, if meaningless, model."""

import asyncio
from pathlib import Path

import pytest

from appliance.engine.engine import Engine
from appliance.errors import Code, UnavailableError
from appliance.generation.outcome import FinishReason, NotServed
from appliance.generation.prompt import Chat, Message, Prompt, Tokens
from appliance.generation.request import Priority
from appliance.generation.sampling import Sampling
from tests.support.engine_reference import differ_only_in_ties
from tests.support.engine_talk import (
    asking,
    begin,
    collect,
    say,
    settings,
    with_model,
)
from tests.support.engine_weights import sealed

CHAT = Chat(messages=(Message(role="user", content="the ward"),))


@pytest.mark.parametrize("prompt", ["the patient", CHAT, Tokens(tokens=(5, 6, 7))], ids=type)
def test_every_kind_of_prompt_is_answered(small_model: Path, prompt: Prompt | str) -> None:
    said = with_model(small_model, lambda engine: say(engine, asking(prompt)))
    assert said.finished.reason is FinishReason.LENGTH
    assert len(said.tokens) == 16
    assert said.finished.usage.completion_tokens == 16


def test_the_description_says_what_was_loaded(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        description = engine.describe("model")
        assert description is not None
        assert description.context_tokens == 512
        assert description.vocabulary[4] == b"<|im_end|>"
        assert description.architecture == "llama"
        assert len(description.template_digest) == 64
        assert description.unrestricted == ()
        assert "seccomp" in description.restrictions
        assert engine.models() == ("model",)
        assert engine.describe("other") is None

    with_model(small_model, body)


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(small_model: Path) -> None:
    prompt = Tokens(tokens=(5,) * 600)
    said = with_model(small_model, lambda engine: say(engine, asking(prompt)))
    assert isinstance(said.ending, NotServed)
    assert said.ending.code is Code.CONTEXT_LENGTH_EXCEEDED
    assert "600" in said.ending.message
    assert "512" in said.ending.message


def test_an_answer_may_fill_the_context_to_the_last_token(small_model: Path) -> None:
    prompt = Tokens(tokens=(5,) * 500)
    request = asking(prompt, max_tokens=None, sampling=Sampling(temperature=0, ignore_eos=True))
    said = with_model(small_model, lambda engine: say(engine, request))
    assert said.finished.reason is FinishReason.LENGTH
    assert len(said.tokens) == 12


@pytest.mark.parametrize("tokens", [(-1,), (1_000_000,), ()])
def test_token_ids_outside_the_vocabulary_are_refused(
    small_model: Path, tokens: tuple[int, ...]
) -> None:
    said = with_model(small_model, lambda engine: say(engine, asking(Tokens(tokens=tokens))))
    assert isinstance(said.ending, NotServed)
    assert said.ending.code is Code.INVALID_REQUEST


def test_bias_for_tokens_outside_the_vocabulary_is_refused(small_model: Path) -> None:
    sampling = Sampling(temperature=0, logit_bias=((999_999, 1.0),))
    said = with_model(small_model, lambda engine: say(engine, asking(sampling=sampling)))
    assert isinstance(said.ending, NotServed)


def test_thirty_two_at_once_say_what_each_says_alone(small_model: Path) -> None:
    requests = [asking(Tokens(tokens=tuple(range(5 + n, 25 + n)))) for n in range(32)]

    async def alone(engine: Engine) -> list[tuple[int, ...]]:
        return [(await say(engine, request)).tokens for request in requests]

    async def together(engine: Engine) -> list[tuple[int, ...]]:
        said = await asyncio.gather(*(say(engine, request) for request in requests))
        return [one.tokens for one in said]

    one_by_one = with_model(small_model, alone, sequences=1, prefix_cache=False)
    for sizes in ({"sequences": 32}, {"sequences": 5, "context_tokens": 512}):
        at_once = with_model(small_model, together, **sizes)
        for number, (left, right) in enumerate(zip(one_by_one, at_once, strict=True)):
            prompt = range(5 + number, 25 + number)
            assert differ_only_in_ties(small_model, prompt, left, right)


def test_a_prompt_seen_before_is_not_computed_again_and_the_answer_is_the_same(
    small_model: Path,
) -> None:
    request = asking(Tokens(tokens=tuple(range(5, 105))))

    async def body(engine: Engine) -> None:
        first = await say(engine, request)
        second = await say(engine, request)
        stranger = await say(engine, request, domain="bank")
        assert first.tokens == second.tokens == stranger.tokens
        assert first.finished.usage.cached_tokens == 0
        assert second.finished.usage.cached_tokens == 99
        assert stranger.finished.usage.cached_tokens == 0

    with_model(small_model, body)


def test_who_asks_alike_at_once_shares_one_prefill(small_model: Path) -> None:
    shared = tuple(range(5, 205))
    requests = [asking(Tokens(tokens=(*shared, 210 + n))) for n in range(6)]

    async def alone(engine: Engine) -> list[tuple[int, ...]]:
        return [(await say(engine, request)).tokens for request in requests]

    async def body(engine: Engine) -> None:
        said = await asyncio.gather(*(say(engine, request) for request in requests))
        for number, one in enumerate(said):
            prompt = (*shared, 210 + number)
            assert differ_only_in_ties(small_model, prompt, expected[number], one.tokens)
        cached = sorted(one.finished.usage.cached_tokens for one in said)
        assert cached[0] == 0
        assert cached[1] > 150
        gauges = engine.gauges("model")
        assert gauges is not None
        assert gauges.worker is not None
        assert gauges.worker.tokens_prefilled < 201 + 5 * 50

    expected = with_model(small_model, alone, prefix_cache=False)
    with_model(small_model, body, sequences=8)
    with_model(small_model, body, sequences=8, context_tokens=2048)


def test_a_seed_repeats_an_answer_and_is_reported(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        sampling = Sampling(temperature=1.5, seed=7)
        first = await say(engine, asking(sampling=sampling))
        again = await say(engine, asking(sampling=sampling))
        drawn = await say(engine, asking(sampling=Sampling(temperature=1.5)))
        redrawn = await say(
            engine, asking(sampling=Sampling(temperature=1.5, seed=drawn.finished.seed))
        )
        assert first.tokens == again.tokens
        assert first.finished.seed == 7
        assert drawn.tokens == redrawn.tokens != first.tokens

    with_model(small_model, body)


def test_sampling_parameters_reach_the_sampler(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        greedy = (await say(engine, asking())).tokens
        for narrow in (
            Sampling(top_k=1),
            Sampling(top_p=1e-6),
            Sampling(min_p=1.0),
            Sampling(temperature=1e-3),
        ):
            assert (await say(engine, asking(sampling=narrow))).tokens == greedy
        forced = Sampling(temperature=0, logit_bias=((42, 1000.0),))
        assert set((await say(engine, asking(sampling=forced))).tokens) == {42}
        forbidden = Sampling(temperature=0, logit_bias=((greedy[0], float("-inf")),))
        assert greedy[0] not in (await say(engine, asking(sampling=forbidden))).tokens
        penalised = Sampling(temperature=0, presence_penalty=100.0, repeat_last_n=-1)
        tokens = (await say(engine, asking(sampling=penalised))).tokens
        assert len(set(tokens)) == len(tokens)

    with_model(small_model, body)


def test_every_other_sampler_reaches_the_sampler(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        greedy = (await say(engine, asking())).tokens
        for narrow in (
            Sampling(typical_p=1e-6, top_k=1),
            Sampling(top_n_sigma=1e-6),
            Sampling(mirostat=2, mirostat_tau=0.0, temperature=0.01),
            Sampling(temperature=1e-3, dynamic_temperature_range=1e-4),
        ):
            assert (await say(engine, asking(sampling=narrow))).tokens == greedy
        first = Sampling(top_k=2, seed=3, xtc_probability=1.0, xtc_threshold=0.0)
        assert greedy[0] != (await say(engine, asking(sampling=first, max_tokens=1))).tokens[0]
        repeats = Sampling(temperature=0, logit_bias=((42, 90.0), (43, 60.0)))
        assert set((await say(engine, asking(sampling=repeats))).tokens) == {42}
        varied = Sampling(temperature=0, logit_bias=repeats.logit_bias, dry_multiplier=50.0)
        assert len(set((await say(engine, asking(sampling=varied))).tokens)) > 1

    with_model(small_model, body)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_turn_does_not_end_before_its_minimum(small_model: Path, temperature: float) -> None:
    sampling = Sampling(temperature=temperature, logit_bias=((4, 1000.0),), min_tokens=5)
    said = with_model(small_model, lambda engine: say(engine, asking(sampling=sampling)))
    assert len(said.tokens) == 5
    assert said.finished.reason is FinishReason.STOP


def test_a_stop_string_ends_the_answer_before_itself(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        whole = (await say(engine, asking(max_tokens=40))).text
        stop = whole[8:11]
        said = await say(engine, asking(max_tokens=40, stop=(stop,)))
        assert said.text == whole[: whole.index(stop)]
        assert said.finished.reason is FinishReason.STOP

    with_model(small_model, body)


def test_the_end_of_a_turn_stops_unless_it_is_to_be_ignored(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        wants_to_end = ((4, 1000.0),)
        ends = await say(engine, asking(sampling=Sampling(temperature=0, logit_bias=wants_to_end)))
        assert ends.finished.reason is FinishReason.STOP
        assert ends.tokens == ()
        goes_on = await say(
            engine,
            asking(sampling=Sampling(temperature=0, logit_bias=wants_to_end, ignore_eos=True)),
        )
        assert len(goes_on.tokens) == 16

    with_model(small_model, body)


def test_a_cancelled_generation_ends_soon_and_leaves_nothing_behind(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        request = asking(max_tokens=None, sampling=Sampling(temperature=0, ignore_eos=True))
        generations = [begin(engine, request) for _ in range(8)]  # four of them wait
        for generation in generations:
            generation.cancel()
            generation.cancel()
        said = await asyncio.gather(*map(collect, generations))
        assert {one.finished.reason for one in said} == {FinishReason.CANCELLED}
        await say(engine, asking(max_tokens=1))
        gauges = engine.gauges("model")
        assert gauges is not None
        assert gauges.held == 0
        assert gauges.worker is not None
        assert gauges.worker.running == gauges.worker.waiting == 0
        assert gauges.worker.cells_used == gauges.worker.cells_cached

    with_model(small_model, body)


def test_a_full_queue_refuses_and_says_when_to_come_back(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        request = asking(max_tokens=100, sampling=Sampling(temperature=0, ignore_eos=True))
        said = await asyncio.gather(
            *(collect(begin(engine, request)) for _ in range(10)),
        )
        refused = [one.ending for one in said if isinstance(one.ending, NotServed)]
        assert len(refused) == 6
        assert all(one.code is Code.QUEUE_FULL and one.retry_after for one in refused)

    with_model(small_model, body, sequences=2, queue_limit=2)


def test_batch_requests_give_way_and_still_end_whole(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        sampling = Sampling(temperature=0, ignore_eos=True)
        slow = asking("the bank", max_tokens=200, sampling=sampling, priority=Priority.BATCH)
        expected = (await say(engine, slow)).tokens
        batch = begin(engine, slow)
        task = asyncio.ensure_future(collect(batch))
        await asyncio.sleep(0.05)
        quick = await say(engine, asking(max_tokens=4, sampling=sampling))
        assert len(quick.tokens) == 4
        assert (await task).tokens == expected

    with_model(small_model, body, sequences=1)


def test_zero_tokens_are_zero_tokens(small_model: Path) -> None:
    said = with_model(small_model, lambda engine: say(engine, asking(max_tokens=0)))
    assert said.tokens == ()
    assert said.finished.reason is FinishReason.LENGTH


def test_a_request_that_cannot_be_sent_is_an_ending_not_an_exception(small_model: Path) -> None:
    request = asking(sampling=Sampling(top_k=1 << 70))
    said = with_model(small_model, lambda engine: say(engine, request))
    assert isinstance(said.ending, NotServed)
    assert said.ending.code is Code.INVALID_REQUEST


def test_an_unknown_model_is_an_ending_not_an_exception() -> None:
    async def body() -> None:
        said = await collect(Engine().generate("none", asking(), domain="ward"))
        assert isinstance(said.ending, NotServed)
        assert said.ending.code is Code.MODEL_NOT_FOUND

    asyncio.run(body())


@pytest.mark.parametrize("data", [b"", b"GGUF", b"not a model at all" * 100])
def test_weights_that_are_none_fail_the_load_with_a_reason(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(data)

    async def body() -> None:
        engine = Engine()
        with pytest.raises(UnavailableError, match=r"llama\.cpp does not take this file"):
            await engine.load("model", sealed(path), settings())
        assert engine.models() == ()

    asyncio.run(body())


def test_a_name_is_loaded_once(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        with pytest.raises(UnavailableError):
            await engine.load("model", sealed(small_model), settings())

    with_model(small_model, body)


def test_unloading_lets_what_runs_finish(small_model: Path) -> None:
    async def body(engine: Engine) -> None:
        request = asking(max_tokens=100, sampling=Sampling(temperature=0, ignore_eos=True))
        running = asyncio.ensure_future(collect(begin(engine, request)))
        await asyncio.sleep(0)
        await engine.unload("model", 30.0)
        assert len((await running).tokens) == 100
        assert engine.models() == ()

    with_model(small_model, body)
