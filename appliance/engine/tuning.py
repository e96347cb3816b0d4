"""Finds the settings under which a model is fastest on this box, by trying them.

Contract: `tune` loads the model again and again in an engine of its own, one setting changed at a
time, keeps what was best and goes on from there: threads, number format of the KV cache, then
flash attention. Every trial is reported, best first; the caller decides and remembers. A setting
under which the model does not load is left out. It takes about `seconds` per trial plus the loads,
and the box should be idle: what else runs is measured as well.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Literal

import msgspec

from appliance.engine.engine import Engine
from appliance.engine.supervisor import WeightsSource
from appliance.errors import UnavailableError
from appliance.generation.outcome import Delta, Finished
from appliance.generation.prompt import Tokens
from appliance.generation.request import GenerationRequest
from appliance.generation.sampling import Sampling
from appliance.settings import EngineSettings

KvType = Literal["f16", "q8_0", "q4_0"]

PROMPT_TOKENS = 64
NEW_TOKENS = 32
_MODEL = "trial"
_FIRST_TOKEN_ID = 16
"""Below lie control tokens in many vocabularies."""


class Trial(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One setting and how fast it was."""

    settings: EngineSettings
    alone: float
    """Tokens per second of one client, prompts included."""
    together: float
    """Tokens per second of as many clients as there are sequences."""

    @property
    def score(self) -> float:
        """One number for both: their geometric mean."""
        return math.sqrt(self.alone * self.together)


async def tune(
    weights: WeightsSource,
    settings: EngineSettings,
    *,
    processors: int,
    kv_types: Sequence[KvType] = ("f16", "q8_0"),
    seconds: float = 5.0,
) -> tuple[Trial, ...]:
    """Try settings on this box, best first.

    `kv_types` are the formats that the house accepts; all but f16 round what they keep.
    Raises `UnavailableError` if the model loads under none of them.
    """
    trials: list[Trial] = []
    problem = UnavailableError("there was nothing to try")

    async def attempt(candidates: Sequence[EngineSettings]) -> None:
        nonlocal problem
        for candidate in candidates:
            if any(trial.settings == candidate for trial in trials):
                continue
            try:
                trials.append(await _try(weights, candidate, seconds))
            except UnavailableError as error:
                problem = error
        trials.sort(key=lambda trial: trial.score, reverse=True)

    replace = msgspec.structs.replace
    await attempt(
        [replace(settings, threads=n, batch_threads=n) for n in _thread_counts(processors)]
    )
    if not trials:
        raise problem
    best = trials[0].settings
    await attempt([replace(best, kv_type=kind) for kind in kv_types])
    best = trials[0].settings
    if best.kv_type == "f16":  # the others need flash attention
        await attempt([replace(best, flash_attention=not best.flash_attention)])
    return tuple(trials)


def _thread_counts(processors: int) -> list[int]:
    """Powers of two, all processors, and all but the one that the gateway needs."""
    counts = {1, processors, max(1, processors - 1)}
    counts |= {1 << n for n in range(processors.bit_length()) if 1 << n <= processors}
    return sorted(counts)


async def _try(weights: WeightsSource, settings: EngineSettings, seconds: float) -> Trial:
    engine = Engine()
    try:
        await engine.load(_MODEL, weights, settings)
        description = engine.describe(_MODEL)
        assert description is not None
        vocabulary = len(description.vocabulary)
        await _rate(engine, vocabulary, 1, 0.0)  # warms caches up
        return Trial(
            settings=settings,
            alone=await _rate(engine, vocabulary, 1, seconds / 2),
            together=await _rate(engine, vocabulary, settings.sequences, seconds / 2),
        )
    finally:
        await engine.close(0.0)


async def _rate(engine: Engine, vocabulary: int, clients: int, seconds: float) -> float:
    """New tokens per second of so many clients; at least one round, however long it takes."""
    began = time.monotonic()
    tokens, round_ = 0, 0
    while round_ == 0 or time.monotonic() - began < seconds:
        generations = [_generate(engine, vocabulary, round_, n) for n in range(clients)]
        tokens += sum(await asyncio.gather(*generations))
        round_ += 1
    return tokens / (time.monotonic() - began)


async def _generate(engine: Engine, vocabulary: int, round_: int, client: int) -> int:
    """One request of its own prompt; the number of tokens it got.

    Raises `UnavailableError` if it did not end well.
    """
    usable = max(1, vocabulary - _FIRST_TOKEN_ID)
    start = 7919 * round_ + 104_729 * client
    prompt = Tokens(
        tokens=tuple(
            (_FIRST_TOKEN_ID + (start + 31 * n) % usable) % vocabulary for n in range(PROMPT_TOKENS)
        )
    )
    request = GenerationRequest(
        prompt=prompt,
        max_tokens=NEW_TOKENS,
        sampling=Sampling(temperature=0.0, ignore_eos=True),
    )
    generation = engine.generate(_MODEL, request, domain=f"trial {round_} {client}")
    tokens = 0
    async for events in generation:
        tokens += sum(len(event.tokens) for event in events if isinstance(event, Delta))
    if not isinstance(generation.ending, Finished):
        raise UnavailableError("a generation did not end under these settings")
    return tokens
