"""History on a real server: pages neither skip nor repeat while records are being added."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis.asyncio as redis

from agentic.types import Category, Diagnosis, Event, Feedback, HistoryRecord, LogDigest, RecordStatus, utc_now
from store import BadCursor, Limits, Store
from store.base import dumps


async def write(store: Store, event_id: str, job_id: str = "backup", **more: Any) -> HistoryRecord:
    event = Event(event_id=event_id, job_id=job_id, status="failed")
    await store.enqueue(event_id, dumps(event))
    [claimed] = await store.claim("w", event_id, 1)
    now = utc_now()
    fields = {"status": RecordStatus.ESCALATED, "event": event, "received_at": now, "finished_at": now, **more}
    record = HistoryRecord(event_id=event_id, job_id=job_id, **fields)
    assert await store.finish(event_id, claimed.fence, record)
    return record


def ids(page: Any) -> list[str]:
    return [record["event_id"] for record in page.records]


async def test_pages_are_newest_first_and_stand_still_while_records_are_added(store: Store) -> None:
    for n in range(7):
        await write(store, f"e{n}")
    first = await store.history(limit=3)
    assert ids(first) == ["e6", "e5", "e4"]
    await write(store, "late")
    second = await store.history(limit=3, cursor=first.next_cursor)
    assert ids(second) == ["e3", "e2", "e1"]
    third = await store.history(limit=3, cursor=second.next_cursor)
    assert ids(third) == ["e0"]
    assert third.next_cursor is None


async def test_oldest_first_goes_the_other_way(store: Store) -> None:
    for n in range(4):
        await write(store, f"e{n}")
    first = await store.history(limit=3, order="asc")
    assert ids(first) == ["e0", "e1", "e2"]
    assert ids(await store.history(limit=3, order="asc", cursor=first.next_cursor)) == ["e3"]


async def test_filters_meet(store: Store) -> None:
    diagnosis = Diagnosis(category=Category.DISK_FULL, root_cause="full", confidence=90, source="rule:x")
    await write(store, "a", job_id="one", diagnosis=diagnosis)
    await write(store, "b", job_id="two", diagnosis=diagnosis)
    await write(store, "c", job_id="one")
    await write(store, "d", job_id="one", diagnosis=diagnosis, status=RecordStatus.RESOLVED)
    assert ids(await store.history(job_id="one")) == ["d", "c", "a"]
    assert ids(await store.history(job_id="one", category="disk_full")) == ["d", "a"]
    assert ids(await store.history(job_id="one", category="disk_full", status="escalated")) == ["a"]
    assert ids(await store.history(job_id="nobody")) == []
    page = await store.history(job_id="one", limit=1)
    assert (ids(page), ids(await store.history(job_id="one", limit=5, cursor=page.next_cursor))) == (["d"], ["c", "a"])


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_times_bound_a_page(store: Store, order: Any) -> None:
    start = utc_now() - timedelta(hours=10)
    for n in range(5):
        await write(store, f"e{n}", finished_at=start + timedelta(hours=n))
    page = await store.history(since=start + timedelta(hours=1), until=start + timedelta(hours=3), order=order)
    assert sorted(ids(page)) == ["e1", "e2"]
    assert page.next_cursor is None


async def test_the_list_stays_bounded_and_its_indexes_with_it(store_url: str, prefix: str) -> None:
    store = Store(store_url, prefix=prefix, limits=Limits(max_history=5))
    await store.open()
    for n in range(12):
        await write(store, f"e{n}", job_id="even" if n % 2 == 0 else "odd")
    assert ids(await store.history()) == ["e11", "e10", "e9", "e8", "e7"]
    assert ids(await store.history(job_id="even")) == ["e10", "e8"]
    assert await store.record("e1") is None
    assert (await store.record("e8") or {})["event_id"] == "e8"
    await store.close()


async def test_what_is_known_of_jobs_and_records_goes_with_the_last_record(store_url: str, prefix: str) -> None:
    store = Store(store_url, prefix=prefix, limits=Limits(max_history=10))
    await store.open()
    for n in range(40):
        await write(store, f"e{n}", job_id="steady" if n % 5 == 0 else f"job-{n}")
        assert await store.add_feedback(Feedback(event_id=f"e{n}", user="ana", rating=4))
    async with redis.Redis.from_url(store_url) as client:
        kept = {kind: len(await client.keys(f"{prefix}:{kind}:*")) for kind in ("job", "by-job", "feedback")}
    assert kept == {"job": 9, "by-job": 9, "feedback": 10}
    jobs = {job["job_id"]: job for job in await store.jobs()}
    assert set(jobs) == {"steady", *(f"job-{n}" for n in range(30, 40) if n % 5)}
    assert jobs["steady"]["records"] == {"escalated": 8}, "it was never forgotten"
    await store.close()


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "MTox", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
async def test_a_made_up_cursor_is_refused(store: Store, cursor: str) -> None:
    if cursor == "":
        assert (await store.history(cursor=cursor)).records == []
        return
    with pytest.raises(BadCursor):
        await store.history(cursor=cursor)


async def test_feedback_stands_on_the_record_and_is_recalled_for_the_signature(store: Store) -> None:
    digest = LogDigest(signature="sig1")
    await write(store, "e1", digest=digest)
    note = Feedback(event_id="e1", user="ana", rating=1, correct_category=Category.TIMEOUT, comment="no")
    assert await store.add_feedback(note)
    assert await store.add_feedback(note), "said twice, kept once"
    assert not await store.add_feedback(note.model_copy(update={"event_id": "nobody"}))
    record = await store.record("e1")
    assert record is not None
    assert [entry["user"] for entry in record["feedback"]] == ["ana"]
    event = Event(event_id="e2", job_id="backup", status="failed")
    [precedent] = await store.recall(event, digest)
    assert (precedent.event_id, precedent.feedback[0].correct_category) == ("e1", Category.TIMEOUT)
    assert await store.recall(event, LogDigest(signature="other")) == ()


async def test_jobs_and_totals_count_what_happened(store: Store) -> None:
    await write(store, "a", job_id="one")
    await write(store, "b", job_id="one", status=RecordStatus.RESOLVED)
    [job] = await store.jobs()
    assert job["records"] == {"escalated": 1, "resolved": 1}
    detail = await store.job("one")
    assert detail is not None
    assert [run["event_id"] for run in detail["recent"]] == ["b", "a"]
    assert await store.job("nobody") is None
    totals = await store.totals()
    assert totals["records"] == {"escalated": 1.0, "resolved": 1.0}
    assert totals["events"]["accepted"] == 2.0


async def test_an_incident_can_be_watched_from_queue_to_record(store: Store) -> None:
    await store.enqueue("e1", dumps(Event(event_id="e1", job_id="backup", status="failed")))
    assert [(i["state"], i["job_id"]) for i in (await store.incidents()).records] == [("queued", "backup")]
    [claimed] = await store.claim("w1", "n1", 1)
    live = await store.incident("e1")
    assert live is not None
    assert (live["state"], live["owner"], live["job_id"]) == ("running", "w1", "backup")
    now = utc_now()
    event = Event(event_id="e1", job_id="backup", status="failed")
    record = HistoryRecord(
        event_id="e1", job_id="backup", status=RecordStatus.ESCALATED, event=event, received_at=now, finished_at=now
    )
    await store.finish("e1", claimed.fence, record)
    done = await store.incident("e1")
    assert done is not None
    assert (done["state"], done["record"]["event_id"]) == ("done", "e1")
    assert (await store.incidents()).records == []
    assert [i["event_id"] for i in (await store.incidents(state="done")).records] == ["e1"]
    assert await store.incident("nobody") is None


async def test_a_page_with_long_logs_ends_early_and_goes_on_where_it_ended(store: Store) -> None:
    for n in range(8):
        event = Event(event_id=f"e{n}", job_id="backup", status="failed", log=("x" * 1_500_000,))
        await write(store, f"e{n}", event=event)
    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor:
        page = await store.history(limit=8, cursor=cursor)
        assert 1 <= len(page.records) < 8
        seen += ids(page)
        cursor, pages = page.next_cursor, pages + 1
    assert seen == [f"e{n}" for n in range(7, -1, -1)]


async def test_a_record_that_cannot_be_read_does_not_take_its_page_with_it(
    store: Store, store_url: str, prefix: str
) -> None:
    import redis.asyncio as redis

    client = redis.Redis.from_url(store_url)
    await write(store, "good")
    await client.lset(f"{prefix}:history", 0, b'{"event_id":"bad","x":' + b"[" * 300 + b"]" * 300 + b"}")
    await write(store, "better")
    assert ids(await store.history()) == ["better", "bad"]
    await client.aclose()
