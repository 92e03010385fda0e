"""The service over a store: in memory always, over a real Valkey as well where the store stands."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

import store as store_package
from agentic.intake import Limits as IntakeLimits
from agentic.intake import event_from_json, parse_event
from agentic.pipeline import as_memory
from agentic.types import Category, Diagnosis, Event, Feedback, HistoryRecord, LogDigest, Precedent, RecordStatus
from api.main import create_app
from settings.models import ApiSettings, Settings
from store.errors import BadCursor, StoreUnavailable


@dataclass
class MemoryPage:
    records: list[dict[str, Any]]
    next_cursor: str | None = None


@dataclass
class MemoryStore:
    """The store's promises, kept in a dict: same answers, no server."""

    room: int = 100_000
    away: bool = False
    opened: int = 0
    closed: int = 0
    events: dict[str, bytes] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    letters: list[dict[str, Any]] = field(default_factory=list)
    notes: list[Feedback] = field(default_factory=list)
    paused: dict[str, str] | None = None
    waiting: dict[str, str] = field(default_factory=dict)
    """Hash of the plan with which an event waits for a person."""
    words: dict[str, str] = field(default_factory=dict)
    llm: dict[str, Any] = field(default_factory=lambda: {"state": "unknown"})
    workers: list[dict[str, Any]] = field(default_factory=list)
    counted: dict[str, dict[str, float]] = field(default_factory=lambda: {"events": {}})

    def _here(self) -> None:
        if self.away:
            raise StoreUnavailable("the store does not answer: connection refused")

    mark_key = b"a key for tests"

    async def open(self) -> None:
        self._here()
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1

    async def ping(self) -> bool:
        return not self.away

    async def enqueue(self, event_id: str, raw: bytes) -> str:
        return (await self.enqueue_many([(event_id, raw)]))[0]

    async def enqueue_many(self, items: Sequence[tuple[str, bytes]]) -> list[str]:
        self._here()
        answers = []
        for event_id, raw in items:
            if event_id in self.events:
                answers.append("duplicate")
            elif len(self.events) >= self.room:
                answers.append("full")
            else:
                self.events[event_id] = raw
                answers.append("queued")
        for answer in answers:
            label = "accepted" if answer == "queued" else answer
            self.counted["events"][label] = self.counted["events"].get(label, 0) + 1
        return answers

    async def retry_after_seconds(self) -> int:
        return 17

    async def precedents(self, signature: str, job_id: str) -> list[Precedent]:
        self._here()
        return [
            Precedent(
                event_id=record["event_id"],
                job_id=record["job_id"],
                category=record["diagnosis"]["category"],
                status=record["status"],
                at=record["finished_at"],
            )
            for record in reversed(self.records)
            if record["diagnosis"] and (record["digest"] or {}).get("signature") == signature
        ]

    async def history(self, *, limit: int, cursor: str | None, order: str = "desc", **wanted: Any) -> MemoryPage:
        self._here()
        since, until = wanted.pop("since"), wanted.pop("until")
        numbered = [(n, r) for n, r in enumerate(self.records) if self._fits(r, since, until, wanted)]
        if order == "desc":
            numbered.reverse()
        if cursor is not None:
            border = _position(cursor)
            numbered = [(n, r) for n, r in numbered if (n < border if order == "desc" else n > border)]
        page = numbered[:limit]
        more = len(numbered) > limit
        return MemoryPage([self._merged(r) for _, r in page], _cursor(page[-1][0]) if more else None)

    @staticmethod
    def _fits(record: dict[str, Any], since: datetime | None, until: datetime | None, wanted: dict[str, Any]) -> bool:
        at = datetime.fromisoformat(record["finished_at"])
        values = {**record, "category": (record["diagnosis"] or {}).get("category")}
        return (
            (since is None or at >= since)
            and (until is None or at < until)
            and all(value is None or values[name] == value for name, value in wanted.items())
        )

    def _merged(self, record: dict[str, Any]) -> dict[str, Any]:
        notes = [json.loads(n.model_dump_json()) for n in self.notes if n.event_id == record["event_id"]]
        return {**record, "feedback": notes}

    async def record(self, event_id: str) -> dict[str, Any] | None:
        self._here()
        return next((self._merged(r) for r in self.records if r["event_id"] == event_id), None)

    async def add_feedback(self, feedback: Feedback) -> bool:
        if await self.record(feedback.event_id) is None:
            return False
        self.notes.append(feedback)
        return True

    async def incidents(self, *, state: str | None, limit: int, cursor: str | None) -> MemoryPage:
        self._here()
        start = _position(cursor) if cursor else 0
        found = [self._incident(event_id) for event_id in self.events]
        found = [i for i in found if (i["state"] == state if state else i["state"] != "done")]
        more = len(found) > start + limit
        return MemoryPage(found[start : start + limit], _cursor(start + limit) if more else None)

    def _incident(self, event_id: str) -> dict[str, Any]:
        done = any(r["event_id"] == event_id for r in self.records)
        return {
            "event_id": event_id,
            "job_id": event_from_json(self.events[event_id]).job_id,
            "state": "done" if done else "queued",
            "deliveries": int(done),
            "owner": None,
        }

    async def incident(self, event_id: str) -> dict[str, Any] | None:
        self._here()
        if event_id not in self.events:
            return None
        told = [{"at": None, "what": "received", "detail": ""}]
        return {
            **self._incident(event_id),
            "timeline": told,
            "plan": None,
            "evidence": None,
            "record": await self.record(event_id),
        }

    async def decide(self, event_id: str, verdict: str, plan_hash: str, user: str, reason: str = "") -> tuple[str, str]:
        self._here()
        if event_id in self.words:
            word = f"{verdict} by {user}"
            return "ok" if self.words[event_id] == word else "already", self.words[event_id]
        if event_id not in self.waiting:
            return "not_waiting" if event_id in self.events else "unknown", ""
        if plan_hash not in ("", self.waiting[event_id]):
            return "changed", self.waiting[event_id]
        self.words[event_id] = f"{verdict} by {user}"
        return "ok", self.words[event_id]

    async def paused_by(self) -> str | None:
        self._here()
        return self.paused["by"] if self.paused else None

    async def jobs(self) -> list[dict[str, Any]]:
        self._here()
        return [{"job_id": job_id} for job_id in dict.fromkeys(r["job_id"] for r in self.records)]

    async def job(self, job_id: str) -> dict[str, Any] | None:
        return next((job for job in await self.jobs() if job["job_id"] == job_id), None)

    async def dead(self, *, limit: int, cursor: str | None) -> MemoryPage:
        self._here()
        start = _position(cursor) if cursor else 0
        found = self.letters[::-1][start:]
        return MemoryPage(found[:limit], _cursor(start + limit) if len(found) > limit else None)

    async def replay(self, event_id: str) -> bool:
        self._here()
        kept = [letter for letter in self.letters if letter["event_id"] != event_id]
        found = len(kept) < len(self.letters)
        self.letters = kept
        return found

    async def pause(self, by: str, reason: str | None) -> None:
        self._here()
        self.paused = {"by": by, "reason": reason or "", "at": "2026-11-22T03:00:00Z"}

    async def resume(self) -> None:
        self._here()
        self.paused = None

    async def status(self) -> dict[str, Any]:
        self._here()
        return {
            "queue_depth": len(self.events) - len(self.records),
            "queue_limit": self.room,
            "oldest_age_seconds": 0.0,
            "in_flight": 0,
            "delayed": 0,
            "dead": len(self.letters),
            "history_length": len(self.records),
            "paused": self.paused,
            "workers": self.workers,
            "store": {"server": "memory", "version": "1"},
            "llm": self.llm,
        }

    async def totals(self) -> dict[str, dict[str, float]]:
        self._here()
        return self.counted


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"m:{position}".encode()).decode()


