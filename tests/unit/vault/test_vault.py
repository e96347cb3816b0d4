import json
import multiprocessing
import os
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.errors import IntegrityError, SealedError
from appliance.vault import document
from appliance.vault.purpose import Purpose
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.vault import Vault, inspect
from tests.support.dying import die_at

GOLDEN = Path(__file__).parents[2] / "vectors" / "vault" / "box"


def key_file(directory: Path) -> KeyFile:
    return KeyFile(directory / "unseal.key")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    Vault.create(tmp_path / "keys", key_file(tmp_path / "keys")).seal()
    return tmp_path / "keys"


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """The stored vault, with the modes that a checkout does not keep."""
    copied = shutil.copytree(GOLDEN, tmp_path / "golden")
    (copied / "unseal.key").chmod(0o600)
    return copied


def edit(directory: Path, change: Callable[[Any], None]) -> None:
    path = directory / document.FILE_NAME
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_vault_opens_again_with_the_same_keys(directory: Path) -> None:
    one = Vault.unseal(directory, key_file(directory))
    other = Vault.unseal(directory, key_file(directory))
    for purpose in Purpose:
        assert one.key(purpose) == other.key(purpose)
        assert len(one.key(purpose)) == 32


def test_no_two_keys_are_alike(directory: Path) -> None:
    vault = Vault.unseal(directory, key_file(directory))
    keys = {vault.key(purpose) for purpose in Purpose}
    keys |= {vault.derive(purpose, info) for purpose in Purpose for info in (b"", b"a", b"b")}
    assert len(keys) == 4 * len(Purpose)


def test_the_stored_format_is_read_and_written_byte_for_byte() -> None:
    content = (GOLDEN / document.FILE_NAME).read_bytes()
    assert document.encode(document.decode(content)) == content


def test_the_stored_vault_yields_the_stored_keys(golden: Path) -> None:
    expected = json.loads((golden / "expected.json").read_text())
    vault = Vault.unseal(golden, key_file(golden))
    assert len(expected["keys"]) == 7
    for name in expected["keys"]:
        purpose = Purpose(name)
        assert vault.key(purpose).hex() == expected["keys"][name]
        assert vault.derive(purpose, b"info", 16).hex() == expected["derived"][name]
    envelope = expected["envelope"]
    opened = vault.unwrap(Purpose.MODELS, envelope["name"], bytes.fromhex(envelope["bytes"]))
    assert opened.hex() == envelope["secret"]


def test_opening_a_complete_vault_writes_nothing(directory: Path) -> None:
    before = (directory / document.FILE_NAME).read_bytes()
    Vault.unseal(directory, key_file(directory))
    assert (directory / document.FILE_NAME).read_bytes() == before


def test_only_the_owner_may_read_the_files(directory: Path) -> None:
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for path in directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_key_lies_in_the_file(directory: Path) -> None:
    vault = Vault.unseal(directory, key_file(directory))
    content = (directory / document.FILE_NAME).read_bytes()
    unseal_key = (directory / "unseal.key").read_text().split(":")[1].strip()
    for secret in (bytes.fromhex(unseal_key), *(vault.key(purpose) for purpose in Purpose)):
        assert secret not in content
        assert secret.hex().encode() not in content


def test_a_second_vault_is_not_made_over_the_first(directory: Path) -> None:
    with pytest.raises(SealedError, match="exists already"):
        Vault.create(directory, KeyFile(directory / "other.key"))


def test_a_box_without_a_vault_says_so(tmp_path: Path) -> None:
    with pytest.raises(SealedError, match="cloister init"):
        Vault.unseal(tmp_path, key_file(tmp_path))


def test_the_key_file_of_another_box_does_not_open_it(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    Vault.create(other, key_file(other))
    with pytest.raises(SealedError, match="wrong, or belongs to another box"):
        Vault.unseal(directory, key_file(other))


def test_a_sealed_vault_gives_nothing(directory: Path) -> None:
    vault = Vault.unseal(directory, key_file(directory))
    wrapped = vault.wrap(Purpose.MODELS, "a", b"secret")
    vault.seal()
    assert vault.sealed
    assert vault.status().sealed
    for use in (
        lambda: vault.key(Purpose.DATABASE),
        lambda: vault.derive(Purpose.DATABASE, b""),
        lambda: vault.wrap(Purpose.MODELS, "a", b""),
        lambda: vault.unwrap(Purpose.MODELS, "a", wrapped),
    ):
        with pytest.raises(SealedError, match="cloister vault unseal"):
            use()
    vault.seal()


EDITS: dict[str, Callable[[Any], None]] = {
    "a date": lambda c: c["keys"][0].update(created="2020-01-01T00:00:00Z"),
    "a state": lambda c: c["keys"][0].update(state="retired"),
    "a version": lambda c: c["keys"][0].update(version=2),
    "two keys swapped": lambda c: (
        c["keys"][0].update(wrapped=c["keys"][1]["wrapped"]),
        c["keys"][1].update(wrapped=c["keys"][0]["wrapped"]),
    ),
    "a key removed": lambda c: c["keys"].pop(),
    "a key twice": lambda c: c["keys"].append(c["keys"][0]),
    "a purpose": lambda c: c["keys"][0].update(purpose="models"),
    "the generation": lambda c: c.update(generation=7),
    "the date of the root key": lambda c: c.update(root_created="2020-01-01T00:00:00Z"),
    "a slot added": lambda c: c["slots"].append({**c["slots"][0], "kind": "passphrase"}),
    "a slot's parameters": lambda c: c["slots"][0].update(parameters={"a": 1}),
    "the mac": lambda c: c.update(mac="0" * 64),
    "no mac": lambda c: c.update(mac=""),
}


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS.keys())
def test_nothing_in_the_file_can_be_changed(directory: Path, change: Callable[[Any], None]) -> None:
    edit(directory, change)
    with pytest.raises(IntegrityError):
        Vault.unseal(directory, key_file(directory))


