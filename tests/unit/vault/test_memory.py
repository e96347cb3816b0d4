import subprocess
import sys

CHILD = """
import ctypes, os, sys
from appliance.vault.memory import harden, observe
before = observe()
after = harden(lock_all={lock_all})
assert before.dumpable and not after.dumpable
assert after.core_limit == 0
assert not observe().dumpable
print(after.locked_bytes)
sys.stdout.flush()
sys.stdin.read()
"""


def start(lock_all: bool) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD.format(lock_all=lock_all)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_hardened_process_is_not_dumped() -> None:
    with start(lock_all=False) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "0"
        child.communicate("", timeout=30)
        assert child.returncode == 0


def test_locking_everything_either_works_or_is_reported_as_nothing() -> None:
    with start(lock_all=True) as child:
        assert child.stdout is not None
        assert int(child.stdout.readline()) >= 0
        child.communicate("", timeout=30)
        assert child.returncode == 0