def _position(cursor: str) -> int:
    try:
        mark, number = base64.urlsafe_b64decode(cursor.encode()).decode().split(":")
        if mark == "m":
            return int(number)
    except ValueError:
        pass
    raise BadCursor(cursor)


class MarkingRedactor:
    """Takes the place of the real redactor: one secret, one mark."""

    key = b""

    def take_key(self, key: bytes) -> None:
        self.key = key

    def text(self, text: str) -> str:
        return text.replace("hunter2", "[REDACTED:password:0000]")

    def lines(self, lines: Sequence[str]) -> list[str]:
        return [self.text(line) for line in lines]

    def value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return self.text(value) if isinstance(value, str) else value


class Backend(Protocol):
    """A store, and a worker's part played by the test."""

    store: Any

    async def settle(self, event_id: str, status: str = "suggested", category: str | None = None) -> None:
        """Write the record of a queued event."""

    async def queued(self, event_id: str) -> Event:
        """Return an event as it stands in the queue."""

    async def bury(self, event_id: str, reason: str) -> None:
        """Make a dead letter."""


SIGNATURE = "5f0c9a1b7d3e2468"


def record_of(event: Event, status: str, category: str | None) -> HistoryRecord:
    """Write a record as a worker would."""
    diagnosis = None
    if category is not None:
        diagnosis = Diagnosis(category=Category(category), root_cause="found", confidence=95, source="rule:test")
    return HistoryRecord(
        event_id=event.event_id,
        job_id=event.job_id,
        status=RecordStatus(status),
        event=event,
        digest=LogDigest(signature=SIGNATURE),
        diagnosis=diagnosis,
        received_at=event.received_at,
        finished_at=datetime.now(UTC),
    )


