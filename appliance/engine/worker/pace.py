"""How much prefill a step may carry, so that those who decode hardly notice.

Contract: after every step `observe` is told what was in it and how long it took; `prefill_tokens`
answers how many prompt tokens may join a step in which so many sequences decode. Prefill may
stretch such a step to about `STRETCH` times what it takes without; this bounds the time between two
tokens, whatever prompts arrive, and leaves prefill most of the machine. Pure: durations are handed
in.
"""

STRETCH = 3.0
FEWEST_TOKENS = 16
"""Prefill goes on at this rate even where it is slow: nobody starves."""

TILE_TOKENS = 64
"""Query tokens that ggml's attention computes together."""

UNKNOWN_TOKENS = 64
"""Before anything was measured."""

_WEIGHT = 0.2
"""Of a new measurement in the moving average."""


class Pace:
    """Running averages of step times."""

    def __init__(self) -> None:
        self._decode: dict[int, float] = {}
        """Seconds of a step without prefill, by number of sequences, rounded up to 1, 2, 4, …"""
        self._per_token: float | None = None
        """Seconds of one token of prefill."""

    def observe(self, decoding: int, prefilled: int, seconds: float) -> None:
        """A step with so many decoding sequences and prefill tokens took so long."""
        if prefilled == 0:
            size = _rounded(decoding)
            self._decode[size] = _averaged(self._decode.get(size), seconds)
            return
        if prefilled < FEWEST_TOKENS // 2:
            return  # too few to tell their cost from the noise
        alone = self._decode.get(_rounded(decoding), 0.0) if decoding else 0.0
        rest = seconds - alone
        if rest > 0:
            self._per_token = _averaged(self._per_token, rest / prefilled)

    def prefill_tokens(self, decoding: int) -> int | None:
        """Prompt tokens that may join; none means as many as fit."""
        if decoding == 0:
            return None
        alone = self._decode.get(_rounded(decoding))
        if alone is None or self._per_token is None:
            return UNKNOWN_TOKENS
        tokens = int((STRETCH - 1.0) * alone / self._per_token)
        if tokens >= TILE_TOKENS // 2:
            # Part of a tile costs nearly as much as a whole one.
            return max(TILE_TOKENS, tokens - tokens % TILE_TOKENS)
        return max(FEWEST_TOKENS, tokens)


def _rounded(count: int) -> int:
    return 1 << max(0, count - 1).bit_length()


def _averaged(before: float | None, now: float) -> float:
    return now if before is None else before + _WEIGHT * (now - before)
