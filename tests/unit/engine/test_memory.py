"""What is left of memory, for the machine and for a control group."""

from pathlib import Path

import pytest

from appliance.engine.engine import Engine
from appliance.engine.worker import memory
from appliance.errors import UnavailableError
from tests.support.engine_talk import with_model


def test_the_machine_says_what_is_available(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemFree: 1 kB\nMemAvailable: 4000 kB\n")
    assert memory._machine(meminfo) == 4000 * 1024
    assert memory._machine(tmp_path / "none") is None


def test_the_tightest_group_on_the_way_up_counts(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/box/worker\n")
    groups = tmp_path / "groups"
    for folder, limit, used in (("box", "1000", "900"), ("box/worker", "max", "5")):
        (groups / folder).mkdir(parents=True, exist_ok=True)
        (groups / folder / "memory.max").write_text(limit)
        (groups / folder / "memory.current").write_text(used)
    assert memory._group(own, groups) == 100
    (groups / "box" / "memory.max").write_text("max")
    assert memory._group(own, groups) is None


def test_this_machine_can_be_asked() -> None:
    available = memory.available_bytes()
    assert available is not None
    assert available > 1 << 20


def test_a_cache_that_cannot_fit_is_refused_with_the_numbers(small_model: Path) -> None:
    async def body(_: Engine) -> None:
        return None

    with pytest.raises(UnavailableError, match=r"needs \d+ MB.*\d+ MB are available"):
        with_model(small_model, body, sequences=256, sequence_tokens=1 << 24)
