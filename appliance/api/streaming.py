"""Answers an exchange over HTTP: whole, or as server-sent events.

The response starts once the exchange is admitted, so that a refusal still has its own status code.
While it runs, a watcher waits for the client to go away; then the exchange is abandoned, ends, and
is logged by the gateway: nothing that must happen lives here.
"""

import asyncio
from typing import Protocol

import msgspec
from litestar.response.base import ASGIResponse
from litestar.types import Message, Receive, Scope, Send

from appliance.api.openai.errors import body_of
from appliance.api.refusals import STATUS, headers_of
from appliance.errors import Refusal
from appliance.gateway.exchange import Exchange
from appliance.generation.outcome import Finished, FinishReason, Usage


class AnswerFormat(Protocol):
    """Writes an answer in one wire format."""

    def whole(self, text: str, reason: FinishReason, usage: Usage) -> bytes:
        """Write the body of a request that was not streamed."""

    def opening(self) -> bytes:
        """Write what precedes the text."""

    def text(self, text: str) -> bytes:
        """Write a chunk of text."""

    def closing(self, reason: FinishReason, usage: Usage | None) -> bytes:
        """Write the end of the stream, with counts if they were asked for."""


class ExchangeResponse(ASGIResponse):
    """Reads one exchange and writes it to the client."""

    def __init__(
        self,
        exchange: Exchange,
        answer: AnswerFormat,
        *,
        stream: bool,
        include_usage: bool,
        slow_reader_seconds: float,
    ) -> None:
        super().__init__()
        self._exchange = exchange
        self._answer = answer
        self._stream = stream
        self._include_usage = include_usage
        self._slow_reader_seconds = slow_reader_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer (ASGI)."""
        watcher = asyncio.create_task(self._abandon_when_gone(receive))
        send = self._impatient(send)
        try:
            refusal = await self._exchange.admitted()
            if refusal is not None:
                await self._send_refusal(send, refusal)
            elif self._stream:
                await self._send_stream(send)
            else:
                await self._send_whole(send)
        except BaseException:
            self._exchange.abandon()
            raise
        finally:
            watcher.cancel()

    def _impatient(self, send: Send) -> Send:
        """Give up on a client that takes nothing: its connection must not be held for ever."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._slow_reader_seconds):
                await send(message)

        return send_in_time

    async def _abandon_when_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._exchange.abandon()

    async def _send_stream(self, send: Send) -> None:
        await self._start(
            send, 200, b"text/event-stream; charset=utf-8", {"cache-control": "no-store"}
        )
        text_frame = self._answer.text
        pending = self._answer.opening()
        async for pieces in self._exchange.pieces():
            body = pending + b"".join([text_frame(piece) for piece in pieces])
            pending = b""
            await send({"type": "http.response.body", "body": body, "more_body": True})
        ending = self._exchange.ending
        if isinstance(ending, Finished):
            usage = ending.usage if self._include_usage else None
            pending += self._answer.closing(ending.reason, usage)
        else:
            # After a 200 there is no status left: SDKs raise on an `error` object in the stream,
            # and the missing [DONE] tells everybody else that the answer is not whole.
            pending += b"data: " + msgspec.json.encode(body_of(ending)) + b"\n\n"
        await send({"type": "http.response.body", "body": pending, "more_body": False})

    async def _send_whole(self, send: Send) -> None:
        text: list[str] = []
        async for pieces in self._exchange.pieces():
            text += pieces
        ending = self._exchange.ending
        if isinstance(ending, Refusal):
            await self._send_refusal(send, ending)
            return
        body = self._answer.whole("".join(text), ending.reason, ending.usage)
        await self._start(send, 200, b"application/json", {"content-length": str(len(body))})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _send_refusal(self, send: Send, refusal: Refusal) -> None:
        body = msgspec.json.encode(body_of(refusal))
        headers = {"content-length": str(len(body)), **headers_of(refusal)}
        await self._start(send, STATUS[refusal.code], b"application/json", headers)
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _start(
        self, send: Send, status: int, media_type: bytes, headers: dict[str, str]
    ) -> None:
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", media_type),
                    (b"x-request-id", self._exchange.id.encode()),
                    *encoded,
                ],
            }
        )
