"""Unsealing by shares: any m of n people, none of whom can do it alone (SLIP-39, Shamir).

Setting up (`NewShares`) makes n lists of 33 words, each shown once to one person and stored
nowhere. Unsealing collects them one person at a time (`ShareCollector`), each entry checked as it
comes, and gives an opener when m are there (`CollectedShares`).

https://github.com/satoshilabs/slips/blob/master/slip-0039.md, by the reference implementation. The
secret that is split is 32 random bytes, so SLIP-39's own passphrase is left empty and its key
stretching at the least: both protect secrets that people chose.
"""

from typing import Final

import msgspec
import shamir_mnemonic  # type: ignore[import-untyped]  # distributed without types
from shamir_mnemonic import MnemonicError, Share

from appliance.errors import ConfigurationError, IntegrityError, SealedError
from appliance.vault.document import SECRET_SIZE, Parameters
from appliance.vault.secret import Secret

KIND: Final = "shares"
MAX_SHARES: Final = 16
"""SLIP-39's limit for one group."""


class NewShares:
    """A new set of shares, of which `threshold` will open the vault."""

    kind: Final = KIND

    def __init__(self, *, threshold: int, count: int) -> None:
        """Raises `ConfigurationError` for a quorum that protects nothing or cannot be."""
        if not 2 <= threshold <= count <= MAX_SHARES:
            raise ConfigurationError(
                f"a quorum is m of n with 2 ≤ m ≤ n ≤ {MAX_SHARES}; for one person alone use a "
                "passphrase"
            )
        self._threshold = threshold
        self._count = count
        self._shares: tuple[str, ...] = ()

    def enrol(self) -> tuple[Parameters, Secret]:
        """Make the shares; `take` hands them out."""
        secret = Secret.random(SECRET_SIZE)
        (shares,) = shamir_mnemonic.generate_mnemonics(
            1, [(self._threshold, self._count)], bytes(secret.view), iteration_exponent=0
        )
        self._shares = tuple(shares)
        identifier = Share.from_mnemonic(shares[0]).identifier
        parameters: Parameters = {
            "format": "SLIP-39",
            "set": identifier,
            "threshold": self._threshold,
            "count": self._count,
        }
        return parameters, secret

    def take(self) -> tuple[str, ...]:
        """Return the shares, once: they are forgotten here."""
        shares, self._shares = self._shares, ()
        return shares


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """How far a collection is."""

    present: int
    needed: int


class ShareCollector:
    """Takes shares one by one. Keeps them in memory until `opener` or `forget`."""

    def __init__(self) -> None:
        self._shares: dict[int, Share] = {}

    def add(self, words: str) -> Collected:
        """Take one share; a person's typing errors are found here.

        Raises `SealedError` if it is no share, was given before, or belongs to another set than
        those given before. What was collected so far stays.
        """
        share = _parse(words)
        if any(
            share.group_parameters() != other.group_parameters()
            or len(share.value) != len(other.value)
            for other in self._shares.values()
        ):
            raise SealedError(
                "this share belongs to another set than those given before; begin again if those "
                "were wrong"
            )
        if share.index in self._shares:
            raise SealedError("this share was given already; another person's is needed")
        self._shares[share.index] = share
        return self.progress()

    def progress(self) -> Collected:
        """Return how many shares are there and how many are needed (0 while none is there)."""
        needed = next((share.member_threshold for share in self._shares.values()), 0)
        return Collected(present=len(self._shares), needed=needed)

    def opener(self) -> "CollectedShares":
        """Return what unseals, and forget the shares.

        Raises `SealedError` if there are too few.
        """
        progress = self.progress()
        if progress.needed == 0 or progress.present < progress.needed:
            raise SealedError(
                f"{progress.present} of {progress.needed or 'the needed'} shares are there"
            )
        shares = tuple(self._shares.values())[: progress.needed]
        self.forget()
        return CollectedShares(shares)

    def forget(self) -> None:
        """Begin again."""
        self._shares.clear()


class CollectedShares:
    """Enough shares of one set."""

    kind: Final = KIND

    def __init__(self, shares: tuple[Share, ...]) -> None:
        self._shares = shares

    def recover(self, parameters: Parameters) -> Secret:
        """Join the shares.

        Raises `SealedError` if they are another set's, or were made up: SLIP-39 holds a digest of
        the secret, so a forged share is noticed although its checksum is right.
        """
        if parameters.get("format") != "SLIP-39":
            raise IntegrityError("vault.json names a kind of shares unknown here")
        if parameters.get("set") != self._shares[0].identifier:
            raise SealedError(
                "these shares belong to another set: they are older than the last re-sharing, or "
                "another box's"
            )
        try:
            secret = shamir_mnemonic.combine_mnemonics(share.mnemonic() for share in self._shares)
        except MnemonicError:
            raise SealedError(
                "these shares do not fit together: one of them is not genuine"
            ) from None
        return Secret.copied(bytearray(secret))


def _parse(words: str) -> Share:
    try:
        share = Share.from_mnemonic(" ".join(words.lower().split()))
    # The library looks words up in a dictionary: an unknown one may be a KeyError.
    except (MnemonicError, KeyError, ValueError):
        raise SealedError(
            "this is not a share, or a word is wrong; compare it with the paper word by word"
        ) from None
    if share.group_threshold != 1 or share.group_count != 1:
        raise SealedError("this share was not made by cloister: it belongs to several groups")
    return share
