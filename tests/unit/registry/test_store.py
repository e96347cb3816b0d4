import asyncio
import hashlib
import io
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from appliance.database import Database
from appliance.errors import IntegrityError, SealedError, UnavailableError
from appliance.registry.catalogue import Catalogue
from appliance.registry.store import ModelStore
from appliance.registry.version import ModelDetails, StoredFile
from appliance.vault.purpose import Purpose
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.vault import Vault
from tests.support import cobblestone

WEIGHTS = cobblestone.plaintext(200_000)
DETAILS = ModelDetails(
    name="quokka-instruct-canary", architecture="llama-canary", quantization="Q8-canary"
)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "keys", KeyFile(tmp_path / "keys" / "unseal.key"))


@pytest.fixture
def store(tmp_path: Path, vault: Vault) -> ModelStore:
    return ModelStore(tmp_path / "models", vault)


@asynccontextmanager
async def database(tmp_path: Path, key: bytes) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "database" / "box.db", key)
    try:
        await opened.migrate()
        yield opened
    finally:
        await opened.close()


def put(store: ModelStore, content: bytes = WEIGHTS) -> StoredFile:
    return store.put(io.BytesIO(content))


def load(store: ModelStore, stored: StoredFile) -> bytes:
    descriptor = store.open_weights(stored)
    try:
        return os.pread(descriptor, stored.size + 1, 0)
    finally:
        os.close(descriptor)


def test_what_was_put_comes_back_by_its_digest(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "source.gguf").write_bytes(WEIGHTS)
    stored = store.put(tmp_path / "source.gguf")
    assert stored.digest == hashlib.sha256(WEIGHTS).hexdigest()
    assert stored.size == len(WEIGHTS)
    assert load(store, stored) == WEIGHTS


def test_it_comes_back_after_unsealing_again(store: ModelStore, tmp_path: Path) -> None:
    stored = put(store)
    again = Vault.unseal(tmp_path / "keys", KeyFile(tmp_path / "keys" / "unseal.key"))
    assert load(ModelStore(tmp_path / "models", again), stored) == WEIGHTS


def test_the_same_weights_put_twice_share_no_byte(store: ModelStore, tmp_path: Path) -> None:
    one, two = put(store), put(store)
    assert one.digest == two.digest
    assert one.file_id != two.file_id
    contents = [
        (tmp_path / "models" / stored.file_id / "weights.cob").read_bytes() for stored in (one, two)
    ]
    assert contents[0][56:] != contents[1][56:]


@pytest.mark.parametrize(
    "claim",
    [
        {"digest": hashlib.sha256(b"another").hexdigest()},
        {"size": len(WEIGHTS) - 1},
    ],
)
def test_a_catalogue_entry_that_claims_something_else_loads_nothing(
    store: ModelStore, claim: dict[str, object]
) -> None:
    stored = put(store)
    with pytest.raises(IntegrityError, match="Import it again"):
        store.open_weights(msgspec.structs.replace(stored, **claim))


def test_one_models_files_in_anothers_place_load_nothing(store: ModelStore, tmp_path: Path) -> None:
    good, bad = put(store), put(store, b"weights with a back door")
    folders = {stored: tmp_path / "models" / stored.file_id for stored in (good, bad)}
    for swapped in (("weights.cob",), ("key",), ("weights.cob", "key")):
        shutil.rmtree(tmp_path / "was", ignore_errors=True)
        shutil.copytree(folders[good], tmp_path / "was")
        for name in swapped:
            shutil.copyfile(folders[bad] / name, folders[good] / name)
        with pytest.raises(IntegrityError):
            store.open_weights(good)
        shutil.rmtree(folders[good])
        shutil.copytree(tmp_path / "was", folders[good])
    assert load(store, good) == WEIGHTS


@pytest.mark.parametrize("name", ["weights.cob", "key"])
@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_a_changed_byte_loads_nothing(
    store: ModelStore, tmp_path: Path, name: str, where: float
) -> None:
    stored = put(store)
    path = tmp_path / "models" / stored.file_id / name
    content = bytearray(path.read_bytes())
    content[int(where * (len(content) - 1))] ^= 1
    path.write_bytes(content)
    with pytest.raises(IntegrityError):
        store.open_weights(stored)


def test_a_missing_file_is_reported(store: ModelStore, tmp_path: Path) -> None:
    stored = put(store)
    (tmp_path / "models" / stored.file_id / "weights.cob").unlink()
    with pytest.raises(UnavailableError, match="cannot be read"):
        store.open_weights(stored)


def test_a_sealed_box_opens_and_stores_nothing(
    store: ModelStore, vault: Vault, tmp_path: Path
) -> None:
    stored = put(store)
    vault.seal()
    with pytest.raises(SealedError):
        store.open_weights(stored)
    with pytest.raises(SealedError):
        put(store)
    assert [folder.name for folder in (tmp_path / "models").iterdir()] == [stored.file_id]


def test_a_removed_model_is_gone_and_removing_it_again_is_fine(
    store: ModelStore, tmp_path: Path
) -> None:
    stored = put(store)
    store.remove(stored)
    store.remove(stored)
    assert list((tmp_path / "models").iterdir()) == []
    with pytest.raises(UnavailableError):
        store.open_weights(stored)


def test_a_source_that_fails_leaves_nothing(store: ModelStore, tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(UnavailableError, match="Input/output"):
        store.put(Broken())
    assert list((tmp_path / "models").iterdir()) == []


def test_what_a_crash_left_is_swept_and_whole_models_stay(
    store: ModelStore, tmp_path: Path
) -> None:
    assert ModelStore(tmp_path / "absent", store._vault).sweep() == 0
    stored = put(store)
    half = tmp_path / "models" / "0123456789abcdef"
    half.mkdir()
    (half / ".weights.cob.012345.part").write_bytes(b"half")
    assert store.sweep() == 1
    assert load(store, stored) == WEIGHTS


def deleted_but_open() -> list[tuple[str, bytes]]:
    """Files of this process that have lost their name and still lie on the disk."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        if entry.exists() or not os.path.lexists(entry):
            continue
        name = os.readlink(entry)
        if name.startswith("/") and name.endswith(" (deleted)") and "/memfd:" not in name:
            found.append((name, entry.open("rb").read()))
    return found


def test_nothing_of_a_model_can_be_read_in_the_box(
    tmp_path: Path, vault: Vault, store: ModelStore
) -> None:
    async def register() -> None:
        async with database(tmp_path, vault.key(Purpose.DATABASE)) as opened:
            async with opened.session() as session:
                catalogue = Catalogue(session)
                version = await catalogue.register("ward-canary", stored, DETAILS)
                await catalogue.approve(version.id)
                await catalogue.activate(version.id)
            search()

    def search() -> None:
        needles = [b"canary", b"quokka", stored.digest.encode(), bytes.fromhex(stored.digest)]
        needles += [WEIGHTS[at : at + 16] for at in range(0, len(WEIGHTS), 4096)]
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert any(path.name.endswith("-wal") for path in files)
        for path in files:
            content, name = path.read_bytes(), str(path.relative_to(tmp_path))
            for needle in needles:
                assert needle not in content, path
                assert needle not in name.encode()
        for name, content in deleted_but_open():
            for needle in needles:
                assert needle not in content, name

    stored = put(store)
    asyncio.run(register())
