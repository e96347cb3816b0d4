"""Who is blamed for a crash, and who is resumed when."""

from appliance.engine.custody import PAST_THE_PLACE, Custody, Held
from appliance.engine.generation import Generation
from appliance.engine.wire import Progress
from appliance.generation.prompt import Text
from appliance.generation.request import GenerationRequest

REQUEST = GenerationRequest(prompt=Text(text="x"))


def holding(*ids: int) -> tuple[Custody, dict[int, Held]]:
    custody = Custody()
    held = {n: Held(Generation(n, lambda _: None), REQUEST, "ward", seed=1) for n in ids}
    for one in held.values():
        custody.add(one)
    return custody, held


def advance(custody: Custody, generation: int, tokens: int) -> None:
    custody.progress(Progress(id=generation, text="a" * tokens, tokens=(5,) * tokens))


def test_without_a_crash_everybody_is_sent_at_once_and_once() -> None:
    custody, held = holding(1, 2)
    assert custody.due() == [held[1], held[2]]
    assert custody.due() == []


def test_after_a_crash_each_suspect_is_resumed_alone_and_the_rest_afterwards() -> None:
    custody, held = holding(1, 2, 3)
    custody.due()
    custody.begun([1, 2])
    advance(custody, 2, 4)
    assert custody.blame() is None
    assert custody.due() == [held[1]]
    custody.begun([1])
    assert custody.due() == []
    advance(custody, 1, PAST_THE_PLACE)
    assert custody.due() == [held[2]]
    assert held[2].message().resume == (5, 5, 5, 5)
    assert held[2].message().released == 4
    custody.begun([2])
    custody.remove(2)
    assert custody.due() == [held[3]]
    assert not custody.probing


def test_who_kills_its_worker_alone_a_second_time_is_the_poison() -> None:
    custody, held = holding(1, 2)
    custody.due()
    custody.begun([1, 2])
    assert custody.blame() is None
    assert custody.due() == [held[1]]
    custody.begun([1])
    assert custody.blame() is held[1]
    assert custody.get(1) is None
    assert custody.due() == [held[2]], "the other suspect was never cleared"


def test_who_was_being_tried_is_tried_again_before_all_others_and_alone() -> None:
    custody, held = holding(1, 2)
    custody.due()
    custody.begun([1, 2])
    advance(custody, 2, 1)
    custody.blame()
    assert custody.due() == [held[1]]
    custody.begun([1])
    advance(custody, 1, PAST_THE_PLACE)
    assert custody.due() == [held[2]]
    custody.begun([2])
    assert custody.blame() is None, "the first was on board as well"
    assert custody.due() == [held[2]]
    custody.begun([2])
    assert custody.blame() is held[2]


def test_one_crash_with_one_on_board_condemns_nobody() -> None:
    custody, held = holding(1)
    custody.due()
    custody.begun([1])
    assert custody.blame() is None
    assert custody.due() == [held[1]]


def test_a_worker_that_dies_over_a_message_blames_what_was_sent() -> None:
    custody, held = holding(1)
    custody.due()
    assert custody.blame() is None
    custody.due()
    assert custody.blame() is held[1]


def test_those_who_only_waited_are_no_suspects() -> None:
    custody, held = holding(1, 2)
    custody.due()
    custody.begun([1])
    custody.blame()
    assert held[2].crashes == 0
    custody.remove(1)
    assert custody.due() == [held[2]]
