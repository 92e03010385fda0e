"""The ground that everything in this folder happens on: one store, one target of remedies, workers to lose."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis.asyncio as redis
import yaml

from agentic.intake import event_to_json
from agentic.types import Event
from store import Store, StoreUnavailable
from store.calls import Scripts
from store.keys import Keys
from tests.chaos.effects import Effects
from tests.chaos.server import Server
from tests.chaos.workers import WorkerProcess, Workers

LEASE_SECONDS = 1.0
DISK_FULL = ["copying /srv/data", "cp: error writing '/backup/2026-01-02.tar': No space left on device"]
REFUSED = ["curl: (7) Failed to connect to db port 5432: Connection refused"]
BROKEN = ("incident.crashed", "heartbeat.failed", "worker.part_died", "never retrieved", "Traceback (most recent")
PROGRAM = """\
import os, socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30) as target:
    event_id = os.environ["AUTOREMEDY_EVENT_ID"]
    target.sendall(f"POST /effect/{event_id}/rerun HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n".encode())
    sys.exit(b" 200 " not in target.recv(100))
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event, and how it must end."""

    job_id: str
    good: str
    """Status of its record when nothing comes between."""
    once: frozenset[str] = frozenset()
    """Steps that must never be done twice."""
    again: frozenset[str] = frozenset()
    """Steps whose action is declared idempotent."""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> frozenset[str]:
        """Every step that a success must have done."""
        return self.once | self.again


KINDS = {
    kind.job_id: kind
    for kind in (
        Kind("idempotent", "remediated", again=frozenset({"tidy"}), fields={"log": DISK_FULL}),
        Kind("once", "remediated", once=frozenset({"poke"}), fields={"log": DISK_FULL}),
        Kind("checked", "resolved", once=frozenset({"poke"}), fields={"log": DISK_FULL}),
        Kind("rerun", "resolved", once=frozenset({"rerun"}), again=frozenset({"tidy"}), fields={"log": DISK_FULL}),
        Kind("later", "resolved", once=frozenset({"rerun"}), fields={"log": REFUSED}),
        Kind("healthy", "ignored", fields={"status": "succeeded"}),
    )
}


def settings(
    store_port: int, prefix: str, effects_port: int, folder: Path, *, worker_id: str, **changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the settings of a worker that knows every kind of event, with some sections changed."""
    effect = f"http://127.0.0.1:{effects_port}/effect/{{event_id}}"
    argv = [str(Path(sys.executable)), "-I", "-S", str(folder / "rerun.py"), str(effects_port)]
    check = {"effector": "http", "method": "GET", "url": effect.replace("/effect/", "/check/"), "within_seconds": 30}

    def job(job_id: str, *plan: str, **more: Any) -> dict[str, Any]:
        return {"id": job_id, "mode": "auto", "playbooks": {"disk_full": list(plan)} if plan else {}, **more}

    def action(step: str, kind: str, *, idempotent: bool) -> dict[str, Any]:
        how = {"effector": "http", "url": f"{effect}/{step}", "risk": "safe", "timeout_seconds": 20}
        return {**how, "kind": kind, "idempotent": idempotent}

    run = {"effector": "command", "argv": argv, "timeout_seconds": 20}
    rerun: dict[str, Any] = {"safe_to_rerun": True, "rerun": run}
    later: dict[str, Any] = {"safe_to_rerun": True, "rerun": {**run, "delay_seconds": 0.1}}
    written: dict[str, Any] = {
        "version": 1,
        "redis": {"url": f"redis://127.0.0.1:{store_port}", "key_prefix": prefix},
        "queue": {"lease_seconds": LEASE_SECONDS, "drain_seconds": 5},
        "worker": {"id": worker_id, "concurrency": 8},
        "llm": {"enabled": False},
        "reasoning": [{"use": "precedent"}, {"use": "rules"}],
        "policy": {"max_actions_per_job_per_hour": 100_000, "max_actions_per_hour": 100_000},
        "jobs": [
            job("idempotent", "tidy", "escalate"),
            job("once", "poke", "escalate"),
            job("checked", "poke", "escalate", verify=check),
            job("rerun", "tidy", "rerun", "escalate", **rerun),
            {**job("later"), **later, "playbooks": {"dependency_unavailable": ["retry_with_backoff", "escalate"]}},
        ],
        "actions": {
            "tidy": action("tidy", "free_disk_space", idempotent=True),
            "poke": action("poke", "release_stale_lock", idempotent=False),
        },
    }
    for section, values in changes.items():
        written[section] = {**written[section], **values} if isinstance(values, Mapping) else values
    return written


