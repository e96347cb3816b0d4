"""One served demo box per test process; tests that break a box make their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.box import Box


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    made = Box.make(tmp_path_factory.mktemp("flow") / "box")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def own_box(tmp_path: Path) -> Iterator[Box]:
    """A box of the test's own, not started."""
    made = Box.make(tmp_path / "box")
    yield made
    made.kill()
