"""Overlaps: one region for whatever touches, named by the surest find."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from appliance.redaction.spans import Span, resolve

SPANS = st.builds(
    lambda start, size, type, score: Span(start, start + size, type, score, "L1", "r"),
    st.integers(0, 60),
    st.integers(1, 20),
    st.sampled_from(["A", "B", "C"]),
    st.sampled_from([0.5, 0.7, 0.9]),
)


@given(st.lists(SPANS, max_size=12), st.randoms())
def test_regions_are_disjoint_cover_every_find_and_ignore_order(spans, random) -> None:  # type: ignore[no-untyped-def]
    regions = resolve(spans)
    for one, other in pairwise(regions):
        assert one.end <= other.start
    covered = {i for r in regions for i in range(r.start, r.end)}
    assert covered == {i for s in spans for i in range(s.start, s.end)}
    shuffled = list(spans)
    random.shuffle(shuffled)
    assert resolve(shuffled) == regions


def test_the_surest_find_names_the_region() -> None:
    url = Span(0, 30, "URL", 0.9, "L1", "url")
    address = Span(10, 22, "IP_ADDRESS", 0.95, "L1", "ipv4")
    assert resolve([url, address]) == [Span(0, 30, "IP_ADDRESS", 0.95, "L1", "ipv4")]


def test_neighbours_stay_apart() -> None:
    spans = [Span(0, 4, "A", 0.9, "L1", "a"), Span(4, 8, "B", 0.9, "L1", "b")]
    assert resolve(spans) == spans
