"""The servers people run: Sentinel, a cluster, old versions, settings that lose data."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from agentic.contracts import Turn
from agentic.types import Event, Feedback, LogDigest, Outcome, OutcomeStatus
from store import Limits, Store, StoreMisconfigured, StoreUnavailable
from store.base import dumps
from store.connect import connect
from store.lease import LeaseKeeper
from store.server import can_confirm_fsync
from tests.servers import Server, free_port
from tests.store.test_server_states import record_of

KINDS = pytest.mark.parametrize("kind", ["valkey", "redis"])


def event(event_id: str) -> bytes:
    return dumps(Event(event_id=event_id, job_id="backup", status="failed"))


async def found(server: Server, prefix: str = "agentic") -> dict[str, Any]:
    store = Store(server.url, prefix=prefix)
    try:
        await store.open()
        return store.server
    finally:
        await store.close()


async def call_every_script(store: Store, url: str) -> None:
    """Take three events through all that can happen to them."""
    for name in ("e1", "e2", "e3"):
        await store.enqueue(name, event(name))
    e1, e2, e3 = await store.claim("w1", "n-1", 3)
    keeper = LeaseKeeper(url, store.keys.prefix, 30_000)
    assert keeper.beat("w1", {}, {"e1": e1.fence}) == set()
    keeper.leave("w1")
    keeper.close()
    assert await store.save("e1", e1.fence, {"stage": "x"})
    assert (await store.ask("e1", e1.fence, "s", "m", "go", 60)).turn is Turn.GO
    assert await store.answered("e1", e1.fence, "s", "m", {"said": 1}, 60, {"gen_ai_seconds|m||0": 1})
    assert (await store.usage("j")).job_actions == 0
    for step in ("1", "2"):
        begun = await store.begin(
            "e1", e1.fence, step, "n", idempotent=False, counts=True, job_id="j", per_job=9, for_all=9, confirm=True
        )
        assert begun == ("go", "")
    await store.withdraw("e1", e1.fence, "1", "n")
    done = Outcome(step=2, name="tell", status=OutcomeStatus.DONE)
    assert await store.result("e1", e1.fence, "2", "n", done, "notify")
    assert await store.park("e1", e1.fence, "plan", 60) == "ok"
    assert (await store.decide("e1", "approved", "plan", "ana"))[0] == "ok"
    assert await store.defer("e2", e2.fence, 60, watch_job="backup")
    assert await store.recovered("backup", "e3", e3.fence) == ["e2"]
    assert await store.release("e3", e3.fence)
    again = {one.event_id: one.fence for one in await store.claim("w1", "n-2", 3)}
    letter = {"event_id": "e3", "reason": "x", "payload": event("e3").decode(), "accepted": True}
    assert await store.bury("e3", again["e3"], letter)
    assert await store.replay("e3")
    for name in ("e1", "e2"):
        assert await store.finish(name, again[name], record_of(name))
    assert len((await store.history()).records) == 2
    assert await store.add_feedback(Feedback(event_id="e1", user="ana", rating=5))


async def call_the_rest(store: Store) -> None:
    """Ask for everything that the API and a worker ask for beside the scripts."""
    await asyncio.wait_for(store.wait_for_work(), 5)
    await store.note_llm({"state": "ready"})
    await store.pause("ana", "maintenance")
    assert (await store.status())["paused"]
    await store.resume()
    assert await store.totals()
    assert await store.jobs()
    assert (await store.incident("e1")) is not None
    assert (await store.incidents()).records is not None
    assert (await store.dead()).records == []
    assert await store.retry_after_seconds() >= 1
    assert not await store.recall(Event(event_id="e9", job_id="backup", status="failed"), LogDigest(signature="s"))


@KINDS
async def test_a_cluster_is_served_by_a_prefix_that_is_a_hash_tag(tmp_path: Path, kind: str) -> None:
    with Server(tmp_path, "--cluster-enabled", "yes", kind=kind) as server:
        server.tell("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        ends = time.monotonic() + 10
        while "cluster_state:ok" not in str(server.tell("CLUSTER", "INFO")) and time.monotonic() < ends:
            await asyncio.sleep(0.05)
        with pytest.raises(StoreMisconfigured, match=r"\{agentic\}"):
            await found(server)
        store = Store(server.url, prefix="{agentic}")
        await store.open()
        await call_every_script(store, server.url)
        await store.close()
        with server.client() as client:
            keys = client.keys("*")
        assert len(keys) > 10
        assert all(key.startswith(b"{agentic}:") for key in keys)


@KINDS
async def test_every_script_runs_on_both_servers(tmp_path: Path, kind: str) -> None:
    with Server(tmp_path, "--appendonly", "yes", kind=kind) as server:
        store = Store(server.url)
        await store.open()
        await call_every_script(store, server.url)
        assert store.server["server"] == kind
        assert can_confirm_fsync(store.server) == (kind == "valkey"), "Redis 7.0 has no WAITAOF"
        await store.close()


@KINDS
async def test_the_documented_user_may_do_all_that_is_asked_and_nothing_dangerous(tmp_path: Path, kind: str) -> None:
    """The user that docs/deployment.md recommends for a shared server."""
    text = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text("utf-8")
    [rules] = re.findall(r"`ACL SETUSER autoremedy on >… (.+?)`", text)
    with Server(tmp_path, "--appendonly", "yes", kind=kind) as server:
        server.tell("ACL", "SETUSER", "autoremedy", "on", ">hush", *rules.split())
        url = server.url.replace("redis://", "redis://autoremedy:hush@")
        store = Store(url)
        await store.open()
        await call_every_script(store, url)
        await call_the_rest(store)
        await store.close()
        with redis.Redis.from_url(url) as client:
            for refused in (["FLUSHALL"], ["SET", "other", "1"], ["CONFIG", "SET", "appendonly", "no"], ["KEYS", "*"]):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*refused)


async def test_sentinel_leads_to_the_master_also_after_a_failover(tmp_path: Path) -> None:
    with Server(tmp_path, kind="redis") as first, Server(tmp_path, kind="redis") as second:
        second.tell("REPLICAOF", "127.0.0.1", first.port)
        options = [
            f"sentinel monitor main 127.0.0.1 {first.port} 1",
            "sentinel down-after-milliseconds main 500",
            "sentinel failover-timeout main 3000",
        ]
        with Server(tmp_path, *options, kind="redis", sentinel=True) as sentinel:
            url = f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{sentinel.port}/main"
            store = Store(url, limits=Limits(lease_seconds=30))
            await _until(lambda: b"slave0" in bytes(str(first.tell("INFO", "replication")), "ascii"))
            await _until(lambda: len(sentinel.tell("SENTINEL", "replicas", "main")) == 1)  # type: ignore[arg-type]
            await store.open()
            await store.enqueue("e1", event("e1"))
            [claimed] = await store.claim("w1", "n-1", 1)
            begun = await store.begin(
                "e1", claimed.fence, "1", "n", idempotent=False, counts=True, job_id="j", per_job=9, for_all=9,
                confirm=True,
            )  # fmt: skip
            assert begun[0] == "go"
            first.kill()
            assert await asyncio.wait_for(store.finish("e1", claimed.fence, record_of("e1")), 30)
            assert [r["event_id"] for r in (await store.history()).records] == ["e1"]
            await store.close()


async def _until(true: Any) -> None:
    ends = time.monotonic() + 30
    while not await asyncio.to_thread(true):
        assert time.monotonic() < ends
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_server_that_may_drop_keys_is_refused(tmp_path: Path, policy: str) -> None:
    with (
        Server(tmp_path, "--maxmemory-policy", policy) as server,
        pytest.raises(StoreMisconfigured, match="set maxmemory-policy to noeviction"),
    ):
        await found(server)


@pytest.mark.parametrize(
    ("kind", "options", "risk"),
    [
        ("valkey", ["--appendonly", "no"], "appendonly is off"),
        ("valkey", ["--appendonly", "yes", "--appendfsync", "everysec"], "WAITAOF"),
        ("redis", ["--appendonly", "yes", "--appendfsync", "everysec"], "has no WAITAOF"),
        ("valkey", ["--appendonly", "yes", "--appendfsync", "no"], "no effect is ever begun"),
        ("valkey", ["--appendonly", "yes", "--appendfsync", "always"], None),
    ],
)
async def test_what_a_crash_could_lose_is_said_at_start(
    tmp_path: Path, kind: str, options: list[str], risk: str | None
) -> None:
    with Server(tmp_path, *options, kind=kind) as server:
        facts = await found(server)
    assert facts["server"] == kind
    assert facts["version"][0].isdigit()
    if risk is None:
        assert facts["risks"] == []
    else:
        [said] = facts["risks"]
        assert risk in said
        assert "appendfsync" in said


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    store = Store(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailable):
        await store.open()
    await store.close()


async def test_an_effect_waits_until_a_replica_has_its_intention(tmp_path: Path) -> None:
    with Server(tmp_path) as server, Server(tmp_path) as replica:
        replica.tell("REPLICAOF", "127.0.0.1", server.port)
        await _until(lambda: "online" in str(server.tell("INFO", "replication")))
        store = Store(server.url)
        await store.open()
        await store.enqueue("e1", event("e1"))
        [claimed] = await store.claim("w1", "n-1", 1)
        replica.signal(signal.SIGSTOP)
        beginning = asyncio.create_task(
            store.begin(
                "e1", claimed.fence, "1", "n", idempotent=False, counts=True, job_id="j", per_job=9, for_all=9,
                confirm=True,
            )
        )  # fmt: skip
        await asyncio.sleep(0.7)
        assert not beginning.done()
        replica.signal(signal.SIGCONT)
        assert (await asyncio.wait_for(beginning, 30))[0] == "go"
        await store.close()


async def refusal(url: str) -> str:
    store = Store(url)
    try:
        with pytest.raises(StoreMisconfigured) as caught:
            await store.open()
    finally:
        await store.close()
    return str(caught.value)


@KINDS
async def test_a_server_that_refuses_us_is_said_in_a_sentence_and_not_waited_for(tmp_path: Path, kind: str) -> None:
    with Server(tmp_path, kind=kind) as server:
        server.tell("ACL", "SETUSER", "poor", "on", ">hush", "~*", "+@all", "-@scripting")
        assert "refuses the user or password" in await refusal(server.url.replace("//", "//poor:wrong@"))
        poor = server.url.replace("//", "//poor:hush@")
        assert "may not do what is needed" in await refusal(poor)
        server.tell("ACL", "SETUSER", "poor", "+@all", "resetkeys", "~other:*")
        assert "the keys agentic:*" in await refusal(poor)
        server.tell("ACL", "SETUSER", "default", ">hush", "resetpass", ">hush")
        assert "refuses the user or password" in await refusal(server.url)


async def test_what_is_no_redis_server_is_said_to_be_none() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    other = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with other:
        port = other.sockets[0].getsockname()[1]
        assert "does not speak as a Redis server does" in await refusal(f"redis://127.0.0.1:{port}")


@KINDS
async def test_a_replica_is_said_to_take_nothing(tmp_path: Path, kind: str) -> None:
    with Server(tmp_path, kind=kind) as master, Server(tmp_path, kind=kind) as replica:
        replica.tell("REPLICAOF", "127.0.0.1", master.port)
        await _until(lambda: "online" in str(master.tell("INFO", "replication")))
        for _ in ("empty", "with what the master holds"):
            [said] = (await found(replica))["risks"]
            assert f"a replica of 127.0.0.1:{master.port} and takes no events" in said
            assert (await found(master))["replica_of"] is None
            await _until(lambda: replica.tell("EXISTS", "agentic:mark-key"))


async def test_a_user_who_may_not_ask_for_the_file_is_told_at_start(tmp_path: Path) -> None:
    with Server(tmp_path, "--appendonly", "yes", "--appendfsync", "everysec") as server:
        server.tell("ACL", "SETUSER", "poor", "on", ">hush", "~*", "+@all", "-waitaof")
        store = Store(server.url.replace("//", "//poor:hush@"))
        await store.open()
        assert any("+waitaof" in risk for risk in store.server["risks"])
        await store.close()


def test_a_sentinel_may_have_an_ipv6_address() -> None:
    client = connect("redis+sentinel://[::1]:26380,other/main")
    manager = client.connection_pool.sentinel_manager  # type: ignore[attr-defined]
    places = [one.connection_pool.connection_kwargs for one in manager.sentinels]
    assert [(place["host"], place["port"]) for place in places] == [("::1", 26380), ("other", 26379)]
