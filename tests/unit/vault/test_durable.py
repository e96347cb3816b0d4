import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from appliance.vault.durable import make_directory, new_file, write_file


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The system calls that durability depends on, in order, with what they touched."""
    seen: list[str] = []

    def watch(name: str, describe: Callable[..., str]) -> None:
        call = getattr(os, name)

        def wrapper(*arguments: Any, **named: Any) -> Any:
            seen.append(f"{name} {describe(*arguments)}")
            return call(*arguments, **named)

        monkeypatch.setattr(os, name, wrapper)

    def target(descriptor: int) -> str:
        found = os.readlink(f"/proc/self/fd/{descriptor}")
        return "part" if found.endswith(".part") else Path(found).name

    watch("fsync", target)
    watch("link", lambda source, destination: "part")
    watch("replace", lambda source, destination: "part")
    return seen


def test_a_new_file_is_synced_before_it_has_its_name_and_its_folder_after(
    tmp_path: Path, calls: list[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_file(folder / "f", b"content", replace=False)
    assert calls == ["fsync part", "link part", "fsync folder"]
    assert [path.name for path in folder.iterdir()] == ["f"]
    assert (folder / "f").read_bytes() == b"content"


def test_a_replaced_file_is_synced_likewise(tmp_path: Path, calls: list[str]) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "f").write_bytes(b"old")
    write_file(folder / "f", b"new", replace=True)
    assert calls == ["fsync part", "replace part", "fsync folder"]
    assert (folder / "f").read_bytes() == b"new"


def test_an_error_in_the_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    with suppress(RuntimeError), new_file(tmp_path / "f", replace=True) as file:
        file.write(b"half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"old"


def test_a_made_directory_is_private_and_its_name_durable(tmp_path: Path, calls: list[str]) -> None:
    make_directory(tmp_path / "d")
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
    assert calls == [f"fsync {tmp_path.name}"]
    make_directory(tmp_path / "d")
    assert len(calls) == 1


def test_a_file_where_a_directory_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(b"")
    with pytest.raises(FileExistsError):
        make_directory(tmp_path / "d")
