"""The order in which an exchange goes through the rooms, and every way it can end."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from appliance.errors import Code, Refusal
from appliance.gateway.exchange import HELD_CHARACTERS, Exchange
from appliance.generation.outcome import Delta, Failed, Finished, NotServed
from appliance.generation.prompt import Chat, Message, Text, Tokens
from appliance.generation.request import GenerationRequest
from appliance.redaction.actions import Action
from tests.support.house import DONE, House, text_of

CARD = "4111 1111 1111 1111"


def run(scenario: Callable[[House], Awaitable[None]]) -> None:
    async def main() -> None:
        house = House()
        async with asyncio.timeout(20):
            await scenario(house)
            await house.gateway.close(1.0)

    asyncio.run(main())


def refusal_of(exchange: Exchange) -> Refusal:
    assert isinstance(exchange.ending, Refusal)
    return exchange.ending


def test_an_answer_is_opened_shown_and_closed() -> None:
    async def scenario(house: House) -> None:
        exchange = house.begin()
        assert await exchange.admitted() is None
        assert await text_of(exchange) == "one two"
        assert exchange.ending == DONE
        assert house.journal.actions == ["exchange.opened", "exchange.closed"]

    run(scenario)


def test_nothing_is_shown_before_the_opened_entry_is_durable() -> None:
    async def scenario(house: House) -> None:
        house.journal.open_gate.clear()
        exchange = house.begin()
        admitted = asyncio.create_task(exchange.admitted())
        await asyncio.sleep(0.05)
        assert house.engine.asked, "prefill runs in parallel"
        assert not admitted.done()
        house.journal.open_gate.set()
        assert await admitted is None

    run(scenario)


def test_the_end_is_not_told_before_the_closed_entry_is_durable() -> None:
    async def scenario(house: House) -> None:
        house.engine.script = [Delta(text="first words "), Delta(text="last"), DONE]
        exchange = house.begin()
        pieces = exchange.pieces()
        shown = await anext(pieces)
        house.journal.open_gate.clear()
        await asyncio.sleep(0.05)
        with pytest.raises(RuntimeError):
            exchange.ending  # noqa: B018 - the access is what is tested
        house.journal.open_gate.set()
        async for more in pieces:
            shown += more
        assert "".join(shown) == "first words last"

    run(scenario)


def test_without_an_opened_entry_there_is_no_token_and_the_generation_stops() -> None:
    async def scenario(house: House) -> None:
        house.journal.fails_at = "exchange.opened"
        exchange = house.begin()
        refused = await exchange.admitted()
        assert refused is not None
        assert refused.code is Code.LOG_UNAVAILABLE
        assert house.engine.generations[0].cancelled.is_set()
        assert house.journal.actions == []

    run(scenario)


def test_without_a_closed_entry_the_reader_gets_an_error_and_no_end() -> None:
    async def scenario(house: House) -> None:
        house.journal.fails_at = "exchange.closed"
        exchange = house.begin()
        await text_of(exchange)
        assert refusal_of(exchange).code is Code.LOG_UNAVAILABLE

    run(scenario)


def test_a_reader_that_goes_away_stops_the_generation_and_is_logged() -> None:
    async def scenario(house: House) -> None:
        house.engine.script = [Delta(text="and so on ")]
        exchange = house.begin()
        await exchange.admitted()
        exchange.abandon()
        await text_of(exchange)
        assert house.engine.generations[0].cancelled.is_set()
        assert house.journal.events[-1].outcome == "abandoned"

    run(scenario)


def test_a_reader_that_takes_nothing_is_cut_off_and_logged() -> None:
    async def scenario(house: House) -> None:
        house.engine.script = [Delta(text="word " * (HELD_CHARACTERS // 4)), Delta(text="x")]
        exchange = house.begin()
        await exchange.admitted()
        await asyncio.sleep(0.3)
        assert exchange.abandoned
        assert house.engine.generations[0].cancelled.is_set()
        assert house.journal.events[-1].outcome == "abandoned"

    run(scenario)


@pytest.mark.parametrize(
    ("ending", "code", "outcome"),
    [
        (
            NotServed(code=Code.QUEUE_FULL, message="full", retry_after=2),
            Code.QUEUE_FULL,
            "refused",
        ),
        (Failed(code=Code.MODEL_UNAVAILABLE, message="gone"), Code.MODEL_UNAVAILABLE, "failed"),
    ],
)
def test_an_engine_that_does_not_serve(
    ending: NotServed | Failed, code: Code, outcome: str
) -> None:
    async def scenario(house: House) -> None:
        house.engine.script = [ending]
        exchange = house.begin()
        refused = await exchange.admitted()
        assert refused is not None
        assert refused.code is code
        assert house.journal.actions == ["exchange.opened", "exchange.closed"]
        assert house.journal.events[-1].outcome == outcome

    run(scenario)


def test_breakage_inside_ends_this_exchange_without_content_in_error_or_entry() -> None:
    async def scenario(house: House) -> None:
        house.engine.script = [Delta(text="fine "), ValueError("the patient's name")]
        exchange = house.begin()
        await text_of(exchange)
        assert refusal_of(exchange).code is Code.INTERNAL_ERROR
        assert "patient" not in refusal_of(exchange).message
        assert house.journal.events[-1].outcome == "failed"
        assert "patient" not in repr(house.journal.events)

    run(scenario)


def test_the_model_gets_the_scrubbed_prompt_and_the_log_the_count() -> None:
    async def scenario(house: House) -> None:
        await text_of(house.begin(f"my card is {CARD}, thanks"))
        (asked,) = house.engine.asked
        assert isinstance(asked.prompt, Chat)
        assert asked.prompt.messages[0].content == "my card is [CREDIT_CARD], thanks"
        opened = house.journal.events[0]
        assert getattr(opened, "redactions", None) == {"CREDIT_CARD": 1}
        assert CARD not in repr(house.journal.events)

    run(scenario)


def test_the_answer_is_scrubbed_across_chunks() -> None:
    async def scenario(house: House) -> None:
        house.engine.script = [
            *(Delta(text=part) for part in ("it is 4111 11", "11 1111 1", "111.")),
            DONE,
        ]
        assert await text_of(house.begin()) == "it is [CREDIT_CARD]."

    run(scenario)


def test_an_answer_that_policy_blocks_ends_in_a_refusal() -> None:
    async def scenario(house: House) -> None:
        house.screening.output_action = Action.BLOCK
        house.engine.script = [Delta(text=f"it is {CARD} "), Delta(text="x"), DONE]
        exchange = house.begin()
        assert CARD not in await text_of(exchange)
        assert refusal_of(exchange).code is Code.CONTENT_BLOCKED
        assert house.engine.generations[0].cancelled.is_set()
        assert house.journal.events[-1].outcome == "refused"

    run(scenario)


def test_token_ids_stay_as_they_are_when_there_is_nothing_to_take_out() -> None:
    async def scenario(house: House) -> None:
        await text_of(house.begin_request(GenerationRequest(prompt=Tokens(tokens=(2, 3)))))
        assert house.engine.asked[0].prompt == Tokens(tokens=(2, 3))

    run(scenario)


def test_token_ids_that_spell_a_card_become_scrubbed_text() -> None:
    async def scenario(house: House) -> None:
        ids = (0, 1, 1, 1, 2, 3)
        await text_of(house.begin_request(GenerationRequest(prompt=Tokens(tokens=ids))))
        assert house.engine.asked[0].prompt == Text(text="[CREDIT_CARD] and so on")

    run(scenario)


def test_a_token_id_outside_the_vocabulary_is_refused_and_logged() -> None:
    async def scenario(house: House) -> None:
        exchange = house.begin_request(GenerationRequest(prompt=Tokens(tokens=(99,))))
        refused = await exchange.admitted()
        assert refused is not None
        assert (refused.code, refused.param) == (Code.INVALID_REQUEST, "prompt")
        assert house.journal.actions == ["request.refused"]

    run(scenario)


def test_an_unknown_model_is_refused_and_logged_without_its_name() -> None:
    async def scenario(house: House) -> None:
        exchange = house.begin(model="mr-baker-of-elm-street")
        refused = await exchange.admitted()
        assert refused is not None
        assert refused.code is Code.MODEL_NOT_FOUND
        assert "baker" not in repr(house.journal.events)

    run(scenario)


@pytest.mark.parametrize(
    ("text", "max_tokens", "code", "param"),
    [
        ("x" * 1001, None, Code.REQUEST_TOO_LARGE, "messages"),
        ("x", 65, Code.INVALID_REQUEST, "max_tokens"),
    ],
)
def test_what_policy_does_not_allow_is_refused_with_the_number(
    text: str, max_tokens: int | None, code: Code, param: str
) -> None:
    async def scenario(house: House) -> None:
        prompt = Chat(messages=(Message(role="user", content=text),))
        request = GenerationRequest(prompt=prompt, max_tokens=max_tokens)
        refused = await house.begin_request(request).admitted()
        assert refused is not None
        assert (refused.code, refused.param) == (code, param)
        assert "1000" in refused.message or "64" in refused.message
        assert house.journal.actions == ["request.refused"]

    run(scenario)


def test_the_policys_token_limit_holds_where_the_caller_sets_none() -> None:
    async def scenario(house: House) -> None:
        await text_of(house.begin())
        assert house.engine.asked[0].max_tokens == 64

    run(scenario)


def test_closing_abandons_what_does_not_end_and_logs_it() -> None:
    async def scenario(house: House) -> None:
        house.engine.script = [Delta(text="and so on ")]
        await house.begin().admitted()
        await house.gateway.close(0.05)
        assert house.engine.generations[0].cancelled.is_set()
        assert house.journal.events[-1].outcome == "abandoned"

    run(scenario)


def test_breakage_before_the_opened_entry_has_an_entry_too() -> None:
    async def scenario(house: House) -> None:
        def broken(subject: object) -> None:
            raise ValueError("the patient's name")

        house.screening.input_scrubber = broken  # type: ignore[assignment, method-assign]
        refused = await house.begin().admitted()
        assert refused is not None
        assert refused.code is Code.INTERNAL_ERROR
        assert house.journal.actions == ["request.refused"]
        assert "patient" not in repr(house.journal.events)

    run(scenario)


def test_closing_waits_for_what_runs_and_refuses_what_is_new() -> None:
    async def scenario(house: House) -> None:
        house.journal.open_gate.clear()
        running = house.begin()
        closing = asyncio.create_task(house.gateway.close(5.0))
        await asyncio.sleep(0.02)
        late = house.begin()
        house.journal.open_gate.set()
        await closing
        assert isinstance(running.ending, Finished)
        assert refusal_of(late).code is Code.SHUTTING_DOWN

    run(scenario)
