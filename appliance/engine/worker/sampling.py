"""The choice of the next token: a llama.cpp sampler chain per sequence, or plain greedy.

Contract: `Sampler` belongs to one sequence and must be closed. `greedy` says that the choice is the
largest logit and nothing else, which the caller makes for a whole batch at once. Otherwise
`sample` asks llama.cpp, which also tells the penalties what was chosen; `accept` tells them of a
token that came from elsewhere (the prompt, or a resumed generation). The order of the chain is
llama.cpp's own (`common/sampling.cpp`): bias, penalties, top-k, top-p, min-p, temperature, draw.
"""

import ctypes
import math
from collections.abc import Iterable

from appliance.engine.worker.binding import llama
from appliance.generation.sampling import Sampling

_KEEP_AT_LEAST_ONE = 1


def has_penalties(sampling: Sampling) -> bool:
    """Whether what was said before changes what comes next."""
    return sampling.repeat_last_n != 0 and (
        sampling.repeat_penalty != 1.0
        or sampling.frequency_penalty != 0.0
        or sampling.presence_penalty != 0.0
    )


class Sampler:
    """One sequence's sampler chain."""

    def __init__(
        self,
        sampling: Sampling,
        seed: int,
        end_tokens: Iterable[int],
        *,
        vocabulary: int,
        context_tokens: int,
    ) -> None:
        """`context_tokens` is what penalties that look back on everything look back on."""
        self._chain: int | None = None
        bias = dict(sampling.logit_bias)
        if sampling.ignore_eos:
            bias.update(dict.fromkeys(end_tokens, -math.inf))
        self.penalised = has_penalties(sampling)
        self.forbidden: frozenset[int] = frozenset()
        """Tokens that plain greedy choice has to leave out."""
        self.greedy = sampling.temperature <= 0.0 and not self.penalised
        if self.greedy and all(value == -math.inf for value in bias.values()):
            self.forbidden = frozenset(bias)
            return
        self.greedy = False
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        self._chain = chain
        for part in _parts(sampling, seed, bias, vocabulary, context_tokens):
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
        if self.penalised and self._chain is not None:
            for token in tokens:
                llama.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        """Free the chain."""
        if self._chain is not None:
            llama.llama_sampler_free(self._chain)
            self._chain = None


def _look_back(tokens: int, context_tokens: int) -> int:
    """llama.cpp sets the memory for them aside at once: no more than there can be."""
    return context_tokens if tokens < 0 else min(tokens, context_tokens)


def _parts(
    sampling: Sampling,
    seed: int,
    bias: dict[int, float],
    vocabulary: int,
    context_tokens: int,
) -> Iterable[int]:
    """The chain's samplers in order, each owned by the chain once added."""
    if bias:
        entries = (llama.llama_logit_bias * len(bias))()
        for entry, (token, value) in zip(entries, sorted(bias.items()), strict=True):
            entry.token, entry.bias = token, value
        yield llama.llama_sampler_init_logit_bias(vocabulary, len(bias), entries)
    if has_penalties(sampling):
        yield llama.llama_sampler_init_penalties(
            vocabulary,
            _look_back(sampling.repeat_last_n, context_tokens),
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        )
    if sampling.temperature <= 0.0:
        yield llama.llama_sampler_init_greedy()
        return
    if sampling.top_k > 0:
        yield llama.llama_sampler_init_top_k(sampling.top_k)
    if sampling.top_p < 1.0:
        yield llama.llama_sampler_init_top_p(sampling.top_p, _KEEP_AT_LEAST_ONE)
    if sampling.min_p > 0.0:
        yield llama.llama_sampler_init_min_p(sampling.min_p, _KEEP_AT_LEAST_ONE)
    if sampling.temperature != 1.0:
        yield llama.llama_sampler_init_temp(sampling.temperature)
    yield llama.llama_sampler_init_dist(ctypes.c_uint32(seed).value)
