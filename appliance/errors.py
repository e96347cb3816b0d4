"""The errors that every room may raise, and the refusals that every room may answer with.

A *refusal* is expected: the caller asked for something the house does not do, and the text says
what to do instead. Refusals are values (`Refusal`) where they end an exchange, and are carried by
`RefusalError` where a call has to be abandoned on the way. *Breakage* raises another
`ApplianceError`.
`api` alone turns either into HTTP; nobody else knows status codes.

A message never holds content: no prompt, no answer, no key, no value of a field that a caller
sent. It may name the field.
"""

from enum import StrEnum

import msgspec


class Code(StrEnum):
    """Why a request was refused. Values are stable: clients and the log rely on them."""

    INVALID_REQUEST = "invalid_request"
    UNSUPPORTED_FIELD = "unsupported_field"
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded"
    INVALID_API_KEY = "invalid_api_key"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    PERMISSION_DENIED = "permission_denied"
    MODEL_NOT_FOUND = "model_not_found"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    CONFLICT = "conflict"
    REQUEST_TOO_LARGE = "request_too_large"
    CONTENT_BLOCKED = "content_blocked"
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    SEALED = "sealed"
    LOG_UNAVAILABLE = "log_unavailable"
    MODEL_UNAVAILABLE = "model_unavailable"
    SHUTTING_DOWN = "shutting_down"
    INTERNAL_ERROR = "internal_error"


class Refusal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request that is not served, and what its sender can do about it."""

    code: Code
    message: str
    param: str | None = None
    """The field at fault, as a path into the body (`messages[2].content`)."""
    retry_after: float | None = None
    """Seconds after which the same request may succeed."""


class ApplianceError(Exception):
    """Base of everything the house raises on purpose. `str()` is fit to be shown to a person."""


class RefusalError(ApplianceError):
    """Carries a refusal out of a call that cannot return one."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class ConfigurationError(ApplianceError):
    """cloister.toml, a policy or a command line that cannot be honoured."""


class IntegrityError(ApplianceError):
    """Stored bytes are not what was stored: altered, truncated, swapped or rolled back."""


class SealedError(ApplianceError):
    """A key is needed and the vault is sealed."""


class UnavailableError(ApplianceError):
    """A part that a request needs cannot serve now: log, worker, database or disk."""


class LogUnavailableError(UnavailableError):
    """The audit log cannot be written: nothing that has to be logged may happen."""


def refuse(
    code: Code, message: str, *, param: str | None = None, retry_after: float | None = None
) -> RefusalError:
    """Build the exception that abandons a call with a refusal."""
    return RefusalError(Refusal(code=code, message=message, param=param, retry_after=retry_after))
