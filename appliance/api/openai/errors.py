"""OpenAI's error body: `{"error": {"message", "type", "param", "code"}}`."""

import msgspec

from appliance.api.refusals import STATUS
from appliance.errors import Code, Refusal

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


class ErrorDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, in the fields that OpenAI's SDKs read."""

    message: str
    type: str
    param: str | None
    code: Code


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The whole body, and the whole `data:` of a stream that fails after it began."""

    error: ErrorDetail


def body_of(refusal: Refusal) -> ErrorBody:
    """Write a refusal as OpenAI would."""
    status = STATUS[refusal.code]
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return ErrorBody(
        error=ErrorDetail(
            message=refusal.message, type=kind, param=refusal.param, code=refusal.code
        )
    )
