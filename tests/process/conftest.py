"""Boxes that are killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.box import Box


@pytest.fixture
def own_box(tmp_path: Path) -> Iterator[Box]:
    made = Box.make(tmp_path / "box")
    yield made
    made.kill()
