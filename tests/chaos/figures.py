"""How soon work goes on: after a worker's death, and after the store's."""

from __future__ import annotations

import asyncio
import random
import time

from tests.chaos.ground import KINDS, Field, Ground

EVENTS_IN_HAND = 4
ROUNDS_AT_ONCE = 4
EFFECT_SECONDS = 60.0
"""Nobody waits for it: the one who has begun it is killed, the successor does not repeat it."""
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 30.0


async def takeover_seconds(ground: Ground, rounds: int) -> list[float]:
    """Kill workers with events in hand; return, for each event, the time until another worker had it."""
    ground.effects.take(lambda: EFFECT_SECONDS)
    places = asyncio.Semaphore(ROUNDS_AT_ONCE)

    async def one() -> list[float]:
        async with places, ground.field() as place:
            return await _takeover(place)

    return sorted(seconds for some in await asyncio.gather(*(one() for _ in range(rounds))) for seconds in some)


async def _takeover(place: Field) -> list[float]:
    ids = [f"{place.prefix}.{number}" for number in range(EVENTS_IN_HAND)]
    victim = await place.start_worker("victim")
    for event_id in ids:
        await place.report(KINDS["once"], event_id)
    async with asyncio.timeout(20):
        while not all(event_id in place.ground.effects.under_way for event_id in ids):
            await asyncio.sleep(POLL_SECONDS)
    successor = await place.start_worker("successor")
    await successor.begun()
    killed_at = time.time()
    await victim.kill()
    in_hand = {event_id: (await place.incident(event_id)).get("owner") for event_id in ids}
    # On a machine that stands still for a second a lease ends without anybody's death; that is not what is measured.
    ids = [event_id for event_id in ids if in_hand[event_id] == "victim" and not await place.has_record(event_id)]
    taken = [await _claimed_at(place, event_id, "successor") - killed_at for event_id in ids]
    for event_id in ids:
        await place.record(event_id)
    await successor.drain()
    return taken


async def _claimed_at(place: Field, event_id: str, owner: str) -> float:
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        incident = await place.incident(event_id)
        if incident.get("owner") == owner:
            return int(incident["claimed_ms"]) / 1000
        assert time.monotonic() < ends, f"{owner} has not taken {event_id}: {incident}"
        await asyncio.sleep(POLL_SECONDS)


async def seconds_after_the_store(ground: Ground, rounds: int, seed: int = 0) -> list[float]:
    """Kill the store and bring it back; return the time from then until a waiting event was claimed."""
    ground.effects.take(lambda: 0.0)
    chance, found = random.Random(seed), []
    async with ground.field() as place:
        worker = await place.start_worker("w1")
        await worker.begun()
        for number in range(rounds):
            ground.server.kill()
            await asyncio.sleep(chance.uniform(0.1, 4.0))
            await asyncio.to_thread(ground.server.start)
            back, event_id = time.time(), f"{place.prefix}.{number}"
            await place.report(KINDS["once"], event_id)
            found.append(await _claimed_at(place, event_id, "w1") - back)
            await place.record(event_id)
        await worker.drain()
    return sorted(found)
