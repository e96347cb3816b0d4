"""Many short requests in a row, mixed, some cancelled: is memory flat, is anything left behind?

    python -m tests.bench.engine_soak MODEL.gguf [--requests 10000]

Prints one JSON line: resident megabytes of gateway and worker at the second and the last fifth,
their growth in percent, and what the worker still holds afterwards (all must be 0).
"""

import argparse
import asyncio
import json
import os
import random
import statistics
from pathlib import Path

import psutil
import uvloop

from appliance.engine.engine import Engine
from appliance.generation.prompt import Chat, Message, Prompt, Text, Tokens
from appliance.generation.request import GenerationRequest, Priority
from appliance.generation.sampling import Sampling
from appliance.settings import EngineSettings
from tests.support.engine_weights import sealed

_AT_ONCE = 24
_SAMPLES = 50


def _request(random_: random.Random) -> GenerationRequest:
    words = " ".join(random_.choices(["ward", "patient", "card", "note", "reply"], k=12))
    prompts: list[Prompt] = [
        Text(text=words),
        Chat(messages=(Message(role="user", content=words),)),
        Tokens(tokens=tuple(random_.choices(range(20, 200), k=40))),
    ]
    return GenerationRequest(
        prompt=random_.choice(prompts),
        max_tokens=random_.randint(1, 24),
        stop=random_.choice([(), ("the",)]),
        priority=random_.choice(list(Priority)),
        sampling=random_.choice(
            [
                Sampling(temperature=0.0, ignore_eos=True),
                Sampling(temperature=0.8, top_k=40, top_p=0.9, repeat_penalty=1.1),
                Sampling(temperature=0.0, logit_bias=((30, 2.0),)),
            ]
        ),
    )


async def _one(engine: Engine, random_: random.Random, seats: asyncio.Semaphore) -> None:
    async with seats:
        generation = engine.generate("model", _request(random_), domain=random_.choice("ab"))
        patience = random_.choice([1, 3, 1000, 1000, 1000])
        async for _ in generation:
            patience -= 1
            if patience == 0:
                generation.cancel()


async def _soak(arguments: argparse.Namespace) -> None:
    engine = Engine()
    settings = EngineSettings(sequences=8, sequence_tokens=256, threads=1, batch_threads=1)
    await engine.load("model", sealed(arguments.model), settings)
    description = engine.describe("model")
    assert description is not None
    processes = [psutil.Process(os.getpid()), psutil.Process(description.worker_pid)]
    random_, seats = random.Random(7), asyncio.Semaphore(_AT_ONCE)
    resident: list[tuple[float, ...]] = []
    for _ in range(_SAMPLES):
        batch = arguments.requests // _SAMPLES
        await asyncio.gather(*(_one(engine, random_, seats) for _ in range(batch)))
        resident.append(tuple(process.memory_info().rss / 2**20 for process in processes))
    gauges = engine.gauges("model")
    assert gauges is not None
    assert gauges.worker is not None
    fifth = _SAMPLES // 5
    line: dict[str, object] = {"bench": "engine_soak", "requests": arguments.requests}
    for number, name in enumerate(("gateway", "worker")):
        early = statistics.mean(sample[number] for sample in resident[fifth : 2 * fifth])
        late = statistics.mean(sample[number] for sample in resident[-fifth:])
        line[f"{name}_mb"] = [round(early, 2), round(late, 2)]
        line[f"{name}_growth_percent"] = round((late / early - 1) * 100, 2)
    worker = gauges.worker
    line["left_behind"] = {
        "held": gauges.held,
        "running": worker.running,
        "waiting": worker.waiting,
        "cells_not_cached": worker.cells_used - worker.cells_cached,
        "restarts": gauges.restarts,
    }
    print(json.dumps(line), flush=True)
    await engine.close()


def main() -> None:
    """Soak as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--requests", type=int, default=10_000)
    uvloop.run(_soak(parser.parse_args()))


if __name__ == "__main__":
    main()
