"""The choice of the next token: a llama.cpp sampler chain per sequence, or plain greedy.

Contract: `Sampler` belongs to one sequence and must be closed. `greedy` says that the choice is the
largest logit and nothing else, which the caller makes for a whole batch at once. Otherwise
`sample` asks llama.cpp, which also tells the penalties what was chosen; `accept` tells them of a
token that came from elsewhere (the prompt, or a resumed generation). The order of the chain is
llama.cpp's own (`common/sampling.cpp`): bias, penalties, DRY, then either Mirostat or top-n-sigma,
top-k, typical, top-p, min-p, XTC, temperature and draw.
"""

import ctypes
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from appliance.engine.worker.binding import llama
from appliance.generation.sampling import Sampling

_KEEP_AT_LEAST_ONE = 1


_MIROSTAT_TOKENS = 100
"""`m` of Mirostat 1: the likeliest tokens from which the slope is estimated, as in llama.cpp."""


def has_penalties(sampling: Sampling) -> bool:
    """Whether single tokens that were said before are less likely."""
    return sampling.repeat_last_n != 0 and (
        sampling.repeat_penalty != 1.0
        or sampling.frequency_penalty != 0.0
        or sampling.presence_penalty != 0.0
    )


def has_dry(sampling: Sampling) -> bool:
    """Whether repeating a sequence of tokens is penalised."""
    return sampling.dry_multiplier != 0.0 and sampling.dry_base >= 1.0 and sampling.dry_last_n != 0


class Surroundings(NamedTuple):
    """What a chain needs to know besides the request."""

    vocabulary: int
    """llama.cpp's handle of the vocabulary."""
    size: int
    """Its number of tokens."""
    context_tokens: int
    """What penalties that look back on everything look back on."""


class Sampler:
    """One sequence's sampler chain."""

    def __init__(
        self, sampling: Sampling, seed: int, ends: Iterable[int], around: Surroundings
    ) -> None:
        """`ends` are the tokens that end a turn."""
        self._chain: int | None = None
        bias = dict(sampling.logit_bias)
        if sampling.ignore_eos:
            bias.update(dict.fromkeys(ends, -math.inf))
        self._remembers = has_penalties(sampling) or has_dry(sampling)
        self.forbidden: frozenset[int] = frozenset()
        """Tokens that plain greedy choice has to leave out."""
        self.greedy = sampling.temperature <= 0.0 and not self._remembers
        if self.greedy and all(value == -math.inf for value in bias.values()):
            self.forbidden = frozenset(bias)
            return
        self.greedy = False
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        self._chain = chain
        for part in _parts(sampling, ctypes.c_uint32(seed).value, bias, around):
            llama.llama_sampler_chain_add(chain, part)

    @property
    def forbidden_ids(self) -> list[int]:
        """The same, as an index into a row of logits."""
        return list(self.forbidden)

    def sample(self, context: int, row: int) -> int:
        """Choose and remember the token that follows batch row `row`."""
        return int(llama.llama_sampler_sample(self._chain, context, row))

    def accept(self, tokens: Iterable[int]) -> None:
        """Remember tokens that were not chosen here, for the penalties."""
        if self._remembers and self._chain is not None:
            for token in tokens:
                llama.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        """Free the chain."""
        if self._chain is not None:
            llama.llama_sampler_free(self._chain)
            self._chain = None


def _parts(
    sampling: Sampling, seed: int, bias: dict[int, float], around: Surroundings
) -> Iterator[int]:
    """The chain's samplers in order, each owned by the chain once added."""
    if bias:
        entries = (llama.llama_logit_bias * len(bias))()
        for entry, (token, value) in zip(entries, sorted(bias.items()), strict=True):
            entry.token, entry.bias = token, value
        yield llama.llama_sampler_init_logit_bias(around.size, len(bias), entries)
    if has_penalties(sampling):
        yield llama.llama_sampler_init_penalties(
            around.size,
            _look_back(sampling.repeat_last_n, around.context_tokens),
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        )
    if has_dry(sampling):
        breakers = [text.encode() for text in sampling.dry_breakers]
        yield llama.llama_sampler_init_dry(
            around.vocabulary,
            sampling.dry_multiplier,
            sampling.dry_base,
            sampling.dry_allowed_length,
            _look_back(sampling.dry_last_n, around.context_tokens),
            (ctypes.c_char_p * len(breakers))(*breakers),
            len(breakers),
        )
    if sampling.temperature <= 0.0:
        yield llama.llama_sampler_init_greedy()
    elif sampling.mirostat:
        yield llama.llama_sampler_init_temp(sampling.temperature)
        tau, eta = sampling.mirostat_tau, sampling.mirostat_eta
        if sampling.mirostat == 1:
            yield llama.llama_sampler_init_mirostat(around.size, seed, tau, eta, _MIROSTAT_TOKENS)
        else:
            yield llama.llama_sampler_init_mirostat_v2(seed, tau, eta)
    else:
        yield from _cuts(sampling, seed)
        yield llama.llama_sampler_init_dist(seed)


def _cuts(sampling: Sampling, seed: int) -> Iterator[int]:
    """The samplers that leave out unlikely tokens, and temperature."""
    if sampling.top_n_sigma > 0.0:
        yield llama.llama_sampler_init_top_n_sigma(sampling.top_n_sigma)
    if sampling.top_k > 0:
        yield llama.llama_sampler_init_top_k(sampling.top_k)
    if sampling.typical_p < 1.0:
        yield llama.llama_sampler_init_typical(sampling.typical_p, _KEEP_AT_LEAST_ONE)
    if sampling.top_p < 1.0:
        yield llama.llama_sampler_init_top_p(sampling.top_p, _KEEP_AT_LEAST_ONE)
    if sampling.min_p > 0.0:
        yield llama.llama_sampler_init_min_p(sampling.min_p, _KEEP_AT_LEAST_ONE)
    if sampling.xtc_probability > 0.0:
        yield llama.llama_sampler_init_xtc(
            sampling.xtc_probability, sampling.xtc_threshold, _KEEP_AT_LEAST_ONE, seed
        )
    if sampling.dynamic_temperature_range > 0.0:
        yield llama.llama_sampler_init_temp_ext(
            sampling.temperature,
            sampling.dynamic_temperature_range,
            sampling.dynamic_temperature_exponent,
        )
    elif sampling.temperature != 1.0:
        yield llama.llama_sampler_init_temp(sampling.temperature)


def _look_back(tokens: int, context_tokens: int) -> int:
    """llama.cpp sets the memory for them aside at once: no more than there can be."""
    return context_tokens if tokens < 0 else min(tokens, context_tokens)
