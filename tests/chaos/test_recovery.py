"""How soon work goes on, and what one bad event can do to the others: nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import redis.asyncio as redis

from store import Enqueued
from tests.chaos.crew import crew_of
from tests.chaos.figures import seconds_after_the_store, takeover_seconds
from tests.chaos.ground import KINDS, LEASE_SECONDS, Field, Ground

POISON = """\
import os, signal
from agentic.contracts import ReasoningModule

class Poison(ReasoningModule):
    def decide(self, situation):
        if situation.event.job_id == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
"""
NEIGHBOURS = 30
MANY = 1000


async def test_after_kill_9_an_event_goes_on_within_its_lease_and_a_second(ground: Ground) -> None:
    assert (await takeover_seconds(ground, 5))[-1] <= LEASE_SECONDS + 1.0


async def test_after_the_store_returns_the_first_claim_comes_within_two_seconds(ground: Ground) -> None:
    assert (await seconds_after_the_store(ground, 3))[-1] <= 2.0


async def test_a_thousand_unusable_payloads_end_no_worker_and_cost_no_good_event(ground: Ground) -> None:
    async with ground.field() as place:
        client = redis.Redis.from_url(ground.server.url)
        garbage = [_garbage(number) for number in range(MANY)]
        good = [b'{"job_id": "healthy", "status": "succeeded", "event_id": "good-%d"}' % n for n in range(MANY)]
        async with client.pipeline(transaction=False) as pipeline:
            for pair in zip(garbage, good, strict=True):
                pipeline.rpush(place.keys.single("events"), *pair)
            await pipeline.execute()
        await client.aclose()
        async with crew_of(place, 2, worker={"concurrency": 64}) as crew:
            await _until_nothing_is_left(place, 60)
        assert crew.exits == []
        assert crew.started == 2
        assert await place.dead() == MANY
        records = await place.records()
        assert len(records) == MANY
        assert {record["event_id"] for record in records} == {f"good-{number}" for number in range(MANY)}
        assert {record["status"] for record in records} == {"ignored"}


def _garbage(number: int) -> bytes:
    """Return something that is no event, in one of many ways."""
    ways: list[bytes] = [
        b"nonsense %d" % number,
        b'{"event_id": "bad-%d", "status": "sleepy", "job_id": "x"}' % number,
        b'{"event_id": "bad-%d", "status": "failed"}' % number,
        b"\xff\xfe%d" % number,
        b"[%d]" % number,
        b'{"event_id": "bad-%d", "status": "failed", "job_id":' % number,
        b"%d" % number,
        b'"%d"' % number,
        b"{}" if number % 2 else b"",
        b"null",
        b'{"event_id": {"a": %d}, "status": "failed", "job_id": "x", "log": {}}' % number,
        b"[" * 200 + b"%d" % number,
    ]
    return ways[number % len(ways)]


async def test_point_20_an_event_that_kills_every_worker_ends_dead_and_its_neighbours_well(ground: Ground) -> None:
    (ground.folder / "poisonous.py").write_text(POISON)
    settings: dict[str, Any] = {
        "queue": {"max_deliveries": 3},
        "reasoning": [{"use": "poisonous:Poison"}, {"use": "precedent"}, {"use": "rules"}],
    }
    poison = KINDS["once"].__class__("poison", "dead", fields=KINDS["once"].fields)
    async with ground.field() as place:
        ids = [f"{place.prefix}.{number}" for number in range(NEIGHBOURS)]
        for number, event_id in enumerate(ids):
            if number == NEIGHBOURS // 2:
                await place.report(poison, "poison")
            await place.report(KINDS["once"], event_id)
        async with crew_of(place, 2, **settings) as crew:
            await _until_nothing_is_left(place, 40)
        records = {record["event_id"]: record for record in await place.records()}
        assert len(records) == NEIGHBOURS + 1
        assert records["poison"]["status"] == "dead"
        assert "none finished it" in records["poison"]["reason"]
        assert await place.dead() == 1
        assert len(crew.exits) == 3, "it killed as many workers as it may have deliveries"
        ends = {records[event_id]["status"] for event_id in ids}
        assert ends <= {"remediated", "unknown"}, "what was under way beside it may be unknown, never dead"
        assert all(sum(ground.effects.of(event_id).values()) <= 1 for event_id in ids)


async def test_a_dead_letter_is_brought_back_once_and_handled(ground: Ground) -> None:
    async with ground.field() as place:
        client = redis.Redis.from_url(ground.server.url)
        await client.rpush(place.keys.single("events"), b'{"event_id": "e1", "job_id": "once", "status": "sleepy"}')
        async with crew_of(place, 1):
            await _until_nothing_is_left(place, 20)
            assert await place.dead() == 1
            assert [await place.store.replay("e1"), await place.store.replay("e1")] == [True, False]
            await _until_nothing_is_left(place, 20)
        await client.aclose()
        assert await place.dead() == 1, "it is as unusable as before"
        assert await place.records() == []


async def _until_nothing_is_left(place: Field, within_seconds: float) -> None:
    async with asyncio.timeout(within_seconds):
        while await place.left_over():
            await asyncio.sleep(0.05)


async def test_a_full_queue_refuses_and_takes_again_when_there_is_room(ground: Ground) -> None:
    from dataclasses import replace

    async with ground.field() as place:
        place.store.limits = replace(place.store.limits, max_waiting=5)
        payloads = [(f"e{n}", b'{"event_id":"e%d","job_id":"healthy","status":"succeeded"}' % n) for n in range(8)]
        answers = await place.store.enqueue_many(payloads)
        assert answers == [Enqueued.QUEUED] * 5 + [Enqueued.FULL] * 3
        async with crew_of(place, 1):
            await _until_nothing_is_left(place, 20)
        assert await place.store.enqueue_many(payloads[4:6]) == [Enqueued.DUPLICATE, Enqueued.QUEUED]
