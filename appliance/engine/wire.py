"""The vocabulary between the gateway and a worker, and how it is framed.

Contract: every message is a frozen, tagged msgspec struct, encoded as a MessagePack array and
preceded by its length (4 bytes, big-endian). Unknown tags and surplus fields are refused. The
worker sends `Loaded` or `LoadFailed` first. For every `Generate` it sends exactly one `Ended`, also
after a `Cancel`. One `Step` frame carries what one engine step changed in all sequences; `Begun`
goes out before a step that computes a sequence for the first time, so that a crash leaves behind
who was on board. Neither side ever sends a Python object, a path or a key.
"""

from typing import Generic, TypeAlias, TypeVar

import msgspec

from appliance.errors import ApplianceError
from appliance.generation.outcome import Failed, Finished, NotServed
from appliance.generation.request import GenerationRequest

MAX_FRAME_BYTES = 64 << 20
"""A longer frame is a broken or hostile peer; the largest honest one is a 1 M token prompt."""

HEADER_BYTES = 4


class WireError(ApplianceError):
    """The peer sent something that is not of this vocabulary; the channel is unusable."""


class Frame(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, array_like=True, gc=False
):
    """Base of every message: frozen, keyword-only, closed, encoded as an array."""


class Configure(Frame, frozen=True, kw_only=True, tag="configure"):
    """First message to a worker: how to load the weights it inherited."""

    context_tokens: int
    """KV cells shared by all sequences; 0 means `sequences` × the model's own context."""
    sequence_tokens: int = 0
    """Most tokens of one sequence; 0 means the model's own context."""
    sequences: int
    """Sequences decoded together at most."""
    queue_limit: int
    """Generations that may wait for a place; one more is refused."""
    batch_tokens: int
    """Token budget of one step, decode and prefill together."""
    threads: int
    batch_threads: int
    gpu_layers: int = 0
    prefix_cache: bool = True
    flash_attention: bool = True
    kv_type: str = "f16"
    """Number format of the KV cache: f16, q8_0 or q4_0."""


class Generate(Frame, frozen=True, kw_only=True, tag="generate"):
    """Begin one generation."""

    id: int
    request: GenerationRequest
    domain: str
    """Isolation domain: prompts of different domains never share KV cells."""
    seed: int = 0
    """Seed to sample with where the request names none."""
    resume: tuple[int, ...] = ()
    """Tokens already decoded before a crash; they are prefilled, not sent again."""
    released: int = 0
    """Characters of their text that the caller has already."""


class Cancel(Frame, frozen=True, kw_only=True, tag="cancel"):
    """End a generation within one step; its ending still comes, reason `cancelled`."""

    id: int


class Drain(Frame, frozen=True, kw_only=True, tag="drain"):
    """Finish what runs, refuse what is new, then exit with status 0."""


class Loaded(Frame, frozen=True, kw_only=True, tag="loaded"):
    """The model serves. What the gateway needs to know of it."""

    context_tokens: int
    """Most tokens that one sequence may hold, prompt and answer together."""
    cells: int
    """KV cells shared by all sequences."""
    vocabulary: tuple[bytes, ...]
    """The bytes that each token id stands for, special tokens as their text."""
    template_digest: str
    """SHA-256 of the chat template, hex; empty if the model has none."""
    parameters: int
    architecture: str
    weights_bytes: int
    state_bytes: int
    """Bytes of KV cache."""
    threads: int
    """Threads in use, where `Configure` left the choice to the worker."""
    restrictions: tuple[str, ...]
    """Rights that the worker has taken away from itself and cannot get back."""
    unrestricted: tuple[str, ...]
    """Restrictions that this kernel or container would not grant."""


class LoadFailed(Frame, frozen=True, kw_only=True, tag="load_failed"):
    """The weights cannot serve; the worker exits after this."""

    message: str


class Begun(Frame, frozen=True, kw_only=True, tag="begun"):
    """These sequences are computed from the next step on."""

    ids: tuple[int, ...]


class Progress(Frame, frozen=True, kw_only=True):
    """One sequence's share of a step."""

    id: int
    text: str
    tokens: tuple[int, ...]


class Ended(Frame, frozen=True, kw_only=True):
    """One sequence's ending."""

    id: int
    ending: Finished | NotServed | Failed


class Gauges(Frame, frozen=True, kw_only=True):
    """The worker's state after a step; counters count since its start."""

    running: int
    waiting: int
    cells_used: int
    """Cells of running sequences, and of finished ones kept for their prefix."""
    cells_total: int
    cells_cached: int
    """Those of `cells_used` that no running sequence needs."""
    step_seconds: float
    tokens_decoded: int
    tokens_prefilled: int
    tokens_cached: int
    """Prompt tokens that were copied instead of computed."""
    preemptions: int


class Step(Frame, frozen=True, kw_only=True, tag="step"):
    """What one engine step changed; progress comes before endings."""

    progress: tuple[Progress, ...] = ()
    ended: tuple[Ended, ...] = ()
    gauges: Gauges | None = None


ToWorker: TypeAlias = Configure | Generate | Cancel | Drain
FromWorker: TypeAlias = Loaded | LoadFailed | Begun | Step

_encoder = msgspec.msgpack.Encoder()


def encode(message: ToWorker | FromWorker) -> bytes:
    """One framed message.

    Raises `WireError` if it is longer than a frame may be.
    """
    buffer = bytearray(HEADER_BYTES)
    _encoder.encode_into(message, buffer, HEADER_BYTES)
    length = len(buffer) - HEADER_BYTES
    if length > MAX_FRAME_BYTES:
        raise WireError(f"a message of {length} bytes is longer than a frame may be")
    buffer[:HEADER_BYTES] = length.to_bytes(HEADER_BYTES, "big")
    return bytes(buffer)


Message = TypeVar("Message")


class FrameReader(Generic[Message]):
    """Turns the bytes of a stream into messages of one direction's vocabulary."""

    def __init__(self, decoder: "msgspec.msgpack.Decoder[Message]") -> None:
        self._decoder = decoder
        self._pending = bytearray()
        self._needed = 0
        """Bytes that complete the first pending frame, so that a long one is joined once."""

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete now, in order.

        Raises `WireError` on an oversized or foreign frame; the reader is unusable afterwards.
        """
        if self._pending:
            self._pending += data
            if len(self._pending) < self._needed:
                return []
            data = bytes(self._pending)
            self._pending.clear()
        messages: list[Message] = []
        view = memoryview(data)
        at, end = 0, len(data)
        self._needed = HEADER_BYTES
        while end - at >= HEADER_BYTES:
            length = int.from_bytes(view[at : at + HEADER_BYTES], "big")
            if length > MAX_FRAME_BYTES:
                raise WireError(f"a frame of {length} bytes is longer than allowed")
            stop = at + HEADER_BYTES + length
            if stop > end:
                self._needed = stop - at
                break
            try:
                messages.append(self._decoder.decode(view[at + HEADER_BYTES : stop]))
            except (msgspec.DecodeError, ValueError) as error:
                # The text of a decode error can quote the value: only its kind goes on.
                raise WireError(f"a frame that means nothing ({type(error).__name__})") from None
            at = stop
        if at < end:
            self._pending += view[at:]
        return messages


def reader_for_worker() -> FrameReader[ToWorker]:
    """Reads what a gateway sends."""
    return FrameReader(msgspec.msgpack.Decoder(ToWorker))


def reader_for_gateway() -> FrameReader[FromWorker]:
    """Reads what a worker sends."""
    return FrameReader(msgspec.msgpack.Decoder(FromWorker))
