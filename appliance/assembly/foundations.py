"""What every use of a box stands on: vault, database, log, model store.

A served box and a command on one that is not served open the same things in the same order. The
log has one writer at a time, so whichever comes second is told that the box is in use.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from appliance.audit.entries import Actor, ActorKind
from appliance.audit.keyring import Keyring
from appliance.audit.log import Log
from appliance.database import Database
from appliance.registry.catalogue import Catalogue
from appliance.registry.store import ModelStore
from appliance.registry.version import ModelVersion
from appliance.settings import Layout, Settings
from appliance.vault import memory
from appliance.vault.purpose import Purpose
from appliance.vault.rotation import database_keys
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.unsealers.unsealer import Unsealer
from appliance.vault.vault import Vault

BOX_ACTOR = Actor(kind=ActorKind.BOX, id="box")
"""The box itself, for what nobody asked for."""


@dataclass(frozen=True)
class Foundations:
    """Opened, and closed by the stack that they were opened on."""

    vault: Vault
    database: Database
    log: Log
    store: ModelStore

    async def active_versions(self) -> tuple[ModelVersion, ...]:
        """Return the versions that serve."""
        async with self.database.reading() as session:
            return await Catalogue(session).active()


def unsealer_of(settings: Settings, layout: Layout) -> Unsealer:
    """Return the way in which this box is unsealed."""
    return KeyFile(layout.path(settings.vault.key_file))


def make_keyring(settings: Settings, layout: Layout, vault: Vault) -> Keyring:
    """Make the log's first signing key."""
    secret = vault.key(Purpose.AUDIT_SIGNING)
    return Keyring.create(layout.audit, name=settings.name, secret=secret)


async def open_foundations(
    stack: AsyncExitStack, settings: Settings, layout: Layout
) -> Foundations:
    """Unseal the vault and open what it protects; `stack` closes all of it in reverse.

    Raises:
        SealedError: the unsealer does not open the vault.
        UnavailableError: another process uses this box, or the disk fails.
        IntegrityError: vault, database or log are not as they were left.
    """
    memory.harden(lock_all=False)
    vault = await asyncio.to_thread(Vault.unseal, layout.keys, unsealer_of(settings, layout))
    stack.callback(vault.seal)
    secret = vault.key(Purpose.AUDIT_SIGNING)
    keyring = await asyncio.to_thread(Keyring.open, layout.audit, name=settings.name, secret=secret)
    log = await asyncio.to_thread(
        Log.open, layout.audit, signer=keyring, slow=settings.audit.fsync_seconds
    )
    stack.push_async_callback(log.close)
    # A rotation that a crash interrupted left the file under the key before.
    key, former = database_keys(vault)
    database = await Database.open(layout.database, key, former=former)
    stack.push_async_callback(database.close)
    await database.migrate()
    store = ModelStore(layout.models, vault)
    # Safe: the log's lock says that nobody else is using this box.
    await asyncio.to_thread(store.sweep)
    return Foundations(vault=vault, database=database, log=log, store=store)
