"""How a worker asks for work: ahead of time, never for more than it may have in hand, one suspect at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from agentic.contracts import Incident
from agentic.intake import Limits as IntakeLimits
from agentic.records import write_record
from agentic.types import HistoryRecord, RecordStatus
from agentic_worker.heartbeat import Heartbeat
from agentic_worker.wiring import read_payload
from agentic_worker.worker import Worker, WorkerLimits
from store import Claimed, Limits, Store
from store.lease import LeaseKeeper
from tests.store.test_queue import payload


class Core:
    """Notes what it is given, and gives an answer when it may."""

    def __init__(self, story: list[str]) -> None:
        self.story = story
        self.may = asyncio.Event()
        self.in_hand = self.most_in_hand = 0

    async def handle(self, incident: Incident) -> HistoryRecord:
        self.story.append("begun")
        self.in_hand += 1
        self.most_in_hand = max(self.most_in_hand, self.in_hand)
        await self.may.wait()
        self.in_hand -= 1
        return write_record(incident, RecordStatus.ESCALATED, worker="w", reason="a test")


class Watched(Store):
    """The real store, telling what is asked of it."""

    story: list[str]
    suspects: list[int]
    slow_claims = False

    async def claim(self, worker: str, nonce: str, most: int, *, suspects: int = 1) -> list[Claimed]:
        self.story.append("asked")
        self.suspects.append(suspects)
        claimed = await super().claim(worker, nonce, most, suspects=suspects)
        if self.slow_claims:
            await asyncio.sleep(0.3)
        self.story.append(f"came {len(claimed)}")
        return claimed


@asynccontextmanager
async def working(url: str, prefix: str, concurrency: int) -> AsyncIterator[tuple[Worker, Core, Watched]]:
    store = Watched(url, prefix=prefix, limits=Limits(lease_seconds=20))
    store.story, store.suspects = [], []
    await store.open()
    core = Core(store.story)
    heartbeat = Heartbeat(LeaseKeeper(url, prefix, 20_000), "w", 20, lambda _: None)
    heartbeat.start()
    core_like: Any = core
    worker = Worker(
        "w", store, core_like, heartbeat,
        lambda raw, accepted: read_payload(raw, accepted, IntakeLimits(), None), WorkerLimits(concurrency=concurrency),
    )  # fmt: skip
    running = asyncio.create_task(worker.run())
    try:
        yield worker, core, store
    finally:
        core.may.set()
        worker.stop()
        await asyncio.wait_for(running, 15)
        heartbeat.stop()
        await store.close()


async def put(store: Store, count: int) -> None:
    await store.enqueue_many([(f"e{n}", payload(f"e{n}")) for n in range(count)])


async def until(true: Any) -> None:
    async with asyncio.timeout(15):
        while not true():
            await asyncio.sleep(0.01)


async def ended(store: Store) -> int:
    return len((await store.history(limit=200)).records)


async def test_the_next_claim_goes_out_before_the_work_on_this_one_begins(
    store: Store, store_url: str, prefix: str
) -> None:
    await put(store, 6)
    async with working(store_url, prefix, concurrency=6) as (_, core, watched):
        await until(lambda: core.in_hand == 6)
        assert watched.story[:3] == ["asked", "came 2", "asked"]
        assert watched.story.index("begun") > 2


async def test_what_is_in_hand_and_on_its_way_is_never_more_than_allowed(
    store: Store, store_url: str, prefix: str
) -> None:
    await put(store, 40)
    async with working(store_url, prefix, concurrency=7) as (_, core, _):
        await until(lambda: core.in_hand == 7)
        await asyncio.sleep(0.2)
        assert (await store.status())["in_flight"] == 7
        core.may.set()
        async with asyncio.timeout(15):
            while await ended(store) < 40:
                await asyncio.sleep(0.02)
        assert core.most_in_hand == 7


async def lost_by_two(store_url: str, prefix: str, count: int) -> None:
    """Be two workers that took everything in hand and died."""
    brief = Store(store_url, prefix=prefix, limits=Limits(lease_seconds=0.05))
    await brief.open()
    for name in ("x", "y"):
        taken: Sequence[Claimed] = await brief.claim(name, f"{name}-1", count, suspects=count)
        assert len(taken) == count
        await asyncio.sleep(0.1)
    await brief.close()


async def test_a_suspect_that_has_just_come_counts_for_the_claim_after_it(
    store: Store, store_url: str, prefix: str
) -> None:
    await put(store, 3)
    await lost_by_two(store_url, prefix, 3)
    async with working(store_url, prefix, concurrency=9) as (_, core, watched):
        await until(lambda: core.in_hand == 1)
        await asyncio.sleep(0.3)
        assert core.in_hand == 1
        assert watched.suspects[:2] == [1, 0]
        core.may.set()
        async with asyncio.timeout(15):
            while await ended(store) < 3:
                await asyncio.sleep(0.02)


async def test_what_a_claim_brings_after_the_word_to_stop_is_finished_too(
    store: Store, store_url: str, prefix: str
) -> None:
    await put(store, 4)
    async with working(store_url, prefix, concurrency=6) as (worker, core, watched):
        watched.slow_claims = True
        core.may.set()
        await until(lambda: watched.story.count("asked") == 2)
        worker.stop()
    assert await ended(store) == 4
    assert (await store.status())["in_flight"] == 0
