import os
import stat
from pathlib import Path

import pytest

from appliance.errors import IntegrityError, SealedError
from appliance.vault.unsealers.key_file import KeyFile


def test_it_is_made_for_its_owner_alone_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "unseal.key"
    parameters, secret = KeyFile(path).enrol()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyFile(path).recover(parameters).view == secret.view


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "unseal.key"
    KeyFile(path).enrol()
    before = path.read_bytes()
    with pytest.raises(SealedError, match="not overwritten"):
        KeyFile(path).enrol()
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o610, 0o644])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "unseal.key"
    KeyFile(path).enrol()
    path.chmod(mode)
    with pytest.raises(SealedError, match="chmod 600"):
        KeyFile(path).recover({})


def test_a_missing_file_is_reported_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SealedError, match="mount the medium"):
        KeyFile(tmp_path / "unseal.key").recover({})


def test_a_place_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SealedError, match="cannot be written"):
        KeyFile(tmp_path / "absent" / "unseal.key").enrol()


def test_neither_a_link_nor_a_directory_nor_a_pipe_is_read(tmp_path: Path) -> None:
    KeyFile(tmp_path / "real").enrol()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "directory").mkdir()
    for name in ("link", "directory"):
        with pytest.raises(SealedError):
            KeyFile(tmp_path / name).recover({})
    assert os.path.lexists(tmp_path / "link")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"cloister-unseal-key-1:",
        b"cloister-unseal-key-2:" + b"0" * 64 + b"\n",
        b"cloister-unseal-key-1:" + b"0" * 63 + b"\n",
        b"cloister-unseal-key-1:" + b"0" * 65 + b"\n",
        b"cloister-unseal-key-1:" + b"g" * 64 + b"\n",
        b"cloister-unseal-key-1:" + b"\xff" * 64 + b"\n",
        b"cloister-unseal-key-1:" + b"0 " * 32 + b"\n",
        b"0" * 87,
    ],
)
def test_what_is_no_key_file_is_refused_without_repeating_it(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "unseal.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(IntegrityError, match="not a key file") as caught:
        KeyFile(path).recover({})
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
