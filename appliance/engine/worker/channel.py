"""The worker's end of the channel: blocking when idle, never while there is work.

Contract: `receive(wait=True)` blocks for the first bytes; `receive(wait=False)` is one system call
that takes what is there. Both raise `ChannelClosedError` when the gateway is gone, and `WireError`
if it babbles; either ends the worker. `send` blocks until the gateway has taken the frame.
"""

import socket

from appliance.engine.wire import FromWorker, ToWorker, encode, reader_for_worker

_RECEIVE_BYTES = 256 << 10


class ChannelClosedError(Exception):
    """The gateway has closed its end or is dead."""


class Channel:
    """Messages over an inherited stream socket."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._reader = reader_for_worker()

    def receive(self, *, wait: bool) -> list[ToWorker]:
        """Messages that have come; with `wait`, at least some bytes were awaited."""
        try:
            data = self._socket.recv(_RECEIVE_BYTES, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except OSError as error:
            raise ChannelClosedError from error
        if not data:
            raise ChannelClosedError
        return self._reader.feed(data)

    def send(self, message: FromWorker) -> None:
        """Hand a message to the gateway."""
        try:
            self._socket.sendall(encode(message))
        except OSError as error:
            raise ChannelClosedError from error
