"""How much prefill a step may carry, so that those who decode hardly notice.

Contract: after every step `observe` is told what was in it and how long it took; `prefill_tokens`
answers how many prompt tokens may join a step in which so many sequences decode. Prefill may
stretch such a step to about `STRETCH` times what it takes without; this bounds the time between two
tokens, whatever prompts arrive, and leaves prefill most of the machine. A prompt token costs the
more the more tokens stand before it, so costs are kept by depth. Pure: durations are handed in.
"""

STRETCH = 3.0
FEWEST_TOKENS = 16
"""Prefill goes on at this rate even where it is slow: nobody starves."""

UNKNOWN_TOKENS = 64
"""Before anything was measured."""

_DEPTH_UNIT = 256
"""Tokens; depths below it cost the same, then costs are kept for every doubling."""

_WEIGHT = 0.3
"""Of a new measurement in the moving average."""


class Pace:
    """Running averages of step times."""

    def __init__(self, tile: int = 1) -> None:
        """`tile` is how many tokens of a prompt attention computes together, if it does."""
        self._tile = tile
        self._decode: dict[int, float] = {}
        """Seconds of a step without prefill, by number of sequences, rounded up to 1, 2, 4, …"""
        self._per_token: dict[int, float] = {}
        """Seconds of one token of prefill, by depth."""

    def observe(self, decoding: int, prefilled: int, depth: int, seconds: float) -> None:
        """A step with so many decoding sequences and prefill tokens took so long."""
        if prefilled == 0:
            size = _rounded(decoding)
            self._decode[size] = _averaged(self._decode.get(size), seconds)
            return
        if prefilled < FEWEST_TOKENS // 2:
            return  # too few to tell their cost from the noise
        alone = self._alone(decoding) or 0.0 if decoding else 0.0
        if seconds > alone:
            level = _level(depth)
            before = self._per_token.get(level)
            self._per_token[level] = _averaged(before, (seconds - alone) / prefilled)

    def prefill_tokens(self, decoding: int, depth: int) -> int | None:
        """Prompt tokens that may join; none means as many as fit.

        `depth` is how many tokens stand before them in their prompt.
        """
        if decoding == 0:
            return None
        alone, cost = self._alone(decoding), self._cost(depth)
        if alone is None or cost is None:
            return UNKNOWN_TOKENS
        tokens = int((STRETCH - 1.0) * alone / cost)
        if tokens >= self._tile // 2:
            # Part of a tile costs nearly as much as a whole one.
            tokens = max(self._tile, tokens - tokens % self._tile)
        return max(FEWEST_TOKENS, tokens)

    def _alone(self, decoding: int) -> float | None:
        """Seconds of a step in which so many decode; of the nearest number that was seen."""
        size = _rounded(decoding)
        return _nearest(self._decode, size)

    def _cost(self, depth: int) -> float | None:
        return _nearest(self._per_token, _level(depth))


def _rounded(count: int) -> int:
    return 1 << max(0, count - 1).bit_length()


def _level(depth: int) -> int:
    return (depth // _DEPTH_UNIT).bit_length()


def _nearest(known: dict[int, float], key: int) -> float | None:
    if key in known or not known:
        return known.get(key)
    return known[min(known, key=lambda other: abs(other - key))]


def _averaged(before: float | None, now: float) -> float:
    return now if before is None else before + _WEIGHT * (now - before)
