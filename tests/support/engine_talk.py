"""Talking to the engine in tests: run a coroutine with a loaded model, collect a generation."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from appliance.engine.engine import Engine
from appliance.engine.generation import Generation
from appliance.generation.outcome import Delta, Ending, Finished
from appliance.generation.prompt import Prompt, Text
from appliance.generation.request import GenerationRequest
from appliance.generation.sampling import Sampling
from appliance.settings import EngineSettings
from tests.support.engine_weights import sealed

Result = TypeVar("Result")
GREEDY = Sampling(temperature=0.0)
DEADLINE = 60.0
"""Only a hang reaches it."""


@dataclass(frozen=True)
class Said:
    """A whole generation."""

    text: str
    tokens: tuple[int, ...]
    ending: Ending

    @property
    def finished(self) -> Finished:
        assert isinstance(self.ending, Finished), self.ending
        return self.ending


def settings(**changes: Any) -> EngineSettings:
    values = {"sequences": 4, "threads": 1, "queue_limit": 64, "step_seconds": 30.0}
    return EngineSettings(**(values | changes))


@asynccontextmanager
async def loaded(model: Path, **changes: Any) -> AsyncIterator[Engine]:
    engine = Engine()
    try:
        await engine.load("model", sealed(model), settings(**changes))
        yield engine
    finally:
        await engine.close(0.0)


def with_model(model: Path, body: Callable[[Engine], Awaitable[Result]], **changes: Any) -> Result:
    """Run `body` with the model loaded under the name `model`."""

    async def run() -> Result:
        async with asyncio.timeout(DEADLINE), loaded(model, **changes) as engine:
            return await body(engine)

    return uvloop.run(run())


def asking(prompt: Prompt | str = "the patient", **changes: Any) -> GenerationRequest:
    values = {"sampling": GREEDY, "max_tokens": 16}
    return GenerationRequest(
        prompt=Text(text=prompt) if isinstance(prompt, str) else prompt, **(values | changes)
    )


def begin(engine: Engine, request: GenerationRequest, domain: str = "ward") -> Generation:
    return engine.generate("model", request, domain=domain)


async def collect(generation: Generation) -> Said:
    text, tokens = "", ()
    async for events in generation:
        for event in events:
            if isinstance(event, Delta):
                text += event.text
                tokens += event.tokens
    assert generation.ending is not None
    return Said(text, tokens, generation.ending)


async def say(engine: Engine, request: GenerationRequest, domain: str = "ward") -> Said:
    return await collect(begin(engine, request, domain))
