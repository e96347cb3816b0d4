"""kill −9 at random moments of a real writer process under load, then verify, recover, verify."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from appliance.audit.log import Log
from appliance.audit.reader import LogReader
from appliance.audit.verify import verify_directory
from tests.support.audit_logs import SIGNER, VKEY

_WRITER = """
import asyncio, os, sys
from pathlib import Path
from appliance.audit import publisher
from appliance.audit.log import Log
from tests.support.audit_logs import ACTOR, ORIGIN, SIGNER, opened

publisher.INTERVAL = 0.01  # publish often, so that many kills hit a publication


async def main() -> None:
    log = Log.open(Path(sys.argv[1]), signer=SIGNER)

    async def write() -> None:
        while True:
            receipt = await log.append(opened(1), ACTOR)
            os.write(1, f"{receipt.index} {receipt.leaf_hash.hex()}\\n".encode())

    await asyncio.gather(*(write() for _ in range(16)))


asyncio.run(main())
"""
_KILLS = 12


def test_killed_at_random_moments_every_acknowledged_entry_is_there(tmp_path: Path) -> None:
    Log.create(tmp_path / "audit", origin=SIGNER.vkey.name, signer=SIGNER).close_sync()
    dice = random.Random(20)
    acknowledged: dict[int, str] = {}
    for _ in range(_KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path / "audit")],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(dice.uniform(0, 0.15))
        os.kill(process.pid, signal.SIGKILL)
        lines = (first + process.stdout.read()).decode().splitlines()
        process.wait()
        assert lines
        for line in lines:
            index, _, leaf = line.partition(" ")
            if len(leaf) == 64:
                assert int(index) not in acknowledged
                acknowledged[int(index)] = leaf
        report = verify_directory(tmp_path / "audit" / "log", VKEY)
        assert report.sound, str(report)
        assert report.size + report.journal_entries > max(acknowledged)

    log = Log.open(tmp_path / "audit", signer=SIGNER)
    log.close_sync()
    report = verify_directory(tmp_path / "audit" / "log", VKEY)
    assert report.sound, str(report)
    reader = LogReader(tmp_path / "audit" / "log", report.size)
    for index, leaf in acknowledged.items():
        assert reader.leaf(index).hex() == leaf
