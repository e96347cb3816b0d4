"""What encrypting the database costs, beside the same statements on plain SQLite. JSON lines.

    python -m tests.bench.vault_database [--rows 20000] [--rounds 5]

Both sides are the house's own driver with the house's own settings, and differ in the key alone.
Statements are those of a running box: find an API key by its digest, list model versions, add a row
durably, scan a table. A ratio is the median over rounds of encrypted time / plain time.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlcipher3 import dbapi2

from appliance.sqlcipher import _PRAGMAS, open_connection

SCHEMA = """
CREATE TABLE api_key (id TEXT PRIMARY KEY, digest BLOB UNIQUE, name TEXT, role TEXT);
CREATE TABLE model_version (id TEXT PRIMARY KEY, alias TEXT, state TEXT, details TEXT);
"""


class Side:
    """One database: encrypted or plain."""

    def __init__(self, path: Path, key: bytes | None, digests: list[bytes]) -> None:
        if key is None:
            self.connection = dbapi2.connect(str(path), isolation_level=None)
            self.connection.execute("PRAGMA journal_mode = WAL").fetchone()
            for pragma in _PRAGMAS:
                self.connection.execute(pragma).fetchall()
        else:
            self.connection = open_connection(path, key, read_only=False)
        self.digests = digests
        self.added = 0
        self.connection.executescript(SCHEMA)
        self.connection.execute("BEGIN")
        for number, digest in enumerate(digests):
            row = (str(number), digest, f"application {number}", "application")
            self.connection.execute("INSERT INTO api_key VALUES (?, ?, ?, ?)", row)
        for number in range(50):
            row = (str(number), f"model {number}", "approved", "{}" * 100)
            self.connection.execute("INSERT INTO model_version VALUES (?, ?, ?, ?)", row)
        self.connection.execute("COMMIT")

    def find_key(self) -> None:
        for digest in self.digests[:: max(1, len(self.digests) // 500)]:
            query = "SELECT id, role FROM api_key WHERE digest = ?"
            self.connection.execute(query, (digest,)).fetchone()

    def list_models(self) -> None:
        for _ in range(100):
            self.connection.execute("SELECT * FROM model_version ORDER BY alias").fetchall()

    def add_durably(self) -> None:
        for _ in range(20):
            self.added += 1
            row = (f"new {self.added}", os.urandom(32), "added", "application")
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute("INSERT INTO api_key VALUES (?, ?, ?, ?)", row)
            self.connection.execute("COMMIT")

    def scan_cold(self) -> None:
        # The cache is emptied, so that every page is decrypted again.
        self.connection.execute("PRAGMA shrink_memory").fetchall()
        self.connection.execute("SELECT sum(length(name)) FROM api_key").fetchone()


WORKS: dict[str, Callable[[Side], None]] = {
    "find an API key": Side.find_key,
    "list models": Side.list_models,
    "add a row durably": Side.add_durably,
    "scan with a cold cache": Side.scan_cold,
}


def measure(work: Callable[[Side], None], side: Side) -> float:
    start = time.perf_counter()
    work(side)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    digests = [os.urandom(32) for _ in range(options.rows)]
    with tempfile.TemporaryDirectory() as folder:
        encrypted = Side(Path(folder) / "encrypted.db", os.urandom(32), digests)
        plain = Side(Path(folder) / "plain.db", None, digests)
        for name, work in WORKS.items():
            pairs = [
                (measure(work, encrypted), measure(work, plain)) for _ in range(options.rounds + 1)
            ][1:]
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            line = {
                "bench": "vault_database",
                "name": f"{name}: encrypted/plain",
                "unit": "ratio",
                "value": round(ratio, 3),
                "ms": round(1e3 * statistics.median(ours for ours, _ in pairs), 3),
            }
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
