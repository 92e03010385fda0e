"""A crew of workers in which whoever goes is replaced, as by systemd or Kubernetes."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.ground import Field
from tests.chaos.proxy import Fault, Proxy
from tests.chaos.workers import WorkerProcess

PATIENCE_SECONDS = 3.0


@dataclass(eq=False)
class Place:
    """One place in the crew: its worker of the moment, and the proxy that all its workers go through."""

    number: int
    name: str = ""
    """Of its worker of the moment."""
    worker: WorkerProcess | None = None
    proxy: Proxy | None = None
    replies_to_lose: list[str] = field(default_factory=list)
    replies_lost: int = 0
    expected: set[int] = field(default_factory=set)
    """Workers that were told to end, or killed."""

    def plan(self, at: int, name: str) -> Fault | None:
        """Lose the reply to a request that was marked for it."""
        if name not in self.replies_to_lose:
            return None
        self.replies_to_lose.remove(name)
        self.replies_lost += 1
        return Fault.CUT_AFTER

    @property
    def ready(self) -> bool:
        """Say whether its worker has begun to work, and was not told to end."""
        return self.worker is not None and self.worker.working and self.worker.pid not in self.expected

    def signal(self, number: int) -> None:
        """Send its worker a signal; one that ends it is expected to."""
        assert self.worker is not None
        if number in (signal.SIGKILL, signal.SIGTERM):
            self.expected.add(self.worker.pid)
        self.worker.send(number)


class Crew:
    """Keeps every place filled until it is dismissed."""

    def __init__(self, on: Field, chance: random.Random, **settings: Any) -> None:
        self._field = on
        self._chance = chance
        self._settings = settings
        self._dismissed = False
        self._keepers: list[asyncio.Task[None]] = []
        self.places: list[Place] = []
        self.exits: list[str] = []
        """Workers that went by themselves, or not as they should have when told to."""
        self.started = 0
        self.met_busy = 0
        """How often somebody had something in hand when a fault came for them."""

    async def enlist(self, many: int) -> None:
        """Fill places and keep them filled."""
        for number in range(many):
            place = Place(number)
            place.proxy = Proxy(self._field.ground.server.port, self._field.names, place.plan)
            await place.proxy.start()
            self.places.append(place)
            self._keepers.append(asyncio.create_task(self._keep(place)))
        async with asyncio.timeout(20):
            while not all(place.ready for place in self.places):
                self._look_at_keepers()
                await asyncio.sleep(0.02)

    async def somebody(self) -> Place:
        """Return a place whose worker has something in hand, or after a while one that is at least there."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            self._look_at_keepers()
            owners = await self._field.owners()
            ready = [place for place in self.places if place.ready]
            busy = [place for place in ready if place.name in owners]
            if busy or (ready and time.monotonic() > ends):
                self.met_busy += bool(busy)
                return self._chance.choice(busy or ready)
            await asyncio.sleep(0.02)

    def _look_at_keepers(self) -> None:
        """Raise what broke the keeping of a place."""
        for keeper in self._keepers:
            if keeper.done():
                keeper.result()

    async def dismiss(self) -> None:
        """Drain everybody."""
        self._dismissed = True
        for place in self.places:
            if place.worker is not None:
                await place.worker.begun()
                place.signal(signal.SIGCONT)
                place.signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            await asyncio.gather(*self._keepers)
        for place in self.places:
            assert place.proxy is not None
            await place.proxy.stop()

    async def abandon(self) -> None:
        """Kill whoever is left; for the end of a run that failed."""
        self._dismissed = True
        for keeper in self._keepers:
            keeper.cancel()
        for place in self.places:
            if place.worker is not None:
                await place.worker.kill()
            if place.proxy is not None:
                with contextlib.suppress(AssertionError):
                    await place.proxy.stop()

    async def _keep(self, place: Place) -> None:
        assert place.proxy is not None
        while not self._dismissed:
            self.started += 1
            name = f"w{place.number}-{self.started}"
            place.worker = await self._field.start_worker(name, place.proxy.port, **self._settings)
            place.name = name
            code = await asyncio.shield(place.worker.ended)
            expected = (0, -signal.SIGKILL) if place.worker.pid in place.expected else ()
            if code not in expected:
                self.exits.append(f"{name} ended with {code}, see {place.worker.log}")


@asynccontextmanager
async def crew_of(on: Field, many: int, chance: random.Random | None = None, **settings: Any) -> AsyncIterator[Crew]:
    """Enlist a crew for a while; it is drained at the end."""
    crew = Crew(on, chance or random.Random(0), **settings)
    try:
        await crew.enlist(many)
        yield crew
        await crew.dismiss()
    except BaseException:
        await crew.abandon()
        raise
