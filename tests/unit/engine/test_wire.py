"""Frames survive any cutting of the stream; nothing foreign is taken."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engine import wire
from appliance.generation.outcome import Finished, FinishReason, Usage
from appliance.generation.prompt import Text
from appliance.generation.request import GenerationRequest

STEP = wire.Step(
    progress=(wire.Progress(id=7, text="é", tokens=(1, 2)),),
    ended=(
        wire.Ended(
            id=7,
            ending=Finished(
                reason=FinishReason.STOP, usage=Usage(prompt_tokens=3, completion_tokens=2)
            ),
        ),
    ),
)
GENERATE = wire.Generate(id=7, request=GenerationRequest(prompt=Text(text="x")), domain="ward")


@given(st.lists(st.integers(0, 400)))
def test_messages_come_out_whole_however_the_stream_is_cut(places: list[int]) -> None:
    data = wire.encode(STEP) + wire.encode(wire.Begun(ids=(1,))) + wire.encode(STEP)
    edges = [0, *sorted(p % len(data) for p in places), len(data)]
    reader = wire.reader_for_gateway()
    messages = []
    for start, end in itertools.pairwise(edges):
        messages += reader.feed(data[start:end])
    assert messages == [STEP, wire.Begun(ids=(1,)), STEP]


def test_a_request_comes_back_as_it_was() -> None:
    assert wire.reader_for_worker().feed(wire.encode(GENERATE)) == [GENERATE]


def test_a_frame_that_claims_to_be_huge_is_refused_before_it_is_read() -> None:
    reader = wire.reader_for_gateway()
    with pytest.raises(wire.WireError):
        reader.feed((wire.MAX_FRAME_BYTES + 1).to_bytes(4, "big"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode(["unknown", 1]),
        msgspec.msgpack.encode(["step", [], [], None, "surplus"]),
        msgspec.msgpack.encode(["step", [[7, 8, []]], [], None]),
        wire.encode(GENERATE)[4:],
    ],
)
def test_what_is_not_of_the_vocabulary_is_refused(body: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.reader_for_gateway().feed(len(body).to_bytes(4, "big") + body)


def test_the_text_of_the_error_does_not_quote_the_frame() -> None:
    body = msgspec.msgpack.encode(["step", [["canary", "canary", []]], [], None])
    with pytest.raises(wire.WireError) as caught:
        wire.reader_for_gateway().feed(len(body).to_bytes(4, "big") + body)
    assert "canary" not in str(caught.value)
