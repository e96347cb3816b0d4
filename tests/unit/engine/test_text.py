"""Text leaves as soon as it is final, whatever the tokens were."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engine.worker.text import TextStream

ALPHABET = "ab<|é漢😀 "
stops = st.lists(st.text(ALPHABET, min_size=1, max_size=5), max_size=3)


def streamed(chunks: list[bytes], stop_strings: list[str]) -> tuple[str, bool]:
    stream = TextStream(stop_strings)
    text = "".join(stream.feed(chunk) for chunk in chunks)
    text += stream.finish()
    return text, stream.stopped


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def first_complete(text: str, stop_strings: list[str]) -> int | None:
    """The reference: where the text ends if it is looked at character by character."""
    for end in range(1, len(text) + 1):
        starts = [end - len(s) for s in stop_strings if text[:end].endswith(s)]
        if starts:
            return min(starts)
    return None


@given(st.text(ALPHABET, max_size=30), stops, st.lists(st.integers(0, 200)))
def test_any_tokenisation_gives_the_same_text(
    text: str, stop_strings: list[str], places: list[int]
) -> None:
    end = first_complete(text, stop_strings)
    expected = (text, False) if end is None else (text[:end], True)
    assert streamed(cut(text.encode(), places), stop_strings) == expected


@given(st.binary(max_size=20), st.lists(st.integers(0, 200)))
def test_broken_utf8_is_replaced_alike_however_it_is_cut(data: bytes, places: list[int]) -> None:
    assert streamed(cut(data, places), [])[0] == data.decode("utf-8", "replace")


@given(st.text(ALPHABET, max_size=30), stops, st.lists(st.integers(0, 200)))
def test_no_part_of_a_stop_string_ever_leaves(
    text: str, stop_strings: list[str], places: list[int]
) -> None:
    stream = TextStream(stop_strings)
    out = ""
    for chunk in cut(text.encode(), places):
        out += stream.feed(chunk)
        assert not any(stop in out for stop in stop_strings)


def test_text_that_cannot_become_a_stop_string_is_not_held_back() -> None:
    stream = TextStream(["</end>"])
    assert stream.feed(b"a </") == "a "
    assert stream.feed(b"b>") == "</b>"
    assert stream.feed(b"</e") == ""
    assert stream.feed(b"nd>tail") == ""
    assert stream.stopped


def test_a_character_split_over_tokens_arrives_whole() -> None:
    stream = TextStream()
    first, rest = "漢".encode()[:1], "漢".encode()[1:]
    assert stream.feed(first) == ""
    assert stream.feed(rest + b"x") == "漢x"


@pytest.mark.parametrize("known", ["abc", "é"])
def test_the_ready_made_text_is_used_only_between_characters(known: str) -> None:
    stream = TextStream()
    assert stream.feed(known.encode(), known) == known
    assert stream.feed(b"\xe6", None) == ""
    # A piece that is whole by itself ends the broken character before it.
    assert stream.feed(known.encode(), known) == "\ufffd" + known


def test_what_was_released_is_counted_in_characters() -> None:
    stream = TextStream(["zz"])
    stream.feed("漢é".encode())
    stream.feed(b"z")
    assert stream.released == 2
    stream.finish()
    assert stream.released == 3
