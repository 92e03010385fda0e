"""What must hold when workers die, stores vanish and answers get lost: seen from the event's record."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentic import effects
from agentic.intake import event_to_json
from agentic.pipeline import Pipeline
from agentic.types import Action, ActionKind, Category, Decision, Diagnosis, Event, Outcome, OutcomeStatus
from agentic_worker.heartbeat import Heartbeat
from store import Limits, Store, StoredIncident, StoreUnavailable
from store.lease import LeaseKeeper
from tests.servers import Server
from tests.store.test_queue import payload, record_of

ROOT = Path(__file__).parents[2]
DISK_FULL = ["cp: error writing '/backup/2026-01-02.tar': No space left on device"]


def touching(folder: Path, **more: Any) -> dict[str, Any]:
    """An action that leaves a line each time it runs."""
    program = folder / "act"
    program.write_text(f"#!/bin/sh\necho ran >> {folder}/ran\n")
    program.chmod(0o755)
    return {"kind": "free_disk_space", "effector": "command", "argv": [str(program)], "risk": "safe", **more}


def runs(folder: Path) -> int:
    file = folder / "ran"
    return len(file.read_text().splitlines()) if file.exists() else 0


def job(folder: Path, **more: Any) -> dict[str, Any]:
    check = {"effector": "command", "argv": ["/usr/bin/test", "-e", f"{folder}/well"], "within_seconds": 20}
    return {"id": "backup", "mode": "auto", "verify": check, "playbooks": {"disk_full": ["act", "escalate"]}, **more}


async def until(true: Any, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("since", ["paused", "the budget is used up"])
async def test_what_was_done_stays_done_whatever_the_guard_says_since(
    start_worker: Any, report: Any, store: Store, tmp_path: Path, since: str
) -> None:
    actions = {"act": touching(tmp_path)}
    async with start_worker(jobs=[job(tmp_path)], actions=actions, policy={"max_actions_per_job_per_hour": 1}):
        waiting = asyncio.create_task(report(log=DISK_FULL))
        await until(lambda: runs(tmp_path) == 1)
        if since == "paused":
            await store.pause("ana", "maintenance")
        await asyncio.sleep(0.3)  # the check has failed once and the incident is put aside
        (tmp_path / "well").touch()
        record = await waiting
    assert record["status"] == "resolved"
    assert record["outcomes"][0]["status"] == "done"
    assert record["actions"][0]["decision"] == "auto"
    assert runs(tmp_path) == 1


async def begun_and_died(store: Store, *, idempotent: bool) -> None:
    """Be a worker that stored its intention to act and was never heard of again."""
    event = Event(event_id="e1", job_id="backup", status="failed", log=tuple(DISK_FULL))
    await store.enqueue("e1", event_to_json(event))
    [claimed] = await store.claim("gone", "n-1", 1)
    action = Action(name="act", kind=ActionKind.FREE_DISK_SPACE, effector="command", idempotent=idempotent)
    begun = await StoredIncident(store, claimed, event).begin("1", action, (9, 9))
    assert begun.answer == "go"


@pytest.mark.parametrize("idempotent", [False, True])
async def test_what_a_dead_worker_had_begun_is_repeated_only_where_that_is_harmless(
    start_worker: Any, store: Store, tmp_path: Path, idempotent: bool
) -> None:
    (tmp_path / "well").touch()
    await begun_and_died(store, idempotent=idempotent)
    async with start_worker(jobs=[job(tmp_path)], actions={"act": touching(tmp_path, idempotent=idempotent)}):
        async with asyncio.timeout(15):
            while (record := await store.record("e1")) is None:
                await asyncio.sleep(0.05)
    assert runs(tmp_path) == int(idempotent)
    assert record["status"] == ("resolved" if idempotent else "unknown")
    assert record["deliveries"] == 2


@pytest.mark.parametrize(("found", "status"), [(True, "resolved"), (False, "unknown")])
async def test_a_probe_tells_whether_it_happened_and_never_repeats_it(
    start_worker: Any, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: bool, status: str
) -> None:
    monkeypatch.setattr(effects, "SETTLED_AFTER_SECONDS", 0.5)
    (tmp_path / "well").touch()
    program = tmp_path / "probe"
    program.write_text(f"#!/bin/sh\n/bin/date +%s.%N >> {tmp_path}/looked\nexit {int(not found)}\n")
    program.chmod(0o755)
    probe = {"effector": "command", "argv": [str(program)], "within_seconds": 0.5}
    began = time.time()
    await begun_and_died(store, idempotent=False)
    action = touching(tmp_path, probe=probe, timeout_seconds=3)
    async with start_worker(jobs=[job(tmp_path)], actions={"act": action}):
        async with asyncio.timeout(15):
            while (record := await store.record("e1")) is None:
                await asyncio.sleep(0.05)
    assert runs(tmp_path) == 0
    looked = float((tmp_path / "looked").read_text().splitlines()[0])
    assert looked - began >= 3.5, "not before the act must have been over"
    assert record["status"] == status
    assert "probe" in record["outcomes"][0]["detail"]


@contextmanager
def mute_then_good() -> Iterator[tuple[int, list[bytes]]]:
    """A target that takes the first request and hangs up without an answer; the others it answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        seen: list[bytes] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    seen.append(connection.recv(65536))
                    if len(seen) > 1:
                        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(server.getsockname()[1]), seen
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("idempotent", [False, True])
async def test_an_effect_without_an_answer_is_repeated_with_the_same_key_or_unknown(
    start_worker: Any, report: Any, tmp_path: Path, idempotent: bool
) -> None:
    (tmp_path / "well").touch()
    with mute_then_good() as (port, seen):
        url = f"http://127.0.0.1:{port}/act"
        action = {"kind": "free_disk_space", "effector": "http", "url": url, "risk": "safe", "idempotent": idempotent}
        async with start_worker(jobs=[job(tmp_path)], actions={"act": action}):
            record = await report(event_id="e1", log=DISK_FULL)
    assert record["status"] == ("resolved" if idempotent else "unknown")
    assert len(seen) == (2 if idempotent else 1)
    assert all(b"idempotency-key: e1:1\r\n" in request.lower() for request in seen)


