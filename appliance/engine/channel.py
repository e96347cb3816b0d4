"""The gateway's end of a worker's channel.

Contract: `Channel.open` makes a socket pair and gives the worker's end to its opener. Messages
that come in are handed to `on_message` in order, as soon as their bytes are there. When the worker
is gone or sends what is not of the vocabulary, `on_lost` is called once and nothing after it.
Nothing here waits: what is sent is buffered, and a worker always reads between two steps.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from appliance.engine.wire import FromWorker, ToWorker, WireError, encode, reader_for_gateway

_SOCKET_BUFFER_BYTES = 1 << 20


class Channel(asyncio.Protocol):
    """Messages to and from one worker."""

    def __init__(
        self, on_message: Callable[[FromWorker], None], on_lost: Callable[[str], None]
    ) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._reader = reader_for_gateway()
        self._transport: asyncio.WriteTransport | None = None
        self._lost = False

    @classmethod
    async def open(
        cls, on_message: Callable[[FromWorker], None], on_lost: Callable[[str], None]
    ) -> tuple["Channel", socket.socket]:
        """The channel, and the worker's end of it, which the caller closes after handing it on."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_BYTES)
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_unix_connection(lambda: cls(on_message, on_lost), sock=ours)
        return channel, theirs

    def send(self, message: ToWorker) -> None:
        """Send; a message to a worker that is gone goes nowhere, `on_lost` tells."""
        if self._transport is not None and not self._lost:
            self._transport.write(encode(message))

    def close(self) -> None:
        """Close without a call to `on_lost`."""
        self._lost = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        # uvloop's transports are write transports without saying so.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        try:
            for message in self._reader.feed(data):
                if not self._lost:
                    self._on_message(message)
        except WireError as error:
            self._lose(f"it sent {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self._lose("its channel closed")

    def _lose(self, reason: str) -> None:
        if not self._lost:
            self.close()
            self._on_lost(reason)
