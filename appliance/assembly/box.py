"""A running box: sealed, or with all its rooms.

Start order: vault → database → log → policy → access → engine → gateway. Each is stopped in the
reverse order, so that exchanges end before the engine goes, and the log is the last to close
before the database and the keys. `unseal` and `seal` do this while the process runs; nothing
serves in between.
"""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import msgspec

from appliance import __version__
from appliance.access.attempts import Attempts
from appliance.access.authenticator import Authenticator
from appliance.access.keys import ApiKeys
from appliance.access.people import People
from appliance.assembly.foundations import (
    BOX_ACTOR,
    Foundations,
    open_foundations,
)
from appliance.audit.events import ModelLoaded, ServiceStarted, ServiceStopped, VaultUnsealed
from appliance.audit.log import Log
from appliance.engine.description import ModelState
from appliance.engine.engine import Engine
from appliance.errors import SealedError, UnavailableError
from appliance.gateway.digests import Digests, plain_digest
from appliance.gateway.gateway import Gateway
from appliance.gateway.passage import Ended, Way
from appliance.house import Rooms
from appliance.operations import Operations
from appliance.routing.routes import Route, Routes
from appliance.screening import Screening
from appliance.settings import Layout, Settings
from appliance.telemetry import Telemetry, logger
from appliance.vault.purpose import Purpose

_log = logger("box")


class Box:
    """One box of one process. `unseal`, then `rooms`; `seal` at the end."""

    def __init__(self, settings: Settings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._rooms: Rooms | None = None
        self._engine: Engine | None = None
        self._log: Log | None = None
        self._stack = AsyncExitStack()
        self._changing = asyncio.Lock()
        self._serving: frozenset[str] = frozenset()
        self.telemetry = Telemetry()

    @property
    def ready(self) -> bool:
        """Whether it serves: the log can be written, and every active model answers."""
        engine, log = self._engine, self._log
        if engine is None or log is None or log.status.outage or not self._serving:
            return False
        models = [engine.describe(version) for version in self._serving]
        return all(model is not None and model.state is ModelState.READY for model in models)

    def rooms(self) -> Rooms:
        """Return the rooms.

        Raises:
            SealedError: the vault is sealed.
        """
        if self._rooms is None:
            raise SealedError(
                "this box is sealed: its administrator has to unseal it (`cloister vault unseal`)"
            )
        return self._rooms

    async def unseal(self) -> None:
        """Open the vault and start the rooms; nothing to do when they run.

        Raises:
            SealedError: the configured unsealer does not open the vault.
            IntegrityError: something stored is not as it was left.
        """
        async with self._changing:
            if self._rooms is None:
                async with AsyncExitStack() as stack:
                    rooms = await self._start(stack)
                    self._stack = stack.pop_all()
                self._rooms = rooms
                _log.info("unsealed", models=sorted(r.alias for r in rooms.routes.routes()))

    async def seal(self) -> None:
        """Let exchanges end, stop the rooms, forget the keys."""
        async with self._changing:
            # Refused from here on; what runs is waited for by the gateway's own close.
            self._rooms, self._engine, self._log = None, None, None
            self._serving = frozenset()
            await self._stack.aclose()
            _log.info("sealed")

    async def _start(self, stack: AsyncExitStack) -> Rooms:
        settings = self._settings
        base = await open_foundations(stack, settings, self._layout)
        vault, log = base.vault, base.log
        await log.append(
            ServiceStarted(program=__version__, settings_digest=plain_digest(settings)), BOX_ACTOR
        )
        stack.push_async_callback(log.append, ServiceStopped(), BOX_ACTOR)
        await log.append(VaultUnsealed(method=settings.vault.unsealer), BOX_ACTOR)
        await asyncio.to_thread(log.change_key)
        epochs = asyncio.create_task(_change_keys(log, settings.audit.epoch_hours * 3600))
        stack.callback(epochs.cancel)

        screening = await asyncio.to_thread(
            Screening.load,
            self._layout.policies,
            settings.policy.active,
            vault.key(Purpose.PSEUDONYMS),
        )
        keys = ApiKeys(base.database, vault.key(Purpose.API_KEYS))
        await keys.load()
        people = People(base.database, vault.key(Purpose.API_KEYS))
        authenticator = Authenticator(keys, people, Attempts())

        engine = Engine()
        stack.push_async_callback(engine.close)
        routes = Routes()
        await self._load_models(base, engine, routes)
        stack.callback(self.telemetry.watch_engine(lambda: _gauges(engine, routes)))

        way = Way(
            screening=screening,
            engine=engine,
            journal=log,
            digests=Digests(vault.key(Purpose.DIGESTS)),
            observe=self._observe,
            slow_reader_seconds=settings.server.slow_reader_seconds,
        )
        gateway = Gateway(routes, way)
        stack.push_async_callback(gateway.close, settings.server.shutdown_seconds)
        self._engine, self._log = engine, log
        self._serving = frozenset(route.version for route in routes.routes())
        return Rooms(
            gateway=gateway,
            authenticator=authenticator,
            operations=Operations(keys, authenticator, log),
            routes=routes,
        )

    async def _load_models(self, base: Foundations, engine: Engine, routes: Routes) -> None:
        """Load the active versions one after the other; each answers from then on."""
        for version in await base.active_versions():
            await engine.load(
                version.id, partial(base.store.open_weights, version.file), self._settings.engine
            )
            await base.log.append(
                ModelLoaded(
                    model=version.alias,
                    version=version.id,
                    model_digest=f"sha256:{version.file.digest}",
                ),
                BOX_ACTOR,
            )
            routes.direct(
                Route(
                    alias=version.alias,
                    version=version.id,
                    digest=version.file.digest,
                    activated_at=version.changed,
                )
            )

    def _observe(self, ended: Ended) -> None:
        usage = ended.usage
        self.telemetry.exchange_ended(
            ended.model,
            ended.ending,
            usage.prompt_tokens if usage else 0,
            usage.completion_tokens if usage else 0,
            ended.first_text,
            ended.total,
        )


async def _change_keys(log: Log, seconds: float) -> None:
    """Begin a new key epoch now and then; a disk that refuses is asked again in a minute."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(log.change_key)
        except UnavailableError as error:
            _log.warning("the log's key was not changed", reason=str(error))
            seconds = 60.0


def _gauges(engine: Engine, routes: Routes) -> dict[str, dict[str, float]]:
    """Figures of every model that has a route, by alias."""
    found: dict[str, dict[str, float]] = {}
    for route in routes.routes():
        gauges = engine.gauges(route.version)
        if gauges is None:
            continue
        worker = {} if gauges.worker is None else msgspec.structs.asdict(gauges.worker)
        supervisor = {name: getattr(gauges, name) for name in _SUPERVISOR_GAUGES}
        found[route.alias] = {**worker, **supervisor}
    return found


_SUPERVISOR_GAUGES = ("held", "restarts", "resumed", "poisoned", "hung")
