"""Aliases and the versions that serve them. Pure state with one owner: the assembly.

An application asks for an alias (`demo`); what answers is the version that was activated for it.
The table in memory is replaced entry by entry when `operations` activates a version, so a request
sees either the old version or the new one.
"""

from datetime import datetime

import msgspec

from appliance.errors import Code, Refusal


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One alias and the version behind it."""

    alias: str
    version: str
    """The engine's name for the loaded weights: the version's id."""
    digest: str
    """SHA-256 of the plaintext weights, hex."""
    activated_at: datetime


class Routes:
    """The table of aliases."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}

    def direct(self, route: Route) -> None:
        """Let an alias lead to a version from now on."""
        self._routes[route.alias] = route

    def resolve(self, alias: str, *, permitted: bool) -> Route | Refusal:
        """Find what answers to the alias, for a caller who is or is not permitted to use it."""
        route = self._routes.get(alias)
        if route is None:
            return Refusal(
                code=Code.MODEL_NOT_FOUND,
                message="this model does not exist here; GET /v1/models lists those that do",
                param="model",
            )
        if not permitted:
            return Refusal(
                code=Code.MODEL_NOT_ALLOWED,
                message="this API key does not cover this model; ask the administrator for one "
                "that does",
                param="model",
            )
        return route

    def routes(self) -> list[Route]:
        """All routes, by alias."""
        return [self._routes[alias] for alias in sorted(self._routes)]
