"""Unsealing by a passphrase, through Argon2id (RFC 9106).

The costs are measured on the box when the passphrase is set (`calibrated`) and stored with the
slot, so that a faster box asks more of a guesser. They stand in `vault.json` in the clear and are
read before anything is proven: lowering them there makes a key that opens nothing, and raising
them is bounded, so that it cannot be used to exhaust the box.

A passphrase is normalised (NFKC, as RFC 8265 asks of passwords), so that another keyboard
gives the same one. Every attempt costs one full derivation and one comparison in constant time,
whatever was typed.
"""

import time
import unicodedata
from collections.abc import Callable
from typing import Final, Self

import msgspec
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from appliance.errors import ConfigurationError, IntegrityError
from appliance.vault.document import SECRET_SIZE, Parameters
from appliance.vault.secret import Secret

MINIMUM_LENGTH: Final = 12
"""Characters. Shorter ones fall to guessing whatever the costs."""
_ALGORITHM: Final = "Argon2id"
_SALT_SIZE: Final = 16
_MIB: Final = 1024


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What one guess costs. The default is RFC 9106's second recommendation (section 4)."""

    iterations: int = 3
    memory_kib: int = 64 * _MIB
    lanes: int = 4

    def __post_init__(self) -> None:
        """Refuse costs below what RFC 9106 calls safe, or beyond what a box can pay."""
        if not (
            1 <= self.iterations <= 64
            and 19 * _MIB <= self.memory_kib <= 4096 * _MIB
            and 1 <= self.lanes <= 16
        ):
            raise ValueError("Argon2id costs out of bounds")

    @classmethod
    def calibrated(
        cls,
        *,
        seconds: float = 1.0,
        largest_memory_kib: int = 1024 * _MIB,
        clock: Callable[[], float] = time.perf_counter,
    ) -> Self:
        """Measure this machine and return costs of about `seconds` for one derivation.

        Memory is raised first, because it is what a guesser's hardware cannot buy cheaply; only
        then iterations. Never less than the default.
        """
        costs = cls()
        while (took := _measure(costs, clock)) < seconds / 2 and (
            costs.memory_kib * 2 <= largest_memory_kib
        ):
            costs = msgspec.structs.replace(costs, memory_kib=costs.memory_kib * 2)
        iterations = round(costs.iterations * seconds / max(took, 1e-3))
        return msgspec.structs.replace(costs, iterations=min(max(costs.iterations, iterations), 64))


class Passphrase:
    """A passphrase that somebody typed."""

    kind: Final = "passphrase"

    def __init__(self, phrase: str, *, costs: Costs | None = None) -> None:
        """`costs` matter for `enrol` alone; none means `Costs.calibrated()`."""
        self._phrase = unicodedata.normalize("NFKC", phrase)
        self._costs = costs

    def enrol(self) -> tuple[Parameters, Secret]:
        """Derive the key under a new salt. Raises `ConfigurationError` if the phrase is short."""
        if len(self._phrase) < MINIMUM_LENGTH:
            raise ConfigurationError(
                f"a passphrase has at least {MINIMUM_LENGTH} characters; five random words are "
                "easy to keep in mind and hard to guess"
            )
        costs = self._costs or Costs.calibrated()
        salt = Secret.random(_SALT_SIZE)
        parameters: Parameters = {
            "kdf": _ALGORITHM,
            "salt": salt.view.hex(),
            "iterations": costs.iterations,
            "memory_kib": costs.memory_kib,
            "lanes": costs.lanes,
        }
        return parameters, _derive(self._phrase, bytes(salt.view), costs)

    def recover(self, parameters: Parameters) -> Secret:
        """Derive the key again. Raises `IntegrityError` if the parameters are not of this kind."""
        try:
            if parameters["kdf"] != _ALGORITHM:
                raise ValueError("another KDF")
            salt = bytes.fromhex(str(parameters["salt"]))
            costs = Costs(
                iterations=int(parameters["iterations"]),
                memory_kib=int(parameters["memory_kib"]),
                lanes=int(parameters["lanes"]),
            )
            if len(salt) != _SALT_SIZE:
                raise ValueError("another salt")
        except (KeyError, ValueError):
            raise IntegrityError(
                "vault.json asks for an impossible passphrase derivation; it was altered. "
                "Restore it from a backup, or unseal another way"
            ) from None
        return _derive(self._phrase, salt, costs)


def _derive(phrase: str, salt: bytes, costs: Costs) -> Secret:
    key = Secret(SECRET_SIZE)
    Argon2id(
        salt=salt,
        length=SECRET_SIZE,
        iterations=costs.iterations,
        lanes=costs.lanes,
        memory_cost=costs.memory_kib,
    ).derive_into(phrase.encode(), key.view)
    return key


def _measure(costs: Costs, clock: Callable[[], float]) -> float:
    start = clock()
    _derive("calibration", bytes(_SALT_SIZE), costs).wipe()
    return clock() - start
