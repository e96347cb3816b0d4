"""What every way of unsealing offers: to be set up, to open, or both."""

from typing import Protocol

from appliance.vault.document import Parameters
from appliance.vault.secret import Secret


class Enroller(Protocol):
    """Makes the 32-byte unseal key of a new slot. It knows nothing of what that key opens."""

    @property
    def kind(self) -> str:
        """The name under which slots of this kind are stored."""

    def enrol(self) -> tuple[Parameters, Secret]:
        """Make a new unseal key; return it with what must be stored to find it again."""


class Opener(Protocol):
    """Finds the unseal key of an existing slot again."""

    @property
    def kind(self) -> str:
        """The name under which slots of this kind are stored."""

    def recover(self, parameters: Parameters) -> Secret:
        """Find the unseal key of a slot again.

        Raises `SealedError` if what it needs is not there, with what to do about it. A wrong
        passphrase or another vault's key is not noticed here: the slot does not open.
        """


class Unsealer(Enroller, Opener, Protocol):
    """Both."""
