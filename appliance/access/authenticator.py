"""Turns a credential into a principal, slowly for those who guess."""

import time

from appliance.access.attempts import Attempts
from appliance.access.keys import ApiKeys
from appliance.access.people import People
from appliance.access.principal import Principal
from appliance.errors import Code, RefusalError, refuse


class Authenticator:
    """Recognises API keys and sessions. A failure counts against the origin it came from."""

    def __init__(self, keys: ApiKeys, people: People, attempts: Attempts) -> None:
        self._keys = keys
        self._people = people
        self._attempts = attempts

    def authenticate(self, credential: str | None, origin: str) -> Principal:
        """Return who holds the credential.

        Args:
            credential: an API key or a session token, without `Bearer`.
            origin: where it came from (an address); failures are counted by it.

        Raises:
            RefusalError: missing, wrong, expired or revoked, or too many failures before.
        """
        now = time.monotonic()
        # Looked up first: 256 bits are not guessed, so a right key need not wait for what somebody
        # else does from the same address.
        principal = credential and (
            self._keys.recognise(credential) or self._people.recognise(credential, now)
        )
        if principal:
            return principal
        self._refuse_guessing(origin, now)
        self._attempts.failed(origin, now)
        if not credential:
            raise refuse(
                Code.INVALID_API_KEY,
                "no API key: send it in the header `Authorization: Bearer <key>`",
            )
        raise refuse(
            Code.INVALID_API_KEY,
            "this API key is not valid: mistyped, expired or revoked; ask the administrator for "
            "a new one",
        )

    async def sign_in(self, name: str, password: str, origin: str) -> tuple[str, Principal]:
        """Check a name and a password; returns a session token and its principal.

        Raises:
            RefusalError: one of them is wrong (which one is not said), or too many failures.
        """
        now = time.monotonic()
        guesses = f"{origin} signs in"  # apart from wrong keys of the same address
        self._refuse_guessing(guesses, now)
        # Counted before the slow check, so that parallel guesses do not all slip through.
        self._attempts.failed(guesses, now)
        signed_in = await self._people.sign_in(name, password, now)
        if signed_in is None:
            raise refuse(Code.INVALID_API_KEY, "name or password is wrong")
        self._attempts.succeeded(guesses, now)
        return signed_in

    def _refuse_guessing(self, origin: str, now: float) -> None:
        wait = self._attempts.wait(origin, now)
        if wait > 0:
            raise too_many_attempts(wait)


def too_many_attempts(wait: float) -> RefusalError:
    """Build the refusal for an origin that failed too often."""
    return refuse(
        Code.RATE_LIMITED,
        "too many failed attempts from this address; wait, then check the key",
        retry_after=wait,
    )
