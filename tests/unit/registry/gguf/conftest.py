"""Source of llama.cpp for the tests that compare the gate's tables with it."""

from collections.abc import Callable

import pytest

from tests.support.llama_cpp_tree import llama_cpp_tree


@pytest.fixture(scope="session")
def llama_cpp_source() -> Callable[[str], str]:
    """Reads one file of llama.cpp's source by its path in that repository."""
    return lambda path: (llama_cpp_tree() / path).read_text()
