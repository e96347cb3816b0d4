"""Starts exchanges, and waits for them when the box stops."""

import asyncio

import msgspec

from appliance.access.principal import Principal
from appliance.audit.events import RequestRefused
from appliance.errors import Code, LogUnavailableError, Refusal, RefusalError
from appliance.gateway import prompts
from appliance.gateway.bounds import bounded
from appliance.gateway.call import Call, actor_of, subject_of
from appliance.gateway.exchange import Exchange
from appliance.gateway.passage import Passage, Prepared, Way, internal_error
from appliance.generation.outcome import Finished
from appliance.policy.document import Direction
from appliance.redaction.scrubber import Blocked
from appliance.routing.routes import Routes
from appliance.telemetry import logger

_log = logger("gateway")


class Gateway:
    """Runs exchanges: `begin` for each call, `close` at the end."""

    def __init__(self, routes: Routes, way: Way) -> None:
        self._routes = routes
        self._way = way
        self._running: dict[asyncio.Task[None], Exchange] = {}
        self._closing = False

    def begin(self, call: Call, exchange: Exchange) -> None:
        """Start carrying a call; returns at once. All that follows is read from the exchange."""
        task = asyncio.create_task(self._carry(call, exchange), name=f"exchange {exchange.id}")
        self._running[task] = exchange
        task.add_done_callback(self._running.pop)

    async def refused(
        self,
        exchange_id: str,
        route: str,
        refusal: Refusal,
        principal: Principal | None,
        source: str,
    ) -> None:
        """Log a request that never became an exchange.

        Raises:
            UnavailableError: the log is down; the caller is told that instead.
        """
        # The name of a field that the wire format does not have is the caller's own text.
        ours = refusal.code is not Code.UNSUPPORTED_FIELD
        event = RequestRefused(
            code=refusal.code,
            route=route,
            request=exchange_id,
            param=(refusal.param or "") if ours else "",
        )
        await self._way.journal.append(event, actor_of(principal, source))

    async def close(self, patience: float) -> None:
        """Refuse new calls and wait until every exchange has ended and is logged.

        Those that still run after `patience` seconds are abandoned, and logged as such.
        """
        self._closing = True
        if self._running:
            await asyncio.wait(set(self._running), timeout=patience)
        for exchange in self._running.values():
            exchange.abandon()
        while self._running:
            await asyncio.wait(set(self._running))

    async def _carry(self, call: Call, exchange: Exchange) -> None:
        ending: Finished | Refusal
        try:
            prepared = self._prepare(call)
            if isinstance(prepared, Refusal):
                await self.refused(exchange.id, call.route, prepared, call.principal, call.source)
                ending = prepared
            else:
                passage = Passage(self._way, call, exchange, prepared)
                ending = await passage.run()
        except LogUnavailableError as error:
            ending = Refusal(code=Code.LOG_UNAVAILABLE, message=str(error), retry_after=5)
        except Exception as error:
            ending = await self._broken(call, exchange, error)
        exchange.end(ending)

    async def _broken(self, call: Call, exchange: Exchange, error: Exception) -> Refusal:
        """Note what should not have happened, for the operator and in the log."""
        _log.error("an exchange broke", exchange=exchange.id, error=error)
        refusal = internal_error(error)
        try:
            await self.refused(exchange.id, call.route, refusal, call.principal, call.source)
        except LogUnavailableError as outage:
            return Refusal(code=Code.LOG_UNAVAILABLE, message=str(outage), retry_after=5)
        return refusal

    def _prepare(self, call: Call) -> Refusal | Prepared:
        """Find the model and scrub the prompt: all that needs no waiting."""
        if self._closing:
            return _SHUTTING_DOWN
        permitted = call.principal.may_use(call.model)
        route = self._routes.resolve(call.model, permitted=permitted)
        if isinstance(route, Refusal):
            return route
        model = self._way.engine.describe(route.version)
        if model is None:
            return _LOADING
        screening, subject = self._way.screening, subject_of(call.principal)
        request = bounded(call.request, call.model, screening.decide(subject, Direction.INPUT))
        if isinstance(request, Refusal):
            return request
        try:
            scrubber = screening.input_scrubber(subject)
            prompt, redactions = prompts.scrub(request.prompt, scrubber, model.vocabulary)
        except Blocked as error:
            return Refusal(code=Code.CONTENT_BLOCKED, message=str(error))
        except RefusalError as error:
            return error.refusal
        clean = msgspec.structs.replace(request, prompt=prompt)
        return Prepared(route=route, model=model, request=clean, redactions=redactions)


_SHUTTING_DOWN = Refusal(
    code=Code.SHUTTING_DOWN, message="the box is shutting down; try again", retry_after=30
)
_LOADING = Refusal(
    code=Code.MODEL_UNAVAILABLE, message="the model is not loaded yet; try again", retry_after=10
)
