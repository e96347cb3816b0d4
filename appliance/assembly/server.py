"""Puts a box on its sockets and keeps it there until it is told to stop.

Two listeners, two applications: the network's, and the box's own Unix socket for the commands of
the system account that runs it. SIGTERM and SIGINT stop both: no new requests, running ones end,
then the rooms close in order.
"""

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from appliance import local_socket
from appliance.access.principal import Principal, Role, Via
from appliance.api import app
from appliance.assembly.box import Box
from appliance.errors import ConfigurationError, SealedError
from appliance.settings import Layout, ServerSettings, Settings
from appliance.telemetry import logger

_log = logger("server")

OWNER = Principal(id=f"uid-{os.getuid()}", name="owner", role=Role.OWNER, via=Via.COMMAND)


async def serve(settings: Settings, layout: Layout, announce: Callable[[], None]) -> None:
    """Run until a signal comes. `announce` is called once the box listens and its models answer.

    A box that cannot be unsealed listens sealed: it answers 503 until it is.

    Raises:
        ConfigurationError: the address or the certificate cannot be used.
        UnavailableError: another process uses this box.
        IntegrityError: something stored is not as it was left.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Connections must not use up the descriptors that a worker's replacement needs.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    box = Box(settings, layout)
    server = settings.server
    local_listener = local_socket.listen(layout.socket)
    listener = _listen(server)
    try:
        try:
            await box.unseal()
        except SealedError as error:
            _log.warning("the box is sealed", reason=str(error))
        application = app.build(box, server)
        public = _PublicServer(_config(application, server, layout), announce)
        local_application = app.build_local(box, server, OWNER)
        local = _LocalServer(_config(local_application, server, None))
        local_task = asyncio.create_task(local.serve(sockets=[local_listener]))
        try:
            await public.serve(sockets=[listener])
        finally:
            local.should_exit = True
            await local_task
    finally:
        await box.seal()
        layout.socket.unlink(missing_ok=True)


class _LocalServer(uvicorn.Server):
    """The second server of a process: it leaves the signals to the first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


class _PublicServer(uvicorn.Server):
    """The server of the network's socket; says when it listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal and go on behind `serve`.

        uvicorn would raise the signal again after its own shutdown, which ends the process before
        the rooms are closed.
        """
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then announce it."""
        await super().startup(sockets)
        self._announce()


def _config(application: object, server: ServerSettings, layout: Layout | None) -> uvicorn.Config:
    tls = layout is not None and server.tls_certificate
    return uvicorn.Config(
        application,  # type: ignore[arg-type] # Litestar's scope types are stricter than uvicorn's
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=server.max_connections,
        timeout_graceful_shutdown=round(server.shutdown_seconds),
        ssl_certfile=layout.path(server.tls_certificate) if layout and tls else None,
        ssl_keyfile=layout.path(server.tls_key) if layout and tls else None,
    )


def _listen(server: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((server.host, server.port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {server.host}:{server.port} ({error.strerror}); choose another "
            "port with --port"
        ) from None
    return listener