UNREADABLE: dict[str, Callable[[Any], None]] = {
    "another format": lambda c: c.update(format="cloister-vault/2"),
    "another algorithm": lambda c: c["keys"][0].update(algorithm="rot13"),
    "an unknown field": lambda c: c.update(extra=1),
    "a field missing": lambda c: c.pop("id"),
    "a wrong type": lambda c: c.update(generation="1"),
}


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_is_not_the_format_is_refused(directory: Path, change: Callable[[Any], None]) -> None:
    edit(directory, change)
    with pytest.raises(IntegrityError, match="cannot be read"):
        Vault.unseal(directory, key_file(directory))


def test_a_slot_of_another_vault_does_not_open_this_one(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    Vault.create(other, key_file(other))
    slots = json.loads((other / document.FILE_NAME).read_text())["slots"]
    edit(directory, lambda content: content.update(slots=slots))
    with pytest.raises(SealedError):
        Vault.unseal(directory, key_file(other))


def test_a_purpose_that_came_later_gets_its_key_once(directory: Path) -> None:
    # As an older version wrote it: without one purpose, and signed so.
    found = document.decode((directory / document.FILE_NAME).read_bytes())
    (slot,) = found.slots
    unseal_key = key_file(directory).recover({})
    place = document.slot_context(found.id, slot.id, slot.kind, 1)
    root = document.unwrap(unseal_key, slot.wrapped, place)
    older = msgspec.structs.replace(found, keys=found.keys[:-1])
    (directory / document.FILE_NAME).write_bytes(document.encode(document.signed(older, root)))

    first = Vault.unseal(directory, key_file(directory))
    second = Vault.unseal(directory, key_file(directory))
    purpose = found.keys[-1].purpose
    assert first.key(purpose) == second.key(purpose)
    assert second.status().generation == found.generation + 1


def test_an_envelope_opens_only_where_it_was_put(directory: Path) -> None:
    vault = Vault.unseal(directory, key_file(directory))
    wrapped = vault.wrap(Purpose.MODELS, "one", b"secret")
    assert vault.unwrap(Purpose.MODELS, "one", wrapped) == b"secret"
    with pytest.raises(IntegrityError):
        vault.unwrap(Purpose.MODELS, "two", wrapped)
    with pytest.raises(IntegrityError):
        vault.unwrap(Purpose.CONTENT, "one", wrapped)
    with pytest.raises(IntegrityError):
        vault.unwrap(Purpose.MODELS, "one", wrapped[:-1] + bytes([wrapped[-1] ^ 1]))


@pytest.mark.parametrize(
    "envelope",
    [
        b"",
        b"secret",
        b"cloister-wrap/2 Cobblestone-256 1\n",
        b"cloister-wrap/1 rot13 1\n" + bytes(80),
        b"cloister-wrap/1 Cobblestone-256 x\n" + bytes(80),
        b"cloister-wrap/1 Cobblestone-256 9999999999\n" + bytes(80),
        b"cloister-wrap/1 Cobblestone-256 1\n",
        b"cloister-wrap/1 Cobblestone-256 2\n" + bytes(80),
        b"cloister-wrap/1 Cobblestone-256 1\n" + bytes(80),
    ],
)
def test_what_is_no_envelope_is_refused(directory: Path, envelope: bytes) -> None:
    vault = Vault.unseal(directory, key_file(directory))
    with pytest.raises(IntegrityError):
        vault.unwrap(Purpose.MODELS, "one", envelope)


def test_the_same_secret_is_never_wrapped_alike(directory: Path) -> None:
    vault = Vault.unseal(directory, key_file(directory))
    wrapped = {vault.wrap(Purpose.MODELS, "one", b"secret") for _ in range(50)}
    assert len(wrapped) == 50


def test_the_inventory_tells_ages_and_no_secrets(tmp_path: Path) -> None:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    directory = tmp_path / "keys"
    vault = Vault.create(directory, key_file(directory), clock=lambda: made)
    later = inspect(directory, clock=lambda: made + timedelta(days=90, hours=5))
    assert later.sealed
    assert {key.purpose for key in later.keys} == set(Purpose)
    assert {(key.version, key.state, key.age_days) for key in later.keys} == {(1, "current", 90)}
    assert [slot.kind for slot in later.slots] == ["key-file"]
    assert vault.key(Purpose.DATABASE).hex() not in repr(vault.status())


def _die_at(directory: Path, step: int) -> None:
    """Create a vault in a process that is killed at its step-th system call on files."""
    die_at(step, ("fsync", "link", "open", "unlink", "replace", "mkdir"))
    Vault.create(directory, key_file(directory))
    os._exit(0)


def test_a_crash_at_any_step_of_making_it_leaves_a_whole_vault_or_none(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    outcomes = set()
    for step in range(1, 40):
        directory = tmp_path / f"keys{step}"
        child = fork.Process(target=_die_at, args=(directory, step))
        child.start()
        child.join()
        path = directory / document.FILE_NAME
        outcomes.add(path.exists())
        if path.exists():
            Vault.unseal(directory, key_file(directory)).key(Purpose.DATABASE)
        if child.exitcode == 0:
            break
    assert child.exitcode == 0
    assert outcomes == {True, False}