@pytest.mark.parametrize("word", ["rejected", "expired"])
async def test_a_plan_that_nobody_wanted_ends_as_rejected(start_worker: Any, store: Store, word: str) -> None:
    event = Event(event_id="e1", job_id="backup", status="failed", log=tuple(DISK_FULL))
    await store.enqueue("e1", event_to_json(event))
    [claimed] = await store.claim("w1", "n-1", 1)
    cause = Diagnosis(category=Category.DISK_FULL, root_cause="full", confidence=95, source="rule:x")
    await store.save("e1", claimed.fence, {"decision": Decision(diagnosis=cause)})
    assert await store.park("e1", claimed.fence, "hash", 60 if word == "rejected" else 0.2) == "ok"
    if word == "rejected":
        assert await store.decide("e1", "approved", "other", "ana") == ("changed", "hash")
        assert (await store.decide("e1", "rejected", "hash", "ana", "not now"))[0] == "ok"
        assert (await store.decide("e1", "approved", "hash", "bob"))[0] == "already"
    async with start_worker():
        async with asyncio.timeout(10):
            while (record := await store.record("e1")) is None:
                await asyncio.sleep(0.05)
    assert record["status"] == "rejected"
    assert record["diagnosis"]["category"] == "disk_full"
    assert ("not now" if word == "rejected" else "in time") in record["reason"]


async def test_a_result_that_comes_too_late_is_evidence_and_nothing_else(store: Store) -> None:
    await store.enqueue("e1", payload("e1"))
    [first] = await store.claim("w1", "n-1", 1)
    asked = {"idempotent": False, "counts": True, "job_id": "j", "per_job": 9, "for_all": 9}
    await store.begin("e1", first.fence, "1", "a", **asked)
    await asyncio.sleep(1.1)
    [second] = await store.claim("w2", "n-1", 1)
    assert await store.finish("e1", second.fence, record_of("e1", status="unknown"))
    late = Outcome(step=1, name="act", status=OutcomeStatus.DONE, detail="exit code 0")
    assert not await store.result("e1", first.fence, "1", "a", late, "act|done")
    incident = await store.incident("e1")
    assert incident is not None
    assert [entry["outcome"]["name"] for entry in incident["late_results"]] == ["act"]
    assert incident["timeline"][-1]["what"] == "late result of act: done"
    assert incident["record"]["status"] == "unknown"


