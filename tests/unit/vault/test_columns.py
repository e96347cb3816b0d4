from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import IntegrityError, SealedError
from appliance.vault.columns import Columns, Place
from appliance.vault.purpose import Purpose
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.vault import Vault

HERE = Place(table="content", column="prompt", row="17")


@pytest.fixture
def opener(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "unseal.key")


@pytest.fixture
def vault(tmp_path: Path, opener: KeyFile) -> Vault:
    return Vault.create(tmp_path / "keys", opener)


@pytest.fixture
def columns(vault: Vault) -> Columns:
    return Columns(vault)


@pytest.mark.parametrize("content", [b"", b"a", "Grüße".encode(), bytes(100_000)])
def test_a_cell_opens_in_its_place(columns: Columns, content: bytes) -> None:
    subject = columns.new_key("s1")
    cell = columns.cipher(subject).seal(HERE, content)
    assert columns.cipher(subject).open(HERE, cell) == content


@pytest.mark.parametrize("field", ["table", "column", "row"])
def test_a_cell_that_was_moved_does_not_open(columns: Columns, field: str) -> None:
    cipher = columns.cipher(columns.new_key("s1"))
    cell = cipher.seal(HERE, b"secret")
    with pytest.raises(IntegrityError):
        cipher.open(msgspec.structs.replace(HERE, **{field: "other"}), cell)


def test_places_that_only_look_alike_differ(columns: Columns) -> None:
    cipher = columns.cipher(columns.new_key("s1"))
    cell = cipher.seal(Place(table="a", column="bc", row="d"), b"secret")
    for place in (
        Place(table="ab", column="c", row="d"),
        Place(table="a", column="b", row="cd"),
        Place(table="", column="abc", row="d"),
    ):
        with pytest.raises(IntegrityError):
            cipher.open(place, cell)
    with pytest.raises(ValueError, match="zero byte"):
        cipher.seal(Place(table="a\x00b", column="c", row="d"), b"")


def test_another_subjects_cell_does_not_open(columns: Columns) -> None:
    one, other = (columns.cipher(columns.new_key(name)) for name in ("s1", "s2"))
    with pytest.raises(IntegrityError):
        other.open(HERE, one.seal(HERE, b"secret"))


def test_a_later_key_of_the_same_subject_does_not_open_earlier_cells(columns: Columns) -> None:
    one, two = (columns.cipher(columns.new_key("s1", version=number)) for number in (1, 2))
    with pytest.raises(IntegrityError, match="another version"):
        two.open(HERE, one.seal(HERE, b"secret"))


def test_one_subjects_key_in_anothers_row_does_not_open(columns: Columns) -> None:
    stolen = msgspec.structs.replace(columns.new_key("s1"), subject_id="s2")
    with pytest.raises(IntegrityError):
        columns.cipher(stolen)
    with pytest.raises(IntegrityError):
        columns.cipher(msgspec.structs.replace(columns.new_key("s1"), version=2))


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_turned_bit_of_a_cell_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("vault")
    columns = Columns(Vault.create(directory / "keys", KeyFile(directory / "unseal.key")))
    cipher = columns.cipher(columns.new_key("s1"))
    cell = bytearray(cipher.seal(HERE, b"secret"))
    bit = data.draw(st.integers(0, len(cell) * 8 - 1))
    cell[bit // 8] ^= 1 << bit % 8
    with pytest.raises(IntegrityError):
        cipher.open(HERE, bytes(cell))


@pytest.mark.parametrize("cell", [b"", b"plaintext", b"cloister-cell/1 Cobblestone-256 1\n"])
def test_what_is_no_cell_is_refused(columns: Columns, cell: bytes) -> None:
    with pytest.raises(IntegrityError):
        columns.cipher(columns.new_key("s1")).open(HERE, cell)


def test_a_forgotten_key_opens_nothing(columns: Columns) -> None:
    cipher = columns.cipher(columns.new_key("s1"))
    cell = cipher.seal(HERE, b"secret")
    cipher.forget()
    cipher.forget()
    for use in (lambda: cipher.open(HERE, cell), lambda: cipher.seal(HERE, b"more")):
        with pytest.raises(SealedError, match="forgotten"):
            use()


def test_a_rotation_keeps_cells_and_ends_the_old_wrapping(
    columns: Columns, vault: Vault, opener: KeyFile
) -> None:
    old = columns.new_key("s1")
    cell = columns.cipher(old).seal(HERE, b"secret")
    assert columns.rewrap(old) is None
    vault.rotate(Purpose.CONTENT, opener)
    new = columns.rewrap(old)
    assert new is not None
    assert columns.rewrap(new) is None
    vault.destroy(Purpose.CONTENT, 1, opener)
    assert columns.cipher(new).open(HERE, cell) == b"secret"
    with pytest.raises(IntegrityError, match="destroyed"):
        columns.cipher(old)


def test_a_blind_index_is_the_same_for_the_same_and_tells_nothing(
    columns: Columns, tmp_path: Path, vault: Vault, opener: KeyFile
) -> None:
    index = columns.blind_index("patient", "Jane Doe")
    assert index == columns.blind_index("patient", "Jane Doe")
    stranger = Columns(Vault.create(tmp_path / "other", KeyFile(tmp_path / "other.key")))
    different = {
        columns.blind_index("patient", "Jane Do"),
        columns.blind_index("patien", "tJane Doe"),
        columns.blind_index("account", "Jane Doe"),
        stranger.blind_index("patient", "Jane Doe"),
    }
    assert len(different | {index}) == 5
    vault.rotate(Purpose.CONTENT, opener)
    assert columns.blind_index("patient", "Jane Doe") != index
    assert columns.blind_index("patient", "Jane Doe", version=1) == index


def test_a_sealed_vault_opens_no_subject(columns: Columns, vault: Vault) -> None:
    subject = columns.new_key("s1")
    vault.seal()
    for use in (
        lambda: columns.new_key("s2"),
        lambda: columns.cipher(subject),
        lambda: columns.blind_index("patient", "Jane Doe"),
    ):
        with pytest.raises(SealedError):
            use()
