"""What the gateway needs of the rooms it walks through, as Protocols.

The assembly hands in the real rooms; nothing here says how they work.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from appliance.audit.entries import Actor
from appliance.audit.events import Event
from appliance.generation.outcome import Event as GenerationEvent
from appliance.generation.request import GenerationRequest
from appliance.policy.decision import Decision, Subject
from appliance.policy.document import Direction
from appliance.redaction.scrubber import Scrubber


class Journal(Protocol):
    """Where evidence goes."""

    async def append(self, event: Event, actor: Actor) -> object:
        """Return once the entry is durable; raises `UnavailableError` if it cannot be."""


class Generation(Protocol):
    """One running generation: batches of events, the last of which ends it."""

    def __aiter__(self) -> AsyncIterator[Sequence[GenerationEvent]]:
        """Yield all events that have come since the last batch."""

    def cancel(self) -> None:
        """End it within one step; its ending still comes."""


class Model(Protocol):
    """What the gateway has to know of a loaded model."""

    @property
    def vocabulary(self) -> Sequence[bytes]:
        """The bytes behind each token id."""

    @property
    def template_digest(self) -> str:
        """SHA-256 of the chat template, hex; empty if there is none."""


class Engine(Protocol):
    """Where tokens come from."""

    def generate(self, name: str, request: GenerationRequest, *, domain: str) -> Generation:
        """Begin a generation; a refusal is an ending like any other."""

    def describe(self, name: str) -> Model | None:
        """Describe a model; none if it is not loaded."""


class Screening(Protocol):
    """The active policy, compiled for whoever asks."""

    @property
    def policy_id(self) -> str:
        """Its name and version, as the log writes them."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file, hex."""

    def decide(self, subject: Subject, direction: Direction) -> Decision:
        """What holds for somebody: models, limits, treatments."""

    def input_scrubber(self, subject: Subject) -> Scrubber:
        """What goes to the model."""

    def output_scrubber(self, subject: Subject) -> Scrubber:
        """What comes back."""
