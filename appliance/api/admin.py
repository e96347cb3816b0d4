"""`/admin/v1/*`: what administrators and officers do, for the command line and for their tools.

Over the network it takes a session token. Over the box's own Unix socket, which only its system
account can open, no credential is asked for: whoever can open it can stop the box and open it by
hand as well. That is a separate application (`app.build_local`), so no header or address decides.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec
from litestar import Request, Router, delete, get, post
from litestar.datastructures import State
from litestar.response.base import ASGIResponse

from appliance.access.keys import KeyRecord
from appliance.access.principal import Principal
from appliance.api.body import read_body
from appliance.api.credentials import credential_of, origin_of
from appliance.api.decoding import decode
from appliance.api.inference import json_response
from appliance.errors import RefusalError
from appliance.house import House
from appliance.operations import Operations
from appliance.settings import ServerSettings

HttpRequest = Request[object, object, State]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /admin/v1/session`."""

    name: Name
    password: Name


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /admin/v1/keys`; no models means all."""

    name: Name
    models: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)] | None = None


_sign_in = msgspec.json.Decoder(SignIn)
_new_key = msgspec.json.Decoder(NewKey)


class Administration:
    """The administrative endpoints, over one house."""

    def __init__(
        self, house: House, settings: ServerSettings, local: Principal | None = None
    ) -> None:
        self._house = house
        self._max_body_bytes = settings.max_body_bytes
        self._local = local

    def router(self) -> Router:
        """Return the routes under `/admin/v1`."""
        house = self._house

        @post("/session", status_code=201)
        async def sign_in(request: HttpRequest) -> ASGIResponse:
            body = decode(await read_body(request, self._max_body_bytes), _sign_in)
            operations = house.rooms().operations
            token = await operations.sign_in(body.name, body.password, origin_of(request))
            return json_response(201, {"token": token}, {"cache-control": "no-store"})

        @get("/keys")
        async def list_keys(request: HttpRequest) -> ASGIResponse:
            async with self._act(request, "keys.list") as (by, operations):
                records = operations.list_keys(by)
            return json_response(200, {"keys": [_shown(record) for record in records]}, {})

        @post("/keys", status_code=201)
        async def create_key(request: HttpRequest) -> ASGIResponse:
            async with self._act(request, "keys.create") as (by, operations):
                body = decode(await read_body(request, self._max_body_bytes), _new_key)
                key, record = await operations.issue_key(
                    by, body.name, body.models, source=origin_of(request)
                )
            shown = {**_shown(record), "api_key": key}
            return json_response(201, shown, {"cache-control": "no-store"})

        @delete("/keys/{key_id:str}", status_code=200)
        async def revoke_key(request: HttpRequest, key_id: str) -> ASGIResponse:
            async with self._act(request, "keys.revoke") as (by, operations):
                record = await operations.revoke_key(by, key_id, source=origin_of(request))
            return json_response(200, _shown(record), {})

        @post("/vault/seal", status_code=200)
        async def seal(request: HttpRequest) -> ASGIResponse:
            async with self._act(request, "vault.seal") as (by, operations):
                await operations.note_sealing(by, source=origin_of(request))
            await house.seal()
            return json_response(200, {"sealed": True}, {})

        @post("/vault/unseal", status_code=200)
        async def unseal() -> ASGIResponse:
            await house.unseal()
            return json_response(200, {"sealed": False}, {})

        handlers = [sign_in, list_keys, create_key, revoke_key, seal]
        if self._local is not None:
            # While the box is sealed nobody can be authenticated: it is unsealed from here alone.
            handlers.append(unseal)
        return Router("/admin/v1", route_handlers=handlers)

    @asynccontextmanager
    async def _act(
        self, request: HttpRequest, operation: str
    ) -> AsyncIterator[tuple[Principal, Operations]]:
        """Authenticate, and log the refusal if the act is refused on the way."""
        rooms = self._house.rooms()
        source = origin_of(request)
        by = self._local
        try:
            if by is None:
                by = rooms.authenticator.authenticate(credential_of(request), source)
            yield by, rooms.operations
        except RefusalError as error:
            await rooms.operations.note_refusal(operation, error.refusal.code, by, source=source)
            raise


def _shown(record: KeyRecord) -> dict[str, object]:
    shown = msgspec.to_builtins(record)
    assert isinstance(shown, dict)
    return shown
