"""A TCP proxy between one worker and the store that strikes at a request of your choice."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from tests.chaos.resp import Request, Splitter, as_request


class Fault(StrEnum):
    """What happens at a request to the store."""

    KILL_BEFORE = "kill_before"
    """The worker is killed; the store never sees the request."""
    KILL_AFTER = "kill_after"
    """The store carries the request out; the worker is killed before it reads the reply."""
    CUT_BEFORE = "cut_before"
    """The connection is cut; the store never sees the request."""
    CUT_AFTER = "cut_after"
    """The store carries the request out; the connection is cut instead of the reply."""
    LATE = "late"
    """Everything of this worker is held back for longer than the lease, then delivered in order."""
    LATE_DEAD = "late_dead"
    """The worker is killed, and the request reaches the store after the lease is over."""
    STOP = "stop"
    """The store carries the request out; the process stands still for longer than the lease."""


KILLING = frozenset({Fault.KILL_BEFORE, Fault.KILL_AFTER, Fault.LATE_DEAD})
CUTTING = frozenset({Fault.CUT_BEFORE, Fault.CUT_AFTER})
NOT_WORK = frozenset({"beat", "blmove", "client", "zrem", "hdel"})
"""Requests that come by the clock, with a connection or at the very end, so that their number says nothing."""

Plan = Callable[[int, str], Fault | None]
Strike = Callable[[Fault], Awaitable[None]]


Hold = Callable[[], Awaitable[None]]


async def a_while() -> None:
    """Hold a request back for two seconds."""
    await asyncio.sleep(2.0)


async def nothing(fault: Fault) -> None:
    """Strike nobody."""


class Proxy:
    """Passes the requests of one worker on, one by one, and knows each by number and name."""

    def __init__(
        self, port: int, names: Mapping[bytes, str], plan: Plan, strike: Strike = nothing, hold: Hold = a_while
    ) -> None:
        self._upstream = port
        self._names = names
        self.plan = plan
        self.strike = strike
        self._hold_until = hold
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._lines: set[_Line] = set()
        self.port = 0
        self.seen: list[str] = []
        """Name of each request that counts, in order; `seen[n - 1]` is the n-th."""
        self.struck = asyncio.Event()
        self.over = asyncio.Event()
        """Set when a held request has been delivered too; nothing of the fault is to come any more."""

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Drop every connection and listen no more."""
        assert self._server is not None
        self._server.close()
        self.reset()
        while self._lines:
            await asyncio.sleep(0.01)

    def reset(self) -> None:
        """Cut every connection of the worker at once."""
        for line in list(self._lines):
            line.cut()

    def name_of(self, request: Request) -> str:
        """Return the script's name, or else the command in small letters."""
        command = request.words[0].lower()
        if command == b"evalsha":
            return self._names.get(request.words[1], "evalsha")
        return command.decode()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(self, reader, writer, *upstream)
        self._lines.add(line)
        try:
            await line.run()
        finally:
            self._lines.discard(line)

    async def on_request(self, line: _Line, request: Request) -> None:
        """Pass a request on, or strike at it."""
        await self._flowing.wait()
        name = self.name_of(request)
        fault = None
        if name not in NOT_WORK:
            self.seen.append(name)
            fault = self.plan(len(self.seen), name)
        if fault is None:
            line.forward(request)
        elif fault in (Fault.KILL_BEFORE, Fault.CUT_BEFORE):
            await self.hit(fault)
            line.cut()
        elif fault in (Fault.LATE, Fault.LATE_DEAD):
            await self._hold(line, request, fault)
        else:
            line.forward(request, fault)

    async def _hold(self, line: _Line, request: Request, fault: Fault) -> None:
        self._flowing.clear()
        await self.hit(fault, last=False)
        await self._hold_until()
        line.forward(request)
        self._flowing.set()
        self.over.set()

    async def hit(self, fault: Fault, *, last: bool = True) -> None:
        """Strike."""
        self.struck.set()
        await self.strike(fault)
        if last:
            self.over.set()


class _Line:
    """One connection of the worker and the one to the store that goes with it."""

    def __init__(
        self,
        proxy: Proxy,
        from_worker: asyncio.StreamReader,
        to_worker: asyncio.StreamWriter,
        from_store: asyncio.StreamReader,
        to_store: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._from_worker, self._to_worker = from_worker, to_worker
        self._from_store, self._to_store = from_store, to_store
        self._fates: deque[Fault | None] = deque()
        self._doomed = False

    async def run(self) -> None:
        """Pass bytes both ways until either side is gone."""
        replies = asyncio.create_task(self._replies())
        try:
            with contextlib.suppress(OSError):
                await self._requests()
            with contextlib.suppress(OSError):
                if not self._to_store.is_closing():
                    self._to_store.write_eof()
            with contextlib.suppress(OSError):
                await replies
        finally:
            replies.cancel()
            self.cut()

    def forward(self, request: Request, fate: Fault | None = None) -> None:
        """Send a request to the store; its fate is met when the reply comes."""
        self._fates.append(fate)
        self._doomed = self._doomed or fate in (Fault.KILL_AFTER, Fault.CUT_AFTER)
        if not self._to_store.is_closing():
            self._to_store.write(request.raw)

    def cut(self) -> None:
        """End both connections at once, as a reset."""
        self._doomed = True
        self._to_worker.transport.abort()
        self._to_store.transport.abort()

    async def _requests(self) -> None:
        splitter = Splitter()
        while data := await self._from_worker.read(65536):
            for raw in splitter.feed(data):
                if self._doomed:
                    return
                await self._proxy.on_request(self, as_request(raw))

    async def _replies(self) -> None:
        splitter = Splitter()
        while data := await self._from_store.read(65536):
            for reply in splitter.feed(data):
                fate = self._fates.popleft()
                if fate in (Fault.KILL_AFTER, Fault.CUT_AFTER):
                    await self._proxy.hit(fate)
                    self.cut()
                    return
                if fate is Fault.STOP:
                    await self._proxy.hit(fate)
                if not self._to_worker.is_closing():
                    self._to_worker.write(reply)
        self.cut()
