"""The log as the rest of the house uses it: what an append promises, opening, closing."""

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from appliance.audit.entries import decode_entry, event_of
from appliance.audit.events import EVENTS, ClockJumped, ModelRefused, RequestRefused, Usage
from appliance.audit.keys import Ed25519Signer
from appliance.audit.log import Log
from appliance.audit.merkle import leaf_hash
from appliance.audit.reader import LogReader
from appliance.audit.verify import verify_directory
from appliance.errors import (
    Code,
    ConfigurationError,
    IntegrityError,
    UnavailableError,
)
from tests.support.audit_logs import (
    ACTOR,
    ORIGIN,
    SIGNER,
    VKEY,
    SetClock,
    UnsyncedFiles,
    build_log,
    closed,
    opened,
)


def _actions(directory: Path, size: int) -> list[str]:
    reader = LogReader(directory / "log", size)
    return [decode_entry(reader.entry(index)).action for index in range(size)]


def test_an_entry_can_be_read_back_as_the_event_it_was(tmp_path: Path) -> None:
    log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER)
    event = RequestRefused(code=Code.INVALID_API_KEY, route="POST /v1/completions", request="r1")
    receipt = log.append_sync(event, ACTOR)
    log.close_sync()
    data = LogReader(tmp_path / "log", 1).entry(0)
    assert receipt.index == 0
    assert receipt.leaf_hash == leaf_hash(data)
    entry = decode_entry(data)
    assert (entry.action, entry.subject, entry.outcome) == (
        "request.refused",
        "request:r1",
        "refused",
    )
    assert entry.actor == ACTOR
    assert event_of(entry) == event


def test_concurrent_appends_get_numbers_without_gap_and_survive_reopening(tmp_path: Path) -> None:
    async def run() -> list[int]:
        log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER)
        receipts = await asyncio.gather(*(log.append(opened(n), ACTOR) for n in range(700)))
        await log.close()
        return [receipt.index for receipt in receipts]

    assert sorted(asyncio.run(run())) == list(range(700))
    log = Log.open(tmp_path, signer=SIGNER)
    assert log.status.size == log.status.published == 700
    assert log.append_sync(closed(0), ACTOR).index == 700
    log.close_sync()
    report = verify_directory(tmp_path / "log", VKEY)
    assert str(report) == f"{ORIGIN}: 701 entries, all in order"
    assert len(report.unclosed) == 699


def test_a_cancelled_append_is_logged_all_the_same(tmp_path: Path) -> None:
    async def run() -> None:
        log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER)
        task = asyncio.create_task(log.append(opened(1), ACTOR))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await log.append(closed(1), ACTOR)
        await log.close()

    asyncio.run(run())
    assert _actions(tmp_path, 2) == ["exchange.opened", "exchange.closed"]


def test_entries_are_under_a_checkpoint_on_demand(tmp_path: Path) -> None:
    log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER)
    log.append_sync(opened(1), ACTOR)
    assert f"\n{log.status.size}\n" in log.publish().text
    assert verify_directory(log.directory, VKEY).size == 1
    log.close_sync()


def test_a_log_verifies_while_it_is_being_written(tmp_path: Path) -> None:
    async def run() -> None:
        log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER)
        done = asyncio.Event()

        async def write() -> None:
            number = 0
            while not done.is_set():
                await asyncio.gather(*(log.append(opened(number + n), ACTOR) for n in range(40)))
                number += 40
                await asyncio.to_thread(log.publish)

        writer = asyncio.create_task(write())
        for _ in range(8):
            report = await asyncio.to_thread(verify_directory, log.directory, VKEY)
            assert report.sound, str(report)
        done.set()
        await writer
        await log.close()

    asyncio.run(run())


def test_a_reader_of_an_earlier_size_goes_on_reading_while_the_log_grows(tmp_path: Path) -> None:
    log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER, files=UnsyncedFiles())
    for number in range(10):
        log.append_sync(opened(number), ACTOR)
    log.publish()
    reader = LogReader(log.directory, 10)
    root = reader.root()
    for rounds in (1, 300):
        for number in range(rounds):
            log.append_sync(opened(number), ACTOR)
        log.publish()
        later = LogReader(log.directory, 10)
        assert later.root() == root
        assert len(later.bundle(0)) == 10
        assert decode_entry(later.entry(9)).seq == 9
    log.close_sync()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER)
    with pytest.raises(UnavailableError, match="another process"):
        Log.open(tmp_path, signer=SIGNER)
    log.close_sync()


