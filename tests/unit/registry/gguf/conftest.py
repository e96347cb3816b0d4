"""Source of llama.cpp, as it lies in the sdist that the engine is built from."""

import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


@cache
def _members() -> tuple[Path, dict[str, str]]:
    sdist = next((ROOT / "build" / "sdist").glob("llama_cpp_python-*.tar.gz"))
    with tarfile.open(sdist) as archive:
        names = {name.partition("/vendor/llama.cpp/")[2]: name for name in archive.getnames()}
    return sdist, names


@cache
def _read(path: str) -> str:
    sdist, names = _members()
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(names[path])
        assert member is not None
        return member.read().decode()


@pytest.fixture(scope="session")
def llama_cpp_source() -> Callable[[str], str]:
    """Reads one file of llama.cpp's source by its path in that repository."""
    return _read
