"""Every system call of the write path fails in turn; no acknowledged entry is ever lost.

The story that is told each time: open a log whose last tile is nearly full, append over the edge of
the tile, publish, append, close. It is told with each of its calls failing once, with the disk
dying at that call, and with the process dying there; then an intact process opens what is left.
"""

import errno
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from appliance.audit import publisher, writer
from appliance.audit.log import Log
from appliance.audit.reader import LogReader
from appliance.audit.verify import verify_directory
from appliance.errors import UnavailableError
from tests.support.audit_faults import FaultyFiles
from tests.support.audit_logs import ACTOR, SIGNER, VKEY, SetClock, build_log, opened

Fault = Callable[[int, str], int | str | None]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY", 0.005)
    # Publication only when the story says so, so that calls come in the same order every time.
    monkeypatch.setattr(publisher, "INTERVAL", 3600)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pristine")
    build_log(directory, 127)
    return directory


def _tell(directory: Path, fault: Fault) -> tuple[dict[int, bytes], int]:
    """Tell the story; the leaf hashes acknowledged by number, and how many calls it took."""
    files = FaultyFiles(fault)
    acknowledged: dict[int, bytes] = {}
    try:
        log = Log.open(directory, signer=SIGNER, clock=SetClock(), files=files, slow=30)
    except UnavailableError:
        return acknowledged, files.calls
    try:
        for number in range(6):
            with suppress(UnavailableError):
                receipt = log.append_sync(opened(9000 + number), ACTOR)
                acknowledged[receipt.index] = receipt.leaf_hash
            while number in (1, 3) and log.status.published < log.status.size and not files.gone:
                with suppress(UnavailableError):
                    log.publish(0)
    finally:
        with suppress(UnavailableError):
            log.close_sync()
    return acknowledged, files.calls


def _calls(pristine: Path, tmp_path: Path) -> list[str]:
    names: list[str] = []
    shutil.copytree(pristine, tmp_path / "rehearsal")
    acknowledged, _ = _tell(tmp_path / "rehearsal", lambda _, name: names.append(name))
    assert len(acknowledged) == 6
    return names


def _check(directory: Path, acknowledged: dict[int, bytes]) -> None:
    intact = FaultyFiles(lambda _, __: None)
    log = Log.open(directory, signer=SIGNER, clock=SetClock(), files=intact)
    size = log.append_sync(opened(9999), ACTOR).index + 1
    log.close_sync()
    reader = LogReader(directory / "log", size)
    for index, leaf in acknowledged.items():
        assert reader.leaf(index) == leaf, index
    report = verify_directory(directory / "log", VKEY)
    assert report.sound, str(report)
    assert report.size == size


@pytest.mark.parametrize("fault", [errno.EIO, "short"])
def test_each_call_failing_once_loses_nothing(
    pristine: Path, tmp_path: Path, fault: int | str
) -> None:
    names = _calls(pristine, tmp_path)
    for number, name in enumerate(names):
        if fault == "short" and name != "write":
            continue
        box = tmp_path / f"box{number}"
        shutil.copytree(pristine, box)
        acknowledged, _ = _tell(box, lambda n, _, at=number: fault if n == at else None)
        report = verify_directory(box / "log", VKEY)
        assert report.sound, (number, name, str(report))
        if fault == "short":
            assert len(acknowledged) == 6
        _check(box, acknowledged)
        shutil.rmtree(box)


@pytest.mark.parametrize("ending", ["dies", "tears"])
def test_dying_at_each_call_leaves_a_log_that_verifies_and_recovers(
    pristine: Path, tmp_path: Path, ending: str
) -> None:
    names = _calls(pristine, tmp_path)
    for number, name in enumerate(names):
        if ending == "tears" and name != "write":
            continue
        box = tmp_path / f"box{number}"
        shutil.copytree(pristine, box)

        def die(n: int, _: str, at: int = number) -> int | str | None:
            if n < at:
                return None
            return "torn" if ending == "tears" else "dead"

        acknowledged, _ = _tell(box, die)
        report = verify_directory(box / "log", VKEY)
        assert report.sound, (number, name, str(report))
        _check(box, acknowledged)
        shutil.rmtree(box)


def test_a_full_disk_refuses_at_once_and_recovers_by_itself(pristine: Path, tmp_path: Path) -> None:
    full = False
    box = tmp_path / "box"
    shutil.copytree(pristine, box)
    files = FaultyFiles(lambda _, name: errno.ENOSPC if full and name == "write" else None)
    log = Log.open(box, signer=SIGNER, clock=SetClock(), files=files)
    full = True
    with pytest.raises(UnavailableError, match="disk is full: make room"):
        log.append_sync(opened(1), ACTOR)
    assert log.status.outage == "disk_full"
    with pytest.raises(UnavailableError, match="make room"):
        log.append_sync(opened(2), ACTOR)
    assert log.status.refused == 2
    full = False
    while log.status.outage:
        pass
    receipt = log.append_sync(opened(3), ACTOR)
    log.close_sync()
    entry = LogReader(box / "log", receipt.index + 1).entry(receipt.index - 1)
    assert b'"log.resumed"' in entry
    assert b'"reason":"disk_full"' in entry
    assert b'"refused":2' in entry
    assert verify_directory(box / "log", VKEY).sound
