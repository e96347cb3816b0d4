"""Waiting times of the engine alone, without HTTP.

    python -m tests.bench.engine_latency MODEL.gguf [--threads 1] [--kv-type f16]

Two JSON lines. `shared_prefix`: 16 clients at once with one system prompt of 1,500 tokens and 30 of
their own; median seconds to the first token, with the prefix cache and without. `long_prompts`: 7
streams decode while prompts of 2,000 tokens keep arriving; median and 99th percentile of the
seconds between two tokens.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import time
from pathlib import Path

import uvloop

from appliance.engine.engine import Engine
from appliance.generation.outcome import Delta
from appliance.generation.prompt import Tokens
from appliance.generation.request import GenerationRequest
from appliance.generation.sampling import Sampling
from appliance.settings import EngineSettings
from tests.support.engine_weights import sealed

GREEDY = Sampling(temperature=0.0, ignore_eos=True)


def _tokens(length: int, start: int) -> tuple[int, ...]:
    return tuple(20 + (start + 13 * n + n // 180) % 200 for n in range(length))


async def _arrivals(engine: Engine, prompt: tuple[int, ...], new: int) -> list[float]:
    """Times at which tokens came, the beginning first."""
    request = GenerationRequest(prompt=Tokens(tokens=prompt), sampling=GREEDY, max_tokens=new)
    times = [time.perf_counter()]
    async for events in engine.generate("model", request, domain="bench"):
        now = time.perf_counter()
        times += [now for event in events if isinstance(event, Delta) for _ in event.tokens]
    return times


async def _shared_prefix(arguments: argparse.Namespace, *, cache: bool) -> float:
    engine = Engine()
    await engine.load("model", sealed(arguments.model), _settings(arguments, 16, cache=cache))
    system = _tokens(1500, 3)
    runs = await asyncio.gather(
        *(_arrivals(engine, (*system, *_tokens(30, 50 + n)), 16) for n in range(16))
    )
    await engine.close()
    return statistics.median(times[1] - times[0] for times in runs)


async def _long_prompts(arguments: argparse.Namespace) -> dict[str, float]:
    engine = Engine()
    await engine.load("model", sealed(arguments.model), _settings(arguments, 8, cache=False))
    streams = [
        asyncio.ensure_future(_arrivals(engine, _tokens(64, n), arguments.new)) for n in range(7)
    ]
    arrived = 0
    while not any(stream.done() for stream in streams):
        await _arrivals(engine, _tokens(2000, 1000 + arrived), 1)
        arrived += 1
    gaps: list[float] = []
    for times in await asyncio.gather(*streams):
        gaps += [later - before for before, later in itertools.pairwise(times[1:])]
    await engine.close()
    gaps.sort()
    return {
        "median": statistics.median(gaps),
        "p99": gaps[int(len(gaps) * 0.99)],
        "long_prompts": arrived,
    }


def _settings(arguments: argparse.Namespace, sequences: int, *, cache: bool) -> EngineSettings:
    return EngineSettings(
        sequences=sequences,
        sequence_tokens=2048,
        threads=arguments.threads,
        batch_threads=arguments.threads,
        kv_type=arguments.kv_type,
        prefix_cache=cache,
    )


async def _measure(arguments: argparse.Namespace) -> None:
    with_cache = await _shared_prefix(arguments, cache=True)
    without = await _shared_prefix(arguments, cache=False)
    figures = {"bench": "shared_prefix", "first_token": with_cache, "without_cache": without}
    print(json.dumps(figures | {"ratio": with_cache / without}), flush=True)
    gaps = await _long_prompts(arguments)
    figures = {"bench": "long_prompts", **gaps, "ratio": gaps["p99"] / gaps["median"]}
    print(json.dumps(figures), flush=True)


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--new", type=int, default=400)
    parser.add_argument("--kv-type", default="f16")
    uvloop.run(_measure(parser.parse_args()))


if __name__ == "__main__":
    main()
