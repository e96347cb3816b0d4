"""`docs/gguf-gate.md` says what the code does."""

import re
from pathlib import Path

from appliance.registry.gguf import header, vocabulary
from appliance.registry.gguf.families import BY_ARCHITECTURE
from appliance.registry.gguf.finding import Rule
from appliance.registry.gguf.layout import LEAST_ALIGNMENT, MOST_ALIGNMENT
from appliance.registry.gguf.reader import WINDOW
from appliance.registry.scan import MOST_TEMPLATE_BYTES

PAGE = (Path(__file__).parents[4] / "docs" / "gguf-gate.md").read_text()


def test_every_rule_has_its_row_in_order() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE) == [rule.value for rule in Rule]


def test_the_bounds_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| ([a-z ,]+) \| (\d+)(?: bytes)? \|$", PAGE, re.MULTILINE)
    assert dict(rows) == {
        "metadata and tensor table": str(header.HEADER_BUDGET),
        "metadata keys": str(header.MOST_KEYS),
        "tensors": str(header.MOST_TENSORS),
        "strings in arrays, in the whole file": str(header.MOST_STRINGS),
        "tokens": str(vocabulary.MOST_TOKENS),
        "chat templates, all variants together": str(MOST_TEMPLATE_BYTES),
    }
    assert f"a window of {WINDOW // 1024} KiB" in PAGE
    assert (LEAST_ALIGNMENT, MOST_ALIGNMENT) == (8, 2**20)


def test_the_architectures_are_those_of_the_tables() -> None:
    named = PAGE.partition("Architectures that are admitted:")[2].partition(". Mistral")[0]
    assert re.findall(r"`([^`]+)`", named) == sorted(BY_ARCHITECTURE)
