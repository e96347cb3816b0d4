"""Workers that are killed, hang, babble or meet a poison request; callers notice a pause."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.engine import process as process_module
from appliance.engine.description import ModelState
from appliance.engine.engine import Engine
from appliance.errors import Code, UnavailableError
from appliance.generation.outcome import Delta, Failed, FinishReason, NotServed
from appliance.generation.prompt import Tokens
from appliance.generation.request import GenerationRequest
from appliance.generation.sampling import Sampling
from tests.support.engine_reference import differ_only_in_ties
from tests.support.engine_talk import Said, asking, begin, collect, say, with_model
from tests.support.random_model import Shape, write_model

ROOT = Path(__file__).parents[3]
ENDLESS = Sampling(temperature=0.0, ignore_eos=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.gguf"
    write_model(path, Shape(context=2048))
    return path


def long_request(prompt: tuple[int, ...] = (9, 8, 7), tokens: int = 400) -> GenerationRequest:
    return asking(Tokens(tokens=prompt), max_tokens=tokens, sampling=ENDLESS)


def same_but_for_ties(model: Path, prompt: tuple[int, ...], left: Said, right: Said) -> bool:
    """A resumed answer is prefilled, not decoded: rounding may break a tie differently."""
    assert len(left.tokens) == len(right.tokens)
    return differ_only_in_ties(model, prompt, left.tokens, right.tokens)


def worker_of(engine: Engine) -> int:
    description = engine.describe("model")
    assert description is not None
    return description.worker_pid


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 -- what is awaited lies in another process
        await asyncio.sleep(0.01)


def state_of(engine: Engine) -> ModelState:
    description = engine.describe("model")
    assert description is not None
    return description.state


async def interrupted(engine: Engine, request: GenerationRequest, after: int) -> Said:
    """Collect a generation whose worker is killed after so many tokens."""
    generation = begin(engine, request)
    text, tokens = "", ()
    killed = False
    async for events in generation:
        for event in events:
            if isinstance(event, Delta):
                text += event.text
                tokens += event.tokens
        if len(tokens) >= after and not killed:
            killed = True
            os.kill(worker_of(engine), signal.SIGKILL)
    assert generation.ending is not None
    assert killed
    return Said(text, tokens, generation.ending)


def test_a_killed_worker_is_replaced_and_the_answer_is_the_same(model: Path) -> None:
    async def body(engine: Engine) -> None:
        whole = await say(engine, long_request())
        said = await interrupted(engine, long_request(), after=50)
        assert same_but_for_ties(model, (9, 8, 7), whole, said)
        assert said.finished.usage.completion_tokens == 400
        gauges = engine.gauges("model")
        assert gauges is not None
        assert (gauges.restarts, gauges.resumed, gauges.poisoned) == (1, 1, 0)

    with_model(model, body)


def test_a_stop_string_across_the_crash_is_still_found(model: Path) -> None:
    async def body(engine: Engine) -> None:
        whole = (await say(engine, long_request(tokens=120))).text
        stop = whole[60:66]
        request = asking(Tokens(tokens=(9, 8, 7)), max_tokens=120, sampling=ENDLESS, stop=(stop,))
        expected = await say(engine, request)
        said = await interrupted(engine, request, after=20)
        assert said.text == expected.text == whole[: whole.index(stop)]
        assert said.finished.reason is FinishReason.STOP

    with_model(model, body)


def test_everybody_on_board_and_everybody_waiting_survives_a_kill(model: Path) -> None:
    prompts = [(9, 8, 20 + n) for n in range(10)]

    async def body(engine: Engine) -> None:
        expected = [await say(engine, long_request(p, 150)) for p in prompts]
        tasks = [
            asyncio.ensure_future(collect(begin(engine, long_request(p, 150)))) for p in prompts
        ]
        for _ in range(3):
            await until(lambda: state_of(engine) is ModelState.READY)
            await asyncio.sleep(0.05)
            os.kill(worker_of(engine), signal.SIGKILL)
            await until(lambda: state_of(engine) is not ModelState.READY)
        said = await asyncio.gather(*tasks)
        for prompt, one, other in zip(prompts, expected, said, strict=True):
            assert same_but_for_ties(model, prompt, one, other)
        gauges = engine.gauges("model")
        assert gauges is not None
        assert gauges.held == 0

    with_model(model, body, prefix_cache=False)


def test_requests_that_come_during_a_restart_wait_and_are_answered(model: Path) -> None:
    async def body(engine: Engine) -> None:
        os.kill(worker_of(engine), signal.SIGKILL)
        await until(lambda: state_of(engine) is ModelState.RESTARTING)
        said = await asyncio.gather(
            *(collect(begin(engine, asking())) for _ in range(10)),
        )
        refused = [one for one in said if isinstance(one.ending, NotServed)]
        assert len(refused) == 4
        assert all(len(one.tokens) == 16 for one in said if one not in refused)

    with_model(model, body, sequences=4, queue_limit=2)


def test_a_cancel_during_a_restart_ends_at_once(model: Path) -> None:
    async def body(engine: Engine) -> None:
        generation = begin(engine, long_request())
        await anext(generation)
        os.kill(worker_of(engine), signal.SIGKILL)
        await until(lambda: state_of(engine) is ModelState.RESTARTING)
        generation.cancel()
        said = await collect(generation)
        assert said.finished.reason is FinishReason.CANCELLED

    with_model(model, body)


def test_a_worker_that_hangs_is_replaced(model: Path) -> None:
    async def body(engine: Engine) -> None:
        expected = await say(engine, long_request())
        generation = begin(engine, long_request())
        await anext(generation)
        os.kill(worker_of(engine), signal.SIGSTOP)
        said = await collect(generation)
        assert len(said.tokens) > 300
        assert expected.text.endswith(said.text)
        gauges = engine.gauges("model")
        assert gauges is not None
        assert gauges.hung == 1

    with_model(model, body, step_seconds=0.5)


def test_an_idle_worker_is_never_taken_for_hung(model: Path) -> None:
    async def body(engine: Engine) -> None:
        await asyncio.sleep(0.4)
        await say(engine, asking())
        gauges = engine.gauges("model")
        assert gauges is not None
        assert gauges.hung == 0

    with_model(model, body, step_seconds=0.3)


# A worker with a flaw built in: it dies in the middle of a step as soon as one token is in it.
POISONED_WORKER = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
from appliance.engine.worker import decoder
whole = decoder.Decoder.decode
def decode(self):
    if 372 in self._token[: self._batch.n_tokens]:
        os.abort()
    return whole(self)
decoder.Decoder.decode = decode
from appliance.engine.worker.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_poison_request_fails_alone(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(engine: Engine) -> None:
        without = Sampling(temperature=0, ignore_eos=True, logit_bias=((372, float("-inf")),))
        good = [
            asking(Tokens(tokens=(10 + n, 11)), max_tokens=300, sampling=without) for n in range(3)
        ]
        expected = [await say(engine, request) for request in good]
        tasks = [asyncio.ensure_future(collect(begin(engine, request))) for request in good]
        await asyncio.sleep(0.05)
        poison = await say(engine, asking(Tokens(tokens=(5, 372, 6)), sampling=without))
        assert isinstance(poison.ending, Failed)
        assert poison.ending.code is Code.INTERNAL_ERROR
        said = await asyncio.gather(*tasks)
        for n in range(3):
            assert same_but_for_ties(model, (10 + n, 11), expected[n], said[n])
        gauges = engine.gauges("model")
        assert gauges is not None
        assert gauges.poisoned == 1
        assert gauges.restarts == 2

    monkeypatch.setattr(process_module, "_BOOT", POISONED_WORKER)
    with_model(model, body)


BABBLING_WORKER = """
import socket, sys, time
channel = socket.socket(fileno=int(sys.argv[2]))
channel.recv(65536)
channel.sendall({data})
time.sleep(60)
"""


@pytest.mark.parametrize("data", [b"\x00\x00\x00\x01\xc1", b"\xff" * 100, b"\x00\x00\x00\x00"])
def test_a_worker_that_babbles_is_ended(
    model: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(process_module, "_BOOT", BABBLING_WORKER.format(data=data))

    async def body(_: Engine) -> None:
        return None

    with pytest.raises(UnavailableError, match=r"means nothing|longer than allowed"):
        with_model(model, body)


def test_a_load_that_takes_too_long_is_given_up(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "_BOOT", "import time; time.sleep(60)")

    async def body(_: Engine) -> None:
        return None

    with pytest.raises(UnavailableError, match="did not load within"):
        with_model(model, body, load_seconds=0.3)


def test_a_model_whose_workers_keep_dying_is_given_up(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(engine: Engine) -> None:
        monkeypatch.setattr("appliance.engine.supervisor.FIRST_PAUSE_SECONDS", 0.001)
        monkeypatch.setattr(process_module, "_BOOT", "raise SystemExit(1)")
        generation = begin(engine, long_request())
        await anext(generation)
        os.kill(worker_of(engine), signal.SIGKILL)
        said = await collect(generation)
        assert isinstance(said.ending, Failed)
        assert said.ending.code is Code.MODEL_UNAVAILABLE
        assert state_of(engine) is ModelState.FAILED
        late = await say(engine, asking())
        assert isinstance(late.ending, NotServed)

    with_model(model, body)


GATEWAY = """
import asyncio, sys, time
from pathlib import Path
from tests.support.engine_reference import differ_only_in_ties
from tests.support.engine_talk import loaded, begin, asking
from appliance.generation.sampling import Sampling
async def main():
    async with loaded(Path(sys.argv[1])) as engine:
        endless = Sampling(temperature=0, ignore_eos=True)
        generation = begin(engine, asking(max_tokens=2000, sampling=endless))
        await anext(generation)
        print(engine.describe("model").worker_pid, flush=True)
        time.sleep(60)
asyncio.run(main())
"""


def test_no_worker_outlives_a_gateway_that_is_killed(model: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", GATEWAY, str(model)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as gateway:
        assert gateway.stdout is not None
        worker = int(gateway.stdout.readline())
        os.kill(worker, 0)
        gateway.kill()
        gateway.wait()
        deadline = time.monotonic() + 20
        while _alive(worker):
            assert time.monotonic() < deadline, "the worker lives on"
            time.sleep(0.01)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_worker_says_nothing_on_any_output_and_inherits_two_descriptors(model: Path) -> None:
    async def body(engine: Engine) -> None:
        folder = Path(f"/proc/{worker_of(engine)}")
        targets = {int(p.name): os.readlink(p) for p in (folder / "fd").iterdir()}
        assert {targets[n] for n in (0, 1, 2)} == {"/dev/null"}
        others = sorted(target.split(":")[0] for n, target in targets.items() if n > 2)
        assert [o for o in others if not o.startswith("/memfd")] == ["socket"]
        environment = (folder / "environ").read_bytes()
        assert b"HOME=" not in environment

    with_model(model, body)
