"""Keys, people and the authenticator over a real, encrypted database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.access.attempts import Attempts
from appliance.access.authenticator import Authenticator
from appliance.access.keys import ApiKeys
from appliance.access.people import People
from appliance.access.principal import Role, Via
from appliance.database import Database
from appliance.errors import Code, RefusalError

KEY = bytes(range(32))


@asynccontextmanager
async def access(folder: Path) -> AsyncIterator[tuple[ApiKeys, People, Authenticator]]:
    database = await Database.open(folder / "cloister.db", KEY)
    await database.migrate()
    keys, people = ApiKeys(database, KEY), People(database, KEY)
    await keys.load()
    try:
        yield keys, people, Authenticator(keys, people, Attempts(burst=3))
    finally:
        await database.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    asyncio.run(main())


def test_an_issued_key_is_recognised_also_after_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with access(tmp_path) as (keys, _, authenticator):
            key, record = await keys.issue("his", Role.APPLICATION, models=("demo",))
            principal = authenticator.authenticate(key, "here")
            assert (principal.id, principal.via) == (record.id, Via.API_KEY)
            assert principal.may_use("demo")
            assert not principal.may_use("other")
        async with access(tmp_path) as (_, _, authenticator):
            assert authenticator.authenticate(key, "here") == principal

    run(scenario)


def test_a_revoked_key_opens_nothing_at_once_and_for_ever(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with access(tmp_path) as (keys, _, authenticator):
            key, record = await keys.issue("his", Role.APPLICATION)
            await keys.revoke(record.id)
            with pytest.raises(RefusalError, match="not valid"):
                authenticator.authenticate(key, "here")
        async with access(tmp_path) as (_, _, authenticator):
            with pytest.raises(RefusalError, match="not valid"):
                authenticator.authenticate(key, "here")

    run(scenario)


def test_an_expired_key_opens_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with access(tmp_path) as (keys, _, _):
            past = datetime.now(UTC) - timedelta(seconds=1)
            key, _ = await keys.issue("his", Role.APPLICATION, expires=past)
            assert keys.recognise(key) is None

    run(scenario)


def test_guessing_is_slowed_down_and_right_keys_of_the_same_address_are_not(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with access(tmp_path) as (keys, _, authenticator):
            key, _ = await keys.issue("his", Role.APPLICATION)
            for _ in range(3):
                with pytest.raises(RefusalError):
                    authenticator.authenticate("clst_guess", "guesser")
            with pytest.raises(RefusalError) as refused:
                authenticator.authenticate("clst_guess", "guesser")
            assert refused.value.refusal.code is Code.RATE_LIMITED
            assert refused.value.refusal.retry_after is not None
            authenticator.authenticate(key, "guesser")

    run(scenario)


def test_a_person_signs_in_and_holds_a_session(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with access(tmp_path) as (_, people, authenticator):
            password = await people.add("officer", Role.OFFICER)
            token, principal = await authenticator.sign_in("officer", password, "here")
            assert authenticator.authenticate(token, "here") == principal
            assert (principal.role, principal.via) == (Role.OFFICER, Via.SESSION)

    run(scenario)


def test_signing_in_rightly_again_and_again_is_no_guessing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with access(tmp_path) as (_, people, authenticator):
            password = await people.add("officer", Role.OFFICER)
            for _ in range(5):
                await authenticator.sign_in("officer", password, "here")
            for _ in range(3):
                with pytest.raises(RefusalError):
                    await authenticator.sign_in("officer", "wrong", "here")
            with pytest.raises(RefusalError, match="too many"):
                await authenticator.sign_in("officer", password, "here")

    run(scenario)


@pytest.mark.parametrize("name", ["officer", "nobody"])
def test_a_wrong_name_and_a_wrong_password_are_told_alike(tmp_path: Path, name: str) -> None:
    async def scenario() -> None:
        async with access(tmp_path) as (_, people, authenticator):
            await people.add("officer", Role.OFFICER)
            with pytest.raises(RefusalError, match="name or password is wrong"):
                await authenticator.sign_in(name, "wrong", "here")

    run(scenario)


def test_no_key_or_password_is_in_the_database_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with access(tmp_path) as (keys, people, _):
            key, _ = await keys.issue("cardiology portal", Role.APPLICATION)
            password = await people.add("officer", Role.OFFICER)
        stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert all(
            text.encode() not in stored for text in (key, password, "cardiology portal", "officer")
        )

    run(scenario)
