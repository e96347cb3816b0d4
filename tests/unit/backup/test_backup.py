"""Backups made while the box runs, and boxes made from them with nothing but shares."""

import asyncio
import io
import multiprocessing
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from appliance.audit.entries import BOX
from appliance.audit.events import BackupRestored
from appliance.audit.keyring import Keyring
from appliance.audit.keys import Ed25519Signer
from appliance.audit.log import Log
from appliance.audit.verify import verify_directory
from appliance.backup.making import Made, Sources, make
from appliance.backup.restoring import Restored, restore
from appliance.database import Database
from appliance.errors import ConfigurationError, IntegrityError, SealedError, UnavailableError
from appliance.registry.catalogue import Catalogue
from appliance.registry.store import ModelStore
from appliance.registry.version import ModelDetails
from appliance.settings import Layout
from appliance.vault.purpose import Purpose
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.unsealers.shares import NewShares, ShareCollector
from appliance.vault.unsealers.unsealer import Opener
from appliance.vault.vault import Vault
from tests.support.dying import die_at

NAME = "box.test"
CANARY = "wombat-xylophone"


class Box(Sources, frozen=True, kw_only=True):
    """A running box."""

    store: ModelStore

    async def remember(self, note: str) -> None:
        event = BackupRestored(backup=note, backup_digest="sha256:00")
        await self.log.append(event, BOX)
        async with self.database.session() as session:
            await session.execute(text("INSERT INTO note VALUES (:note)"), {"note": note})

    async def notes(self) -> list[str]:
        async with self.database.reading() as session:
            return list(await session.scalars(text("SELECT body FROM note ORDER BY rowid")))

    async def add_model(self, alias: str, weights: bytes) -> None:
        stored = await asyncio.to_thread(self.store.put, io.BytesIO(weights))
        async with self.database.session() as session:
            await Catalogue(session).register(alias, stored, ModelDetails(name=CANARY))

    async def weights(self) -> dict[str, bytes]:
        async with self.database.reading() as session:
            versions = await Catalogue(session).list()
        found = {}
        for version in versions:
            descriptor = self.store.open_weights(version.file)
            found[version.alias] = os.pread(descriptor, version.file.size, 0)
            os.close(descriptor)
        return found


@asynccontextmanager
async def opened(root: Path, opener: Opener) -> AsyncIterator[Box]:
    async with AsyncExitStack() as stack:
        layout = Layout(root)
        vault = Vault.unseal(layout.keys, opener)
        signer = Ed25519Signer.from_seed(NAME, vault.key(Purpose.AUDIT_SIGNING))
        log = Log.open(layout.audit, signer=signer)
        stack.push_async_callback(log.close)
        database = await Database.open(layout.database, vault.key(Purpose.DATABASE))
        stack.push_async_callback(database.close)
        await database.migrate()
        store = ModelStore(layout.models, vault)
        yield Box(
            layout=layout, vault=vault, database=database, log=log, signer=signer, store=store
        )


@pytest.fixture(scope="module")
def made_box(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, ...]]:
    """A box with two notes and two models, unsealed by a key file or by two of three shares."""
    root = tmp_path_factory.mktemp("made") / "box"
    root.mkdir()
    layout = Layout(root)
    layout.config.write_text('profile = "production"\n')
    layout.policies.mkdir()
    (layout.policies / "default.yaml").write_text("entities: []\n")
    opener = KeyFile(layout.keys / "unseal.key")
    vault = Vault.create(layout.keys, opener)
    shares = NewShares(threshold=2, count=3)
    vault.add_way(opener, shares)
    signer = Ed25519Signer.from_seed(NAME, vault.key(Purpose.AUDIT_SIGNING))
    Log.create(layout.audit, origin=NAME, signer=signer).close_sync()

    async def fill() -> None:
        async with opened(root, opener) as box:
            async with box.database.session() as session:
                await session.execute(text("CREATE TABLE note (body TEXT)"))
            for number in range(2):
                await box.remember(f"{CANARY} {number}")
                await box.add_model(f"model-{number}", bytes([number]) * 300_000)

    asyncio.run(fill())
    return root, shares.take()


