"""The vocabulary between the gateway and a worker.

Contract: every message is a frozen, tagged msgspec struct, encoded as MessagePack and preceded by
its length (4 bytes, big-endian). Unknown tags and unknown fields are refused. The worker sends
`Loaded` or `LoadFailed` first and exactly one of `Finished`, `NotServed`, `Failed` for every
`Generate`, also after a `Cancel`. One `Step` frame carries what one engine step changed in
all sequences. Neither side ever sends a Python object, a path or a key.
"""

from typing import TypeAlias

import msgspec

from appliance.generation.outcome import Failed, Finished, NotServed
from appliance.generation.request import GenerationRequest

MAX_FRAME_BYTES = 64 << 20
"""A longer frame is a broken or hostile peer; the largest honest one is a 1 M token prompt."""


class Frame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every message: frozen, keyword-only, closed."""


class Configure(Frame, tag="configure"):
    """First message to a worker: how to load the weights it inherited."""

    context_tokens: int
    """KV cells shared by all sequences; 0 means `sequences` × the model's own context."""
    sequences: int
    """Sequences decoded together at most."""
    queue_limit: int
    """Generations that may wait for a place; one more is refused."""
    batch_tokens: int
    """Token budget of one step, decode and prefill together."""
    threads: int
    batch_threads: int
    gpu_layers: int = 0


class Generate(Frame, tag="generate"):
    """Begin one generation."""

    id: int
    request: GenerationRequest
    domain: str
    """Isolation domain: prompts of different domains never share KV cells."""
    resume: tuple[int, ...] = ()
    """Tokens already delivered before a crash; they are prefilled, not sent again."""


class Cancel(Frame, tag="cancel"):
    """End a generation within one step; its ending still comes, reason `cancelled`."""

    id: int


class Drain(Frame, tag="drain"):
    """Finish what runs, refuse what is new, then exit with status 0."""


class Loaded(Frame, tag="loaded"):
    """The model serves. What the gateway needs to know of it."""

    context_tokens: int
    """Most tokens that one sequence may hold, prompt and answer together."""
    vocabulary: tuple[bytes, ...]
    """The bytes that each token id stands for, special tokens as their text."""
    template_digest: str
    """SHA-256 of the chat template, hex; empty if the model has none."""
    parameters: int
    architecture: str
    weights_bytes: int
    state_bytes: int
    """Bytes of KV cache and compute buffers."""


class LoadFailed(Frame, tag="load_failed"):
    """The weights cannot serve; the worker exits after this."""

    message: str


class Progress(Frame, tag="progress"):
    """One sequence's share of a step."""

    id: int
    text: str
    tokens: tuple[int, ...]


class Ended(Frame, tag="ended"):
    """One sequence's ending."""

    id: int
    ending: Finished | NotServed | Failed


class Gauges(Frame, tag="gauges"):
    """The worker's state after a step."""

    running: int
    waiting: int
    cells_used: int
    cells_total: int
    step_seconds: float
    tokens_decoded: int
    tokens_prefilled: int


class Step(Frame, tag="step"):
    """What one engine step changed; progress comes before endings."""

    progress: tuple[Progress, ...] = ()
    ended: tuple[Ended, ...] = ()
    gauges: Gauges | None = None


ToWorker: TypeAlias = Configure | Generate | Cancel | Drain
FromWorker: TypeAlias = Loaded | LoadFailed | Step
