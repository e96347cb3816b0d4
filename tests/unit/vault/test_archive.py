import hashlib
import io
import os
import tarfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.errors import IntegrityError, SealedError
from appliance.vault import archive as archive_module
from appliance.vault.archive import Archive, ArchiveWriter, vault_of, writing
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.vault import Vault
from tests.support import cobblestone

NOW = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)
MEMBERS = {
    "a": b"",
    "folder/b": b"canary-words",
    "c" * 300: b"a long name",
    "weights": cobblestone.plaintext(700_000),
}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.create(tmp_path / "keys", KeyFile(tmp_path / "keys" / "unseal.key"))


def seal(archive_id: str, digest: bytes) -> bytes:
    return f"seal of {archive_id} {digest.hex()}".encode()


def write(tmp_path: Path, vault: Vault, name: str = "archive") -> Path:
    vault_json = (tmp_path / "keys" / "vault.json").read_bytes()
    (tmp_path / "weights").write_bytes(MEMBERS["weights"])
    with writing(tmp_path / name, vault, vault_json, NOW, seal) as (_, writer):
        for member, content in MEMBERS.items():
            if member == "weights":
                writer.add_file(member, tmp_path / "weights")
            else:
                writer.add_bytes(member, content)
    return tmp_path / name


def read(path: Path, vault: Vault) -> dict[str, bytes]:
    with Archive(path).members(vault) as members:
        return {name: content.read() for name, content in members}


def test_what_was_put_in_comes_out(tmp_path: Path, vault: Vault) -> None:
    path = write(tmp_path, vault)
    assert read(path, vault) == MEMBERS
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_header_brings_the_vault_along(tmp_path: Path, vault: Vault) -> None:
    header = Archive(write(tmp_path, vault)).header
    assert header.created == NOW
    assert header.algorithm == "Cobblestone-256"
    assert vault_of(header).id == vault.status().id


def test_the_seal_is_over_everything_before_it(tmp_path: Path, vault: Vault) -> None:
    path = write(tmp_path, vault)
    archive = Archive(path)
    content = path.read_bytes()
    before = content[: -4 - len(archive.seal)]
    assert archive.digest() == hashlib.sha256(before).digest()
    assert archive.seal == seal(archive.header.id, archive.digest())


def test_nothing_in_it_can_be_read(tmp_path: Path, vault: Vault) -> None:
    content = write(tmp_path, vault).read_bytes()
    for secret in (b"canary-words", b"folder/b", b"a long name", MEMBERS["weights"][:16]):
        assert secret not in content


def test_every_changed_byte_is_found(tmp_path: Path, vault: Vault) -> None:
    path = write(tmp_path, vault)
    content = path.read_bytes()
    end = len(content) - 4 - len(Archive(path).seal)
    places = [*range(0, 40), 600, *range(3000, end, 50_021), end - 1]
    for place in places:
        altered = bytearray(content)
        altered[place] ^= 1
        path.write_bytes(altered)
        with pytest.raises(IntegrityError):
            read(path, vault)


@pytest.mark.parametrize("keep", [0, 5, 19, 22, 100, 5000, -1, -30, -100, -20_000])
def test_a_shortened_archive_is_found(tmp_path: Path, vault: Vault, keep: int) -> None:
    path = write(tmp_path, vault)
    size = path.stat().st_size
    os.truncate(path, keep if keep >= 0 else size + keep)
    with pytest.raises(IntegrityError):
        read(path, vault)


def test_one_archives_message_in_anothers_frame_is_found(tmp_path: Path, vault: Vault) -> None:
    one, other = write(tmp_path, vault, "one"), write(tmp_path, vault, "other")
    start = Archive(one)._start
    assert Archive(other)._start == start
    other.write_bytes(other.read_bytes()[:start] + one.read_bytes()[start:])
    with pytest.raises(IntegrityError):
        read(other, vault)


def test_another_vault_does_not_open_it(tmp_path: Path, vault: Vault) -> None:
    path = write(tmp_path, vault)
    stranger = Vault.create(tmp_path / "other", KeyFile(tmp_path / "other.key"))
    with pytest.raises(IntegrityError, match="another key"):
        read(path, stranger)


def test_a_sealed_vault_neither_writes_nor_reads(tmp_path: Path, vault: Vault) -> None:
    path = write(tmp_path, vault)
    vault.seal()
    with pytest.raises(SealedError):
        read(path, vault)
    with pytest.raises(SealedError):
        write(tmp_path, vault, "second")
    assert not (tmp_path / "second").exists()


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path, vault: Vault) -> None:
    before = set(tmp_path.iterdir())
    vault_json = (tmp_path / "keys" / "vault.json").read_bytes()
    with suppress(RuntimeError), writing(tmp_path / "x", vault, vault_json, NOW, seal) as (_, to):
        to.add_bytes("a", b"half")
        raise RuntimeError
    assert set(tmp_path.iterdir()) == before


def test_an_existing_file_is_not_overwritten(tmp_path: Path, vault: Vault) -> None:
    write(tmp_path, vault)
    with pytest.raises(FileExistsError):
        write(tmp_path, vault)


def test_links_and_devices_in_it_are_refused(tmp_path: Path, vault: Vault) -> None:
    vault_json = (tmp_path / "keys" / "vault.json").read_bytes()
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with writing(tmp_path / "x", vault, vault_json, NOW, seal) as (_, writer):
        writer._tar.addfile(link)
    with pytest.raises(IntegrityError, match="not a file"):
        read(tmp_path / "x", vault)


def test_it_is_an_ordinary_tar_stream_inside(tmp_path: Path, vault: Vault) -> None:
    target = io.BytesIO()
    writer = ArchiveWriter(target, bytes(32), b"beginning")
    writer.add_bytes("a", b"content")
    writer.finish()
    message = target.getvalue()[len(b"beginning") :]
    plain = archive_module.chunked.open_sealed(
        bytes(32), message, archive_module._context(b"beginning")
    )
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        content = tar.extractfile("a")
        assert content is not None
        assert content.read() == b"content"
