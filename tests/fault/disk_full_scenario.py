"""Run by test_disk_full inside its mount namespace: `disk_full_scenario.py FOLDER`."""

import errno
import json
import sys
import time
from pathlib import Path

from tests.support.box import Box

BODY = {"model": "demo", "prompt": [300, 301], "max_tokens": 4, "temperature": 0}


def fill(path: Path) -> None:
    """Write until nothing more goes in."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def ask(box: Box) -> tuple[int, str, str]:
    """Return status, request id, and the error's code if there is one."""
    status, headers, body = box.post("/v1/completions", BODY)
    code = "" if status == 200 else json.loads(body)["error"]["code"]
    return status, headers.get("x-request-id", ""), code


def ask_until(box: Box, wanted: int, seconds: float) -> tuple[int, str, str]:
    """Ask until the status is the wanted one, or time is up."""
    deadline = time.monotonic() + seconds
    while (answer := ask(box))[0] != wanted and time.monotonic() < deadline:
        whole.append(answer)
        time.sleep(0.2)
    whole.append(answer)
    return answer


whole: list[tuple[int, str, str]] = []


def main() -> None:
    """Serve, fill, ask, free, ask; print what was found."""
    folder = Path(sys.argv[1])
    box = Box.make(folder / "box")
    box.output = Path("/dev/null")
    box.start()
    found: dict[str, object] = {"with room": ask_until(box, 200, 5)[0]}
    ballast = folder / "ballast"
    fill(ballast)
    # What the journal has allocated already may still take a few entries.
    status, _, code = ask_until(box, 503, 60)
    found["full"] = [status, code]
    found["health while full"] = box.get("/health/live")[0]
    ballast.unlink()
    found["room again"] = ask_until(box, 200, 30)[0]
    box.stop()
    found["verified"] = box.verify().returncode
    closed = {entry["details"]["exchange"] for entry in box.entries_of("exchange.closed")}
    received = {request_id for status, request_id, _ in whole if status == 200}
    found["whole answers without a closed entry"] = len(received - closed)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