class Site:
    """A copy of the box, the medium for its backups, and the people with its shares."""

    def __init__(self, directory: Path, box: Path, shares: tuple[str, ...]) -> None:
        self.root = shutil.copytree(box, directory / "box")
        self.medium = directory / "medium"
        self.medium.mkdir()
        self.elsewhere = directory / "elsewhere"
        self.elsewhere.mkdir()
        self.shares = shares

    @property
    def key_file(self) -> KeyFile:
        return KeyFile(self.root / "keys" / "unseal.key")

    def people(self) -> Opener:
        collector = ShareCollector()
        for share in self.shares[1:]:
            collector.add(share)
        return collector.opener()

    def back_up(self, name: str = "one", previous: str | None = None) -> Made:
        async def work() -> Made:
            async with opened(self.root, self.key_file) as box:
                earlier = self.medium / previous if previous else None
                return await make(self.medium / name, box, previous=earlier)

        return asyncio.run(work())

    def restore(self, *names: str, **options: Any) -> Restored:
        return restore(
            [self.medium / name for name in names or ("one",)],
            self.elsewhere / "box",
            self.people(),
            **options,
        )


@pytest.fixture
def site(tmp_path: Path, made_box: tuple[Path, tuple[str, ...]]) -> Site:
    return Site(tmp_path, *made_box)


def test_a_box_is_restored_elsewhere_with_shares_alone(site: Site) -> None:
    async def look() -> None:
        async with opened(site.elsewhere / "box", site.people()) as box:
            assert await box.notes() == [f"{CANARY} 0", f"{CANARY} 1"]
            assert await box.weights() == {
                f"model-{number}": bytes([number]) * 300_000 for number in range(2)
            }

    made = site.back_up()
    shutil.rmtree(site.root)
    restored = site.restore()
    assert (restored.backup, restored.digest) == (made.id, made.digest)
    assert restored.box == NAME
    asyncio.run(look())
    box = site.elsewhere / "box"
    assert (box / "cloister.toml").read_text() == 'profile = "production"\n'
    assert (box / "policies" / "default.yaml").read_text() == "entities: []\n"
    # The key file is not in the backup: it would open it.
    assert not (box / "keys" / "unseal.key").exists()


def test_the_restored_log_continues_the_old_one_and_says_so(site: Site) -> None:
    checkpoint = (site.root / "audit" / "log" / "checkpoint").read_bytes()
    site.back_up()
    restored = site.restore()

    async def go_on() -> None:
        async with opened(site.elsewhere / "box", site.people()) as box:
            event = BackupRestored(backup=restored.backup, backup_digest=restored.digest)
            await box.log.append(event, BOX)

    asyncio.run(go_on())
    vkey = (site.root / "audit" / "log.vkey").read_text()
    log = site.elsewhere / "box" / "audit" / "log"
    report = verify_directory(log, vkey, older=checkpoint)
    assert report.problems == ()
    assert report.size == restored.log_size + 1


def test_restoring_an_older_backup_is_seen_by_whoever_holds_a_later_checkpoint(
    site: Site,
) -> None:
    site.back_up()

    async def go_on(root: Path, opener: Opener, note: str) -> None:
        async with opened(root, opener) as box:
            await box.remember(note)

    asyncio.run(go_on(site.root, site.key_file, "after the backup"))
    later = (site.root / "audit" / "log" / "checkpoint").read_bytes()
    site.restore()
    for note in ("another past", "more of it", "and more"):
        asyncio.run(go_on(site.elsewhere / "box", site.people(), note))
    vkey = (site.root / "audit" / "log.vkey").read_text()
    report = verify_directory(site.elsewhere / "box" / "audit" / "log", vkey, older=later)
    assert report.problems


