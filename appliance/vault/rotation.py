"""Rotation of a purpose's key: new key, everything encrypted anew, old key destroyed.

    vault.rotate          one durable write: from now on the new key encrypts, both decrypt
    holder.reencrypt …    each room encrypts anew what it holds, in its own durable steps
    vault.destroy         one durable write: what was encrypted under the old key is unreadable

Live: nothing is unavailable in between. Resumable: where a crash left it can be read off the vault:
a retired version still there means that the second step may not have ended, so `rotate` goes on
with that instead of making another key. Afterwards the vault holds one version of the key, and
nothing in the box opens with an old one. (Copies made before, such as backups, still open with
keys from before; that is why they are kept as safe as the box.)

Keys that only make digests or pseudonyms (API keys, log digests, pseudonyms) hold nothing that
could be encrypted anew: their new version serves new uses and the old one stays to recognise
what there is. For these, pass `keep_retired`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from appliance.vault.purpose import Purpose
from appliance.vault.unsealers.unsealer import Opener
from appliance.vault.vault import Vault


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a holder is."""

    done: int
    total: int


class Holder(Protocol):
    """A room that keeps things encrypted under a purpose's key."""

    async def reencrypt(self, report: Callable[[Progress], None]) -> None:
        """Bring all of it under the key's current version.

        May be called again at any time: what is under it already is left alone. Returns only when
        all of it is, durably; raises if any of it cannot be.
        """


async def rotate(
    vault: Vault,
    purpose: Purpose,
    opener: Opener,
    holders: Sequence[Holder],
    *,
    report: Callable[[Progress], None] = lambda progress: None,
    keep_retired: bool = False,
) -> int:
    """Rotate a purpose's key, or finish a rotation that was interrupted; return its version.

    If a holder raises, the old key stays and nothing is lost: call again.
    """
    pending = len(vault.versions(purpose)) > 1
    if not pending or keep_retired:
        vault.rotate(purpose, opener)
    for holder in holders:
        await holder.reencrypt(report)
    if not keep_retired:
        for version in vault.versions(purpose)[:-1]:
            vault.destroy(purpose, version, opener)
    return vault.version(purpose)


class DatabaseFile(Protocol):
    """A database whose file can be put under another key."""

    async def rekey(self, new_key: bytes) -> None:
        """Encrypt the file anew."""


def database_keys(vault: Vault) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the key to open the database with, and the former ones that it may still be under."""
    *former, current = vault.versions(Purpose.DATABASE)
    return vault.key(Purpose.DATABASE, version=current), tuple(
        vault.key(Purpose.DATABASE, version=version) for version in former
    )


class EncryptedDatabase:
    """The database as something to encrypt anew: its file under the database key's current version.

    At every start the database must be opened with `database_keys`: then a rotation that was
    interrupted before this step is finished there.
    """

    def __init__(self, vault: Vault, database: DatabaseFile) -> None:
        self._vault = vault
        self._database = database

    async def reencrypt(self, report: Callable[[Progress], None]) -> None:
        """Put the file under the current key."""
        await self._database.rekey(self._vault.key(Purpose.DATABASE))
        report(Progress(done=1, total=1))
