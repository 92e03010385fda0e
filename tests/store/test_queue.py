"""The queue on a real server: what is accepted is handled once, whoever dies."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
import redis.asyncio as redis

from agentic.types import Event, HistoryRecord, Outcome, OutcomeStatus, RecordStatus, utc_now
from store import Claimed, Enqueued, Limits, Store
from store.base import dumps
from store.lease import LeaseKeeper

MORNING = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


def payload(event_id: str, job_id: str = "backup", **more: Any) -> bytes:
    return dumps(Event(event_id=event_id, job_id=job_id, status="failed", received_at=MORNING, **more))


def record_of(event_id: str, job_id: str = "backup", status: str = "escalated") -> HistoryRecord:
    now = utc_now()
    event = Event(event_id=event_id, job_id=job_id, status="failed")
    return HistoryRecord(
        event_id=event_id, job_id=job_id, status=RecordStatus(status), event=event, received_at=now, finished_at=now
    )


async def claim_one(store: Store, worker: str = "w1", nonce: str = "n1") -> Claimed:
    [claimed] = await store.claim(worker, nonce, 1)
    return claimed


async def test_an_event_goes_in_and_comes_out_with_its_payload(store: Store) -> None:
    assert await store.enqueue("e1", payload("e1")) is Enqueued.QUEUED
    claimed = await claim_one(store)
    assert (claimed.event_id, claimed.payload, claimed.deliveries) == ("e1", payload("e1"), 1)
    assert claimed.accepted


async def test_the_same_id_twice_is_one_event(store: Store) -> None:
    assert await store.enqueue("e1", payload("e1")) is Enqueued.QUEUED
    assert await store.enqueue("e1", payload("e1")) is Enqueued.DUPLICATE
    assert len(await store.claim("w1", "n1", 10)) == 1


async def test_an_id_stays_known_after_its_record_is_written(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    assert await store.finish("e1", claimed.fence, record_of("e1"))
    assert await store.enqueue("e1", payload("e1")) is Enqueued.DUPLICATE


async def test_many_requests_at_once_each_get_their_own_answer(store: Store) -> None:
    ids = [f"e{n % 50}" for n in range(200)]
    answers = await asyncio.gather(*(store.enqueue(event_id, payload(event_id)) for event_id in ids))
    assert answers.count(Enqueued.QUEUED) == 50
    assert answers.count(Enqueued.DUPLICATE) == 150


async def test_a_full_queue_refuses_and_says_when_to_come_back(store_url: str, prefix: str) -> None:
    store = Store(store_url, prefix=prefix, limits=Limits(max_waiting=3))
    await store.open()
    answers = await store.enqueue_many([(f"e{n}", payload(f"e{n}")) for n in range(5)])
    assert answers == [Enqueued.QUEUED] * 3 + [Enqueued.FULL] * 2
    assert 1 <= await store.retry_after_seconds() <= 300
    assert await store.enqueue("e4", payload("e4")) is Enqueued.FULL
    await store.claim("w1", "n1", 3)
    assert await store.enqueue("e4", payload("e4")) is Enqueued.QUEUED
    await store.close()


async def test_a_claim_repeated_with_its_nonce_gets_the_same_incidents(store: Store) -> None:
    await store.enqueue_many([(f"e{n}", payload(f"e{n}")) for n in range(4)])
    first = await store.claim("w1", "n1", 2)
    again = await store.claim("w1", "n1", 2)
    assert first == again
    assert [c.event_id for c in await store.claim("w1", "n2", 10)] == ["e2", "e3"]


async def test_what_a_silent_worker_held_goes_to_another_after_the_lease(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    first = await claim_one(store, "w1")
    assert await store.claim("w2", "m1", 1) == []
    await asyncio.sleep(1.1)
    second = await claim_one(store, "w2", "m2")
    assert (second.event_id, second.deliveries) == ("e1", 2)
    assert int(second.fence) > int(first.fence)
    assert not await store.finish("e1", first.fence, record_of("e1")), "the former holder writes nothing"
    assert await store.finish("e1", second.fence, record_of("e1"))
    assert len((await store.history()).records) == 1


async def test_a_heartbeat_keeps_a_lease_and_names_what_is_lost(store: Store, store_url: str, prefix: str) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    keeper = LeaseKeeper(store_url, prefix, 1000)
    for _ in range(3):
        await asyncio.sleep(0.5)
        assert keeper.beat("w1", {"host": "here"}, {"e1": claimed.fence, "e9": "5"}) == {"e9"}
    assert await store.claim("w2", "m1", 1) == []
    workers = (await store.status())["workers"]
    assert [(worker["id"], worker["host"]) for worker in workers] == [("w1", "here")]
    keeper.close()


async def test_a_record_is_written_once_however_often_finish_is_repeated(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    assert await store.finish("e1", claimed.fence, record_of("e1"))
    assert await store.finish("e1", claimed.fence, record_of("e1"))
    assert len((await store.history()).records) == 1
    status = await store.status()
    assert (status["queue_depth"], status["in_flight"], status["history_length"]) == (0, 0, 1)


async def test_an_incident_put_aside_comes_back_with_its_progress_when_due(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    assert await store.save("e1", claimed.fence, {"decision": {"why": "because"}})
    assert await store.defer("e1", claimed.fence, 0.3)
    assert await store.claim("w2", "m1", 1) == []
    await asyncio.sleep(0.4)
    again = await claim_one(store, "w2", "m2")
    assert (again.deliveries, again.progress) == (1, {"decision": {"why": "because"}})


async def test_a_success_of_the_job_brings_back_what_waits_for_it(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    await store.defer("e1", claimed.fence, 600, watch_job="backup")
    await store.enqueue("e2", payload("e2"))
    success = await claim_one(store, "w2", "m1")
    assert await store.recovered("backup", "e2", success.fence) == ["e1"]
    again = await claim_one(store, "w1", "n2")
    assert again.progress == {"recovered_by": "e2"}


@pytest.mark.parametrize("watched_first", [True, False])
async def test_a_success_from_before_the_failure_proves_nothing(store: Store, watched_first: bool) -> None:
    """One worker may be slow with the success, or both may come in one report of a machine that was cut off."""
    names = ["ok", "failure", "ok-again"]
    await store.enqueue_many([(name, payload(name)) for name in names])
    ok, failure, again = await store.claim("w1", "n-1", 3)
    if watched_first:
        await store.defer("failure", failure.fence, 600, watch_job="backup")
    assert await store.recovered("backup", "ok", ok.fence) == []
    if not watched_first:
        await store.defer("failure", failure.fence, 600, watch_job="backup")
    assert await store.claim("w1", "n-2", 3) == []
    assert await store.recovered("backup", "ok-again", again.fence) == ["failure"]
    assert (await claim_one(store, "w1", "n-3")).progress == {"recovered_by": "ok-again"}


async def test_a_pushed_success_from_before_the_failure_proves_nothing(
    store: Store, store_url: str, prefix: str
) -> None:
    async with redis.Redis.from_url(store_url) as client:
        await client.rpush(f"{prefix}:events", payload("ok"), payload("failure"), payload("ok-again"))
    ok, failure, again = await store.claim("w1", "n-1", 3)
    await store.defer("failure", failure.fence, 600, watch_job="backup")
    assert await store.recovered("backup", "ok", ok.fence) == []
    assert await store.recovered("backup", "ok-again", again.fence) == ["failure"]


async def test_what_a_draining_worker_gives_back_is_not_counted_as_delivered(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    assert await store.release("e1", claimed.fence)
    assert (await claim_one(store, "w2", "m1")).deliveries == 1


@pytest.mark.parametrize(
    "raw",
    [b"not json", b"\xff\xfe\x00", b"[1]", b"{}", b'{"event_id": 7}', b'{"event_id":"a b"}', b"", b"[" * 5000],
    ids=["text", "binary", "array", "empty object", "number id", "bad id", "nothing", "deep"],
)
async def test_whatever_anybody_pushed_is_claimed_under_an_id_of_ours(
    store: Store, store_url: str, prefix: str, raw: bytes
) -> None:
    client = redis.Redis.from_url(store_url)
    await client.rpush(f"{prefix}:events", raw, payload("good"))
    claimed = await store.claim("w1", "n1", 10)
    assert [c.payload for c in claimed] == [raw, payload("good")]
    assert claimed[1].event_id == "good"
    assert claimed[0].event_id.startswith("raw-")
    assert not claimed[0].accepted
    await client.aclose()


async def test_a_pushed_event_with_an_id_is_known_by_it(store: Store, store_url: str, prefix: str) -> None:
    client = redis.Redis.from_url(store_url)
    await client.rpush(f"{prefix}:events", b'{ "job_id": "x", "event_id": "mine", "status": "failed" }')
    assert (await claim_one(store)).event_id == "mine"
    assert await store.enqueue("mine", payload("mine")) is Enqueued.DUPLICATE
    await client.aclose()


async def test_nobody_can_push_something_else_in_place_of_an_accepted_event(
    store: Store, store_url: str, prefix: str
) -> None:
    genuine, forged = payload("e1", log=["real"]), payload("e1", log=["fake"]).replace(b"T03:00:00Z", b"T04:00:00Z")
    assert len(genuine) == len(forged)
    async with redis.Redis.from_url(store_url) as client:
        await client.rpush(f"{prefix}:events", forged)
    assert await store.enqueue("e1", genuine) is Enqueued.QUEUED
    [claimed] = await store.claim("w1", "n-1", 5)
    assert (claimed.payload, claimed.accepted) == (genuine, True)


async def test_a_dead_letter_is_listed_and_comes_back_once(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    letter = {"event_id": "e1", "reason": "unusable", "payload": payload("e1").decode()}
    assert await store.bury("e1", claimed.fence, letter)
    assert [entry["reason"] for entry in (await store.dead()).records] == ["unusable"]
    assert await store.replay("e1")
    assert not await store.replay("e1")
    assert (await claim_one(store, "w1", "n2")).payload == payload("e1")
    assert (await store.dead()).records == []


async def test_a_dead_letter_keeps_its_journal_for_as_long_as_it_can_be_replayed(store_url: str, prefix: str) -> None:
    store = Store(store_url, prefix=prefix, limits=Limits(lease_seconds=30, max_dead=2, dedup_days=0.1 / 86_400))
    await store.open()
    for number in range(4):
        name = f"e{number}"
        await store.enqueue(name, payload(name))
        claimed = await claim_one(store, "w1", f"n-{number}")
        assert await begin(store, claimed.fence, "a", event_id=name) == "go"
        letter = {"event_id": name, "reason": "x", "payload": payload(name).decode(), "accepted": True}
        assert await store.finish(name, claimed.fence, record_of(name, status="dead"), letter=letter)
    late = Outcome(step=1, name="x", status=OutcomeStatus.DONE)
    assert not await store.result("e3", "1", "1", "a", late, "x|done")
    await asyncio.sleep(0.3)
    assert [await store.journal(f"e{number}") != {} for number in range(4)] == [False, False, True, True]
    assert await store.replay("e3")
    again = await claim_one(store, "w1", "n-9")
    assert await begin(store, again.fence, "b", event_id="e3") == "unknown", "it was begun in its former life"
    assert await store.finish("e3", again.fence, record_of("e3"))
    await asyncio.sleep(0.3)
    assert await store.journal("e3") == {}
    await store.close()


async def test_what_is_over_is_forgotten_after_a_while(store_url: str, prefix: str) -> None:
    store = Store(store_url, prefix=prefix, limits=Limits(lease_seconds=30, dedup_days=0.2 / 86_400))
    await store.open()
    await store.enqueue("e1", payload("e1"))
    first = await claim_one(store, "w1", "n-1")
    assert await begin(store, first.fence, "a") == "go"
    assert await store.defer("e1", first.fence, 0, watch_job="backup")
    again = await claim_one(store, "w1", "n-2")
    assert await store.finish("e1", again.fence, record_of("e1"))
    assert await store.enqueue("e1", payload("e1")) is Enqueued.DUPLICATE
    assert not await store.result(
        "e1", first.fence, "2", "z", Outcome(step=2, name="x", status=OutcomeStatus.DONE), "x"
    )
    await asyncio.sleep(0.5)
    async with redis.Redis.from_url(store_url) as client:
        left = {key.decode().removeprefix(f"{prefix}:") for key in await client.keys(f"{prefix}:*")}
    about_records = {"history", "history:seq", "history:ids", "by-job:backup", "by-status:escalated", "by-category:"}
    about_all = {
        "mark-key",
        "jobs",
        "job:backup",
        "totals",
        "fence",
        "arrivals",
        "claims",
        "budget",
        "budget-job:backup",
    }
    assert left == about_records | about_all
    assert await store.enqueue("e1", payload("e1")) is Enqueued.QUEUED
    await store.close()


async def test_an_id_that_looks_like_one_of_ours_comes_back_under_itself(store: Store) -> None:
    await store.enqueue("raw-17", payload("raw-17"))
    claimed = await claim_one(store)
    letter = {"event_id": "raw-17", "reason": "x", "payload": payload("raw-17").decode(), "accepted": True}
    assert await store.finish("raw-17", claimed.fence, record_of("raw-17", status="dead"), letter=letter)
    assert await store.replay("raw-17")
    assert (await claim_one(store, "w1", "n2")).event_id == "raw-17"


async def test_an_idle_wait_ends_as_soon_as_anybody_pushes(store: Store, store_url: str, prefix: str) -> None:
    client = redis.Redis.from_url(store_url)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    waiting = asyncio.create_task(store.wait_for_work())
    await asyncio.sleep(0.05)
    assert not waiting.done(), "it really waits"
    await client.rpush(f"{prefix}:events", b"{}")
    await waiting
    assert loop.time() - begun < 0.45, "it was woken, not timed out"
    assert await client.llen(f"{prefix}:events") == 1, "looking moves nothing"
    await client.aclose()


async def begin(
    store: Store, fence: str, nonce: str, *, idempotent: bool = False, per_job: int = 6, event_id: str = "e1"
) -> str:
    answer, _ = await store.begin(
        event_id, fence, "1", nonce, idempotent=idempotent, counts=True, job_id="backup", per_job=per_job, for_all=60
    )
    return answer


async def test_the_journal_says_go_once_and_then_tells_the_outcome(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    assert await begin(store, claimed.fence, "a") == "go"
    assert await begin(store, claimed.fence, "a") == "go", "the same request repeated"
    outcome = Outcome(step=1, name="x", status=OutcomeStatus.DONE)
    assert await store.result("e1", claimed.fence, "1", "a", outcome, "x|done")
    assert await begin(store, claimed.fence, "b") == "done"


async def test_a_late_copy_of_taking_an_intention_back_leaves_the_next_one_alone(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    assert await begin(store, claimed.fence, "a") == "go"
    await store.withdraw("e1", claimed.fence, "1", "a")
    assert await store.journal("e1") == {}
    assert await begin(store, claimed.fence, "b") == "go"
    await store.withdraw("e1", claimed.fence, "1", "a")
    assert await begin(store, claimed.fence, "c") == "unknown", "the second intention stands"
    assert await store.result("e1", claimed.fence, "1", "b", Outcome(step=1, name="x", status=OutcomeStatus.DONE), "x")
    await store.withdraw("e1", claimed.fence, "1", "b")
    assert await begin(store, claimed.fence, "d") == "done"


@pytest.mark.parametrize(("idempotent", "answer"), [(False, "unknown"), (True, "go")])
async def test_after_a_lost_worker_only_an_idempotent_step_is_begun_again(
    store: Store, idempotent: bool, answer: str
) -> None:
    await store.enqueue("e1", payload("e1"))
    first = await claim_one(store)
    assert await begin(store, first.fence, "a", idempotent=idempotent) == "go"
    await asyncio.sleep(1.1)
    second = await claim_one(store, "w2", "m1")
    assert await begin(store, second.fence, "b", idempotent=idempotent) == answer
    assert await begin(store, first.fence, "a", idempotent=idempotent) == "fenced"


async def test_the_hourly_budget_and_the_pause_switch_hold_in_the_journal_itself(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    assert await begin(store, claimed.fence, "a", per_job=0) == "over_budget"
    await store.pause("ops", "maintenance")
    assert await begin(store, claimed.fence, "a") == "paused"
    await store.resume()
    assert await begin(store, claimed.fence, "a") == "go"
    usage = await store.usage("backup")
    assert (usage.job_actions, usage.all_actions, usage.paused_by) == (1, 1, None)


async def test_two_workers_under_one_limit_do_not_pass_it_together(store: Store) -> None:
    await store.enqueue_many([(f"e{number}", payload(f"e{number}", job_id=f"j{number}")) for number in range(6)])
    claimed = await store.claim("w1", "n-1", 6)
    answers = await asyncio.gather(
        *(
            store.begin(
                one.event_id, one.fence, "1", "n", idempotent=False, counts=True, job_id=job, per_job=3, for_all=4
            )
            for one, job in zip(claimed, ["j", "j", "j", "j", "other", "third"], strict=True)
        )
    )
    assert [answer for answer, _ in answers].count("go") == 4
    assert [text for answer, text in answers if answer == "over_budget"] == ["job", "all"]
    usage = await store.usage("j")
    assert (usage.job_actions, usage.all_actions) == (3, 4)


async def test_what_was_done_an_hour_ago_counts_no_more(store: Store, store_url: str, prefix: str) -> None:
    await store.enqueue_many([(f"e{number}", payload(f"e{number}")) for number in range(2)])
    claimed = await store.claim("w1", "n-1", 2)
    limits: Any = {"idempotent": False, "counts": True, "job_id": "j", "per_job": 1, "for_all": 1}
    assert (await store.begin("e0", claimed[0].fence, "1", "n", **limits))[0] == "go"
    assert (await store.begin("e1", claimed[1].fence, "1", "n", **limits))[0] == "over_budget"
    async with redis.Redis.from_url(store_url) as client:
        for key in (f"{prefix}:budget", f"{prefix}:budget-job:j"):
            await client.zadd(key, {"e0:1": (await client.time())[0] * 1000 - 3_600_000})
    assert (await store.usage("j")).all_actions == 0
    assert (await store.begin("e1", claimed[1].fence, "1", "n", **limits))[0] == "go"


@pytest.mark.parametrize("job_id", ['say "hi"', "back\\slash\\", "ü x | y", "{}"])
async def test_an_incident_knows_its_job_whatever_that_is_called(store: Store, job_id: str) -> None:
    await store.enqueue("e1", payload("e1", job_id=job_id))
    assert ((await store.incident("e1")) or {})["job_id"] == job_id
    claimed = await claim_one(store)
    assert ((await store.incident("e1")) or {})["job_id"] == job_id
    assert await store.finish("e1", claimed.fence, record_of("e1", job_id))
    assert [job["job_id"] for job in await store.jobs()] == [job_id]


async def test_a_pushed_event_may_call_its_job_by_a_number(store: Store, store_url: str, prefix: str) -> None:
    async with redis.Redis.from_url(store_url) as client:
        await client.rpush(f"{prefix}:events", b'{"status": "failed", "job_id": 12345678901, "event_id": "e1"}')
    await claim_one(store)
    assert ((await store.incident("e1")) or {})["job_id"] == "12345678901"


async def test_many_incidents_that_end_together_each_get_their_own_answer(store: Store) -> None:
    await store.enqueue_many([(f"e{number}", payload(f"e{number}")) for number in range(5)])
    claimed = await store.claim("w1", "n1", 5)
    answers = await asyncio.gather(
        *(store.finish(one.event_id, one.fence, record_of(one.event_id, f"job-{one.event_id}")) for one in claimed),
        store.finish("e0", claimed[0].fence, record_of("e0")),
        store.finish("e1", "1", record_of("e1")),
        store.finish("never", "1", record_of("never")),
    )
    assert answers == [True] * 6 + [False] * 2
    page = await store.history(limit=10)
    assert sorted(record["event_id"] for record in page.records) == [f"e{number}" for number in range(5)]
    assert (await store.totals())["records"] == {"escalated": 5}
    assert [r["event_id"] for r in (await store.history(job_id="job-e3")).records] == ["e3"]
    status = await store.status()
    assert (status["in_flight"], status["history_length"]) == (0, 5)


async def test_what_breaks_one_ending_costs_the_others_nothing(store: Store, store_url: str, prefix: str) -> None:
    await store.enqueue_many([(f"e{number}", payload(f"e{number}")) for number in range(3)])
    claimed = await store.claim("w1", "n1", 3)
    async with redis.Redis.from_url(store_url) as other:
        await other.set(f"{prefix}:by-job:spoilt", "a key of somebody else")
    jobs = ["fine", "spoilt", "fine"]
    endings = [store.finish(c.event_id, c.fence, record_of(c.event_id, j)) for c, j in zip(claimed, jobs, strict=True)]
    await asyncio.gather(*endings, return_exceptions=True)
    assert len((await store.history(limit=10)).records) == 3
    assert (await store.status())["in_flight"] == 0


async def test_questions_asked_together_are_answered_each_with_its_own(store: Store) -> None:
    await store.enqueue("e1", payload("e1", job_id="j1"))
    claimed = await claim_one(store)
    for step in ("1", "2"):
        answer = await store.begin(
            "e1", claimed.fence, step, "n", idempotent=True, counts=True, job_id="j1", per_job=9, for_all=9
        )
        assert answer == ("go", "")
    await store.pause("ana", None)
    usages = await asyncio.gather(*(store.usage(job) for job in ("j1", "j2", "j1")))
    assert [(usage.paused_by, usage.job_actions, usage.all_actions) for usage in usages] == [
        ("ana", 2, 2),
        ("ana", 0, 2),
        ("ana", 2, 2),
    ]


async def test_very_many_at_once_go_in_and_come_out_whole(store_url: str, prefix: str) -> None:
    store = Store(store_url, prefix=prefix, limits=Limits(lease_seconds=30))
    await store.open()
    ids = [f"e{n}" for n in range(9000)]
    assert set(await store.enqueue_many([(event_id, payload(event_id)) for event_id in ids])) == {Enqueued.QUEUED}
    found: list[str] = []
    for number in range(1, 20):
        found += [claimed.event_id for claimed in await store.claim("w1", f"n-{number}", 9000)]
    assert found == ids
    await store.close()


async def test_a_word_for_one_plan_holds_for_that_plan_only(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    first = await claim_one(store)
    assert await store.park("e1", first.fence, "this", 60) == "ok"
    assert (await store.decide("e1", "approved", "other", "ana"))[0] == "changed"
    assert (await store.decide("e1", "approved", "this", "ana"))[0] == "ok"
    assert (await store.decide("e1", "approved", "this", "ana"))[0] == "ok", "said twice"
    assert await store.decide("e1", "rejected", "this", "bob") == ("already", "approved by ana")
    second = await claim_one(store, "w1", "n2")
    assert second.progress["approval"]["verdict"] == "approved"
    assert await store.park("e1", second.fence, "this", 60) == "approved", "nobody is asked twice for the same"
    assert await store.park("e1", second.fence, "changed since", 60) == "ok"
    assert await store.claim("w1", "n3", 1) == [], "the word was for another plan"
    assert ((await store.incident("e1")) or {})["approval"] is None, "nor is it shown for this one"
    assert (await store.decide("e1", "rejected", "", "bob"))[0] == "ok"
    assert (await claim_one(store, "w1", "n4")).progress["approval"]["by"] == "bob"


async def test_a_word_that_comes_after_the_question_expired_counts_for_nothing(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    assert await store.park("e1", claimed.fence, "plan", 0.05) == "ok"
    await asyncio.sleep(0.1)
    assert (await store.decide("e1", "approved", "plan", "ana"))[0] == "expired"
    again = await claim_one(store, "w1", "n2")
    assert again.progress["approval"] == {"verdict": "expired"}
    assert again.deliveries == 1


@pytest.mark.parametrize("acted", [False, True], ids=["straight", "with a journal"])
async def test_what_has_ended_keeps_no_payload_and_is_forgotten_in_time(
    store: Store, store_url: str, prefix: str, acted: bool
) -> None:
    client = redis.Redis.from_url(store_url)
    await store.enqueue("e1", payload("e1"))
    claimed = await claim_one(store)
    if acted:
        await store.save("e1", claimed.fence, {"note": "long " * 100})
        assert await begin(store, claimed.fence, "x") == "go"
        await store.defer("e1", claimed.fence, 0, watch_job="backup")
        claimed = await claim_one(store, "w2", "m1")
    assert await store.finish("e1", claimed.fence, record_of("e1"))
    left = sorted(key.decode().removeprefix(f"{prefix}:") for key in await client.keys(f"{prefix}:*"))
    assert not [key for key in left if key.startswith(("payload", "awaiting", "lease", "delayed"))]
    of_event = ["fx:e1", "incident:e1"] if acted else ["incident:e1"]
    assert [key for key in left if key.endswith(":e1")] == of_event
    for key in of_event:
        assert 0 < await client.ttl(f"{prefix}:{key}") <= 7 * 86_400
    assert await client.memory_usage(f"{prefix}:incident:e1", samples=0) < 600
    await client.aclose()