def test_a_log_is_never_begun_anew(tmp_path: Path) -> None:
    build_log(tmp_path, 1)
    with pytest.raises(ConfigurationError, match="already"):
        Log.create(tmp_path, origin=ORIGIN, signer=SIGNER)


def test_another_key_cannot_go_on_with_a_log(tmp_path: Path) -> None:
    build_log(tmp_path, 1)
    with pytest.raises(IntegrityError, match="exchanged"):
        Log.open(tmp_path, signer=Ed25519Signer.from_seed(ORIGIN, b"x" * 32))


def test_nothing_can_be_appended_after_close(tmp_path: Path) -> None:
    log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER)
    log.close_sync()
    log.close_sync()
    with pytest.raises(UnavailableError, match="closed"):
        log.append_sync(opened(1), ACTOR)


def test_an_entry_over_the_limit_is_refused_and_harms_no_other(tmp_path: Path) -> None:
    async def run() -> None:
        log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER)
        huge = ModelRefused(model="m", gate="gguf", reasons=("x" * 70_000,))
        broken = ModelRefused(model="\ud800", gate="gguf")
        results = await asyncio.gather(
            log.append(opened(1), ACTOR),
            log.append(huge, ACTOR),
            log.append(broken, ACTOR),
            log.append(closed(1), ACTOR),
            return_exceptions=True,
        )
        assert [type(result).__name__ for result in results] == [
            "Receipt",
            "ConfigurationError",
            "ConfigurationError",
            "Receipt",
        ]
        await log.close()

    asyncio.run(run())
    assert verify_directory(tmp_path / "log", VKEY).size == 2


def test_a_clock_that_jumps_is_in_the_log(tmp_path: Path) -> None:
    clock = SetClock()
    log = Log.create(tmp_path, origin=ORIGIN, signer=SIGNER, clock=clock)
    log.append_sync(opened(1), ACTOR)
    clock.move(10**9)
    log.append_sync(closed(1), ACTOR)
    clock.utc -= 3600 * 10**9
    log.append_sync(opened(2), ACTOR)
    clock.utc -= 1000
    log.append_sync(closed(2), ACTOR)
    log.close_sync()
    clock.utc -= 3600 * 10**9
    clock.boot, clock.monotonic = "cd" * 16, 1
    log = Log.open(tmp_path, signer=SIGNER, clock=clock)
    log.append_sync(opened(3), ACTOR)
    log.close_sync()
    assert _actions(tmp_path, 7) == [
        "exchange.opened",
        "exchange.closed",
        "clock.jumped",
        "exchange.opened",
        "exchange.closed",
        "clock.jumped",
        "exchange.opened",
    ]
    entry = decode_entry(LogReader(tmp_path / "log", 7).entry(2))
    assert event_of(entry) == ClockJumped(by_ns=str(-3600 * 10**9))
    assert verify_directory(tmp_path / "log", VKEY).sound


def test_what_was_acknowledged_is_replayed_from_the_journal(tmp_path: Path) -> None:
    log = Log.create(tmp_path / "box", origin=ORIGIN, signer=SIGNER)
    for number in range(5):
        log.append_sync(opened(number), ACTOR)
    log.publish()
    log._publisher.publish = lambda: None  # type: ignore[method-assign]
    log.append_sync(closed(0), ACTOR)
    shutil.copytree(tmp_path / "box", tmp_path / "crashed")
    log = Log.open(tmp_path / "crashed", signer=SIGNER)
    log.close_sync()
    assert _actions(tmp_path / "crashed", 7)[5:] == ["exchange.closed", "log.recovered"]
    report = verify_directory(tmp_path / "crashed" / "log", VKEY)
    assert report.sound, str(report)


def test_every_event_type_can_be_logged_from_its_defaults_and_read_back() -> None:
    assert len(EVENTS) >= 45
    for action, kind in EVENTS.items():
        assert kind.action == action
        assert kind.__doc__, action
        for field in msgspec.structs.fields(kind):
            if not field.required and field.default_factory is not dict:
                # A default that says something would change old entries if it ever changed.
                assert field.default in (None, "", 0, False, (), Usage()), (action, field.name)
