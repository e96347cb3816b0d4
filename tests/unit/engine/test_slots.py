"""The longest common beginning, found by galloping."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.engine.worker.slots import common_prefix

tokens = st.lists(st.integers(0, 2), max_size=200)


def reference(left: list[int], right: list[int], limit: int) -> int:
    length = 0
    for a, b in zip(left, right, strict=False):
        if a != b or length == limit:
            break
        length += 1
    return min(length, limit)


@given(tokens, tokens, tokens, st.integers(0, 400))
def test_common_prefix_agrees_with_counting(
    shared: list[int], left: list[int], right: list[int], limit: int
) -> None:
    a, b = shared + left, shared + right
    assert common_prefix(a, b, limit) == reference(a, b, limit)
