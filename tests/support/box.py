"""A real box in a real process: made by `cloister init`, served by `cloister serve`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
CLOISTER = Path(sys.executable).with_name("cloister")
START_SECONDS = 90.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cloister(
    *arguments: str | Path, stdin: bytes = b"", cwd: Path = ROOT
) -> subprocess.CompletedProcess[bytes]:
    """Run one command as a person would."""
    return subprocess.run(
        [CLOISTER, *map(str, arguments)], input=stdin, capture_output=True, check=False, cwd=cwd
    )


class Box:
    """One box directory and, while it is served, its process."""

    def __init__(self, directory: Path, founded: dict[str, Any]) -> None:
        self.directory = directory
        self.config = directory / "cloister.toml"
        self.api_key: str = founded["api_key"]
        self.users: dict[str, dict[str, str]] = founded["users"]
        self.port = free_port()
        self.output = directory.with_name(directory.name + ".out")
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def make(cls, directory: Path, **settings: dict[str, object]) -> Self:
        """Make a demo box; `settings` replace values in its cloister.toml, by table."""
        done = cloister("init", directory, "--profile", "demo", "--json")
        assert done.returncode == 0, done.stderr.decode()
        box = cls(directory, json.loads(done.stdout))
        for table, values in settings.items():
            box.configure(table, **values)
        return box

    def configure(self, table: str, **values: object) -> None:
        text = self.config.read_text()
        head, rest = text.split(f"[{table}]\n", 1)
        body, *tail = rest.split("\n\n", 1)
        lines = [line for line in body.splitlines() if line.split(" = ")[0] not in values]
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        self.config.write_text("\n".join([f"{head}[{table}]", *lines, "", *tail]))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, prefix: Sequence[str] = (), until: str = "ready") -> None:
        """Serve, and wait until it is `ready` (or only `live`)."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [*prefix, CLOISTER, "serve", "--config", self.config, "--port", str(self.port)],
                stdout=output,
                stderr=output,
                cwd=ROOT,
            )
        self.wait_until(until)

    def wait_until(self, state: str, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while self.get(f"/health/{state}")[0] != 200:
            assert self._process is not None
            assert self._process.poll() is None, f"it ended: {self.output.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"not {state}: {self.output.read_text()[-2000:]}"
            time.sleep(0.05)

    def stop(self) -> int:
        """Stop it as an administrator does; returns the exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop it as a power cut does."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        status = self._process.wait(60)
        self._process = None
        return status

    def workers(self) -> list[int]:
        """Process ids of the workers of this box."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(child) for child in children]

    def kill_worker(self) -> None:
        os.kill(self.workers()[0], signal.SIGKILL)

    def get(self, path: str, key: str | None = None) -> tuple[int, dict[str, str], bytes]:
        return self.request("GET", path, None, key)

    def post(
        self, path: str, body: object, key: str | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a body (JSON unless it is bytes) and return status, headers and answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, data, self.api_key if key is None else key)

    def request(
        self, method: str, path: str, data: bytes | None, key: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        request = urllib.request.Request(self.origin + path, data=data, method=method)
        request.add_header("content-type", "application/json")
        if key:
            request.add_header("authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, lowered(response.headers), response.read()
        except urllib.error.HTTPError as error:
            return error.code, lowered(error.headers), error.read()
        except (urllib.error.URLError, ConnectionError) as error:
            return 0, {}, str(error).encode()

    def complete(self, prompt: object, **fields: object) -> dict[str, Any]:
        """One completion, whole; fails the test if it is refused."""
        body = {"model": "demo", "prompt": prompt, "temperature": 0, **fields}
        status, _, answer = self.post("/v1/completions", body)
        assert status == 200, answer
        found: dict[str, Any] = json.loads(answer)
        return found

    def verify(self) -> subprocess.CompletedProcess[bytes]:
        return cloister("audit", "verify", self.directory / "audit" / "log")

    def entries(self) -> list[dict[str, Any]]:
        """All entries that are in tiles; stop the box first to have all there are."""
        found = []
        for bundle in sorted((self.directory / "audit/log/tile/entries").rglob("*")):
            if not bundle.is_file() or _superseded(bundle):
                continue
            data = bundle.read_bytes()
            while data:
                length = int.from_bytes(data[:2], "big")
                found.append(json.loads(data[2 : 2 + length]))
                data = data[2 + length :]
        return sorted(found, key=lambda entry: entry.get("seq", 0))

    def entries_of(self, action: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries() if entry["action"] == action]


def _superseded(bundle: Path) -> bool:
    """Whether a fuller bundle stands beside a partial one (`000.p/17`)."""
    if not bundle.parent.name.endswith(".p"):
        return False
    full = bundle.parent.with_name(bundle.parent.name.removesuffix(".p"))
    widest = max(int(other.name) for other in bundle.parent.iterdir() if other.name.isdecimal())
    return full.exists() or int(bundle.name) < widest


def lowered(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
