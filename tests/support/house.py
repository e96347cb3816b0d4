"""A simulated engine and journal; the scrubber is the real one with one rule of its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from appliance.access.principal import Principal, Role, Via
from appliance.audit.entries import Actor
from appliance.audit.events import Event
from appliance.errors import LogUnavailableError
from appliance.gateway.call import Call
from appliance.gateway.digests import Digests
from appliance.gateway.exchange import Exchange
from appliance.gateway.gateway import Gateway
from appliance.gateway.passage import Ended, Way
from appliance.generation.outcome import Delta, Finished, FinishReason, Usage
from appliance.generation.outcome import Event as GenerationEvent
from appliance.generation.prompt import Chat, Message
from appliance.generation.request import GenerationRequest
from appliance.policy.decision import Decision, Subject, decide
from appliance.policy.document import Direction, Document, parse
from appliance.redaction.actions import Action
from appliance.redaction.cards import CardDetector
from appliance.redaction.cues import CueFinder
from appliance.redaction.scrubber import Scrubber, Treatment
from appliance.redaction.vocabulary import CUES
from appliance.routing.routes import Route, Routes

DONE = Finished(reason=FinishReason.STOP, usage=Usage(prompt_tokens=3, completion_tokens=2), seed=1)


class SimulatedGeneration:
    """Plays a script of events, one batch each; waits for ever at its end if it has no ending."""

    def __init__(self, script: Sequence[GenerationEvent | Exception]) -> None:
        self.script = list(script)
        self.cancelled = asyncio.Event()

    def cancel(self) -> None:
        self.cancelled.set()

    async def __aiter__(self) -> AsyncIterator[Sequence[GenerationEvent]]:
        for event in self.script:
            await asyncio.sleep(0)
            if isinstance(event, Exception):
                raise event
            yield [event]
        await self.cancelled.wait()
        yield [
            Finished(
                reason=FinishReason.CANCELLED,
                usage=Usage(prompt_tokens=3, completion_tokens=1),
                seed=1,
            )
        ]


class SimulatedModel:
    vocabulary = (b"4111", b"1111", b" and ", b"so on")
    template_digest = "ab" * 32


class SimulatedEngine:
    def __init__(self) -> None:
        self.script: Sequence[GenerationEvent | Exception] = [
            Delta(text="one "), Delta(text="two"), DONE
        ]  # fmt: skip
        self.asked: list[GenerationRequest] = []
        self.generations: list[SimulatedGeneration] = []

    def generate(
        self, name: str, request: GenerationRequest, *, domain: str
    ) -> SimulatedGeneration:
        self.asked.append(request)
        self.generations.append(SimulatedGeneration(self.script))
        return self.generations[-1]

    def describe(self, name: str) -> SimulatedModel:
        return SimulatedModel()


class SimulatedJournal:
    """Keeps events; can be slow, and can fail at a chosen action."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.fails_at = ""
        self.open_gate = asyncio.Event()
        self.open_gate.set()

    async def append(self, event: Event, actor: Actor) -> None:
        await self.open_gate.wait()
        if event.action == self.fails_at:
            raise LogUnavailableError("the audit log cannot be written; make room on its disk")
        self.events.append(event)

    @property
    def actions(self) -> list[str]:
        return [event.action for event in self.events]


_POLICY = b"""
id: test
version: 1
title: for tests
mode: enforce
fail: block
jurisdictions: all
languages: [en]
limits: {max_tokens: 64, max_input_characters: 1000}
content: none
rules:
  - entities: [CREDIT_CARD]
    action: replace
tests:
  - name: a card
    text: "4111 1111 1111 1111"
    expect: "[CREDIT_CARD]"
"""


def no_parent(name: str) -> Document:
    raise AssertionError(f"extends {name}")


class SimulatedScreening:
    policy_id = "test@1"
    digest = "cd" * 32

    def __init__(self) -> None:
        self.output_action = Action.REPLACE
        self.document = parse(_POLICY, "test.yaml", no_parent)

    def decide(self, subject: Subject, direction: Direction) -> Decision:
        return decide(self.document, subject, direction)

    def input_scrubber(self, subject: Subject) -> Scrubber:
        return self._scrubber(Action.REPLACE)

    def output_scrubber(self, subject: Subject) -> Scrubber:
        return self._scrubber(self.output_action)

    @staticmethod
    def _scrubber(action: Action) -> Scrubber:
        return Scrubber([CardDetector()], {"CREDIT_CARD": Treatment(action)}, CueFinder(CUES))


class House:
    """The gateway with everything around it simulated."""

    def __init__(self) -> None:
        self.engine = SimulatedEngine()
        self.journal = SimulatedJournal()
        self.screening = SimulatedScreening()
        self.observed: list[Ended] = []
        routes = Routes()
        routes.direct(
            Route(alias="demo", version="v1", digest="ef" * 32, activated_at=datetime.now(UTC))
        )
        self.gateway = Gateway(
            routes,
            Way(
                screening=self.screening,
                engine=self.engine,
                journal=self.journal,
                digests=Digests(bytes(32)),
                observe=self.observed.append,
                slow_reader_seconds=0.05,
            ),
        )

    def begin(self, text: str = "hello", *, model: str = "demo") -> Exchange:
        prompt = Chat(messages=(Message(role="user", content=text),))
        return self.begin_request(GenerationRequest(prompt=prompt), model=model)

    def begin_request(self, request: GenerationRequest, *, model: str = "demo") -> Exchange:
        exchange = Exchange()
        call = Call(
            kind="chat",
            route="POST /v1/chat/completions",
            principal=Principal(id="k1", name="his", role=Role.APPLICATION, via=Via.API_KEY),
            source="10.0.0.1",
            model=model,
            request=request,
            streaming=True,
        )
        self.gateway.begin(call, exchange)
        return exchange


async def text_of(exchange: Exchange) -> str:
    return "".join([piece async for pieces in exchange.pieces() for piece in pieces])
