"""Keeps one model's worker running, and its generations alive through crashes.

Contract: `start` loads the model or raises; then `generate` may be called until `close`. Every
generation ends in exactly one of `Finished`, `NotServed`, `Failed`. When a worker dies, hangs in a
step or babbles, another is started, after a pause that doubles with every failure, and what it held
is resumed from the tokens delivered so far (`Custody` says in which order); callers notice a pause.
A model whose workers die again and again without serving is given up: state `failed`.
Runs on one event loop; nothing here is per token but `_dispatch`.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable

import msgspec

from appliance.engine.channel import Channel
from appliance.engine.custody import Custody, Held
from appliance.engine.description import ModelDescription, ModelGauges, ModelState
from appliance.engine.generation import Generation
from appliance.engine.process import WorkerProcess
from appliance.engine.wire import (
    Begun,
    Cancel,
    Configure,
    Drain,
    FromWorker,
    Gauges,
    Loaded,
    LoadFailed,
    Step,
    WireError,
)
from appliance.errors import Code, UnavailableError
from appliance.generation.outcome import Ending, Failed, Finished, FinishReason, NotServed, Usage
from appliance.generation.request import GenerationRequest
from appliance.settings import EngineSettings

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
FRUITLESS_RESTARTS = 6
"""Workers that died in a row, nothing achieved, before the model is given up."""


class _WorkerDiedError(Exception):
    """The channel closed before the model was loaded."""


class Supervisor:
    """One model, one worker at a time."""

    def __init__(self, name: str, weights: int, settings: EngineSettings) -> None:
        """`weights` is a sealed file descriptor; it is closed by `close`."""
        self._name = name
        self._weights = weights
        self._settings = settings
        self._custody = Custody()
        self._emptied = asyncio.Event()
        self._next_id = 1
        self._state = ModelState.LOADING
        self._reason = ""
        self._loaded: Loaded | None = None
        self._gauges: Gauges | None = None
        self._process: WorkerProcess | None = None
        self._channel: Channel | None = None
        self._loading: asyncio.Future[Loaded] | None = None
        self._task: asyncio.Task[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._fruitless = 0
        self._restarts = self._resumed = self._poisoned = self._hung = 0

    # What others may ask

    @property
    def state(self) -> ModelState:
        """Where the model stands."""
        return self._state

    def describe(self) -> ModelDescription:
        """What is known of the model."""
        loaded = self._loaded
        bare = ModelDescription(
            name=self._name,
            state=self._state,
            reason=self._reason,
            worker_pid=self._process.pid if self._process is not None else 0,
        )
        if loaded is None:
            return bare
        return msgspec.structs.replace(
            bare,
            context_tokens=loaded.context_tokens,
            vocabulary=loaded.vocabulary,
            template_digest=loaded.template_digest,
            architecture=loaded.architecture,
            parameters=loaded.parameters,
            weights_bytes=loaded.weights_bytes,
            state_bytes=loaded.state_bytes,
            threads=loaded.threads,
            restrictions=loaded.restrictions,
            unrestricted=loaded.unrestricted,
        )

    def gauges(self) -> ModelGauges:
        """Figures of now."""
        return ModelGauges(
            state=self._state,
            held=len(self._custody),
            worker=self._gauges,
            restarts=self._restarts,
            resumed=self._resumed,
            poisoned=self._poisoned,
            hung=self._hung,
        )

    # Life

    async def start(self) -> None:
        """Load the model.

        Raises `UnavailableError` with the worker's reason.
        """
        try:
            await self._start_worker()
        except UnavailableError as error:
            self._fail(str(error))
            raise
        self._serve()

    def generate(self, request: GenerationRequest, domain: str) -> Generation:
        """Begin one generation; whatever is wrong with it comes as its ending."""
        generation = Generation(self._next_id, self._cancel)
        self._next_id += 1
        refusal = self._refusal()
        if refusal is not None:
            generation.end(refusal)
            return generation
        seed = request.sampling.seed
        held = Held(generation, request, domain, secrets.randbits(32) if seed is None else seed)
        self._custody.add(held)
        if self._state is ModelState.READY:
            self._send_due()
        return generation

    async def close(self, deadline: float) -> None:
        """Let what runs finish for at most `deadline` seconds, then end the worker."""
        serving = self._state is ModelState.READY
        self._state = ModelState.CLOSED
        if serving and self._channel is not None and deadline > 0:
            self._channel.send(Drain())
            self._emptied.clear()
            if len(self._custody):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._emptied.wait(), deadline)
        if self._task is not None:
            self._task.cancel()
        self._end_all(
            Failed(code=Code.SHUTTING_DOWN, message="The model was unloaded; try again later.")
        )
        await self._stop_worker()
        if self._weights >= 0:
            os.close(self._weights)
            self._weights = -1

    def _refusal(self) -> NotServed | None:
        if self._state in (ModelState.CLOSED, ModelState.FAILED):
            return NotServed(
                code=Code.MODEL_UNAVAILABLE,
                message=f"The model {self._name} is not running; ask the operator.",
            )
        room = self._settings.sequences + self._settings.queue_limit
        if self._state is not ModelState.READY and len(self._custody) >= room:
            return NotServed(
                code=Code.QUEUE_FULL,
                message="The model is being restarted and its queue is full; try again shortly.",
                retry_after=2.0,
            )
        return None

    def _cancel(self, generation: int) -> None:
        held = self._custody.get(generation)
        if held is None:
            return
        if held.sent and self._channel is not None:
            self._channel.send(Cancel(id=generation))
            return
        usage = Usage(prompt_tokens=0, completion_tokens=len(held.tokens))
        self._end(generation, Finished(reason=FinishReason.CANCELLED, usage=usage, seed=held.seed))

    # The worker

    async def _start_worker(self) -> None:
        """Start a worker and wait until it has loaded the weights."""
        loop = asyncio.get_running_loop()
        self._loading = loop.create_future()
        try:
            channel, theirs = await Channel.open(self._take, self._lost)
        except OSError as error:
            raise UnavailableError(f"the worker cannot be started: {error.strerror}") from error
        try:
            self._process = WorkerProcess.start(theirs.fileno(), self._weights)
        except OSError as error:
            channel.close()
            raise UnavailableError(f"the worker cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        self._channel = channel
        channel.send(_configuration(self._settings))
        try:
            async with asyncio.timeout(self._settings.load_seconds):
                self._loaded = await self._loading
        except TimeoutError:
            await self._stop_worker()
            raise UnavailableError(
                f"the model did not load within {self._settings.load_seconds:.0f} s; "
                "raise engine.load_seconds or take a smaller model"
            ) from None
        except _WorkerDiedError as death:
            status = await self._stop_worker()
            raise UnavailableError(f"the worker died while loading ({status}): {death}") from None
        except UnavailableError:
            await self._stop_worker()
            raise
        finally:
            self._loading = None

    async def _stop_worker(self) -> str:
        """End the worker if it still lives; how it ended, in words."""
        channel, self._channel = self._channel, None
        process, self._process = self._process, None
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        if channel is not None:
            channel.close()
        if process is None:
            return "not started"
        process.kill()  # nothing to one that is dead already
        return await process.exited()

    def _serve(self) -> None:
        """The worker is ready: send what waits and watch."""
        self._state = ModelState.READY
        self._reason = ""
        self._heard_at = asyncio.get_running_loop().time()
        self._send_due()
        self._watch()

    def _send_due(self) -> None:
        channel = self._channel
        if channel is None:
            return
        if not self._custody.awaiting_worker:
            self._heard_at = asyncio.get_running_loop().time()
        for held in self._custody.due():
            if held.crashes or held.tokens:
                self._resumed += 1
            try:
                channel.send(held.message())
            except (WireError, OverflowError):
                unspeakable = NotServed(
                    code=Code.INVALID_REQUEST,
                    message="The request holds a number or a text too large for any model.",
                )
                self._end(held.generation.id, unspeakable)

    def _take(self, message: FromWorker) -> None:
        """One message from the worker."""
        if isinstance(message, Step):
            self._dispatch(message)
        elif isinstance(message, Begun):
            self._custody.begun(message.ids)
        elif self._loading is None or self._loading.done():
            self._babble()
        elif isinstance(message, LoadFailed):
            self._loading.set_exception(UnavailableError(message.message))
        else:
            self._loading.set_result(message)

    def _dispatch(self, step: Step) -> None:
        custody = self._custody
        probing = custody.probing
        self._heard_at = asyncio.get_running_loop().time()
        for news in step.progress:
            custody.progress(news)
        for ended in step.ended:
            self._end(ended.id, ended.ending)
        if step.gauges is not None:
            self._gauges = step.gauges
        if step.progress or step.ended:
            self._fruitless = 0
        if probing:  # the next suspect, or, after the last, everybody
            self._send_due()

    def _babble(self) -> None:
        if self._process is not None:
            self._process.kill()

    # Faults

    def _watch(self) -> None:
        """Replace a worker that owes something and has said nothing for too long."""
        loop = asyncio.get_running_loop()
        limit = self._settings.step_seconds
        silent = loop.time() - self._heard_at
        if self._custody.awaiting_worker and silent > limit and self._process is not None:
            self._hung += 1
            self._process.kill()  # its channel closes: `_lost` does the rest
            self._watchdog = None
            return
        self._watchdog = loop.call_later(max(limit / 8, 0.01), self._watch)

    def _lost(self, reason: str) -> None:
        """The worker is gone."""
        if self._loading is not None and not self._loading.done():
            self._loading.set_exception(
                UnavailableError(f"the worker died while loading: {reason}")
            )
            return
        if self._state is ModelState.CLOSED:
            self._emptied.set()  # nothing more will come
            return
        self._state = ModelState.RESTARTING
        self._reason = reason
        self._task = asyncio.get_running_loop().create_task(self._restart())

    async def _restart(self) -> None:
        """Blame, start another worker, resume."""
        poison = self._custody.blame()
        if poison is not None:
            self._poisoned += 1
            poison.generation.end(
                Failed(
                    code=Code.INTERNAL_ERROR,
                    message="This request made the model's worker crash twice and was given up.",
                    usage=Usage(prompt_tokens=0, completion_tokens=len(poison.tokens)),
                )
            )
        while True:
            await self._stop_worker()
            self._gauges = None
            if self._fruitless >= FRUITLESS_RESTARTS:
                self._fail("its worker keeps dying; look at memory and at the model file")
                return
            if self._fruitless:
                pause = FIRST_PAUSE_SECONDS * 2 ** (self._fruitless - 1)
                await asyncio.sleep(min(pause, LONGEST_PAUSE_SECONDS))
            self._fruitless += 1
            self._restarts += 1
            try:
                await self._start_worker()
            except UnavailableError as error:
                self._reason = str(error)
                continue
            except Exception as error:
                # Whoever waits for this model must be told, whatever it was.
                self._fail(f"its worker could not be replaced ({type(error).__name__})")
                raise
            break
        self._task = None
        self._serve()

    def _fail(self, reason: str) -> None:
        self._state, self._reason = ModelState.FAILED, reason
        self._end_all(
            Failed(
                code=Code.MODEL_UNAVAILABLE,
                message=f"The model {self._name} stopped and cannot be restarted now.",
            )
        )

    def _end(self, generation: int, ending: Ending) -> None:
        held = self._custody.remove(generation)
        if held is not None:
            held.generation.end(ending)
            if not len(self._custody):
                self._emptied.set()

    def _end_all(self, ending: Ending) -> None:
        for held in self._custody:
            self._end(held.generation.id, ending)


def _configuration(settings: EngineSettings) -> Configure:
    return Configure(
        context_tokens=settings.context_tokens,
        sequence_tokens=settings.sequence_tokens,
        sequences=settings.sequences,
        queue_limit=settings.queue_limit,
        batch_tokens=settings.batch_tokens,
        threads=settings.threads,
        batch_threads=settings.batch_threads,
        gpu_layers=settings.gpu_layers,
        prefix_cache=settings.prefix_cache,
        flash_attention=settings.flash_attention,
        kv_type=settings.kv_type,
    )


WeightsSource = Callable[[], int]
"""Gives a fresh sealed file descriptor; may block while it decrypts."""
