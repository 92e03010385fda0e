"""A model server that does what a test tells it, over real HTTP on a real socket, byte by byte where needed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Behaviour = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request and the connection to answer it on."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    writer: asyncio.StreamWriter

    async def send(self, data: bytes | str) -> None:
        self.writer.write(data if isinstance(data, bytes) else data.encode())
        await self.writer.drain()

    async def head(self, status: int = 200, content_type: str = "application/json", **extra: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {content_type}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in extra.items()]
        await self.send("\r\n".join(lines) + "\r\n\r\n")

    async def event(self, payload: Any) -> None:
        await self.send(f"data: {payload if isinstance(payload, str) else json.dumps(payload)}\n\n")


@dataclass
class ScriptedServer:
    """Answers questions with the behaviours given to `say`, in order; the last one stays."""

    lists: dict[str, tuple[int, Any]] = field(default_factory=dict)
    requests: list[Exchange] = field(default_factory=list)
    hung_up: int = 0
    in_hand: int = 0
    most_in_hand: int = 0
    port: int = 0
    _behaviours: list[Behaviour] = field(default_factory=list)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def questions(self) -> list[dict[str, Any]]:
        return [request.body for request in self.requests if request.method == "POST"]

    def say(self, *behaviours: Behaviour) -> None:
        self._behaviours = list(behaviours)

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._open:
                writer.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behaviour: asyncio.Future[None] | None = None
        self._open.add(writer)
        try:
            exchange = await _read(reader, writer)
            self.requests.append(exchange)
            behaviour = asyncio.ensure_future(self._behave(exchange))
            gone = asyncio.ensure_future(reader.read())
            await asyncio.wait({behaviour, gone}, return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            if not behaviour.done():
                self.hung_up += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if behaviour is not None:
                behaviour.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await behaviour
            self._open.discard(writer)
            writer.close()

    async def _behave(self, exchange: Exchange) -> None:
        if exchange.method == "GET":
            status, payload = self.lists.get(exchange.path, (404, {"error": "not found"}))
            await document(payload, status)(exchange)
            return
        self.in_hand += 1
        self.most_in_hand = max(self.most_in_hand, self.in_hand)
        try:
            now = self._behaviours[0]
            if len(self._behaviours) > 1:
                self._behaviours.pop(0)
            await now(exchange)
        finally:
            self.in_hand -= 1


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *rest = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Exchange(method, path, headers, json.loads(body) if body else None, writer)


# What can be said, from good to bad.


def chunk(content: str | None = None, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    delta = {**({"content": content} if content is not None else {}), **delta}
    return {"model": "llama-3-8b", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def streamed(
    text: str,
    *,
    usage: dict[str, int] | None = None,
    finish: str | None = "stop",
    thoughts: str = "",
    done: bool = True,
) -> Behaviour:
    """The text in pieces of a few characters, as servers send it."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream")
        await exchange.event(chunk(role="assistant", content=""))
        for start in range(0, len(thoughts), 7):
            await exchange.event(chunk(reasoning_content=thoughts[start : start + 7]))
        for start in range(0, len(text), 7):
            await exchange.event(chunk(text[start : start + 7]))
        if finish:
            await exchange.event(chunk(finish=finish))
        if usage:
            await exchange.event({"model": "llama-3-8b", "choices": [], "usage": usage})
        if done:
            await exchange.event("[DONE]")

    return behave


def document(payload: Any, status: int = 200, **headers: str) -> Behaviour:
    """One JSON document."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head(status, **headers)
        await exchange.send(json.dumps(payload))

    return behave


def whole(text: str | None, finish: str = "stop", **message: Any) -> Behaviour:
    """A chat completion in one piece, from a server that ignores `stream`."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    return document({"model": "llama-3-8b", "choices": [choice], "usage": {"prompt_tokens": 0}})


def refused(message: str, status: int = 400, *, as_object: bool = False, **more: Any) -> Behaviour:
    """An error in one of its two shapes."""
    return document({"error": {"message": message, **more} if as_object else message}, status)


def page(status: int = 200) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.head(status, content_type="text/html")
        await exchange.send("<!doctype html><title>Router login</title>")

    return behave


def redirect(to: str) -> Behaviour:
    return document({}, 307, Location=to)


def raw(data: bytes) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.send(data)

    return behave


def error_event(payload: Any, after: str = "") -> Behaviour:
    """A stream that turns into an error."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream")
        if after:
            await exchange.event(chunk(after))
        await exchange.send("event: error\n")
        await exchange.event({"error": payload})

    return behave


def silent() -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await asyncio.sleep(60)

    return behave


def stalls(after: str) -> Behaviour:
    """Some words, then nothing, with the connection kept alive."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream")
        await exchange.event(chunk(after))
        while True:
            await asyncio.sleep(0.02)
            await exchange.send(": ping\n\n")

    return behave


def drips(seconds: float) -> Behaviour:
    """A good answer, one byte at a time."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream")
        for byte in f"data: {json.dumps(chunk('{}'))}\n\n".encode():
            await exchange.send(bytes([byte]))
            await asyncio.sleep(seconds)

    return behave


def endless(piece: str, pause_seconds: float = 0.0) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream")
        while True:
            await exchange.event(chunk(piece))
            await asyncio.sleep(pause_seconds)

    return behave


def resets(after: str = "") -> Behaviour:
    """Some words, then a reset connection."""

    async def behave(exchange: Exchange) -> None:
        if after:
            await exchange.head(content_type="text/event-stream")
            await exchange.event(chunk(after))
            await asyncio.sleep(0.02)
        exchange.writer.transport.abort()

    return behave
