"""`make bench`: our figures beside the peers', in one run, interleaved A B A B.

Prints a table and appends JSON lines to build/bench/. A ratio is that of medians; which way is
better is said by the column. A figure that misses its target is printed like any other.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from appliance.shipped import DEMO_MODEL
from tests.bench.servers import PEERS, Server, cloister, llama_server
from tests.support.box import ROOT

CLIENTS = (1, 8, 32)
ROOMS = (
    "audit_log",
    "vault_files",
    "vault_keys",
    "vault_database",
    "redaction_speed",
    "redaction_quality",
)
"""Benches of single rooms: each prints JSON lines of its own."""

COLUMNS = {
    "clients": "clients",
    "cloister": "cloister",
    "llama_server": "llama-server",
    "ratio": "ratio",
    "batched_bench": "batched-bench",
    "ratio_bare": "ratio",
    "gateway_us_per_token": "gateway µs/token",
}
PROMPT = NEW = 64


def load(server: Server, clients: int, requests: int) -> dict[str, float]:
    """Run the load generator once, in its own process."""
    before = server.cpu_seconds()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.bench.load", "--port", str(server.port)),
            *("--key", server.key, "--model", server.model, "--clients", str(clients)),
            *("--requests", str(requests), "--prompt", str(PROMPT), "--new", str(NEW)),
            *("--seed", str(time.time_ns())),
        ],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    tokens = requests * NEW
    found["gateway_us_per_token"] = round((server.cpu_seconds() - before) / tokens * 1e6, 1)
    return found


def batched_bench(model: Path, threads: int, clients: int) -> float:
    """Tokens per second of llama-batched-bench for the same prompts and answers."""
    context = str(clients * (PROMPT + NEW) + 256)
    done = subprocess.run(
        [
            *(PEERS / "llama-batched-bench", "-m", model, "-c", context, "-t", str(threads)),
            *("-npp", str(PROMPT), "-ntg", str(NEW), "-npl", str(clients)),
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    # | PP | TG | B | N_KV | T_PP s | S_PP t/s | T_TG s | S_TG t/s | T s | S t/s |
    row = next(line for line in done.stdout.splitlines() if re.match(r"\|\s+\d", line))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    return clients * NEW / float(cells[8])


def throughput(threads: int, pairs: int) -> Iterator[dict[str, object]]:
    """Yield one record for each number of clients: ours, the peers', ratios."""
    context = 32 * 256
    with (
        cloister(threads, 32, context) as ours,
        llama_server(DEMO_MODEL, threads, 32, context) as peer,
    ):
        for server in (ours, peer):
            load(server, 8, 16)  # warm
        for clients in CLIENTS:
            requests = max(16, clients * 4)
            runs: dict[str, list[dict[str, float]]] = {"cloister": [], "llama-server": []}
            bench = []
            for _ in range(pairs):
                for server in (ours, peer):
                    runs[server.name].append(load(server, clients, requests))
                bench.append(batched_bench(DEMO_MODEL, threads, clients))
            own = median(runs["cloister"], "tokens_per_second")
            theirs = median(runs["llama-server"], "tokens_per_second")
            bare = statistics.median(bench)
            yield {
                "figure": "throughput",
                "model": "demo",
                "clients": clients,
                "threads": threads,
                "pairs": pairs,
                "cloister": own,
                "llama_server": theirs,
                "ratio": round(own / theirs, 2),
                "batched_bench": round(bare, 1),
                "ratio_bare": round(own / bare, 2),
                "gateway_us_per_token": median(runs["cloister"], "gateway_us_per_token"),
                "gap_p99_ms": median(runs["cloister"], "gap_p99_ms"),
                "peer_gap_p99_ms": median(runs["llama-server"], "gap_p99_ms"),
            }


def median(runs: list[dict[str, float]], name: str) -> float:
    """Return the median of one figure over runs."""
    return round(statistics.median(run[name] for run in runs), 1)


def rooms() -> Iterator[dict[str, object]]:
    """Yield every line that the benches of single rooms print."""
    for name in ROOMS:
        done = subprocess.run(
            [sys.executable, "-m", f"tests.bench.{name}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                yield {"room": name, **json.loads(line)}


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=["throughput", "rooms"])
    given = parser.parse_args()
    folder = ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "figures.jsonl").open("a") as lines:

        def record(found: dict[str, object]) -> None:
            lines.write(json.dumps({"time": time.time(), **found}) + "\n")
            lines.flush()

        if given.only != "rooms":
            subprocess.run([ROOT / "tests/bench/peers.sh"], check=True)
            table = Table(title="tokens/s, 64-token prompts, 64 new tokens, demo model")
            for title in COLUMNS.values():
                table.add_column(title, justify="right")
            for found in throughput(given.threads, given.pairs):
                record(found)
                table.add_row(*(str(found[name]) for name in COLUMNS))
            Console().print(table)
        if given.only != "throughput":
            for found in rooms():
                record(found)
                print(json.dumps(found))


if __name__ == "__main__":
    main()
