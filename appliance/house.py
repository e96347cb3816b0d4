"""The rooms of a box as the edge sees them: all there, or sealed."""

from dataclasses import dataclass
from typing import Protocol

from appliance.access.authenticator import Authenticator
from appliance.gateway.gateway import Gateway
from appliance.operations import Operations
from appliance.routing.routes import Routes
from appliance.telemetry import Telemetry


@dataclass(frozen=True)
class Rooms:
    """What serves while the vault is unsealed."""

    gateway: Gateway
    authenticator: Authenticator
    operations: Operations
    routes: Routes


class House(Protocol):
    """A box that runs, sealed or not."""

    telemetry: Telemetry

    @property
    def ready(self) -> bool:
        """Whether it serves: unsealed, log writable, a model loaded."""

    def rooms(self) -> Rooms:
        """Return the rooms.

        Raises:
            SealedError: the vault is sealed.
        """

    async def unseal(self) -> None:
        """Unseal with the configured unsealer and start the rooms; nothing to do when open."""

    async def seal(self) -> None:
        """Stop the rooms and forget the keys."""