def test_a_backup_is_made_while_the_box_works(site: Site) -> None:
    async def work() -> int:
        async with opened(site.root, site.key_file) as box:
            done = asyncio.Event()

            async def busy() -> int:
                count = 0
                while not done.is_set():
                    await box.remember(f"busy {count}")
                    count += 1
                return count

            busyness = asyncio.create_task(busy())
            made = await make(site.medium / "one", box)
            done.set()
            assert await busyness > 0
            return made.log_size

    async def look() -> tuple[int, int]:
        async with opened(site.elsewhere / "box", site.people()) as box:
            return len(await box.notes()), box.log.status.size

    log_size = asyncio.run(work())
    site.restore()
    notes, entries = asyncio.run(look())
    assert entries >= log_size
    # Every note in the database was logged before: the log of a backup is never behind.
    assert entries >= notes


def test_weights_of_an_earlier_backup_are_not_written_again(site: Site) -> None:
    async def add() -> None:
        async with opened(site.root, site.key_file) as box:
            await box.add_model("model-2", b"\x02" * 300_000)

    async def look() -> int:
        async with opened(site.elsewhere / "box", site.people()) as box:
            return len(await box.weights())

    full = site.back_up()
    assert (full.weights, full.inherited) == (2, 0)
    asyncio.run(add())
    second = site.back_up("two", previous="one")
    assert (second.weights, second.inherited) == (1, 2)
    assert second.size < full.size
    third = site.back_up("three", previous="two")
    assert (third.weights, third.inherited) == (0, 3)

    with pytest.raises(ConfigurationError, match=second.id):
        site.restore("three", "one")
    assert list(site.elsewhere.iterdir()) == []
    site.restore("three", "one", "two")
    assert asyncio.run(look()) == 3


def test_nothing_in_a_backup_can_be_read(site: Site) -> None:
    site.back_up()
    content = (site.medium / "one").read_bytes()
    unseal_key = (site.root / "keys" / "unseal.key").read_bytes().split(b":")[1].strip()
    for secret in (CANARY.encode(), b"\x01" * 64, unseal_key, bytes.fromhex(unseal_key.decode())):
        assert secret not in content
    for share in site.shares:
        assert share.encode() not in content
    assert [path.name for path in site.medium.iterdir()] == ["one"]


def test_too_few_shares_restore_nothing(site: Site) -> None:
    site.back_up()
    collector = ShareCollector()
    collector.add(site.shares[0])
    with pytest.raises(SealedError):
        restore([site.medium / "one"], site.elsewhere / "box", collector.opener())
    assert list(site.elsewhere.iterdir()) == []


@pytest.mark.parametrize("where", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999, 1.0])
def test_a_changed_backup_restores_nothing(site: Site, where: float) -> None:
    site.back_up()
    path = site.medium / "one"
    content = bytearray(path.read_bytes())
    content[int(where * (len(content) - 1))] ^= 1
    path.write_bytes(content)
    with pytest.raises((IntegrityError, SealedError)):
        site.restore()
    assert list(site.elsewhere.iterdir()) == []


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99])
def test_a_shortened_backup_restores_nothing(site: Site, keep: float) -> None:
    site.back_up()
    path = site.medium / "one"
    os.truncate(path, int(keep * path.stat().st_size))
    with pytest.raises(IntegrityError):
        site.restore()
    assert list(site.elsewhere.iterdir()) == []


def test_a_backup_that_the_box_did_not_sign_restores_nothing(site: Site) -> None:
    """The vault's keys alone, without the log's, do not make a backup."""

    async def forge() -> None:
        async with opened(site.root, site.key_file) as box:
            stranger = Ed25519Signer.from_seed(NAME, bytes(32))
            sources = Sources(
                layout=box.layout,
                vault=box.vault,
                database=box.database,
                log=box.log,
                signer=stranger,
            )
            await make(site.medium / "one", sources)

    asyncio.run(forge())
    with pytest.raises(IntegrityError, match="not signed"):
        site.restore()
    assert list(site.elsewhere.iterdir()) == []


