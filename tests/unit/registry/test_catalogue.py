import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import exc, text

from appliance.database import Database
from appliance.errors import RefusalError
from appliance.registry.catalogue import Catalogue
from appliance.registry.version import ModelDetails, State, StoredFile

DETAILS = ModelDetails(name="quokka-instruct", architecture="llama", licence="Apache-2.0")


@asynccontextmanager
async def database(tmp_path: Path, key: bytes) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "box.db", key)
    try:
        await opened.migrate()
        yield opened
    finally:
        await opened.close()


def _file(number: int) -> StoredFile:
    return StoredFile(file_id=f"file{number}", digest=f"{number:064x}", size=number)


def test_a_version_goes_its_way_and_one_serves(tmp_path: Path) -> None:
    async def test() -> None:
        async with database(tmp_path, bytes(32)) as opened:
            async with opened.session() as session:
                catalogue = Catalogue(session)
                one = await catalogue.register("demo", _file(1), DETAILS)
                two = await catalogue.register("demo", _file(2), DETAILS)
                assert one.state == State.REGISTERED
                for version in (one, two):
                    await catalogue.approve(version.id)
                await catalogue.activate(one.id)
                await catalogue.activate(two.id)
            async with opened.reading() as session:
                catalogue = Catalogue(session)
                assert [version.id for version in await catalogue.active()] == [two.id]
                assert (await catalogue.get(one.id)).state == State.APPROVED
                found = await catalogue.list()
                assert [version.file for version in found] == [_file(1), _file(2)]
                assert found[0].details == DETAILS
            # Back again: a rollback is an activation like any other.
            async with opened.session() as session:
                catalogue = Catalogue(session)
                await catalogue.activate(one.id)
                await catalogue.activate(one.id)
                await catalogue.retire(two.id)
                assert [version.id for version in await catalogue.active()] == [one.id]

    asyncio.run(test())


def test_what_is_not_approved_cannot_serve(tmp_path: Path) -> None:
    async def test() -> None:
        async with database(tmp_path, bytes(32)) as opened, opened.session() as session:
            catalogue = Catalogue(session)
            version = await catalogue.register("demo", _file(1), DETAILS)
            with pytest.raises(RefusalError, match="registered cannot become active"):
                await catalogue.activate(version.id)
            await catalogue.retire(version.id)
            for move in (catalogue.approve, catalogue.activate):
                with pytest.raises(RefusalError, match="retired cannot become"):
                    await move(version.id)
            with pytest.raises(RefusalError, match="no such model version"):
                await catalogue.approve("absent")

    asyncio.run(test())


def test_a_file_is_registered_once_per_alias(tmp_path: Path) -> None:
    async def test() -> None:
        async with database(tmp_path, bytes(32)) as opened, opened.session() as session:
            catalogue = Catalogue(session)
            await catalogue.register("demo", _file(1), DETAILS)
            same = msgspec.structs.replace(_file(1), file_id="other")
            with pytest.raises(RefusalError, match="already"):
                await catalogue.register("demo", same, DETAILS)
            await catalogue.register("other", same, DETAILS)
            assert len(await catalogue.list()) == 2

    asyncio.run(test())


def test_the_database_itself_lets_one_version_of_an_alias_serve(tmp_path: Path) -> None:
    async def test() -> None:
        async with database(tmp_path, bytes(32)) as opened:
            async with opened.session() as session:
                for number in (1, 2):
                    await Catalogue(session).register("demo", _file(number), DETAILS)
            with pytest.raises(exc.IntegrityError):
                async with opened.session() as session:
                    await session.execute(text("UPDATE model_version SET state = 'active'"))

    asyncio.run(test())
