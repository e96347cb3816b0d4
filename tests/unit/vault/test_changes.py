"""Ways to unseal added and taken away, keys renewed and destroyed, crashes in between."""

import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from appliance.errors import ConfigurationError, IntegrityError, SealedError
from appliance.vault import document
from appliance.vault.purpose import Purpose
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.unsealers.passphrase import Costs, Passphrase
from appliance.vault.vault import Vault, inspect
from tests.support.dying import die_at

CHEAP = Costs(iterations=1, memory_kib=19 * 1024, lanes=1)
PHRASE = "correct horse battery staple"


@pytest.fixture
def opener(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "unseal.key")


@pytest.fixture
def vault(tmp_path: Path, opener: KeyFile) -> Vault:
    return Vault.create(tmp_path / "keys", opener)


def test_several_ways_open_the_same_vault(vault: Vault, opener: KeyFile, tmp_path: Path) -> None:
    vault.add_way(opener, Passphrase(PHRASE, costs=CHEAP))
    for way in (opener, Passphrase(PHRASE)):
        opened = Vault.unseal(tmp_path / "keys", way)
        assert opened.key(Purpose.DATABASE) == vault.key(Purpose.DATABASE)
    assert [slot.kind for slot in vault.status().slots] == ["key-file", "passphrase"]


def test_two_key_files_open_the_same_vault(vault: Vault, opener: KeyFile, tmp_path: Path) -> None:
    second = KeyFile(tmp_path / "second.key")
    vault.add_way(opener, second)
    for way in (opener, second):
        found = Vault.unseal(tmp_path / "keys", way)
        assert found.key(Purpose.DATABASE) == vault.key(Purpose.DATABASE)


def test_a_way_taken_away_opens_no_more(vault: Vault, opener: KeyFile, tmp_path: Path) -> None:
    vault.add_way(opener, Passphrase(PHRASE, costs=CHEAP))
    vault.remove_way(opener, vault.status().slots[0].id)
    with pytest.raises(SealedError, match="not unsealed by key-file, but by: passphrase"):
        Vault.unseal(tmp_path / "keys", opener)
    Vault.unseal(tmp_path / "keys", Passphrase(PHRASE))


def test_the_last_way_is_not_taken_away(vault: Vault, opener: KeyFile) -> None:
    with pytest.raises(ConfigurationError, match="only way"):
        vault.remove_way(opener, vault.status().slots[0].id)
    with pytest.raises(ConfigurationError, match="no such way"):
        vault.remove_way(opener, "absent")
    with pytest.raises(ConfigurationError, match="at least one way"):
        vault.rotate_root(opener, [])


def test_changes_need_somebody_who_can_unseal(vault: Vault, tmp_path: Path) -> None:
    stranger = KeyFile(tmp_path / "stranger.key")
    stranger.enrol()
    before = (tmp_path / "keys" / "vault.json").read_bytes()
    for change in (
        lambda: vault.rotate(Purpose.MODELS, stranger),
        lambda: vault.rotate_root(stranger, [stranger]),
        lambda: vault.destroy(Purpose.MODELS, 1, stranger),
        lambda: vault.add_way(stranger, Passphrase(PHRASE, costs=CHEAP)),
    ):
        with pytest.raises(SealedError):
            change()
    assert (tmp_path / "keys" / "vault.json").read_bytes() == before


def test_a_sealed_vault_is_not_changed(vault: Vault, opener: KeyFile) -> None:
    vault.seal()
    with pytest.raises(SealedError):
        vault.rotate(Purpose.MODELS, opener)


def test_every_change_counts(vault: Vault, opener: KeyFile, tmp_path: Path) -> None:
    vault.rotate(Purpose.MODELS, opener)
    vault.destroy(Purpose.MODELS, 1, opener)
    assert vault.status().generation == 3
    assert inspect(tmp_path / "keys").generation == 3


def test_a_renewed_key_leaves_what_was_wrapped_readable_until_the_old_one_is_destroyed(
    vault: Vault, opener: KeyFile, tmp_path: Path
) -> None:
    old_key, wrapped = vault.key(Purpose.MODELS), vault.wrap(Purpose.MODELS, "a", b"secret")
    assert vault.rotate(Purpose.MODELS, opener) == 2
    assert vault.versions(Purpose.MODELS) == (1, 2)
    assert vault.key(Purpose.MODELS) != old_key
    assert vault.key(Purpose.MODELS, version=1) == old_key
    assert vault.unwrap(Purpose.MODELS, "a", wrapped) == b"secret"
    again = vault.wrap(Purpose.MODELS, "a", b"secret")

    vault.destroy(Purpose.MODELS, 1, opener)
    for opened in (vault, Vault.unseal(tmp_path / "keys", opener)):
        assert opened.unwrap(Purpose.MODELS, "a", again) == b"secret"
        with pytest.raises(IntegrityError, match="destroyed"):
            opened.unwrap(Purpose.MODELS, "a", wrapped)
        assert opened.versions(Purpose.MODELS) == (2,)


