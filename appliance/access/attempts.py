"""Failed attempts, counted per origin, so that guessing is slow. Pure: it is handed the time.

Each origin has a bucket of `burst` failures that refills at `per_minute`. An empty bucket refuses
further tries without looking at them. Origins are forgotten when their bucket is full again, and
the table is bounded: when it overflows, the fullest buckets (the mildest offenders) go first.
"""


class Attempts:
    """Who may try again, and when."""

    def __init__(self, *, burst: int = 20, per_minute: float = 10.0, origins: int = 10_000) -> None:
        self._burst = float(burst)
        self._per_second = per_minute / 60
        self._limit = origins
        self._spent: dict[str, tuple[float, float]] = {}  # origin → (failures, when counted)

    def wait(self, origin: str, now: float) -> float:
        """Seconds until the origin may try again; 0 if it may now. `now` is monotonic seconds."""
        excess = self._failures(origin, now) - (self._burst - 1)
        return excess / self._per_second if excess > 0 else 0.0

    def failed(self, origin: str, now: float) -> None:
        """Count one failure."""
        self._spent[origin] = (min(self._failures(origin, now) + 1, self._burst), now)
        if len(self._spent) > self._limit:
            self._forget(now)

    def succeeded(self, origin: str, now: float) -> None:
        """Take one failure back: it was counted before the answer was known."""
        self._spent[origin] = (max(0.0, self._failures(origin, now) - 1), now)

    def _failures(self, origin: str, now: float) -> float:
        failures, since = self._spent.get(origin, (0.0, now))
        return max(0.0, failures - (now - since) * self._per_second)

    def _forget(self, now: float) -> None:
        worst = sorted(self._spent, key=lambda origin: self._failures(origin, now), reverse=True)
        kept = worst[: self._limit // 2]
        self._spent = {origin: self._spent[origin] for origin in kept}
