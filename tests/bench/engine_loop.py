"""Tokens per second of the engine alone, without HTTP: comparable with llama-batched-bench.

    python -m tests.bench.engine_loop MODEL.gguf [--threads 1] [--clients 1 8 32] [--rounds 5]

Every client sends one token-id prompt after the other, greedy, `ignore_eos`. One JSON line per
number of clients: tokens/s (new tokens, median of the rounds), CPU of gateway and worker per token
in microseconds, seconds to the first token.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from pathlib import Path

import psutil
import uvloop

from appliance.engine.engine import Engine
from appliance.generation.outcome import Delta
from appliance.generation.prompt import Tokens
from appliance.generation.request import GenerationRequest
from appliance.generation.sampling import Sampling
from appliance.settings import EngineSettings
from tests.support.engine_weights import sealed

GREEDY = Sampling(temperature=0.0, ignore_eos=True)


def _prompt(client: int, round_: int, length: int) -> Tokens:
    start = 7 * client + 131 * round_
    return Tokens(tokens=tuple(20 + (start + 13 * n) % 200 for n in range(length)))


async def _client(engine: Engine, prompt: Tokens, new: int) -> tuple[int, float]:
    """Tokens received, and seconds until the first of them."""
    request = GenerationRequest(prompt=prompt, sampling=GREEDY, max_tokens=new)
    began = time.perf_counter()
    first, count = 0.0, 0
    async for events in engine.generate("model", request, domain="bench"):
        for event in events:
            if isinstance(event, Delta):
                count += len(event.tokens)
                first = first or time.perf_counter() - began
    return count, first


async def _round(engine: Engine, clients: int, round_: int, arguments: argparse.Namespace) -> dict:
    description = engine.describe("model")
    assert description is not None
    worker = psutil.Process(description.worker_pid)
    cpu, gateway = sum(worker.cpu_times()[:2]), time.process_time()
    began = time.perf_counter()
    results = await asyncio.gather(
        *(
            _client(engine, _prompt(n, round_, arguments.prompt), arguments.new)
            for n in range(clients)
        )
    )
    wall = time.perf_counter() - began
    tokens = sum(count for count, _ in results)
    return {
        "tokens_per_second": tokens / wall,
        "worker_us_per_token": (sum(worker.cpu_times()[:2]) - cpu) / tokens * 1e6,
        "gateway_us_per_token": (time.process_time() - gateway) / tokens * 1e6,
        "first_token_seconds": statistics.median(first for _, first in results),
        "worker_mb": worker.memory_info().rss / 2**20,
    }


async def _measure(arguments: argparse.Namespace) -> None:
    engine = Engine()
    settings = EngineSettings(
        sequences=max(arguments.clients),
        sequence_tokens=arguments.context,
        threads=arguments.threads,
        batch_threads=arguments.threads,
        prefix_cache=arguments.prefix_cache,
        kv_type=arguments.kv_type,
    )
    await engine.load("model", sealed(arguments.model), settings)
    for clients in arguments.clients:
        await _round(engine, clients, 0, arguments)
        rounds = [await _round(engine, clients, 1 + n, arguments) for n in range(arguments.rounds)]
        line: dict[str, object] = {
            key: round(statistics.median(one[key] for one in rounds), 4) for key in rounds[0]
        }
        line |= {"bench": "engine_loop", "model": arguments.model.name, "clients": clients}
        line |= {"threads": arguments.threads, "prompt": arguments.prompt, "new": arguments.new}
        print(json.dumps(line), flush=True)
    await engine.close()


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=64)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--prefix-cache", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--kv-type", default="f16")
    uvloop.run(_measure(parser.parse_args()))


if __name__ == "__main__":
    main()
