"""A disk that hangs, tiles that cannot be written: the log refuses, and comes back by itself."""

import asyncio
import errno
import threading
import time
from pathlib import Path

import pytest

from appliance.audit import publisher, writer
from appliance.audit.log import Log
from appliance.audit.reader import LogReader
from appliance.audit.verify import verify_directory
from appliance.errors import UnavailableError
from tests.support.audit_faults import FaultyFiles
from tests.support.audit_logs import ACTOR, ORIGIN, SIGNER, VKEY, SetClock, opened


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "RETRY", 0.01)


class HangingFiles(FaultyFiles):
    """datasync hangs while `hang` is set."""

    def __init__(self) -> None:
        super().__init__(lambda _, __: None)
        self.go_on = threading.Event()
        self.go_on.set()

    def datasync(self, descriptor: int) -> None:
        self.go_on.wait()
        super().datasync(descriptor)


def _wait_until_well(log: Log) -> None:
    while log.status.outage:
        time.sleep(0.01)


def test_a_hanging_sync_fails_those_who_wait_and_refuses_those_who_come(tmp_path: Path) -> None:
    files = HangingFiles()
    Log.create(tmp_path, origin=ORIGIN, signer=SIGNER, files=files).close_sync()
    log = Log.open(tmp_path, signer=SIGNER, files=files, slow=0.2)

    async def run() -> None:
        files.go_on.clear()
        waiting = [asyncio.create_task(log.append(opened(n), ACTOR)) for n in range(3)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, UnavailableError) for result in results)
        assert "does not answer" in str(results[0])
        with pytest.raises(UnavailableError, match="does not answer"):
            await log.append(opened(4), ACTOR)

    asyncio.run(run())
    assert log.status.outage == "slow_disk"
    files.go_on.set()
    _wait_until_well(log)
    log.append_sync(opened(5), ACTOR)
    log.close_sync()
    report = verify_directory(tmp_path / "log", VKEY)
    assert report.sound, str(report)
    reader = LogReader(tmp_path / "log", report.size)
    assert any(b'"slow_disk"' in reader.entry(index) for index in range(report.size))


def test_a_hanging_sync_fails_a_thread_that_waits(tmp_path: Path) -> None:
    files = HangingFiles()
    Log.create(tmp_path, origin=ORIGIN, signer=SIGNER, files=files).close_sync()
    log = Log.open(tmp_path, signer=SIGNER, files=files, slow=0.1)
    files.go_on.clear()
    with pytest.raises(UnavailableError, match="does not answer"):
        log.append_sync(opened(1), ACTOR)
    files.go_on.set()
    _wait_until_well(log)
    log.close_sync()
    assert verify_directory(tmp_path / "log", VKEY).sound


def test_tiles_that_cannot_be_written_stop_the_log_before_memory_fills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = False
    files = FaultyFiles(lambda _, name: errno.EIO if broken and name == "create" else None)
    monkeypatch.setattr(publisher, "MAX_BACKLOG", 5)
    monkeypatch.setattr(publisher, "INTERVAL", 0.01)
    log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER, clock=SetClock(), files=files)
    broken = True
    for number in range(6):
        log.append_sync(opened(number), ACTOR)
    with pytest.raises(UnavailableError, match="tiles cannot be written"):
        log.append_sync(opened(7), ACTOR)
    broken = False
    while log.status.published < 6:
        time.sleep(0.01)
    log.append_sync(opened(8), ACTOR)
    log.close_sync()
    assert verify_directory(tmp_path / "log", VKEY).size == 7
