"""What the audit log does on this disk. JSON lines.

    python -m tests.bench.audit_log [--entries 20000] [--rounds 3] [--large 0] [--directory DIR]

- durable entries/s with 64 writers that each wait for their entry, one writer alone, and the disk's
  own fdatasync rate for the same bytes, measured in turns; medians over rounds;
- latency of a single append beside one fdatasync of the disk;
- entries/s of both verifiers; bytes on disk per entry;
- with `--large 1000000`: a log of that many entries: inclusion proof, search, opening after a
  crash, and the memory that all of it took.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from appliance.audit.events import ExchangeClosed, ExchangeOpened
from appliance.audit.log import Log
from appliance.audit.reader import LogReader
from appliance.audit.search import Filter, SearchIndex
from appliance.audit.verify import verify_directory
from tests.support.audit_logs import ACTOR, ORIGIN, SIGNER, VKEY, load_officer_verifier

WRITERS = 64
PAIRS = 4
_DIGEST = "sha256:" + "5e" * 32


def opened(number: int) -> ExchangeOpened:
    """An opening as the gateway writes it."""
    return ExchangeOpened(
        exchange=f"ex_{number:020x}",
        kind="chat",
        route="POST /v1/chat/completions",
        model="demo",
        model_version="1",
        model_digest=_DIGEST,
        template_digest=_DIGEST,
        policy="default",
        policy_digest=_DIGEST,
        sampler_digest=_DIGEST,
        prompt_digest=_DIGEST,
        redactions={"EMAIL": 1},
        streaming=True,
    )


def closed(number: int) -> ExchangeClosed:
    """Its ending."""
    return ExchangeClosed(exchange=f"ex_{number:020x}", ending="finished", answer_digest=_DIGEST)


def disk_rate(directory: Path, size: int, syncs: int) -> list[float]:
    """Seconds of each of `syncs` appends of `size` bytes with fdatasync, nothing else around."""
    path = directory / f"disk{time.time_ns()}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    times = []
    for _ in range(syncs):
        start = time.perf_counter()
        os.write(descriptor, b"\0" * size)
        os.fdatasync(descriptor)
        times.append(time.perf_counter() - start)
    os.close(descriptor)
    return times


async def write(directory: Path, entries: int, writers: int) -> tuple[float, list[float]]:
    """Entries per second, and the seconds that each append took, with so many writers."""
    log = Log.create(directory, origin=ORIGIN, signer=SIGNER)
    times: list[float] = []

    async def one(first: int) -> None:
        for number in range(first, entries, writers):
            exchange = number // 2
            event = closed(exchange) if number % 2 else opened(exchange)
            start = time.perf_counter()
            await log.append(event, ACTOR)
            times.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(one(first) for first in range(writers)))
    elapsed = time.perf_counter() - start
    await log.close()
    return entries / elapsed, times


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def p95(times: list[float]) -> float:
    """The 95th percentile."""
    return sorted(times)[int(len(times) * 0.95)]


def report(name: str, value: float, unit: str, **more: object) -> None:
    """One JSON line."""
    print(json.dumps({"figure": name, "value": round(value, 4), "unit": unit, **more}), flush=True)


def throughput(directory: Path, entries: int, rounds: int) -> Path:
    """Writers against the bare disk, in turns; the directory of the last log."""
    rates, disks, latencies = [], [], []
    box = directory
    for turn in range(rounds):
        for pair in range(PAIRS):
            # In short turns, so that whatever else the disk does falls on both. Nothing is removed
            # in between: unlinking makes the next fdatasync of some file systems slow.
            disks += disk_rate(directory, 900, 100)
            _, times = asyncio.run(write(directory / f"one{turn}.{pair}", 100, 1))
            latencies += times
        box = directory / f"box{turn}"
        rate, _ = asyncio.run(write(box, entries, WRITERS))
        rates.append(rate)
    sync = statistics.median(disks)
    report("audit durable entries, 64 writers", statistics.median(rates), "1/s", target=10_000)
    alone = 1 / statistics.median(latencies)
    report("audit durable entries, 1 writer", alone, "1/s")
    report("disk fdatasync, 900 bytes", 1 / sync, "1/s")
    report("audit 1 writer, share of the disk's fdatasync rate", alone * sync, "1")
    report("audit append latency, median", statistics.median(latencies) * 1e3, "ms")
    report("disk fdatasync latency, median", sync * 1e3, "ms")
    return box


def verifiers(box: Path, entries: int, rounds: int) -> None:
    """Both verifiers over one log, and its size."""
    officer = load_officer_verifier()
    own = [timed(lambda: verify_directory(box / "log", VKEY)) for _ in range(rounds)]
    theirs = [
        timed(lambda: officer.LogVerification(str(box / "log"), officer.Key(VKEY), None).run())
        for _ in range(rounds)
    ]
    report("audit verify", entries / statistics.median(own), "entries/s", target=100_000)
    report("cloister_verify.py", entries / statistics.median(theirs), "entries/s", target=100_000)
    used = sum(path.stat().st_size for path in (box / "log").rglob("*") if path.is_file())
    report("audit bytes on disk per entry", used / entries, "bytes")


def large(directory: Path, entries: int) -> None:
    """A large log: what must stay quick and small."""
    box = directory / "large"
    rate, _ = asyncio.run(write(box, entries, WRITERS))
    report("audit durable entries, 64 writers, sustained", rate, "1/s", entries=entries)
    reader = LogReader(box / "log", entries)
    indexes = [(number * 7919) % entries for number in range(200)]
    proofs = [timed(lambda n=index: reader.inclusion_proof(n)) for index in indexes]
    report("audit inclusion proof, p95", p95(proofs) * 1e3, "ms", target=10)
    index = SearchIndex.open(directory / "index", b"i" * 32)
    report("audit index build", entries / timed(lambda: index.catch_up(reader)), "entries/s")
    filters = [
        Filter(exchange=f"ex_{entries // 3:020x}"),
        Filter(action="exchange.closed", outcome="finished"),
        Filter(actor="key:k_test", model="demo"),
        Filter(outcome="failed"),
        Filter(action="exchange.opened", outcome="failed"),
        Filter(policy="default", action="exchange."),
    ]
    searches = [
        timed(lambda f=wanted: index.find(reader, f)) for wanted in filters for _ in range(10)
    ]
    report("audit search, p95", p95(searches) * 1e3, "ms", target=200)
    opening = timed(lambda: Log.open(box, signer=SIGNER).close_sync())
    report("audit open and close", opening, "s", target=5)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report("audit peak memory of this program", peak, "MiB", entries=entries)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, default=0)
    parser.add_argument("--directory", type=Path, help="where: the disk that is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        box = throughput(Path(name), options.entries, options.rounds)
        verifiers(box, options.entries, options.rounds)
        if options.large:
            large(Path(name), options.large)
    return 0


if __name__ == "__main__":
    sys.exit(main())
