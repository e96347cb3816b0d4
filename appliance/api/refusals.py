"""The one map from a refusal to HTTP."""

import math

from appliance.errors import (
    ApplianceError,
    Code,
    LogUnavailableError,
    Refusal,
    RefusalError,
    SealedError,
    UnavailableError,
)

STATUS: dict[Code, int] = {
    Code.INVALID_REQUEST: 400,
    Code.UNSUPPORTED_FIELD: 400,
    Code.CONTEXT_LENGTH_EXCEEDED: 400,
    Code.CONTENT_BLOCKED: 400,
    Code.INVALID_API_KEY: 401,
    Code.PERMISSION_DENIED: 403,
    Code.MODEL_NOT_ALLOWED: 403,
    Code.MODEL_NOT_FOUND: 404,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.CONFLICT: 409,
    Code.REQUEST_TOO_LARGE: 413,
    Code.RATE_LIMITED: 429,
    Code.QUEUE_FULL: 429,
    Code.INTERNAL_ERROR: 500,
    Code.SEALED: 503,
    Code.LOG_UNAVAILABLE: 503,
    Code.MODEL_UNAVAILABLE: 503,
    Code.SHUTTING_DOWN: 503,
}


def refusal_of(error: Exception) -> Refusal:
    """Turn whatever a handler raised into what its caller is told.

    An unexpected exception becomes a sentence without any of its text: a traceback may hold
    content.
    """
    match error:
        case RefusalError():
            return error.refusal
        case SealedError():
            return Refusal(code=Code.SEALED, message=str(error), retry_after=30)
        case LogUnavailableError():
            return Refusal(code=Code.LOG_UNAVAILABLE, message=str(error), retry_after=5)
        case UnavailableError():
            return Refusal(code=Code.MODEL_UNAVAILABLE, message=str(error), retry_after=5)
        case ApplianceError():
            return Refusal(code=Code.INTERNAL_ERROR, message=str(error))
        case _:
            return Refusal(
                code=Code.INTERNAL_ERROR,
                message="an internal error ended this request; quote its x-request-id to the "
                "operator",
            )


def headers_of(refusal: Refusal) -> dict[str, str]:
    """Headers that go with the refusal: `Retry-After` in whole seconds, at least one."""
    headers = {}
    if refusal.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(refusal.retry_after)))
    if refusal.code is Code.INVALID_API_KEY:
        headers["www-authenticate"] = 'Bearer realm="cloister"'
    return headers
