from appliance.access.attempts import Attempts


def test_failures_below_the_burst_cost_nothing() -> None:
    attempts = Attempts(burst=3, per_minute=6)
    for _ in range(2):
        attempts.failed("10.0.0.1", 0.0)
    assert attempts.wait("10.0.0.1", 0.0) == 0


def test_after_the_burst_the_origin_waits_and_others_do_not() -> None:
    attempts = Attempts(burst=3, per_minute=6)
    for _ in range(3):
        attempts.failed("10.0.0.1", 0.0)
    assert attempts.wait("10.0.0.1", 0.0) == 10
    assert attempts.wait("10.0.0.2", 0.0) == 0


def test_the_bucket_refills_with_time() -> None:
    attempts = Attempts(burst=3, per_minute=6)
    for _ in range(3):
        attempts.failed("10.0.0.1", 0.0)
    assert attempts.wait("10.0.0.1", 10.0) == 0


def test_a_flood_of_origins_is_bounded_and_the_worst_are_remembered() -> None:
    attempts = Attempts(burst=3, per_minute=6, origins=10)
    for _ in range(3):
        attempts.failed("guesser", 0.0)
    for number in range(100):
        attempts.failed(f"10.0.1.{number}", 0.0)
    assert attempts.wait("guesser", 0.0) > 0
    assert len(attempts._spent) <= 11
