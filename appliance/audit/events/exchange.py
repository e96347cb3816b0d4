"""Facts about requests and their answers."""

from typing import ClassVar

import msgspec

from appliance.audit.events.event import REFUSED, Event
from appliance.errors import Code


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens counted by the engine."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


class ExchangeOpened(Event, frozen=True, kw_only=True):
    """A request was accepted. No token of its answer exists before this entry is durable."""

    action: ClassVar[str] = "exchange.opened"

    exchange: str
    """The exchange's id, which the caller also gets."""
    kind: str
    """What was asked for: `chat`, `completion`, `messages`, `embedding`…"""
    route: str
    """Method and path of the request, as the route table has it."""
    model: str
    """The alias that was asked for, as registered."""
    model_version: str = ""
    model_digest: str = ""
    template_digest: str = ""
    policy: str = ""
    policy_digest: str = ""
    sampler_digest: str = ""
    """Of the sampling parameters in canonical JSON."""
    build: str = ""
    """Version of the program and of llama.cpp."""
    prompt_digest: str = ""
    """Keyed digest of the prompt as the model gets it: scrubbed."""
    end_user_digest: str = ""
    """Keyed digest of whom the application said it serves (`user`)."""
    content_digest: str = ""
    """Digest of the stored ciphertext, where policy keeps content."""
    data_subject: str = ""
    """Keyed id of the person whose content it is, where policy keeps content."""
    redactions: dict[str, int] = msgspec.field(default_factory=dict)
    """Personal data found on the way in: type → count."""
    max_tokens: int | None = None
    streaming: bool = False

    @property
    def subject(self) -> str:
        """The exchange."""
        return f"exchange:{self.exchange}"


class ExchangeClosed(Event, frozen=True, kw_only=True):
    """An exchange ended. An answer is complete only when this entry is durable."""

    action: ClassVar[str] = "exchange.closed"

    exchange: str
    ending: str
    """`finished`, `length`, `refused`, `abandoned` or `failed`."""
    code: str = ""
    """Why it was refused or failed (`appliance.errors.Code`)."""
    usage: Usage = Usage()
    answer_digest: str = ""
    """Keyed digest of the answer as the caller got it."""
    content_digest: str = ""
    """Digest of the stored ciphertext, where policy keeps content."""
    redactions: dict[str, int] = msgspec.field(default_factory=dict)
    """Personal data found on the way out: type → count."""
    restarts: int = 0
    """How often the answer was resumed after its worker died."""
    queued_us: int = 0
    first_token_us: int = 0
    total_us: int = 0

    @property
    def subject(self) -> str:
        """The exchange."""
        return f"exchange:{self.exchange}"

    @property
    def outcome(self) -> str:
        """The ending."""
        return self.ending


class RequestRefused(Event, frozen=True, kw_only=True):
    """A request was turned away before an exchange opened: bad key, broken JSON, unknown model…."""

    action: ClassVar[str] = "request.refused"

    code: Code
    route: str
    """Method and path as the route table has it; `unknown` for a path that it does not have."""
    request: str = ""
    """The id that the caller got in the answer's headers."""
    param: str = ""
    """The field at fault, where it is one of the wire format's own."""

    @property
    def subject(self) -> str:
        """The request."""
        return f"request:{self.request}" if self.request else ""

    @property
    def outcome(self) -> str:
        """Always refused."""
        return REFUSED
