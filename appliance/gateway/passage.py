"""One exchange between its opened and its closed entry.

- No text is shown before the opened entry is durable; it becomes durable while the engine already
  prefills.
- The last text and the end are shown after the closed entry is durable, on every ending: finished,
  refused, abandoned, failed. If that entry cannot be written the reader gets an error instead of
  an end, so nobody holds an answer that the log does not know.
- Whatever goes wrong inside ends this exchange alone, with an entry and without content in it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from appliance import __version__
from appliance.audit.events import ExchangeClosed, ExchangeOpened
from appliance.audit.events import Usage as LoggedUsage
from appliance.errors import ApplianceError, Code, Refusal
from appliance.gateway.call import Call, actor_of, subject_of
from appliance.gateway.digests import Digests, plain_digest
from appliance.gateway.exchange import Exchange, SlowReaderError
from appliance.gateway.needs import Engine, Generation, Journal, Model, Screening
from appliance.gateway.prompts import counts
from appliance.generation.outcome import (
    Delta,
    Ending,
    Failed,
    Finished,
    FinishReason,
    NotServed,
    Usage,
)
from appliance.generation.request import GenerationRequest
from appliance.redaction.scrubber import Blocked
from appliance.routing.routes import Route
from appliance.telemetry import logger

_log = logger("gateway")

Observer = Callable[["Ended"], None]


@dataclass(frozen=True)
class Ended:
    """What telemetry learns of an exchange. Times in seconds from its beginning."""

    model: str
    ending: str
    usage: Usage | None
    first_text: float
    total: float


@dataclass(frozen=True)
class Way:
    """The rooms that a passage goes through, and what the box expects of readers."""

    screening: Screening
    engine: Engine
    journal: Journal
    digests: Digests
    observe: Observer
    slow_reader_seconds: float


@dataclass(frozen=True)
class Prepared:
    """A call that may go: its model, and the request with its prompt scrubbed."""

    route: Route
    model: Model
    request: GenerationRequest
    redactions: dict[str, int]


class Passage:
    """Carries one prepared call to its end. `run` it once."""

    def __init__(
        self,
        way: Way,
        call: Call,
        exchange: Exchange,
        prepared: Prepared,
    ) -> None:
        self._way = way
        self._call = call
        self._exchange = exchange
        self._route = prepared.route
        self._model = prepared.model
        self._request = prepared.request
        self._redactions = prepared.redactions
        self._actor = actor_of(call.principal, call.source)
        self._stream = way.screening.output_scrubber(subject_of(call.principal)).stream()
        self._answer = way.digests.running()
        self._started = time.monotonic()
        self._first_text = 0.0

    async def run(self) -> Finished | Refusal:
        """Generate and log. Returns what the reader is told after the last text."""
        generation = self._way.engine.generate(
            self._route.version, self._request, domain=self._call.principal.id
        )
        self._exchange.when_abandoned(generation.cancel)
        try:
            await self._way.journal.append(self._opened(), self._actor)
            return await self._answered(generation)
        except BaseException:
            generation.cancel()
            raise

    async def _answered(self, generation: Generation) -> Finished | Refusal:
        tail = ""
        usage: Usage | None = None
        told: Finished | Refusal
        try:
            ending = await self._relay(generation)
            if isinstance(ending, Finished):
                tail = self._stream.finish()
        except Blocked as error:
            generation.cancel()
            told, logged = Refusal(code=Code.CONTENT_BLOCKED, message=str(error)), "refused"
        except SlowReaderError:
            self._exchange.abandon()
            told, logged = _SLOW_READER, "abandoned"
        except Exception as error:
            generation.cancel()
            _log.error("an exchange broke", exchange=self._exchange.id, error=error)
            told, logged = internal_error(error), "failed"
        else:
            told, logged, usage = _read(ending)
        self._answer.update(tail)
        await self._way.journal.append(self._closed(told, logged, usage), self._actor)
        if tail:
            self._exchange.show(tail)
        return told

    async def _relay(self, generation: Generation) -> Ending:
        """Show scrubbed text until the generation ends."""
        exchange, feed, digest = self._exchange, self._stream.feed, self._answer.update
        async for batch in generation:
            for event in batch:
                if not isinstance(event, Delta):
                    return event
                if text := feed(event.text):
                    digest(text)
                    exchange.show(text)
                    if not self._first_text:
                        self._first_text = time.monotonic() - self._started
            if exchange.full:
                await exchange.room(self._way.slow_reader_seconds)
        raise ApplianceError("the generation broke off without an ending")

    def _opened(self) -> ExchangeOpened:
        call, way = self._call, self._way
        return ExchangeOpened(
            exchange=self._exchange.id,
            kind=call.kind,
            route=call.route,
            model=self._route.alias,
            model_version=self._route.version,
            model_digest=f"sha256:{self._route.digest}",
            template_digest=f"sha256:{digest}" if (digest := self._model.template_digest) else "",
            policy=way.screening.policy_id,
            policy_digest=f"sha256:{way.screening.digest}",
            sampler_digest=plain_digest(self._request.sampling),
            build=__version__,
            prompt_digest=way.digests.of(msgspec.json.encode(self._request.prompt)),
            end_user_digest="" if not call.end_user else way.digests.of(call.end_user.encode()),
            redactions=self._redactions,
            max_tokens=self._request.max_tokens,
            streaming=call.streaming,
        )

    def _closed(self, told: Finished | Refusal, logged: str, usage: Usage | None) -> ExchangeClosed:
        total = time.monotonic() - self._started
        self._way.observe(
            Ended(
                model=self._route.alias,
                ending=logged,
                usage=usage,
                first_text=self._first_text,
                total=total,
            )
        )
        return ExchangeClosed(
            exchange=self._exchange.id,
            ending=logged,
            code=told.code.value if isinstance(told, Refusal) else "",
            usage=LoggedUsage() if usage is None else LoggedUsage(**msgspec.structs.asdict(usage)),
            answer_digest=self._answer.text(),
            redactions=counts(self._stream.findings),
            first_token_us=round(self._first_text * 1e6),
            total_us=round(total * 1e6),
        )


def internal_error(error: Exception) -> Refusal:
    """What a caller is told of breakage: the house's own words, or none of anybody's."""
    if isinstance(error, ApplianceError):
        return Refusal(code=Code.INTERNAL_ERROR, message=str(error))
    return Refusal(
        code=Code.INTERNAL_ERROR,
        message="an internal error ended this request; quote its x-request-id to the operator",
    )


def _read(ending: Ending) -> tuple[Finished | Refusal, str, Usage | None]:
    """Return what the reader is told, what the log calls it, and the tokens it took."""
    match ending:
        case Finished(reason=reason, usage=usage):
            return ending, _LOGGED[reason], usage
        case NotServed():
            refusal = Refusal(
                code=ending.code,
                message=ending.message,
                param=ending.param,
                retry_after=ending.retry_after,
            )
            return refusal, "refused", None
        case Failed():
            return Refusal(code=ending.code, message=ending.message), "failed", ending.usage


_LOGGED = {
    FinishReason.STOP: "finished",
    FinishReason.LENGTH: "length",
    FinishReason.CANCELLED: "abandoned",
}

_SLOW_READER = Refusal(
    code=Code.INVALID_REQUEST, message="the answer was not read fast enough and was cut off"
)
