"""A model of random weights, small enough to load in every test."""

from pathlib import Path

import pytest

from tests.support.random_model import Shape, write_model


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.gguf"
    write_model(path, Shape())
    return path
