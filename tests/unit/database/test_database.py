import asyncio
import os
import pkgutil
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, exc, text

import appliance
from appliance import database as database_module
from appliance.database import Base, Database, UtcTime
from appliance.errors import ConfigurationError, IntegrityError, UnavailableError

KEY = bytes(range(32))
CANARY = "wombat-xylophone-7731"


@asynccontextmanager
async def opened(path: Path, key: bytes = KEY) -> AsyncIterator[Database]:
    database = await Database.open(path, key)
    try:
        yield database
    finally:
        await database.close()


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(test())


async def with_table(database: Database) -> None:
    async with database.session() as session:
        await session.execute(text("CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT UNIQUE)"))


async def add(database: Database, body: str) -> None:
    async with database.session() as session:
        await session.execute(text("INSERT INTO note (body) VALUES (:body)"), {"body": body})


async def fail_after(database: Database, statement: str) -> None:
    try:
        async with database.session() as session:
            await session.execute(text(statement))
            raise RuntimeError
    except RuntimeError:
        return


def files_under(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def open_files() -> list[str]:
    descriptors = Path("/proc/self/fd").iterdir()
    return [os.readlink(entry) for entry in descriptors if entry.exists()]


async def count(database: Database) -> int:
    async with database.reading() as session:
        return int((await session.execute(text("SELECT count(*) FROM note"))).scalar_one())


def test_what_a_session_wrote_is_there_after_closing_and_opening(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
            await add(database, "a")
        async with opened(tmp_path / "box.db") as database:
            assert await count(database) == 1

    run(test)


def test_an_error_in_a_session_undoes_all_of_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
            await fail_after(database, "INSERT INTO note (body) VALUES ('a')")
            assert await count(database) == 0

    run(test)


def test_ddl_is_undone_with_its_transaction(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await fail_after(database, "CREATE TABLE gone (id INTEGER)")
            async with database.reading() as session:
                found = await session.execute(text("SELECT name FROM sqlite_master"))
                assert found.all() == []

    run(test)


def test_a_conflict_is_sqlalchemys_and_carries_no_parameter(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
            await add(database, CANARY)
            with pytest.raises(exc.IntegrityError) as caught:
                await add(database, CANARY)
            assert CANARY not in str(caught.value)

    run(test)


def test_a_failing_statement_becomes_ours_without_text_or_parameter(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            with pytest.raises(UnavailableError) as caught:
                async with database.session() as session:
                    await session.execute(text("INSERT INTO absent VALUES (:v)"), {"v": CANARY})
            assert CANARY not in str(caught.value)
            assert caught.value.__suppress_context__

    run(test)


def test_another_key_is_refused_with_advice_and_without_the_key(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
        other = bytes(32)
        with pytest.raises(IntegrityError, match="key is another one") as caught:
            async with opened(tmp_path / "box.db", other):
                pass
        assert other.hex() not in str(caught.value)

    run(test)
    assert capfd.readouterr().err == ""


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
            with pytest.raises(UnavailableError, match="SQLITE_READONLY"):
                async with database.reading() as session:
                    await session.execute(text("INSERT INTO note (body) VALUES ('a')"))

    run(test)


def test_a_reader_keeps_its_snapshot_while_another_writes(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
            async with database.reading() as session:
                query = text("SELECT count(*) FROM note")
                before = (await session.execute(query)).scalar_one()
                await add(database, "a")
                assert (await session.execute(query)).scalar_one() == before == 0
            assert await count(database) == 1

    run(test)


def test_writers_queue_instead_of_failing(tmp_path: Path) -> None:
    async def read_then_write(database: Database, number: int) -> None:
        async with database.session() as session:
            await session.execute(text("SELECT count(*) FROM note"))
            await asyncio.sleep(0)
            await session.execute(text("INSERT INTO note (body) VALUES (:b)"), {"b": str(number)})

    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
            await asyncio.gather(*(read_then_write(database, n) for n in range(50)))
            assert await count(database) == 50

    run(test)


def test_foreign_keys_are_enforced(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            async with database.session() as session:
                await session.execute(text("CREATE TABLE ward (id INTEGER PRIMARY KEY)"))
                await session.execute(text("CREATE TABLE bed (ward INTEGER REFERENCES ward (id))"))
            with pytest.raises(exc.IntegrityError):
                async with database.session() as session:
                    await session.execute(text("INSERT INTO bed VALUES (1)"))

    run(test)


def test_nothing_written_can_be_read_in_any_file_even_before_closing(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
            for number in range(200):
                await add(database, f"{CANARY} {number}")
            files = files_under(tmp_path)
            assert {path.name for path in files} == {"box.db", "box.db-wal", "box.db-shm"}
            for path in files:
                content = path.read_bytes()
                for plain in (
                    CANARY.encode(),
                    b"SQLite format 3",
                    b"note",
                    KEY,
                    KEY.hex().encode(),
                ):
                    assert plain not in content, path
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path

    run(test)


def test_an_altered_page_is_found_when_it_is_read(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "box.db"
        async with opened(path) as database:
            await with_table(database)
            for number in range(500):
                await add(database, f"{number}" * 20)
        content = bytearray(path.read_bytes())
        for page in range(1, len(content) // 4096):
            content[page * 4096 + 100] ^= 1
        path.write_bytes(content)
        async with opened(path) as database:
            with pytest.raises(IntegrityError):
                async with database.reading() as session:
                    await session.execute(text("SELECT sum(length(body)) FROM note"))

    run(test)


def test_migrations_make_exactly_the_tables_that_the_rooms_declare(tmp_path: Path) -> None:
    for module in pkgutil.walk_packages(appliance.__path__, "appliance."):
        if module.name.endswith(".models"):
            import_module(module.name)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await database.migrate()
            async with database.reading() as session:
                connection = await session.connection()
                assert await connection.run_sync(differences) == []

    run(test)


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await database.migrate()
            before = await schema(database)
            await database.migrate()
            assert await schema(database) == before != []

    async def schema(database: Database) -> list[tuple[str, ...]]:
        async with database.reading() as session:
            rows = await session.execute(text("SELECT name, sql FROM sqlite_schema ORDER BY name"))
            return [tuple(map(str, row)) for row in rows]

    run(test)


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await database.migrate()
            async with database.session() as session:
                await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
            with pytest.raises(ConfigurationError, match="newer version"):
                await database.migrate()

    run(test)


def test_a_directory_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    async def test() -> None:
        with pytest.raises(UnavailableError, match="cannot be created"):
            async with opened(tmp_path / "file" / "box.db"):
                pass

    run(test)


def test_moments_keep_their_instant_and_sort_as_text() -> None:
    kind = UtcTime()
    dialect = None
    moment = datetime(2026, 11, 21, 1, 2, 3, 45, tzinfo=timezone(timedelta(hours=2)))
    stored = kind.process_bind_param(moment, dialect)  # type: ignore[arg-type]
    assert stored == "2026-11-20T23:02:03.000045Z"
    assert kind.process_result_value(stored, dialect) == moment  # type: ignore[arg-type]
    assert datetime(2026, 1, 1, tzinfo=UTC).utcoffset() == timedelta(0)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        UtcTime().process_bind_param(datetime(2026, 1, 1), None)  # type: ignore[arg-type]


def test_no_descriptor_stays_open_after_closing(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
        assert not [name for name in open_files() if "box.db" in name]

    run(test)


def test_a_session_that_is_cancelled_at_any_point_leaves_no_trace_and_no_lock(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
            cancelled = 0
            for turns in range(60):
                task = asyncio.create_task(add(database, f"doubtful {turns}"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    cancelled += 1
                # Whatever the cancelled one left, the next one writes.
                await asyncio.wait_for(add(database, f"sure {turns}"), 10)
            async with database.reading() as session:
                found = set(await session.scalars(text("SELECT body FROM note")))
            assert {f"sure {turns}" for turns in range(60)} <= found
            assert cancelled > 0

    run(test)


NEW = bytes(range(32, 64))


def test_a_new_key_ends_the_old_one_and_keeps_every_row(tmp_path: Path) -> None:
    path = tmp_path / "box.db"

    async def test() -> None:
        async with opened(path) as database:
            await with_table(database)
            for number in range(100):
                await add(database, str(number))
            await database.rekey(NEW)
            assert await count(database) == 100
            await add(database, "after")
            with pytest.raises(IntegrityError):
                await Database.open(path, KEY)
        async with opened(path, NEW) as database:
            assert await count(database) == 101

    run(test)


def test_sessions_wait_while_the_key_changes_and_none_is_lost(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
            adding = [asyncio.create_task(add(database, str(n))) for n in range(60)]
            await asyncio.sleep(0)
            for number in range(3):
                await database.rekey(bytes([number]) * 32)
                adding += [asyncio.create_task(add(database, f"{number} {n}")) for n in range(20)]
                await asyncio.sleep(0)
            await asyncio.gather(*adding)
            assert await count(database) == 120

    run(test)


def test_a_session_that_does_not_end_leaves_the_old_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_WRITER_PATIENCE_S", 0.05)

    async def test() -> None:
        async with opened(tmp_path / "box.db") as database:
            await with_table(database)
            async with database.reading():
                with pytest.raises(UnavailableError, match="stays busy"):
                    await database.rekey(NEW)
            await add(database, "a")
        async with opened(tmp_path / "box.db") as database:
            assert await count(database) == 1

    run(test)


def test_an_interrupted_change_of_keys_is_finished_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "box.db"

    async def test() -> None:
        async with opened(path) as database:
            await with_table(database)
            await add(database, "a")
        database = await Database.open(path, NEW, former=[bytes(32), KEY])
        assert await count(database) == 1
        await database.close()
        async with opened(path, NEW) as database:
            assert await count(database) == 1
        with pytest.raises(IntegrityError):
            await Database.open(path, KEY, former=[bytes(32)])

    run(test)


REKEY = """
import sys
from pathlib import Path
from appliance.sqlcipher import rekey
sys.stdout.write("ready\\n")
sys.stdout.flush()
rekey(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3]))
sys.stdout.write("done\\n")
"""


def test_a_kill_while_the_key_changes_leaves_one_key_or_the_other(tmp_path: Path) -> None:
    path = tmp_path / "box.db"

    async def fill() -> None:
        async with opened(path) as database:
            await with_table(database)
            async with database.session() as session:
                for number in range(4000):
                    await session.execute(
                        text("INSERT INTO note (body) VALUES (:b)"), {"b": str(number) * 100}
                    )

    async def check(key: bytes, former: bytes) -> None:
        database = await Database.open(path, key, former=[former])
        assert await count(database) == 4000
        await database.close()

    run(fill)
    keys = [KEY, NEW]
    for delay in (0.0, 0.005, 0.01, 0.02, 0.04, 0.08):
        old, new = keys
        with subprocess.Popen(
            [sys.executable, "-c", REKEY, str(path), old.hex(), new.hex()],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(delay)
            child.kill()
        asyncio.run(check(new, old))
        keys.reverse()
