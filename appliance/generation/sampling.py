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
    min_tokens: int = 0
    """The turn does not end by itself before so many tokens."""
    typical_p: float = 1.0
    """Locally typical sampling (https://arxiv.org/abs/2202.00666); 1 keeps all."""
    top_n_sigma: float = -1.0
    """Keep logits within n deviations of the largest (https://arxiv.org/abs/2411.07641)."""
    xtc_probability: float = 0.0
    """Chance to exclude top choices: of those above the threshold, keep the least likely one."""
    xtc_threshold: float = 0.1
    dynamic_temperature_range: float = 0.0
    """The temperature moves by as much with the entropy (https://arxiv.org/abs/2309.02772)."""
    dynamic_temperature_exponent: float = 1.0
    mirostat: int = 0
    """Version 1 or 2 of Mirostat (https://arxiv.org/abs/2007.14966) instead of the cuts above."""
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    dry_multiplier: float = 0.0
    """Penalty on repeating sequences ("don't repeat yourself"); 0 switches it off."""
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_last_n: int = -1
    """Tokens it looks back on; -1 means the whole context."""
    dry_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    """Texts over which a repetition does not count as going on."""
