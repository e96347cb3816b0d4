"""Prefill joins a decoding step only as far as those who decode hardly notice."""

from appliance.engine.worker.pace import FEWEST_TOKENS, STRETCH, UNKNOWN_TOKENS, Pace


def test_nobody_decodes_nobody_waits() -> None:
    assert Pace().prefill_tokens(0) is None


def test_before_anything_is_measured_a_little_is_allowed() -> None:
    assert Pace().prefill_tokens(4) == UNKNOWN_TOKENS


def measured(step: float, token: float) -> Pace:
    pace = Pace()
    for _ in range(50):
        pace.observe(8, 0, step)
        pace.observe(0, 512, 512 * token)
    return pace


def test_the_stretched_step_stays_within_bounds() -> None:
    pace = measured(step=0.010, token=0.0001)
    tokens = pace.prefill_tokens(8)
    assert tokens is not None
    assert tokens > FEWEST_TOKENS
    assert 0.010 + tokens * 0.0001 <= STRETCH * 0.010 * 1.01


def test_prefill_never_stops_where_it_is_slow() -> None:
    assert measured(step=0.001, token=0.01).prefill_tokens(8) == FEWEST_TOKENS


def test_mixed_steps_teach_the_same_as_pure_ones() -> None:
    pace = Pace()
    for _ in range(50):
        pace.observe(8, 0, 0.010)
        pace.observe(8, 100, 0.010 + 100 * 0.0001)
    expected = measured(step=0.010, token=0.0001).prefill_tokens(8)
    tokens = pace.prefill_tokens(7)
    assert tokens is not None
    assert expected is not None
    assert abs(tokens - expected) <= 1
