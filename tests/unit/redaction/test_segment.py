"""Segmentation: decided by the text alone, bounded, and idle in prose."""

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.redaction.segment import RIGHT, WINDOW, WORD, Cut, Place, cut


def blocks(text: str) -> list[str]:
    found, start, place = [], 0, Place.BETWEEN
    while True:
        c = cut(text, start, True, place)
        if c.end < 0:
            return found
        found.append(text[c.cold : c.end])
        start, place = c.end, c.place


def test_prose_holds_no_block() -> None:
    assert (
        blocks("The patient was admitted with chest pain. She was free of pain on arrival.") == []
    )


def test_a_block_takes_the_words_of_a_value_along() -> None:
    assert blocks("pay to GB29 NWBK 6016 1331 9268 19 today") == ["GB29 NWBK 6016 1331 9268 19"]
    assert blocks("seen by Dr. Ana Ruiz yesterday") == ["Dr. Ana Ruiz yesterday"]
    assert blocks("he said: nothing") == []


PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [" ", "\n", "  ", "12", "Dr. ", "Name: ", "a" * 60, "A", ".", "@", "x: ", "[at]"]
    ),
)


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=20).map("".join), st.data())
def test_what_is_decided_on_a_prefix_is_never_taken_back(text: str, data: st.DataObject) -> None:
    """A cut of the whole, and the same cut reached by growing prefixes, are one."""
    whole = cut(text, 0, True)
    start, place, searched = 0, Place.BETWEEN, 0
    seen: Cut | None = None
    for end in sorted({data.draw(st.integers(0, len(text))) for _ in range(4)}):
        if end < start:
            continue
        c = cut(text[:end], start, False, place, searched)
        if c.end >= 0:
            seen = c
            break
        start, place, searched = c.cold, c.place, c.judged
    if seen is None:
        seen = cut(text, start, True, place, searched)
    assert (seen.end, seen.right, seen.whole) == (whole.end, whole.right, whole.whole)
    if whole.end >= 0:
        assert seen.cold == whole.cold


@given(st.text(alphabet="ab1@ :\n", min_size=1, max_size=4).map(lambda s: s * 400))
def test_blocks_are_bounded(text: str) -> None:
    start, place = 0, Place.BETWEEN
    while True:
        c = cut(text, start, True, place)
        if c.end < 0:
            break
        assert c.end - c.cold <= WINDOW
        assert c.right - c.end <= RIGHT
        start, place = c.end, c.place


@given(st.text(alphabet="ab ", max_size=600))
def test_what_is_held_of_cold_text_is_at_most_two_words_bounds(text: str) -> None:
    c = cut(text, 0, False)
    assert len(text) - c.cold <= 2 * WORD
