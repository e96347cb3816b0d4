"""The README's tour, command by command, as it is printed."""

import re
import subprocess

import pytest

from tests.support.box import ROOT, Box

TOUR = re.findall(r"<!-- tour -->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def step(box: Box, command: str) -> subprocess.CompletedProcess[str]:
    """Run a step; only where the box lies and listens differs from what is printed."""
    here = command.replace("127.0.0.1:8600", f"127.0.0.1:{box.port}")
    here = here.replace("demo-box", str(box.directory))
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", here],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "KEY": box.api_key},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_tour_has_its_five_steps() -> None:
    assert len(TOUR) == 5


@pytest.mark.xdist_group("readme")
@pytest.mark.parametrize(
    ("number", "shows"),
    [
        (0, "data: [DONE]"),
        (1, "."),
        (2, "my card [CREDIT_CARD] was stolen, write to [EMAIL_ADDRESS]"),
        (3, "cardiology portal"),
        (4, "all in order"),
    ],
)
def test_a_step_works_as_printed(box: Box, number: int, shows: str) -> None:
    if number == 4:
        step(box, TOUR[0])  # what the disk is searched for has been said
    done = step(box, TOUR[number])
    assert done.returncode == 0, done.stderr
    assert shows in done.stdout
    assert number != 4 or "not a word" in done.stdout
