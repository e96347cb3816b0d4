"""32 streams at once say what one at a time says."""

import asyncio
import random

import httpx

from tests.support.box import Box

PROMPTS = 32
TOKENS = 48


def prompts() -> list[list[int]]:
    source = random.Random(7)
    return [[source.randrange(300, 2000) for _ in range(24)] for _ in range(PROMPTS)]


async def texts(box: Box, at_once: int) -> list[str]:
    gate = asyncio.Semaphore(at_once)
    async with httpx.AsyncClient(
        base_url=box.base_url, headers={"authorization": f"Bearer {box.api_key}"}, timeout=120
    ) as client:

        async def one(prompt: list[int]) -> str:
            body = {
                "model": "demo", "prompt": prompt, "max_tokens": TOKENS, "temperature": 0,
                "ignore_eos": True, "stream": True,
            }  # fmt: skip
            text = ""
            async with gate, client.stream("POST", "/completions", json=body) as response:
                assert response.status_code == 200
                async for line in response.aiter_lines():
                    if line.startswith("data: {"):
                        text += httpx.Response(200, content=line[6:]).json()["choices"][0]["text"]
            return text

        return list(await asyncio.gather(*(one(prompt) for prompt in prompts())))


def test_32_streams_at_once_equal_one_at_a_time(box: Box) -> None:
    alone = asyncio.run(texts(box, 1))
    together = asyncio.run(texts(box, 32))
    differing = [number for number in range(PROMPTS) if alone[number] != together[number]]
    for number in differing:
        assert_differs_by_a_tie_alone(box, prompts()[number], alone[number], together[number])
    assert len(differing) <= PROMPTS // 4


def assert_differs_by_a_tie_alone(box: Box, prompt: list[int], one: str, other: str) -> None:
    """The batch may break ties: where the texts part, the top two logprobs are within 0.01."""
    from tests.support.reference import top_two_gap

    gap = top_two_gap(prompt, one, other)
    assert gap <= 0.01, f"parted at a gap of {gap}"


def test_readers_that_go_away_free_their_places(own_box: Box) -> None:
    """Every abandoned answer is logged, and ended long before its 1,500 tokens."""
    own_box.start()

    async def leave() -> None:
        async with httpx.AsyncClient(
            base_url=own_box.base_url,
            headers={"authorization": f"Bearer {own_box.api_key}"},
            timeout=60,
        ) as client:
            for _ in range(4):
                body = {
                    "model": "demo", "prompt": [300], "max_tokens": 1500, "stream": True,
                    "ignore_eos": True, "temperature": 0,
                }  # fmt: skip
                async with client.stream("POST", "/completions", json=body) as response:
                    async for line in response.aiter_lines():
                        if line.startswith("data: "):
                            break

    asyncio.run(leave())
    wait_until_idle(own_box)
    own_box.stop()
    closed = own_box.entries_of("exchange.closed")
    assert [entry["outcome"] for entry in closed] == ["abandoned"] * 4
    assert all(entry["details"]["usage"]["completion_tokens"] < 1000 for entry in closed)


def wait_until_idle(box: Box) -> None:
    import time

    deadline = time.monotonic() + 20
    while True:
        metrics = box.get("/metrics")[2].decode()
        gauges = dict(
            line.rsplit(" ", 1)
            for line in metrics.splitlines()
            if line.startswith("cloister_engine")
        )
        if float(gauges['cloister_engine_running{model="demo"}']) == 0:
            return
        assert time.monotonic() < deadline, gauges
        time.sleep(0.05)
