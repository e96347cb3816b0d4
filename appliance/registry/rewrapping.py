"""The registry's part of a rotation (`vault.rotation`): model files under the current key."""

import asyncio
from collections.abc import Callable

from appliance.database import Database
from appliance.registry.catalogue import Catalogue
from appliance.registry.store import ModelStore
from appliance.vault.rotation import Progress


class StoredModels:
    """The model files of a box as something to encrypt anew."""

    def __init__(self, database: Database, store: ModelStore) -> None:
        self._database = database
        self._store = store

    async def reencrypt(self, report: Callable[[Progress], None]) -> None:
        """Rewrap the key of every version in the catalogue; the weights are not touched."""
        async with self._database.reading() as session:
            versions = await Catalogue(session).list()
        for number, version in enumerate(versions, start=1):
            await asyncio.to_thread(self._store.rewrap, version.file)
            report(Progress(done=number, total=len(versions)))