class Field:
    """One key prefix on the ground: events in, records out, and a look at what is left over."""

    def __init__(self, ground: Ground, prefix: str) -> None:
        self.ground = ground
        self.prefix = prefix
        self.keys = Keys(prefix)
        self.store = Store(ground.server.url, prefix=prefix)
        self.names = {digest.encode(): name for name, digest in Scripts(self.keys).hashes.items()}
        self._client = redis.Redis.from_url(ground.server.url, protocol=2)

    async def close(self) -> None:
        """Drop the connections."""
        await self.store.close()
        await self._client.aclose()

    async def report(self, kind: Kind, event_id: str) -> None:
        """Put an event on the queue, as the HTTP service does."""
        fields = {"event_id": event_id, "job_id": kind.job_id, "status": "failed", **kind.fields}
        raw = event_to_json(Event.model_validate(fields))
        while True:
            try:
                await self.store.enqueue(event_id, raw)
            except StoreUnavailable:  # a busy machine; whoever reports waits and says it again
                await asyncio.sleep(0.1)
            else:
                return

    async def start_worker(self, name: str, port: int | None = None, **changes: Any) -> WorkerProcess:
        """Start a worker, through a proxy where a port is given."""
        ground = self.ground
        config = ground.folder / f"{self.prefix}-{name}.yaml"
        written = settings(
            port or ground.server.port, self.prefix, ground.effects.port, ground.folder, worker_id=name, **changes
        )
        config.write_text(yaml.safe_dump(written))
        return await ground.workers.start(config)

    async def records(self) -> list[dict[str, Any]]:
        """Return the whole history, oldest first."""
        return [json.loads(raw) for raw in await self._client.lrange(self.keys.single("history"), 0, -1)]

    async def record(self, event_id: str, within_seconds: float = 40) -> dict[str, Any]:
        """Wait for the record of an event."""
        async with asyncio.timeout(within_seconds):
            while True:
                found = [record for record in await self.records() if record["event_id"] == event_id]
                if found:
                    return found[0]
                await asyncio.sleep(0.03)

    async def has_record(self, event_id: str) -> bool:
        """Say whether an event has its record."""
        return any(record["event_id"] == event_id for record in await self.records())

    async def incident(self, event_id: str) -> dict[str, str]:
        """Return the live state of an event's handling."""
        return await self._hash(self.keys.of("incident", event_id))

    async def journal(self, event_id: str) -> dict[str, str]:
        """Return what the effect journal says of an event."""
        return await self._hash(self.keys.of("fx", event_id))

    async def _hash(self, key: str) -> dict[str, str]:
        raw: dict[Any, Any] = await self._client.hgetall(key)
        return {name.decode(): value.decode("utf-8", "replace") for name, value in raw.items()}

    async def left_over(self) -> dict[str, int]:
        """Return what is still in hand, put aside, waiting or without a record."""
        kinds = {"events": "llen", "leases": "zcard", "delayed": "zcard", "open": "zcard", "waiting": "zcard"}
        sizes = {name: await getattr(self._client, look)(self.keys.single(name)) for name, look in kinds.items()}
        return {name: size for name, size in sizes.items() if size}

    async def owners(self) -> set[str]:
        """Return who has something in hand; nobody while the store is away."""
        try:
            held = await self._client.zrange(self.keys.single("leases"), 0, -1)
            found = [await self._client.hget(self.keys.of("incident", one.decode()), "owner") for one in held]
        except (redis.RedisError, OSError):
            return set()
        return {owner.decode() for owner in found if owner}

    def complaints(self) -> list[str]:
        """Return what the workers logged that no fault excuses: a handling that broke, a part that died."""
        lines = (
            f"{log.name}: {line[:300]}"
            for log in sorted(self.ground.folder.glob(f"{self.prefix}-*.log"))
            for line in log.read_text("utf-8", "replace").splitlines()
        )
        return [line for line in lines if any(word in line for word in BROKEN)]

    async def dead(self) -> int:
        """Return the number of dead letters."""
        return int(await self._client.llen(self.keys.single("dead")))


@dataclass
class Ground:
    """What all fields share."""

    server: Server
    effects: Effects
    workers: Workers
    folder: Path

    @asynccontextmanager
    async def field(self) -> AsyncIterator[Field]:
        """A key prefix of its own."""
        opened = Field(self, f"c{secrets.token_hex(4)}")
        try:
            yield opened
        finally:
            await opened.close()


@asynccontextmanager
async def break_ground(folder: Path, program: str | None = None) -> AsyncIterator[Ground]:
    """Start a store and a target, and be ready to start workers; nothing is left running afterwards."""
    (folder / "rerun.py").write_text(PROGRAM)
    server, effects = Server(folder / "store", program), Effects()
    await asyncio.to_thread(server.start)
    try:
        await effects.start()
        try:
            async with Workers() as workers:
                yield Ground(server, effects, workers, folder)
        finally:
            await effects.stop()
    finally:
        server.stop()
