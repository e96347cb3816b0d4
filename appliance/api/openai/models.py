"""`GET /v1/models` and `GET /v1/models/{id}`."""

from appliance.routing.routes import Route


def card_of(route: Route) -> dict[str, object]:
    """Describe one model. The owner is the house itself: it came in on a medium."""
    return {
        "id": route.alias,
        "object": "model",
        "created": int(route.activated_at.timestamp()),
        "owned_by": "cloister",
    }


def list_of(routes: list[Route]) -> dict[str, object]:
    """Describe all that the caller may use."""
    return {"object": "list", "data": [card_of(route) for route in routes]}
