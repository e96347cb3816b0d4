"""The models that are loaded, by name.

Contract: `load` returns when the model serves, and raises otherwise; loading a name twice is an
error. `generate` never raises: what goes wrong with a generation is its ending. `close` drains
every model within a deadline and leaves no process behind.
"""

import asyncio

from appliance.engine.description import ModelDescription, ModelGauges
from appliance.engine.generation import Generation
from appliance.engine.supervisor import Supervisor, WeightsSource
from appliance.errors import Code, UnavailableError
from appliance.generation.outcome import NotServed
from appliance.generation.request import GenerationRequest
from appliance.settings import EngineSettings


class Engine:
    """All loaded models."""

    def __init__(self) -> None:
        self._models: dict[str, Supervisor] = {}

    async def load(self, name: str, weights: WeightsSource, settings: EngineSettings) -> None:
        """Load a model under a name.

        `weights` is called once, on a thread; the descriptor it returns is the engine's.
        Raises `UnavailableError` if the model cannot serve, with the reason.
        """
        if name in self._models:
            raise UnavailableError(f"the model {name} is loaded already; unload it first")
        loop = asyncio.get_running_loop()
        descriptor = await loop.run_in_executor(None, weights)
        supervisor = Supervisor(name, descriptor, settings)
        self._models[name] = supervisor
        try:
            await supervisor.start()
        except BaseException:
            del self._models[name]
            await supervisor.close(0.0)
            raise

    async def unload(self, name: str, deadline: float = 20.0) -> None:
        """Drain a model for at most `deadline` seconds and end its worker."""
        supervisor = self._models.pop(name, None)
        if supervisor is not None:
            await supervisor.close(deadline)

    async def close(self, deadline: float = 20.0) -> None:
        """Unload everything."""
        names = tuple(self._models)
        await asyncio.gather(*(self.unload(name, deadline) for name in names))

    def models(self) -> tuple[str, ...]:
        """Names of the models that are loaded or loading."""
        return tuple(self._models)

    def describe(self, name: str) -> ModelDescription | None:
        """What is known of a model; none if there is none of that name."""
        supervisor = self._models.get(name)
        return supervisor.describe() if supervisor is not None else None

    def gauges(self, name: str) -> ModelGauges | None:
        """Figures of a model; none if there is none of that name."""
        supervisor = self._models.get(name)
        return supervisor.gauges() if supervisor is not None else None

    def generate(self, name: str, request: GenerationRequest, *, domain: str) -> Generation:
        """Begin a generation; `domain` is the isolation domain whose prompts may share cells."""
        supervisor = self._models.get(name)
        if supervisor is not None:
            return supervisor.generate(request, domain)
        generation = Generation(0, lambda _: None)
        generation.end(
            NotServed(
                code=Code.MODEL_NOT_FOUND,
                message=f"No model of the name {name} is loaded.",
                param="model",
            )
        )
        return generation
