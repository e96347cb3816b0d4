"""The two servers under test, each with the same GGUF, threads and context."""

import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.box import ROOT, Box, free_port

PEERS = ROOT / "build" / "peers" / "bin"


@dataclass(frozen=True)
class Server:
    """Where load is sent, and whose CPU time is counted."""

    name: str
    port: int
    key: str
    model: str
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time of the process that speaks HTTP, without its children."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def memory_bytes(self) -> list[int]:
        """Resident bytes of the process and of each child."""
        process = psutil.Process(self.pid)
        return [p.memory_info().rss for p in [process, *process.children()]]


@contextmanager
def cloister(threads: int, sequences: int, context: int) -> Iterator[Server]:
    """Serve the demo box with everything on: keys, log, default policy, encryption."""
    with tempfile.TemporaryDirectory() as folder:
        box = Box.make(Path(folder) / "box")
        box.configure(
            "engine",
            threads=threads,
            sequences=sequences,
            context_tokens=context,
            sequence_tokens=context // sequences,
        )
        box.start()
        try:
            yield Server("cloister", box.port, box.api_key, "demo", box.pid)
        finally:
            box.stop()


@contextmanager
def llama_server(model: Path, threads: int, sequences: int, context: int) -> Iterator[Server]:
    """Serve with llama-server, nothing on."""
    port = free_port()
    arguments = [
        *("--model", model, "--port", port, "--host", "127.0.0.1"),
        *("--threads", threads, "--parallel", sequences, "--ctx-size", context),
        *("--no-webui", "--log-disable"),
    ]
    process = subprocess.Popen(
        [PEERS / "llama-server", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process)
        yield Server("llama-server", port, "none", "demo", process.pid)
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} does not serve")
