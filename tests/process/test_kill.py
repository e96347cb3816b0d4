"""`kill -9`, of the worker and of the gateway, at any moment."""

import json
import random
import threading
import time
import urllib.request

import pytest

from tests.support.box import Box

LONG = {
    "model": "demo", "prompt": [300, 301], "max_tokens": 400, "temperature": 0, "ignore_eos": True,
}  # fmt: skip


def stream(box: Box, body: dict[str, object]) -> tuple[str, str, bool]:
    """Read a stream; returns the exchange id, the text, and whether it came whole."""
    request = urllib.request.Request(
        f"{box.base_url}/completions",
        data=json.dumps({**body, "stream": True}).encode(),
        headers={"authorization": f"Bearer {box.api_key}", "content-type": "application/json"},
    )
    text, whole, request_id = "", False, ""
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            request_id = response.headers["x-request-id"]
            for line in response:
                if line.startswith(b"data: [DONE]"):
                    whole = True
                elif line.startswith(b"data: {"):
                    frame = json.loads(line[6:])
                    text += frame["choices"][0]["text"] if frame.get("choices") else ""
    except OSError:
        pass
    return request_id, text, whole


def keep_asking(box: Box, results: list[tuple[str, str, bool]]) -> None:
    """Ask again and again until nobody answers."""
    while (result := stream(box, {**LONG, "max_tokens": 24}))[0]:
        results.append(result)


def test_killing_the_worker_in_mid_stream_costs_a_pause_and_nothing_else(own_box: Box) -> None:
    own_box.start()
    undisturbed = own_box.complete(LONG["prompt"], **{k: v for k, v in LONG.items() if k not in
                                   {"model", "prompt", "temperature"}})  # fmt: skip
    results: list[tuple[str, str, bool]] = []
    reader = threading.Thread(target=lambda: results.append(stream(own_box, LONG)))
    reader.start()
    time.sleep(0.25)
    own_box.kill_worker()
    assert own_box.get("/health/live")[0] == 200
    reader.join(60)
    _, text, whole = results[0]
    assert whole
    assert text == undisturbed["choices"][0]["text"]
    own_box.wait_until("ready", 15)
    assert own_box.complete("The patient", max_tokens=4)["choices"]
    own_box.stop()
    assert own_box.verify().returncode == 0


@pytest.mark.timeout(900)
def test_killing_the_gateway_at_20_random_moments_loses_no_evidence(own_box: Box) -> None:
    moments = random.Random(20)
    received_whole: set[str] = set()
    for _ in range(20):
        own_box.start()
        results: list[tuple[str, str, bool]] = []
        threads = [threading.Thread(target=keep_asking, args=(own_box, results)) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(moments.uniform(0.05, 1.2))
        own_box.kill()
        for thread in threads:
            thread.join(60)
        received_whole |= {request_id for request_id, _, whole in results if whole}

    own_box.start()  # the last recovery
    own_box.stop()
    verified = own_box.verify()
    assert verified.returncode == 0, verified.stderr
    opened = {e["details"]["exchange"] for e in own_box.entries_of("exchange.opened")}
    closed = {e["details"]["exchange"] for e in own_box.entries_of("exchange.closed")}
    assert len(received_whole) > 20
    assert received_whole <= opened & closed


def test_no_worker_outlives_its_gateway(own_box: Box) -> None:
    from pathlib import Path

    own_box.start()
    workers = own_box.workers()
    assert workers
    own_box.kill()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)
