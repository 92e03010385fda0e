"""A server in every state it has: calls wait and are answered when it is over, and a full one still finishes."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
import redis

from agentic.types import Event, HistoryRecord, Outcome, OutcomeStatus, RecordStatus, utc_now
from api.main import create_app
from config import Settings
from store import Claimed, Limits, Store, StoreUnavailable
from store.base import dumps
from store.lease import LeaseKeeper
from tests.servers import Server, free_port

KINDS = ["valkey", "redis"]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path, "--appendonly", "yes", "--appendfsync", "always", kind=request.param) as started:
        yield started


@asynccontextmanager
async def opened(server: Server) -> AsyncIterator[Store]:
    store = Store(server.url, prefix="s", limits=Limits(lease_seconds=30))
    await store.open()
    yield store
    await store.close()


def event(event_id: str) -> bytes:
    return dumps(Event(event_id=event_id, job_id="backup", status="failed"))


def record_of(event_id: str) -> HistoryRecord:
    now = utc_now()
    return HistoryRecord(
        event_id=event_id, job_id="backup", status=RecordStatus.ESCALATED, received_at=now, finished_at=now
    )


async def one_in_hand(store: Store) -> Claimed:
    await store.enqueue("held", event("held"))
    [claimed] = await store.claim("w1", "n-1", 1)
    await store.enqueue("next", event("next"))
    return claimed


def read_only(server: Server) -> Callable[[], object]:
    server.tell("REPLICAOF", "127.0.0.1", free_port())
    return lambda: server.tell("REPLICAOF", "NO", "ONE")


def master_down(server: Server) -> Callable[[], object]:
    server.tell("CONFIG", "SET", "replica-serve-stale-data", "no")
    return read_only(server)


def no_replicas(server: Server) -> Callable[[], object]:
    server.tell("CONFIG", "SET", "min-replicas-to-write", 1)
    return lambda: server.tell("CONFIG", "SET", "min-replicas-to-write", 0)


def disk_trouble(server: Server) -> Callable[[], object]:
    (server.folder / "dump.rdb" / "in the way").mkdir(parents=True)
    server.tell("CONFIG", "SET", "save", "3600 1000000")
    server.tell("BGSAVE")
    with server.client() as client:
        while client.info("persistence")["rdb_last_bgsave_status"] != "err":
            time.sleep(0.02)
    return lambda: server.tell("CONFIG", "SET", "save", "")


def busy(server: Server) -> Callable[[], object]:
    server.tell("CONFIG", "SET", "busy-reply-threshold", 50)
    with suppress(redis.TimeoutError), server.client(timeout_seconds=0.2) as client:
        client.eval("while true do end", 0)
    return lambda: server.tell("SCRIPT", "KILL")


def stopped(server: Server) -> Callable[[], object]:
    server.signal(signal.SIGSTOP)
    return lambda: server.signal(signal.SIGCONT)


def gone(server: Server) -> Callable[[], object]:
    server.kill()
    return server.start


def loading(server: Server) -> Callable[[], object]:
    with server.client() as client:
        pipeline = client.pipeline(transaction=False)
        for number in range(3000):
            pipeline.set(f"ballast:{number}", "x" * 100)
        pipeline.execute()
        client.execute_command("BGREWRITEAOF")
        while client.info("persistence")["aof_rewrite_in_progress"]:
            time.sleep(0.02)
    server.kill()
    # Two hidden settings of the servers' own tests: a pause per key, and answers in between.
    server.start("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024", wait=False)
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        with suppress(redis.ConnectionError):
            try:
                server.tell("PING")
            except redis.BusyLoadingError:
                return lambda: None
        time.sleep(0.005)
    raise AssertionError("it never said LOADING")


def rights_taken(server: Server) -> Callable[[], object]:
    server.tell("ACL", "SETUSER", "default", "-evalsha", "-blmove", "-script")
    return lambda: server.tell("ACL", "SETUSER", "default", "+@all")


def password_set(server: Server) -> Callable[[], object]:
    admin = redis.Redis.from_url(server.url, username="admin", password="only-here")
    admin_may_all = ("ACL", "SETUSER", "admin", "on", ">only-here", "~*", "&*", "+@all")
    server.tell(*admin_may_all)
    server.tell("ACL", "SETUSER", "default", "resetpass", ">another")
    admin.execute_command("CLIENT", "KILL", "USER", "default")

    def leave() -> None:
        admin.execute_command("ACL", "SETUSER", "default", "nopass")
        admin.close()

    return leave


def keys_taken(server: Server) -> Callable[[], object]:
    """Put something else under the two keys that other programs know."""
    with server.client() as client:
        for name in ("s:events", "s:history"):
            if client.exists(name):
                client.rename(name, f"{name}.aside")
            client.set(name, "not ours")

    def leave() -> None:
        with server.client() as client:
            for name in ("s:events", "s:history"):
                client.delete(name)
                if client.exists(f"{name}.aside"):
                    client.rename(f"{name}.aside", name)

    return leave


STATES = [
    read_only, master_down, no_replicas, disk_trouble, busy, stopped, gone, loading, rights_taken, password_set,
    keys_taken,
]  # fmt: skip


@pytest.mark.parametrize("enter", STATES, ids=lambda enter: enter.__name__)
async def test_what_a_worker_asks_waits_until_the_server_is_well(
    server: Server, enter: Callable[[Server], Callable[[], object]]
) -> None:
    async with opened(server) as store:
        claimed = await one_in_hand(store)
        leave = await asyncio.to_thread(enter, server)
        finishing = asyncio.create_task(store.finish("held", claimed.fence, record_of("held")))
        claiming = asyncio.create_task(store.claim("w1", "n-2", 1))
        waiting = asyncio.create_task(store.wait_for_work())
        await asyncio.sleep(0.3)
        if enter is not loading:
            assert not finishing.done() and not claiming.done()
        await asyncio.to_thread(leave)
        well = time.monotonic()
        assert await asyncio.wait_for(finishing, 10)
        [following] = await asyncio.wait_for(claiming, 10)
        took = time.monotonic() - well
        assert following.event_id == "next"
        assert len((await store.history()).records) == 1
        await asyncio.wait_for(waiting, 10)
    if enter is not loading:
        assert took < 2.0, "after the server returned the first claim comes soon"


@pytest.mark.parametrize("server", ["valkey"], indirect=True)
@pytest.mark.parametrize("enter", STATES, ids=lambda enter: enter.__name__)
async def test_the_api_answers_503_and_when_to_come_back(
    server: Server, enter: Callable[[Server], Callable[[], object]]
) -> None:
    async with opened(server) as store:
        app = create_app(Settings(), store, None)
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            report = {"job_id": "backup", "status": "failed", "event_id": "e1"}
            assert (await client.post("/event", json=report)).status_code == 202
            leave = await asyncio.to_thread(enter, server)
            asked = time.monotonic()
            answer = await client.post("/event", json={**report, "event_id": "e2"})
            took = time.monotonic() - asked
            paused = await client.post("/pause")
            await asyncio.to_thread(leave)
            if enter is not loading:  # that may be over before the time for an answer is
                assert answer.status_code == 503
                assert 1 <= int(answer.headers["retry-after"]) <= 300
                assert took < 3.0
                if enter not in (rights_taken, keys_taken):  # these have nothing against a pause
                    assert paused.status_code == 503
            ends = time.monotonic() + 15
            while (again := await client.post("/event", json={**report, "event_id": "e2"})).status_code == 503:
                assert time.monotonic() < ends
            assert again.status_code == 202
            assert again.json()["status"] in ("submitted", "duplicate")
    with server.client() as raw:
        assert raw.llen("s:events") == 2, "however often it was sent"


async def test_a_full_server_takes_nothing_new_and_still_finishes(server: Server) -> None:
    async with opened(server) as store:
        claimed = await one_in_hand(store)
        begun = await store.begin(
            "held", claimed.fence, "1", "n", idempotent=False, counts=True, job_id="j", per_job=9, for_all=9
        )
        assert begun[0] == "go"
        server.tell("CONFIG", "SET", "maxmemory", 1)
        claiming = asyncio.create_task(store.claim("w1", "n-2", 1))
        await asyncio.sleep(0.5)  # by now the claim has been refused several times
        with pytest.raises(StoreUnavailable, match="memory"):
            await store.enqueue("e3", event("e3"))
        keeper = LeaseKeeper(server.url, "s", 30_000)
        assert keeper.beat("w1", {}, {"held": claimed.fence}) == set()
        keeper.close()
        began = time.monotonic()
        assert await store.save("held", claimed.fence, {"stage": "acting"})
        outcome = Outcome(step=1, name="x", status=OutcomeStatus.DONE)
        assert await store.result("held", claimed.fence, "1", "n", outcome, "x|done")
        assert await store.finish("held", claimed.fence, record_of("held"))
        assert time.monotonic() - began < 0.3, "what is refused does not hold up what passes"
        assert not claiming.done()
        server.tell("CONFIG", "SET", "maxmemory", 0)
        assert [one.event_id for one in await asyncio.wait_for(claiming, 3)] == ["next"]


async def test_a_server_that_forgot_the_scripts_is_taught_them_again(server: Server) -> None:
    async with opened(server) as store:
        for number in range(5):
            server.tell("SCRIPT", "FLUSH")
            assert await store.enqueue(f"e{number}", event(f"e{number}")) == "queued"
        server.tell("SCRIPT", "FLUSH")
        assert len(await store.claim("w1", "n-1", 9)) == 5
        keeper = LeaseKeeper(server.url, "s", 30_000)
        server.tell("SCRIPT", "FLUSH")
        assert keeper.beat("w1", {}, {"e9": "1"}) == {"e9"}
        keeper.close()
