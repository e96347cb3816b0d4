"""A load generator: streaming completions over raw sockets, in a process of its own.

    python -m tests.bench.load --port P --clients N --requests R ... → one JSON object

It does as little as it can for each byte, since it shares two cores with what it measures: a
response is read in blocks, and an event is a `data: {` in them. Every request generates exactly
`--new` tokens (`ignore_eos`), so tokens are counted by the request and time by the event.
"""

import argparse
import asyncio
import json
import random
import statistics
import time
from dataclasses import dataclass, field

import uvloop


@dataclass
class Answer:
    """Times of one answer, in seconds."""

    begun: float
    events: list[float] = field(default_factory=list)
    whole: bool = False


@dataclass(frozen=True)
class Target:
    """Where requests go."""

    port: int
    key: str
    model: str


async def ask(target: Target, prompt: list[int], new_tokens: int) -> Answer:
    """Send one request and time its events."""
    body = json.dumps(
        {
            "model": target.model,
            "prompt": prompt,
            "max_tokens": new_tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
        }
    ).encode()
    head = (
        f"POST /v1/completions HTTP/1.1\r\nhost: box\r\nauthorization: Bearer {target.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    answer = Answer(begun=time.perf_counter())
    writer.write(head.encode() + body)
    tail = b""
    while block := await reader.read(65536):
        now = time.perf_counter()
        seen = tail + block
        answer.events += [now] * seen.count(b"data: {")
        answer.whole = answer.whole or b"data: [DONE]" in seen
        tail = seen[-6:] if not seen.endswith(b"data: {") else b""
    writer.close()
    return answer


async def run(target: Target, clients: int, prompts: list[list[int]], new: int) -> list[Answer]:
    """Keep `clients` requests in flight until all prompts are answered."""
    waiting = iter(prompts)
    answers: list[Answer] = []

    async def client() -> None:
        for prompt in waiting:
            answers.append(await ask(target, prompt, new))

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers


def prompts_of(count: int, length: int, shared: int, vocabulary: int, seed: int) -> list[list[int]]:
    """Random token ids; the first `shared` are the same in all prompts."""
    source = random.Random(seed)
    common = [source.randrange(300, vocabulary) for _ in range(shared)]
    return [
        common + [source.randrange(300, vocabulary) for _ in range(length - shared)]
        for _ in range(count)
    ]


def percentile(values: list[float], fraction: float) -> float:
    """Return the value below which `fraction` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * fraction))] if ordered else 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", default="none")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--prompt", type=int, default=64)
    parser.add_argument("--shared", type=int, default=0)
    parser.add_argument("--new", type=int, default=64)
    parser.add_argument("--vocabulary", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()

    prompts = prompts_of(given.requests, given.prompt, given.shared, given.vocabulary, given.seed)
    target = Target(given.port, given.key, given.model)
    begun = time.perf_counter()
    answers = uvloop.run(run(target, given.clients, prompts, given.new))
    seconds = time.perf_counter() - begun
    first = [answer.events[0] - answer.begun for answer in answers if answer.events]
    gaps = [
        later - earlier
        for answer in answers
        for earlier, later in zip(answer.events, answer.events[1:], strict=False)
    ]
    print(
        json.dumps(
            {
                "clients": given.clients,
                "whole": sum(answer.whole for answer in answers),
                "requests": len(answers),
                "tokens_per_second": round(len(answers) * given.new / seconds, 1),
                "first_token_ms": round(1e3 * statistics.median(first), 2) if first else None,
                "gap_p50_ms": round(1e3 * percentile(gaps, 0.5), 3),
                "gap_p99_ms": round(1e3 * percentile(gaps, 0.99), 3),
            }
        )
    )


if __name__ == "__main__":
    main()
