"""How the next token is chosen. Names and meanings are llama.cpp's (`common/sampling.cpp`)."""

import msgspec


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of one sequence's sampler chain.

    A value that switches a sampler off is its default, so `Sampling()` is plain sampling at
    temperature 1. A temperature of 0 means greedy: the other fields but penalties and bias have
    no effect then.
    """

    temperature: float = 1.0
    top_k: int = 0
    """Keep the k likeliest tokens; 0 keeps all."""
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int | None = None
    """32 bits; none means that the worker draws one and reports it."""
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    """Tokens that the penalties look back on; -1 means the whole context."""
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    """(token id, bias) pairs; -inf forbids a token."""
    ignore_eos: bool = False
    """Never end the turn by itself: for measurements."""
