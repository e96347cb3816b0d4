"""Keys renewed under everything a box holds, and crashes at every step of it."""

import asyncio
import io
import multiprocessing
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appliance.database import Database
from appliance.errors import IntegrityError
from appliance.registry.catalogue import Catalogue
from appliance.registry.rewrapping import StoredModels
from appliance.registry.store import ModelStore
from appliance.registry.version import ModelDetails, StoredFile
from appliance.vault import envelope
from appliance.vault.purpose import Purpose
from appliance.vault.rotation import EncryptedDatabase, Progress, database_keys, rotate
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.vault import Vault
from tests.support.dying import die_at

WEIGHTS = [bytes([number]) * 50_000 for number in range(4)]


class Box:
    """Vault, database and store of a box in a directory, as assembly puts them together."""

    def __init__(self, directory: Path, vault: Vault, database: Database) -> None:
        self.directory = directory
        self.vault = vault
        self.database = database
        self.store = ModelStore(directory / "models", vault)
        self.models = StoredModels(database, self.store)
        self.opener = KeyFile(directory / "unseal.key")

    async def rotate(self, purpose: Purpose, report: Callable[[Progress], None] = print) -> int:
        holders = {
            Purpose.MODELS: [self.models],
            Purpose.DATABASE: [EncryptedDatabase(self.vault, self.database)],
        }
        return await rotate(self.vault, purpose, self.opener, holders[purpose], report=report)

    async def files(self) -> list[StoredFile]:
        async with self.database.reading() as session:
            return [version.file for version in await Catalogue(session).list()]

    async def check(self) -> None:
        for number, stored in enumerate(await self.files()):
            descriptor = self.store.open_weights(stored)
            assert os.pread(descriptor, stored.size + 1, 0) == WEIGHTS[number]
            os.close(descriptor)


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[Box]:
    vault = Vault.unseal(directory / "keys", KeyFile(directory / "unseal.key"))
    key, former = database_keys(vault)
    database = await Database.open(directory / "box.db", key, former=former)
    try:
        yield Box(directory, vault, database)
    finally:
        await database.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A box with four models."""
    found = tmp_path / "box"
    found.mkdir()
    Vault.create(found / "keys", KeyFile(found / "unseal.key"))

    async def fill() -> None:
        async with opened(found) as box:
            await box.database.migrate()
            for number, weights in enumerate(WEIGHTS):
                stored = box.store.put(io.BytesIO(weights))
                async with box.database.session() as session:
                    catalogue = Catalogue(session)
                    await catalogue.register(f"model-{number}", stored, ModelDetails())

    asyncio.run(fill())
    return found


def key_versions(directory: Path) -> set[int]:
    return {envelope.version(path.read_bytes()) for path in directory.glob("models/*/key")}


def test_after_a_rotation_of_the_models_key_nothing_opens_with_the_old_one(
    directory: Path,
) -> None:
    async def test() -> None:
        async with opened(directory) as box:
            old = shutil.copytree(directory / "models", directory / "old-models")
            seen: list[Progress] = []
            assert await box.rotate(Purpose.MODELS, seen.append) == 2
            assert [progress.done for progress in seen] == [1, 2, 3, 4]
            await box.check()
            for stored in await box.files():
                with pytest.raises(IntegrityError, match="destroyed"):
                    ModelStore(old, box.vault).open_weights(stored)
        async with opened(directory) as box:
            await box.check()

    weights = {path: path.read_bytes() for path in directory.glob("models/*/weights.cob")}
    asyncio.run(test())
    assert key_versions(directory) == {2}
    assert all(path.read_bytes() == content for path, content in weights.items())


def test_after_a_rotation_of_the_database_key_nothing_opens_with_the_old_one(
    directory: Path,
) -> None:
    async def test() -> None:
        async with opened(directory) as box:
            old = box.vault.key(Purpose.DATABASE)
            assert await box.rotate(Purpose.DATABASE) == 2
            await box.check()
            assert box.vault.versions(Purpose.DATABASE) == (2,)
        with pytest.raises(IntegrityError):
            await Database.open(directory / "box.db", old)
        async with opened(directory) as box:
            await box.check()

    asyncio.run(test())


def test_models_load_and_arrive_while_the_key_is_renewed(directory: Path) -> None:
    async def test() -> None:
        async with opened(directory) as box:
            done = asyncio.Event()

            async def load() -> int:
                loads = 0
                while not done.is_set():
                    for stored in await box.files():
                        os.close(await asyncio.to_thread(box.store.open_weights, stored))
                        loads += 1
                return loads

            loading = asyncio.create_task(load())
            for _ in range(3):
                await box.rotate(Purpose.MODELS)
            done.set()
            assert await loading > 0
            await box.check()

    asyncio.run(test())


def test_a_holder_that_fails_leaves_the_old_key_and_the_next_call_goes_on(
    directory: Path,
) -> None:
    async def test() -> None:
        async with opened(directory) as box:
            first = (await box.files())[2]
            path = directory / "models" / first.file_id / "key"
            good = path.read_bytes()
            path.write_bytes(b"damaged")
            with pytest.raises(IntegrityError):
                await box.rotate(Purpose.MODELS)
            assert box.vault.versions(Purpose.MODELS) == (1, 2)
            path.write_bytes(good)
            await box.check()
            assert await box.rotate(Purpose.MODELS) == 2
            assert box.vault.versions(Purpose.MODELS) == (2,)
            await box.check()

    asyncio.run(test())


def test_a_key_that_only_makes_digests_keeps_its_old_versions(directory: Path) -> None:
    async def test() -> None:
        async with opened(directory) as box:
            old = box.vault.key(Purpose.API_KEYS)
            for expected in (2, 3):
                version = await rotate(
                    box.vault, Purpose.API_KEYS, box.opener, [], keep_retired=True
                )
                assert version == expected
            assert box.vault.versions(Purpose.API_KEYS) == (1, 2, 3)
            assert box.vault.key(Purpose.API_KEYS, version=1) == old

    asyncio.run(test())


def _rotate_and_die(directory: Path, purpose: Purpose, step: int) -> None:
    """Rotate in a process that is killed at its step-th system call that makes things durable."""

    async def work() -> None:
        async with opened(directory) as box:
            die_at(step, ("fsync", "replace", "link"))
            await box.rotate(purpose)

    asyncio.run(work())
    os._exit(0)


@pytest.mark.parametrize("purpose", [Purpose.MODELS, Purpose.DATABASE])
def test_a_crash_at_any_step_loses_nothing_and_the_rotation_can_be_finished(
    directory: Path, tmp_path: Path, purpose: Purpose
) -> None:
    async def finish(copy: Path) -> None:
        async with opened(copy) as box:
            await box.check()
            await box.rotate(purpose)
            await box.check()
            assert len(box.vault.versions(purpose)) == 1

    process = None
    # Two writes of vault.json and one per model, each of three calls; then nothing is left.
    for step in range(1, 25, 2):
        copy = shutil.copytree(directory, tmp_path / f"copy{step}")
        process = multiprocessing.get_context("fork").Process(
            target=_rotate_and_die, args=(copy, purpose, step)
        )
        process.start()
        process.join()
        asyncio.run(finish(copy))
        if process.exitcode == 0:
            break
    assert process is not None
    assert process.exitcode == 0
