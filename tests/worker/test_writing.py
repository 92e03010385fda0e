"""How what was handled gets into history: together, none at the cost of another, and given back when it cannot."""

from __future__ import annotations

import asyncio
import json
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
from store import Ending, Limits, Store
from store.lease import LeaseKeeper
from tests.store.test_queue import payload

UNWRITABLE = "half a character: \ud800"


class Core:
    """Answers at once; what it says of some events no JSON can hold."""

    def __init__(self, unwritable: Sequence[str] = ()) -> None:
        self.unwritable = set(unwritable)
        self.made: list[HistoryRecord] = []

    async def handle(self, incident: Incident) -> HistoryRecord:
        reason = UNWRITABLE if incident.event.event_id in self.unwritable else "a test"
        self.made.append(write_record(incident, RecordStatus.ESCALATED, worker="w", reason=reason))
        return self.made[-1]


class Watched(Store):
    """The real store, noting how many records came together; it can be made to keep silent."""

    silent = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.together: list[int] = []

    async def finish_many(self, endings: Sequence[Ending]) -> list[bool]:
        self.together.append(len(endings))
        if self.silent:
            await asyncio.Event().wait()
        return await super().finish_many(endings)


@asynccontextmanager
async def working(url: str, prefix: str, core: Any, *, silent: bool = False) -> AsyncIterator[Watched]:
    store = Watched(url, prefix=prefix, limits=Limits(lease_seconds=20))
    store.silent = silent
    await store.open()
    heartbeat = Heartbeat(LeaseKeeper(url, prefix, 20_000), "w", 20, lambda _: None)
    heartbeat.start()
    worker = Worker(
        "w", store, core, heartbeat,
        lambda raw, accepted: read_payload(raw, accepted, IntakeLimits(), None),
        WorkerLimits(concurrency=12, drain_seconds=0.3),
    )  # fmt: skip
    running = asyncio.create_task(worker.run())
    try:
        yield store
    finally:
        worker.stop()
        await asyncio.wait_for(running, 15)
        heartbeat.stop()
        await store.close()


async def put(store: Store, count: int) -> dict[str, bytes]:
    payloads = {f"e{n}": payload(f"e{n}") for n in range(count)}
    await store.enqueue_many(list(payloads.items()))
    return payloads


async def records(store: Store, count: int) -> dict[str, dict[str, Any]]:
    """Wait for so many records; returns them by their events."""
    async with asyncio.timeout(15):
        while len(found := (await store.history(limit=200)).records) < count:
            await asyncio.sleep(0.02)
    assert len(found) == count
    return {record["event_id"]: record for record in found}


async def test_what_was_handled_together_is_written_together_each_with_its_own_event(
    store: Store, store_url: str, prefix: str
) -> None:
    payloads = await put(store, 8)
    async with working(store_url, prefix, Core()) as watched:
        found = await records(store, 8)
    assert {event_id: record["event"] for event_id, record in found.items()} == {
        event_id: json.loads(raw) for event_id, raw in payloads.items()
    }
    assert watched.together == [4, 4]
    assert (await store.status())["in_flight"] == 0


async def test_a_record_of_parts_is_the_record_that_is_read_back(store: Store, store_url: str, prefix: str) -> None:
    await put(store, 1)
    core = Core()
    async with working(store_url, prefix, core):
        found = await records(store, 1)
    [made] = core.made
    assert made.model_fields_set == set(HistoryRecord.model_fields)
    assert HistoryRecord.model_validate(found["e0"]) == made


async def test_a_record_that_cannot_be_written_takes_no_other_with_it(
    store: Store, store_url: str, prefix: str
) -> None:
    await put(store, 4)
    core = Core(unwritable=["e1"])
    async with working(store_url, prefix, core):
        assert set(await records(store, 3)) == {"e0", "e2", "e3"}
        put_aside = await store.incident("e1")
        assert put_aside is not None
        assert put_aside["state"] == "delayed"
        core.unwritable.clear()
        await records(store, 4)
    assert (await store.status())["in_flight"] == 0


async def test_what_the_store_does_not_take_in_time_is_given_back_at_the_end(
    store: Store, store_url: str, prefix: str
) -> None:
    await put(store, 3)
    async with working(store_url, prefix, Core(), silent=True) as watched:
        async with asyncio.timeout(15):
            while sum(watched.together) < 3:
                await asyncio.sleep(0.01)
    status = await store.status()
    assert (status["in_flight"], status["history_length"]) == (0, 0)
    again = await store.claim("x", "x-1", 10)
    assert {claimed.event_id: claimed.deliveries for claimed in again} == {"e0": 1, "e1": 1, "e2": 1}