class MemoryBackend:
    """A worker over the store in memory."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    async def settle(self, event_id: str, status: str = "suggested", category: str | None = None) -> None:
        record = record_of(await self.queued(event_id), status, category)
        self.store.records.append(json.loads(record.model_dump_json(by_alias=True)))

    async def queued(self, event_id: str) -> Event:
        return event_from_json(self.store.events[event_id])

    async def bury(self, event_id: str, reason: str) -> None:
        self.store.letters.append({"event_id": event_id, "reason": reason, "at": "2026-11-22T03:00:00Z"})


class ValkeyBackend:
    """A worker over the real store."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self._held: dict[str, Any] = {}

    async def _claim(self, event_id: str) -> Any:
        for claimed in await self.store.claim("tests", secrets.token_hex(8), 100):
            self._held[claimed.event_id] = claimed
        return self._held[event_id]

    async def settle(self, event_id: str, status: str = "suggested", category: str | None = None) -> None:
        claimed = await self._claim(event_id)
        record = record_of(event_from_json(claimed.payload), status, category)
        assert await self.store.finish(event_id, claimed.fence, record, memory=as_memory(record))

    async def queued(self, event_id: str) -> Event:
        return event_from_json((await self._claim(event_id)).payload)

    async def bury(self, event_id: str, reason: str) -> None:
        event = parse_event(
            json.dumps({"job_id": "j", "status": "failed", "event_id": event_id}).encode(),
            IntakeLimits(),
            None,
            datetime.now(UTC),
        )
        await self.store.enqueue(event_id, event.model_dump_json().encode())
        claimed = await self._claim(event_id)
        letter = {"event_id": event_id, "reason": reason, "payload": claimed.payload.decode()}
        assert await self.store.bury(event_id, claimed.fence, letter)


REAL = hasattr(store_package, "Store")


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real Valkey that lives as long as the tests."""
    from store.embedded import EmbeddedStore

    server = EmbeddedStore(tmp_path_factory.mktemp("valkey"), fsync="no")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(
    params=["memory", pytest.param("valkey", marks=pytest.mark.skipif(not REAL, reason="the store is not there"))]
)
def backend(request: pytest.FixtureRequest) -> Backend:
    """A store with a worker's part played by the test; every test has its own."""
    if request.param == "memory":
        return MemoryBackend()
    url = request.getfixturevalue("valkey_url")
    return ValkeyBackend(store_package.Store(url, prefix=f"t{secrets.token_hex(4)}"))  # type: ignore[attr-defined]


@pytest.fixture
def memory() -> MemoryBackend:
    """The store in memory, whose faults a test can order."""
    return MemoryBackend()


SETTINGS = Settings(
    api=ApiSettings(
        max_body_bytes=160 * 1024,
        max_log_bytes=16 * 1024,
        max_batch=20,
        allowed_hosts=["Autoremedy.test"],
        public_url="https://remedy.example.org:8443/base",
    )
)


def make_app(store: Any) -> FastAPI:
    """Make the service with small limits."""
    return create_app(SETTINGS, store, MarkingRedactor())


async def _client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://autoremedy.test") as client:
            yield client


@pytest.fixture
async def client(backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running service."""
    async for client in _client(make_app(backend.store)):
        yield client


@pytest.fixture
async def memory_client(memory: MemoryBackend) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service over the store in memory."""
    async for client in _client(make_app(memory.store)):
        yield client


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an app over a real socket from a thread; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield "http://{}:{}".format(*listening.getsockname())
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


@pytest.fixture
def served(memory: MemoryBackend) -> Iterator[str]:
    """Address of the service on a real socket, over the store in memory."""
    with serving(make_app(memory.store)) as url:
        yield url


Post = Callable[..., Any]


@pytest.fixture
def report() -> Callable[..., dict[str, Any]]:
    """Make a report, with some fields of the test's own."""

    def make(**fields: Any) -> dict[str, Any]:
        return {"job_id": "nightly-backup", "status": "failed", "log": ["No space left on device"], **fields}

    return make