def test_a_destroyed_version_is_never_given_again(vault: Vault, opener: KeyFile) -> None:
    assert vault.rotate(Purpose.MODELS, opener) == 2
    vault.destroy(Purpose.MODELS, 1, opener)
    assert vault.rotate(Purpose.MODELS, opener) == 3
    vault.destroy(Purpose.MODELS, 2, opener)
    assert vault.rotate(Purpose.MODELS, opener) == 4


def test_the_current_key_is_not_destroyed(vault: Vault, opener: KeyFile) -> None:
    for version in (1, 7):
        with pytest.raises(ConfigurationError, match="no retired version"):
            vault.destroy(Purpose.MODELS, version, opener)


def test_a_new_root_key_keeps_every_secret_and_ends_the_old_ways(
    vault: Vault, opener: KeyFile, tmp_path: Path
) -> None:
    before = {purpose: vault.key(purpose) for purpose in Purpose}
    shutil.copytree(tmp_path / "keys", tmp_path / "stolen")
    vault.rotate_root(opener, [KeyFile(tmp_path / "new.key"), Passphrase(PHRASE, costs=CHEAP)])
    with pytest.raises(SealedError):
        Vault.unseal(tmp_path / "keys", opener)
    for way in (KeyFile(tmp_path / "new.key"), Passphrase(PHRASE)):
        opened = Vault.unseal(tmp_path / "keys", way)
        assert {purpose: opened.key(purpose) for purpose in Purpose} == before
    # A stolen key and a slot of old do not open the new document either.
    stolen = document.decode((tmp_path / "stolen" / "vault.json").read_bytes())
    current = document.decode((tmp_path / "keys" / "vault.json").read_bytes())
    mixed = document.encode(msgspec.structs.replace(current, slots=stolen.slots))
    (tmp_path / "keys" / "vault.json").write_bytes(mixed)
    with pytest.raises(IntegrityError):
        Vault.unseal(tmp_path / "keys", opener)


def test_another_process_change_is_seen_after_refreshing(
    vault: Vault, opener: KeyFile, tmp_path: Path
) -> None:
    other = Vault.unseal(tmp_path / "keys", opener)
    other.rotate(Purpose.CONTENT, opener)
    wrapped = other.wrap(Purpose.CONTENT, "a", b"secret")
    with pytest.raises(IntegrityError, match="not in this vault"):
        vault.unwrap(Purpose.CONTENT, "a", wrapped)
    vault.refresh(opener)
    assert vault.unwrap(Purpose.CONTENT, "a", wrapped) == b"secret"


def test_changes_at_once_all_happen(vault: Vault, opener: KeyFile, tmp_path: Path) -> None:
    purposes = [Purpose.MODELS, Purpose.CONTENT, Purpose.PSEUDONYMS, Purpose.DIGESTS] * 3

    def rotate(purpose: Purpose) -> None:
        Vault.unseal(tmp_path / "keys", opener).rotate(purpose, opener)

    threads = [threading.Thread(target=rotate, args=(purpose,)) for purpose in purposes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vault.refresh(opener)
    assert vault.status().generation == 1 + len(purposes)
    assert vault.version(Purpose.MODELS) == 4


def test_keys_are_used_while_they_are_renewed(vault: Vault, opener: KeyFile) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def use() -> None:
        try:
            while not stop.is_set():
                wrapped = vault.wrap(Purpose.CONTENT, "a", b"secret")
                assert vault.unwrap(Purpose.CONTENT, "a", wrapped) == b"secret"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        vault.rotate(Purpose.CONTENT, opener)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert vault.version(Purpose.CONTENT) == 21


def test_sealing_in_the_middle_of_use_gives_right_keys_or_none(
    vault: Vault, opener: KeyFile
) -> None:
    expected = vault.derive(Purpose.CONTENT, b"info")
    wrong: list[bytes] = []
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            try:
                derived = vault.derive(Purpose.CONTENT, b"info")
            except SealedError:
                continue
            if derived != expected:
                wrong.append(derived)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        vault.seal()
        vault.refresh(opener)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


def _killed_at(step: int, work: Callable[[], None]) -> int:
    """Run `work` in a process that is killed at its step-th system call on files."""

    def child() -> None:
        die_at(step, ("fsync", "link", "open", "replace", "unlink"))
        work()
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.parametrize("change", ["rotate", "root"])
def test_a_crash_at_any_step_leaves_the_old_vault_or_the_new(
    vault: Vault, opener: KeyFile, tmp_path: Path, change: str
) -> None:
    wrapped = vault.wrap(Purpose.MODELS, "a", b"secret")
    outcomes = set()
    for step in range(1, 60):
        copy = tmp_path / f"copy{step}"
        shutil.copytree(tmp_path / "keys", copy)
        new = KeyFile(tmp_path / f"new{step}.key")

        def work(copy: Path = copy, new: KeyFile = new) -> None:
            opened = Vault.unseal(copy, opener)
            if change == "rotate":
                opened.rotate(Purpose.MODELS, opener)
            else:
                opened.rotate_root(opener, [new])

        code = _killed_at(step, work)
        generation = inspect(copy).generation
        outcomes.add(generation)
        way = new if change == "root" and generation == 2 else opener
        assert Vault.unseal(copy, way).unwrap(Purpose.MODELS, "a", wrapped) == b"secret"
        if code == 0:
            break
    assert code == 0
    assert outcomes == {1, 2}
