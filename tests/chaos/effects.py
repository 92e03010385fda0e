"""A target of remedies that counts what is done to it, and may strike while it is done."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import cast
from urllib.parse import unquote


class EffectFault(StrEnum):
    """What happens at the effect."""

    KILL_BEFORE = "effect_kill_before"
    """The order arrives, the worker is killed, nothing is done."""
    KILL_AFTER = "effect_kill_after"
    """It is done; the worker is killed before it hears of it."""
    CUT_AFTER = "effect_cut_after"
    """It is done; the answer is lost."""
    STOP_AFTER = "effect_stop_after"
    """It is done; the worker stands still for longer than the lease before it hears of it."""
    STOP_BEFORE = "effect_stop_before"
    """The worker stands still between the order and its being done."""


Strike = Callable[[EffectFault], Awaitable[None]]


class Effects:
    """Answers `POST /effect/EVENT/STEP` by doing it, and `GET /check/EVENT` with whether it helped."""

    def __init__(self) -> None:
        self._seconds: Callable[[], float] = lambda: 0.0
        self._server: asyncio.Server | None = None
        self._faults: dict[str, tuple[EffectFault, Strike]] = {}
        self._looks: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        """`EVENT/STEP` to how often it was done."""
        self.keys: dict[str, set[str]] = {}
        """`EVENT/STEP` to the idempotency keys it was ordered with."""
        self.looks_needed = 2
        self._serving: set[asyncio.Task[None]] = set()
        self.under_way: set[str] = set()
        self.struck: set[str] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and drop what is under way."""
        assert self._server is not None
        self._server.close()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving)

    def take(self, seconds: Callable[[], float]) -> None:
        """Take so long for each effect."""
        self._seconds = seconds

    def strike_at(self, event_id: str, fault: EffectFault, strike: Strike) -> None:
        """Strike once, at the first effect of an event."""
        self._faults[event_id] = (fault, strike)

    def of(self, event_id: str) -> dict[str, int]:
        """Return the steps that were done for an event, and how often each."""
        return {key.partition("/")[2]: n for key, n in self.done.items() if key.startswith(f"{event_id}/")}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._serving.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            status = await self._answer(unquote(head[0].split()[1]), head[1:])
            if status is not None:
                writer.write(b"HTTP/1.1 %d x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever asked was killed
        except asyncio.CancelledError:
            return  # the target itself stops
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, path: str, headers: list[str]) -> int | None:
        _, what, rest = path.split("/", 2)
        if what == "check":
            self._looks[rest] += 1
            return 200 if self._looks[rest] >= self.looks_needed else 503
        event_id = rest.partition("/")[0]
        fault, strike = self._faults.pop(event_id, (None, None))
        if fault is not None:
            self.struck.add(event_id)
        if fault in (EffectFault.KILL_BEFORE, EffectFault.STOP_BEFORE):
            assert fault is not None and strike is not None
            await strike(fault)
            if fault is EffectFault.KILL_BEFORE:
                return None
        self.under_way.add(event_id)
        try:
            await asyncio.sleep(self._seconds())
        finally:
            self.under_way.discard(event_id)
        self.done[rest] += 1
        keys = [line.partition(":")[2].strip() for line in headers if line.lower().startswith("idempotency-key")]
        self.keys.setdefault(rest, set()).update(keys)
        if fault in (EffectFault.KILL_AFTER, EffectFault.CUT_AFTER, EffectFault.STOP_AFTER):
            assert fault is not None and strike is not None
            await strike(fault)
            return None if fault is not EffectFault.STOP_AFTER else 200
        return 200


def some_seconds(chance: random.Random, longest: float) -> Callable[[], float]:
    """Return a duration that is different each time."""
    return lambda: chance.uniform(0.0, longest)
