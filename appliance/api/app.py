"""The application: all routes over one house, and errors in the caller's own format."""

from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.types import ControllerRouterHandler

from appliance.access.principal import Principal
from appliance.api.admin import Administration
from appliance.api.inference import Inference, json_response
from appliance.api.openai.errors import body_of
from appliance.api.refusals import STATUS, headers_of, refusal_of
from appliance.errors import Code, Refusal
from appliance.gateway.exchange import Exchange
from appliance.house import House
from appliance.settings import ServerSettings
from appliance.telemetry import logger

_log = logger("api")

_HTTP_CODES = {
    404: (Code.NOT_FOUND, "there is nothing at this address; see the API reference"),
    405: (Code.METHOD_NOT_ALLOWED, "this address does not take this method"),
    413: (Code.REQUEST_TOO_LARGE, "the body is larger than this server takes"),
}


def build(house: House, settings: ServerSettings) -> Litestar:
    """Make the ASGI application."""

    @get("/health/live")
    async def live() -> ASGIResponse:
        return json_response(200, {"status": "live"}, {})

    @get("/health/ready")
    async def ready() -> ASGIResponse:
        if house.ready:
            return json_response(200, {"status": "ready"}, {})
        return json_response(503, {"status": "not ready"}, {"retry-after": "5"})

    @get("/metrics")
    async def metrics() -> ASGIResponse:
        return ASGIResponse(
            body=house.telemetry.render(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    return _application(
        [
            live,
            ready,
            metrics,
            Inference(house, settings).router(),
            Administration(house, settings).router(),
        ]
    )


def build_local(house: House, settings: ServerSettings, local: Principal) -> Litestar:
    """Make the application for the box's own Unix socket: administration, as its owner."""
    return _application([Administration(house, settings, local).router()])


def _application(handlers: list[ControllerRouterHandler]) -> Litestar:
    return Litestar(
        route_handlers=handlers,
        exception_handlers={Exception: _answer_error},
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


def _answer_error(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer what no handler caught. The log line has the type and the place, not the text."""
    if isinstance(error, HTTPException):
        code, message = _HTTP_CODES.get(
            error.status_code, (Code.INVALID_REQUEST, "this request cannot be served")
        )
        refusal = Refusal(code=code, message=message)
    else:
        refusal = refusal_of(error)
    exchange_id = Exchange().id
    if refusal.code is Code.INTERNAL_ERROR:
        _log.error("request failed", exchange=exchange_id, error=error)
    return Response(
        content=msgspec.json.encode(body_of(refusal)),
        status_code=STATUS[refusal.code],
        media_type="application/json",
        headers={"x-request-id": exchange_id, **headers_of(refusal)},
    )
