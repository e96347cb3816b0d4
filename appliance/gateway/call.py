"""What a client asked for, decoded and authenticated."""

import msgspec

from appliance.access.principal import Principal, Via
from appliance.audit.entries import Actor, ActorKind
from appliance.generation.request import GenerationRequest
from appliance.policy.decision import Subject


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request for a generation."""

    kind: str
    """`chat` or `completion`."""
    route: str
    """Method and path, as the route table has it."""
    principal: Principal
    source: str
    """The address it came from."""
    model: str
    """The alias that was asked for: the caller's own text until a route was found for it."""
    request: GenerationRequest
    streaming: bool
    end_user: str | None = None
    """Whom the application serves, in its own words; the log keeps a keyed digest."""


def subject_of(principal: Principal) -> Subject:
    """Name a principal as policies do: by role, and an application by its id."""
    return Subject(role=principal.role.value, app=principal.id)


_KINDS = {
    Via.API_KEY: ActorKind.KEY,
    Via.SESSION: ActorKind.USER,
    Via.COMMAND: ActorKind.COMMAND,
}


def actor_of(principal: Principal | None, source: str) -> Actor:
    """Name a principal as the log does; without one, the address is all there is."""
    if principal is None:
        return Actor(kind=ActorKind.UNKNOWN, source=source)
    return Actor(kind=_KINDS[principal.via], id=principal.id, source=source)
