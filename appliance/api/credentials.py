"""Where a request's credential stands, and where the request came from."""

from litestar import Request
from litestar.datastructures import State


def credential_of(request: Request[object, object, State]) -> str | None:
    """Return the bearer token, or the `x-api-key` that Anthropic's and other SDKs send."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.headers.get("x-api-key") or None


def origin_of(request: Request[object, object, State]) -> str:
    """Return the client's address; empty on a Unix socket. No forwarding header is believed."""
    client = request.scope["client"]
    return client[0] if client else ""
