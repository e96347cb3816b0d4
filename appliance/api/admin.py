"""`/admin/v1/*`: what administrators and officers do, for the command line and for their tools.

Over the network it takes a session token. Over the box's own Unix socket, which only its system
account can open, no credential is asked for: whoever can open it can stop the box and open it by
hand as well. That is a separate application (`app.build_local`), so no header or address decides.
"""

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
from appliance.house import House

HttpRequest = Request[object, object, State]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /admin/v1/session`."""

    name: Name
    password: Name


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /admin/v1/keys`; no models means all."""

    name: Name
    models: tuple[Name, ...] | None = None


_sign_in = msgspec.json.Decoder(SignIn)
_new_key = msgspec.json.Decoder(NewKey)


class Administration:
    """The administrative endpoints, over one house."""

    def __init__(self, house: House, max_body_bytes: int, local: Principal | None = None) -> None:
        self._house = house
        self._max_body_bytes = max_body_bytes
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
            records = house.rooms().operations.list_keys(self._who(request))
            return json_response(200, {"keys": [_shown(record) for record in records]}, {})

        @post("/keys", status_code=201)
        async def create_key(request: HttpRequest) -> ASGIResponse:
            by = self._who(request)
            body = decode(await read_body(request, self._max_body_bytes), _new_key)
            key, record = await house.rooms().operations.issue_key(
                by, body.name, body.models, source=origin_of(request)
            )
            shown = {**_shown(record), "api_key": key}
            return json_response(201, shown, {"cache-control": "no-store"})

        @delete("/keys/{key_id:str}", status_code=200)
        async def revoke_key(request: HttpRequest, key_id: str) -> ASGIResponse:
            record = await house.rooms().operations.revoke_key(
                self._who(request), key_id, source=origin_of(request)
            )
            return json_response(200, _shown(record), {})

        @get("/vault")
        async def vault_status() -> ASGIResponse:
            return json_response(200, {"sealed": not house.unsealed}, {})

        @post("/vault/unseal", status_code=200)
        async def unseal() -> ASGIResponse:
            await house.unseal()
            return json_response(200, {"sealed": False}, {})

        @post("/vault/seal", status_code=200)
        async def seal(request: HttpRequest) -> ASGIResponse:
            await house.rooms().operations.note_sealing(
                self._who(request), source=origin_of(request)
            )
            await house.seal()
            return json_response(200, {"sealed": True}, {})

        return Router(
            "/admin/v1",
            route_handlers=[
                sign_in,
                list_keys,
                create_key,
                revoke_key,
                vault_status,
                unseal,
                seal,
            ],
        )

    def _who(self, request: HttpRequest) -> Principal:
        rooms = self._house.rooms()
        if self._local is not None:
            return self._local
        return rooms.authenticator.authenticate(credential_of(request), origin_of(request))


def _shown(record: KeyRecord) -> dict[str, object]:
    shown = msgspec.to_builtins(record)
    assert isinstance(shown, dict)
    return shown
