"""Reads a request body up to a limit, and no further."""

from litestar import Request
from litestar.datastructures import State

from appliance.errors import Code, RefusalError, refuse


async def read_body(request: Request[object, object, State], limit: int) -> bytes:
    """Return the whole body.

    Raises:
        RefusalError: it is longer than `limit` bytes; what it announces counts before it is read.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> RefusalError:
    return refuse(
        Code.REQUEST_TOO_LARGE,
        f"the body is larger than {limit} bytes, the limit of this server; send less at once",
    )
