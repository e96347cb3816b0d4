"""Prefill joins a decoding step only as far as those who decode hardly notice."""

from appliance.engine.worker.pace import FEWEST_TOKENS, STRETCH, UNKNOWN_TOKENS, Pace


def test_nobody_decodes_nobody_waits() -> None:
    assert Pace().prefill_tokens(0, 0) is None


def test_before_anything_is_measured_a_little_is_allowed() -> None:
    assert Pace().prefill_tokens(4, 0) == UNKNOWN_TOKENS


def measured(step: float, token: float) -> Pace:
    pace = Pace()
    for _ in range(50):
        pace.observe(8, 0, 0, step)
        pace.observe(0, 512, 0, 512 * token)
    return pace


def test_the_stretched_step_stays_within_bounds() -> None:
    pace = measured(step=0.010, token=0.0001)
    tokens = pace.prefill_tokens(8, 0)
    assert tokens is not None
    assert tokens > FEWEST_TOKENS
    assert 0.010 + tokens * 0.0001 <= STRETCH * 0.010 * 1.01


def test_prefill_never_stops_where_it_is_slow() -> None:
    assert measured(step=0.001, token=0.01).prefill_tokens(8, 0) == FEWEST_TOKENS


def test_mixed_steps_teach_the_same_as_pure_ones() -> None:
    pace = Pace()
    for _ in range(50):
        pace.observe(8, 0, 0, 0.010)
        pace.observe(8, 100, 0, 0.010 + 100 * 0.0001)
    expected = measured(step=0.010, token=0.0001).prefill_tokens(8, 0)
    tokens = pace.prefill_tokens(7, 0)
    assert tokens is not None
    assert expected is not None
    assert abs(tokens - expected) <= 1


def test_deep_in_a_prompt_fewer_tokens_join() -> None:
    pace = measured(step=0.010, token=0.0001)
    for _ in range(20):
        pace.observe(0, 512, 2000, 512 * 0.0004)
    shallow, deep = pace.prefill_tokens(8, 0), pace.prefill_tokens(8, 2000)
    assert shallow is not None
    assert deep is not None
    assert shallow > 3 * deep


def test_where_attention_works_in_tiles_whole_ones_are_allowed() -> None:
    pace = Pace(tile=64)
    pace.observe(8, 0, 0, 0.010)
    for cost, expected in ((0.0001, 192), (0.0005, 64), (0.002, FEWEST_TOKENS)):
        for _ in range(50):
            pace.observe(0, 512, 0, 512 * cost)
        assert pace.prefill_tokens(8, 0) == expected