async def test_an_answer_that_took_long_is_asked_for_again_before_acting(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = Event(event_id="e1", job_id="backup", status="failed")
    await store.enqueue("e1", event_to_json(event))
    [claimed] = await store.claim("w1", "n-1", 1)
    asked, real = [], store.begin

    async def slow(*args: Any, **options: Any) -> tuple[str, str]:
        asked.append(time.monotonic())
        answer = await real(*args, **options)
        if len(asked) == 1:
            await asyncio.sleep(0.5)  # more than a third of the lease of one second
        return answer

    monkeypatch.setattr(store, "begin", slow)
    action = Action(name="act", kind=ActionKind.FREE_DISK_SPACE, effector="command")
    assert (await StoredIncident(store, claimed, event).begin("1", action, (9, 9))).answer == "go"
    assert len(asked) == 2


async def test_an_intention_is_taken_back_when_the_worker_stops_before_acting(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = Event(event_id="e1", job_id="backup", status="failed")
    await store.enqueue("e1", event_to_json(event))
    [claimed] = await store.claim("w1", "n-1", 1)
    real, stored = store.begin, asyncio.Event()

    async def without_answer(*args: Any, **options: Any) -> tuple[str, str]:
        await real(*args, **options)
        stored.set()
        await asyncio.sleep(60)
        return "go", ""

    monkeypatch.setattr(store, "begin", without_answer)
    action = Action(name="act", kind=ActionKind.FREE_DISK_SPACE, effector="command")
    asking = asyncio.create_task(StoredIncident(store, claimed, event).begin("1", action, (9, 9)))
    await stored.wait()
    assert set(await store.journal("e1")) == {"1"}
    asking.cancel()
    await asyncio.wait({asking})
    assert await store.journal("e1") == {}


def test_a_worker_that_hears_nothing_fences_itself_before_its_leases_end(tmp_path: Path) -> None:
    lost: dict[str, float] = {}
    with Server(tmp_path) as server:
        keeper = LeaseKeeper(server.url, "h", 2000)
        heartbeat = Heartbeat(keeper, "w1", 2.0, lambda fences: lost.update(dict.fromkeys(fences, time.monotonic())))
        server.signal(signal.SIGSTOP)
        claimed_at = time.monotonic()
        heartbeat.hold("e1", "5", claimed_at)
        heartbeat.start()
        while not lost and time.monotonic() < claimed_at + 5:
            time.sleep(0.01)
        server.signal(signal.SIGCONT)
        heartbeat.stop()
    assert lost["e1"] - claimed_at < 2.0


def last_beat(server: Server) -> float:
    return float(str(server.tell("ZSCORE", "h:workers", "w1") or 0.0))


def wait_until(true: Callable[[], Any], seconds: float = 15) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_worker_whose_loop_stands_still_lets_its_leases_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody works on what it has in hand; a heartbeat that went on would keep it from everybody else for ever."""
    lost: dict[str, str] = {}
    with Server(tmp_path) as server:
        keeper = LeaseKeeper(server.url, "h", 3000)
        server.tell("HSET", "h:incident:e1", "state", "running", "fence", "5")
        heartbeat = Heartbeat(keeper, "w1", 3.0, lost.update)
        heartbeat.loop_runs()
        heartbeat.hold("e1", "5", time.monotonic())
        heartbeat.start()
        wait_until(lambda: server.tell("ZSCORE", "h:leases", "e1"))
        monkeypatch.setattr("agentic_worker.heartbeat.STUCK_SECONDS", 0.0)
        wait_until(lambda: lost == {"e1": "5"})
        silent_since = last_beat(server)
        time.sleep(1.5)
        assert last_beat(server) == silent_since
        monkeypatch.undo()
        heartbeat.loop_runs()
        wait_until(lambda: last_beat(server) > silent_since)
        heartbeat.stop()


async def test_a_heartbeat_that_is_held_up_does_not_hide_that_a_lease_ends(
    start_worker: Any, report: Any, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when looking up the store's address takes as long as the resolver likes."""
    program = tmp_path / "act"
    program.write_text(f"#!/bin/sh\necho began >> {tmp_path}/ran\nsleep 30\necho ended >> {tmp_path}/ran\n")
    program.chmod(0o755)
    action = {"kind": "free_disk_space", "effector": "command", "argv": [str(program)], "risk": "safe"}
    beat = LeaseKeeper.beat
    held_up = threading.Event()

    def slow(self: LeaseKeeper, *arguments: Any) -> Any:
        if (tmp_path / "ran").exists() and not held_up.is_set():
            held_up.wait(8)
        return beat(self, *arguments)

    monkeypatch.setattr(LeaseKeeper, "beat", slow)
    only_one = {"concurrency": 1}  # so that it claims nothing meanwhile, where it would see that the lease is over
    async with start_worker(jobs=[job(tmp_path)], actions={"act": action}, worker=only_one):
        begun = time.monotonic()
        record = await report(log=DISK_FULL, timeout_seconds=20)
        took = time.monotonic() - begun
        held_up.set()
    assert record["status"] == "unknown"
    assert took < 7, "the worker itself let go and took it up anew"
    assert runs(tmp_path) == 1


async def test_a_lease_that_is_said_to_be_lost_twice_ends_its_command_all_the_same(
    start_worker: Any, report: Any, tmp_path: Path
) -> None:
    program = tmp_path / "act"
    program.write_text(
        f"#!/bin/sh\ntrap '' TERM\necho $$ > {tmp_path}/pid.new\nmv {tmp_path}/pid.new {tmp_path}/pid\nsleep 30\n"
    )
    program.chmod(0o755)
    action = {"kind": "free_disk_space", "effector": "command", "argv": [str(program)], "risk": "safe"}
    async with start_worker(jobs=[job(tmp_path)], actions={"act": action}) as service:
        await report(event_id="e1", log=DISK_FULL, wait=False)
        await until((tmp_path / "pid").exists)
        claimed, handling = service._worker._in_hand["e1"]
        for _ in range(3):
            service._lost({"e1": claimed.fence})
            await asyncio.sleep(0.2)
        await asyncio.wait({handling}, timeout=10)
        pid = int((tmp_path / "pid").read_text())
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_what_a_stopping_workers_last_claim_brings_is_not_left_lying(
    start_worker: Any, report: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, answered = Store.claim, asyncio.Event()

    async def slow(self: Store, *arguments: Any, **options: Any) -> Any:
        claimed = await claim(self, *arguments, **options)
        if claimed:
            answered.set()
            await asyncio.sleep(0.5)  # the answer is on its way
        return claimed

    monkeypatch.setattr(Store, "claim", slow)
    async with start_worker() as service:
        await report(event_id="e1", log=DISK_FULL, wait=False)
        await answered.wait()
        service.stop()
    assert (await store.status())["in_flight"] == 0
    assert await store.record("e1") is not None


async def test_what_is_still_under_way_when_the_time_to_drain_is_over_is_given_back_at_once(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    slow = touching(tmp_path)
    (tmp_path / "act").write_text(f"#!/bin/sh\necho ran >> {tmp_path}/ran\nsleep 30\n")
    queue = {"lease_seconds": 30, "drain_seconds": 0.3}
    async with start_worker(jobs=[job(tmp_path)], actions={"act": slow}, queue=queue):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        await until(lambda: runs(tmp_path))
    [again] = await store.claim("w2", "n-1", 1)
    assert (again.event_id, again.deliveries) == ("e1", 1)


async def test_the_stores_trouble_is_no_crash_of_the_event(
    start_worker: Any, report: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, calls = Pipeline.handle, []

    async def unlucky(self: Pipeline, incident: Any) -> Any:
        calls.append(dict(incident.progress))
        if len(calls) <= 5:
            raise StoreUnavailable("the store does not answer")
        return await handle(self, incident)

    monkeypatch.setattr(Pipeline, "handle", unlucky)
    async with start_worker():
        record = await report(event_id="e1", log=DISK_FULL)
    assert len(calls) == 6
    assert "crashes" not in calls[-1]
    assert record["deliveries"] == 1


async def test_an_event_whose_handling_breaks_each_time_becomes_a_dead_letter(
    start_worker: Any, report: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Pipeline, incident: Any) -> Any:
        raise ValueError("no way to handle it")

    monkeypatch.setattr(Pipeline, "handle", broken)
    async with start_worker(queue={"lease_seconds": 1, "drain_seconds": 5, "max_deliveries": 2}):
        record = await report(event_id="e1", log=DISK_FULL, timeout_seconds=20)
    assert record["status"] == "dead"
    assert record["reason"] == "its handling broke 2 times, last: ValueError: no way to handle it"
    assert [letter["event_id"] for letter in (await store.dead()).records] == ["e1"]


def test_what_breaks_in_a_beat_ends_no_heartbeat(tmp_path: Path) -> None:
    told: list[float] = []

    def broken(fences: Any) -> None:
        told.append(last_beat(server))
        raise RuntimeError("the loop is closed")

    with Server(tmp_path) as server:
        heartbeat = Heartbeat(LeaseKeeper(server.url, "h", 1500), "w1", 1.5, broken)
        heartbeat.hold("gone", "5", time.monotonic())
        heartbeat.start()
        wait_until(lambda: told)
        wait_until(lambda: last_beat(server) > told[0])
        heartbeat.stop()


POISON = """
import asyncio, os
from agentic.contracts import ReasoningModule

class Poison(ReasoningModule):
    async def decide(self, situation):
        if situation.event.event_id == "poison":
            os.kill(os.getpid(), 9)
        await asyncio.sleep(0.3)
"""


def worker_process(folder: Path, server: Server, **settings: Any) -> subprocess.Popen[bytes]:
    written = {
        "version": 1,
        "redis": {"url": server.url, "key_prefix": "p"},
        "queue": {"lease_seconds": 1, "drain_seconds": 2, "max_deliveries": 3},
        "llm": {"enabled": False},
        **settings,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(written))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with (folder / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "agentic_worker.main"], cwd=folder, env=environment, stdout=log, stderr=log
        )


async def test_an_event_that_kills_its_workers_takes_no_other_with_it(tmp_path: Path) -> None:
    (tmp_path / "deadly.py").write_text(POISON)
    with Server(tmp_path) as server:
        store = Store(server.url, prefix="p", limits=Limits(lease_seconds=1))
        await store.open()
        names = ["poison", *(f"good{n}" for n in range(8))]
        await store.enqueue_many([(name, payload(name)) for name in names])
        deaths, worker = 0, worker_process(tmp_path, server, reasoning=[{"use": "deadly:Poison"}])
        try:
            async with asyncio.timeout(60):
                while (await store.status())["history_length"] < len(names):
                    await asyncio.sleep(0.05)
                    if worker.poll() is not None:
                        deaths += 1
                        worker = worker_process(tmp_path, server, reasoning=[{"use": "deadly:Poison"}])
        finally:
            worker.kill()
            worker.wait()
        records = {record["event_id"]: record for record in (await store.history()).records}
        letters = (await store.dead()).records
        await store.close()
    assert deaths == 3
    assert records.pop("poison")["status"] == "dead"
    assert {record["status"] for record in records.values()} == {"escalated"}
    assert [letter["event_id"] for letter in letters] == ["poison"]
    assert "3 workers took it in hand" in letters[0]["reason"]


@pytest.mark.parametrize("when", ["before it came", "while it is away"])
def test_a_worker_stops_in_time_without_its_store(tmp_path: Path, when: str) -> None:
    with Server(tmp_path) as server:
        if when == "before it came":
            server.kill()
        worker = worker_process(tmp_path, server)
        log = tmp_path / "worker.log"
        awaited = "store.unreachable" if when == "before it came" else "worker.started"
        ends = time.monotonic() + 20
        while awaited not in log.read_text() and time.monotonic() < ends:
            time.sleep(0.05)
        server.kill()
        time.sleep(0.3)
        worker.send_signal(signal.SIGTERM)
        try:
            assert worker.wait(10) == 0, log.read_text()
        finally:
            worker.kill()
            worker.wait()


async def test_a_store_that_comes_back_is_no_crash_of_the_event(tmp_path: Path) -> None:
    with Server(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
        store = Store(server.url)
        await store.open()
        server.kill()
        reading = asyncio.create_task(store.usage("backup"))
        await asyncio.sleep(0.5)
        assert not reading.done()
        await asyncio.to_thread(server.start)
        assert (await asyncio.wait_for(reading, 5)).job_actions == 0
        await store.close()