def test_a_log_whose_key_was_changed_is_backed_up_and_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "ringed"
    root.mkdir()
    layout = Layout(root)
    layout.config.write_text("")
    opener = KeyFile(tmp_path / "safe.key")
    vault = Vault.create(layout.keys, opener)
    layout.audit.mkdir()
    secret = vault.key(Purpose.AUDIT_SIGNING)
    ring = Keyring.create(layout.audit, name=NAME, secret=secret)
    log = Log.create(layout.audit, origin=NAME, signer=ring)
    event = BackupRestored(backup="x", backup_digest="sha256:00")
    for _ in range(2):
        log.append_sync(event, BOX)
        log.change_key()

    async def back_up() -> Made:
        database = await Database.open(layout.database, vault.key(Purpose.DATABASE))
        box = Sources(layout=layout, vault=vault, database=database, log=log, signer=ring)
        made = await make(tmp_path / "one", box)
        await database.close()
        return made

    made = asyncio.run(back_up())
    log.close_sync()
    restored = restore([tmp_path / "one"], tmp_path / "again", opener)
    assert restored.digest == made.digest
    audit = Layout(tmp_path / "again").audit
    again = Log.open(audit, signer=Keyring.open(audit, name=NAME, secret=secret))
    again.append_sync(event, BOX)
    again.close_sync()
    report = verify_directory(audit / "log", restored.vkey)
    assert report.problems == ()
    assert report.size == restored.log_size + 1


def test_the_key_that_somebody_kept_decides(site: Site) -> None:
    site.back_up()
    other = Ed25519Signer.from_seed(NAME, bytes(32)).vkey
    with pytest.raises(IntegrityError, match="another box"):
        site.restore(vkey=str(other))
    site.restore(vkey=(site.root / "audit" / "log.vkey").read_text())


def test_a_box_is_not_restored_over_another(site: Site) -> None:
    site.back_up()
    (site.elsewhere / "box").mkdir()
    with pytest.raises(ConfigurationError, match="exists already"):
        site.restore()


def test_a_backup_is_not_written_over_another(site: Site) -> None:
    site.back_up()
    before = (site.medium / "one").read_bytes()
    with pytest.raises(UnavailableError, match="not overwritten"):
        site.back_up()
    assert (site.medium / "one").read_bytes() == before


def test_a_medium_that_cannot_be_written_is_reported(site: Site) -> None:
    with pytest.raises(UnavailableError, match="cannot be written"):
        site.back_up("absent/one")


def test_a_backup_of_another_box_is_no_previous_one(site: Site, tmp_path: Path) -> None:
    (site.medium / "zero").write_bytes(b"not a backup")
    with pytest.raises(IntegrityError, match="not an archive"):
        site.back_up("one", previous="zero")


def _restore_and_die(site: Site, step: int) -> None:
    die_at(step, ("fsync", "link", "rename"))
    site.restore()
    os._exit(0)


def test_a_crash_at_any_step_of_restoring_leaves_no_half_box(site: Site) -> None:
    async def look() -> int:
        async with opened(site.elsewhere / "box", site.people()) as box:
            return len(await box.weights())

    site.back_up()
    step, process = 1, None
    while process is None or process.exitcode != 0:
        shutil.rmtree(site.elsewhere)
        site.elsewhere.mkdir()
        process = multiprocessing.get_context("fork").Process(
            target=_restore_and_die, args=(site, step)
        )
        process.start()
        process.join()
        if (site.elsewhere / "box").exists():
            assert asyncio.run(look()) == 2
        step += 7 if step < 70 else 1
    assert (site.elsewhere / "box").exists()
