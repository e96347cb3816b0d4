"""`/v1/*` in OpenAI's format: from bytes to a call, and from an exchange to a response."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec
from litestar import Request, Router, get, post
from litestar.datastructures import State
from litestar.response.base import ASGIResponse

from appliance.access.principal import Permission, Principal
from appliance.api.body import read_body
from appliance.api.credentials import credential_of, origin_of
from appliance.api.decoding import decode
from appliance.api.openai import chat, completions, models
from appliance.api.openai.errors import body_of
from appliance.api.refusals import STATUS, headers_of, refusal_of
from appliance.api.streaming import AnswerFormat, ExchangeResponse
from appliance.errors import Code, Refusal, RefusalError, refuse
from appliance.gateway.call import Call
from appliance.gateway.exchange import Exchange
from appliance.generation.request import GenerationRequest
from appliance.house import House, Rooms
from appliance.settings import ServerSettings


class WireRequest(Protocol):
    """What the request bodies of both endpoints have in common."""

    @property
    def model(self) -> str:
        """The alias asked for."""

    @property
    def stream(self) -> bool | None:
        """Whether to answer as a stream."""

    @property
    def user(self) -> str | None:
        """Whom the application serves."""

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with token counts."""

    def generation(self) -> GenerationRequest:
        """Translate; raises `RefusalError`."""


R = TypeVar("R", bound=WireRequest)
Format = Callable[[str, str, int], AnswerFormat]
HttpRequest = Request[object, object, State]


class Inference:
    """The endpoints that generate, over one house."""

    def __init__(self, house: House, settings: ServerSettings) -> None:
        self._house = house
        self._settings = settings

    def router(self) -> Router:
        """Return the routes under `/v1`."""

        @post("/chat/completions", status_code=200)
        async def create_chat_completion(request: HttpRequest) -> ASGIResponse:
            return await self._serve(request, "chat", chat.decoder, chat.ChatFormat)

        @post("/completions", status_code=200)
        async def create_completion(request: HttpRequest) -> ASGIResponse:
            return await self._serve(
                request, "completion", completions.decoder, completions.CompletionFormat
            )

        @get("/models")
        async def list_models(request: HttpRequest) -> ASGIResponse:
            return await self._models(request, None)

        @get("/models/{alias:str}")
        async def retrieve_model(request: HttpRequest, alias: str) -> ASGIResponse:
            return await self._models(request, alias)

        return Router(
            "/v1",
            route_handlers=[create_chat_completion, create_completion, list_models, retrieve_model],
        )

    async def _serve(
        self,
        request: HttpRequest,
        kind: str,
        decoder: msgspec.json.Decoder[R],
        wire_format: Format,
    ) -> ASGIResponse:
        exchange = Exchange()
        rooms = self._house.rooms()
        principal: Principal | None = None
        try:
            principal = self._authenticate(rooms, request)
            wire = decode(await read_body(request, self._settings.max_body_bytes), decoder)
            call = Call(
                kind=kind,
                route=_route_of(request),
                principal=principal,
                source=origin_of(request),
                model=wire.model,
                request=wire.generation(),
                streaming=bool(wire.stream),
                end_user=wire.user,
            )
        except RefusalError as error:
            return await _refused(rooms, exchange.id, request, error.refusal, principal)
        rooms.gateway.begin(call, exchange)
        return ExchangeResponse(
            exchange,
            wire_format(exchange.id, wire.model, exchange.created),
            stream=call.streaming,
            include_usage=wire.include_usage,
            slow_reader_seconds=self._settings.slow_reader_seconds,
        )

    async def _models(self, request: HttpRequest, alias: str | None) -> ASGIResponse:
        exchange_id = Exchange().id
        rooms = self._house.rooms()
        principal: Principal | None = None
        try:
            principal = self._authenticate(rooms, request)
            if alias is None:
                visible = [r for r in rooms.routes.routes() if principal.may_use(r.alias)]
                body = models.list_of(visible)
            else:
                route = rooms.routes.resolve(alias, permitted=principal.may_use(alias))
                if isinstance(route, Refusal):
                    raise RefusalError(route)
                body = models.card_of(route)
        except RefusalError as error:
            return await _refused(rooms, exchange_id, request, error.refusal, principal)
        return json_response(200, body, {"x-request-id": exchange_id})

    def _authenticate(self, rooms: Rooms, request: HttpRequest) -> Principal:
        principal = rooms.authenticator.authenticate(credential_of(request), origin_of(request))
        if not principal.may(Permission.GENERATE):
            raise refuse(
                Code.PERMISSION_DENIED,
                "this credential is not an application's; ask the administrator for an API key "
                "with the role `application`",
            )
        return principal


def json_response(status: int, body: object, headers: dict[str, str]) -> ASGIResponse:
    """Write a body as JSON."""
    return ASGIResponse(
        body=msgspec.json.encode(body),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )


def refusal_response(refusal: Refusal, exchange_id: str) -> ASGIResponse:
    """Write a refusal in OpenAI's format."""
    headers = {"x-request-id": exchange_id, **headers_of(refusal)}
    return json_response(STATUS[refusal.code], body_of(refusal), headers)


async def _refused(
    rooms: Rooms,
    exchange_id: str,
    request: HttpRequest,
    refusal: Refusal,
    principal: Principal | None,
) -> ASGIResponse:
    """Log the refusal, then tell the caller; if it cannot be logged, tell that."""
    try:
        await rooms.gateway.refused(
            exchange_id, _route_of(request), refusal, principal, origin_of(request)
        )
    except Exception as error:
        refusal = refusal_of(error)
    return refusal_response(refusal, exchange_id)


def _route_of(request: HttpRequest) -> str:
    """Method and path as the route table has it: a caller's own path segments are not logged."""
    return f"{request.method} {request.scope['path_template']}"
