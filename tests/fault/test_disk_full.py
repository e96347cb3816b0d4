"""A full disk: the box refuses, loses nothing, and serves again by itself when there is room."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.box import ROOT

SCENARIO = ROOT / "tests" / "fault" / "disk_full_scenario.py"


def test_a_full_disk_refuses_requests_until_there_is_room(tmp_path: Path) -> None:
    """In a mount namespace of its own, where the box lies on a small tmpfs."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    script = (
        f"mount -t tmpfs -o size=48m tmpfs {folder} && exec {sys.executable} {SCENARIO} {folder}"
    )
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "bash", "-c", script],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    found = json.loads(done.stdout.decode().splitlines()[-1])
    assert found["with room"] == 200
    assert found["full"] == [503, "log_unavailable"]
    assert found["health while full"] == 200
    assert found["room again"] == 200
    assert found["verified"] == 0
    assert found["whole answers without a closed entry"] == 0
