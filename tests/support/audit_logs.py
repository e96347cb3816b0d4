"""Logs for the tests of the audit room: a clock to set, an event to log, a log of a given size."""

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType

from appliance.audit.entries import Actor, ActorKind
from appliance.audit.events import ExchangeClosed, ExchangeOpened
from appliance.audit.files import Files
from appliance.audit.keys import Ed25519Signer
from appliance.audit.log import Log

ORIGIN = "box.test/log"
SIGNER = Ed25519Signer.from_seed(ORIGIN, bytes(range(32)))
VKEY = str(SIGNER.vkey)
ACTOR = Actor(kind=ActorKind.KEY, id="k_test")


class UnsyncedFiles(Files):
    """Writes without waiting for the disk: for logs of which no test pulls the plug."""

    def datasync(self, descriptor: int) -> None:
        """Leave it to the page cache."""

    def sync(self, descriptor: int) -> None:
        """Leave it to the page cache."""


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, utc_ns: int = 1_800_000_000_000_000_000, monotonic_ns: int = 5) -> None:
        self.utc = utc_ns
        self.monotonic = monotonic_ns
        self.boot = "ab" * 16

    def move(self, nanoseconds: int) -> None:
        """Let time pass on both clocks."""
        self.utc += nanoseconds
        self.monotonic += nanoseconds

    def utc_ns(self) -> int:
        """As set."""
        return self.utc

    def monotonic_ns(self) -> int:
        """As set."""
        return self.monotonic


def opened(number: int) -> ExchangeOpened:
    """The opening of exchange `number`."""
    return ExchangeOpened(
        exchange=f"ex_{number:06}", kind="chat", route="POST /v1/chat/completions", model="demo"
    )


def closed(number: int) -> ExchangeClosed:
    """Its ending."""
    return ExchangeClosed(exchange=f"ex_{number:06}", ending="finished")


def build_log(directory: Path, exchanges: int) -> None:
    """A closed log of `exchanges` openings, each followed by its ending."""

    async def build() -> None:
        log = Log.create(
            directory, origin=ORIGIN, signer=SIGNER, clock=SetClock(), files=UnsyncedFiles()
        )
        events = [event(n) for n in range(exchanges) for event in (opened, closed)]
        # Queued in this order, hence logged in it; awaited together, hence few syncs.
        await asyncio.gather(*(log.append(event, ACTOR) for event in events))
        await log.close()

    asyncio.run(build())


def load_officer_verifier() -> ModuleType:
    """`installer/cloister_verify.py`, which is no part of any package."""
    path = Path(__file__).parents[2] / "installer" / "cloister_verify.py"
    spec = importlib.util.spec_from_file_location("cloister_verify", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
