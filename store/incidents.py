"""Incidents: the handle a worker works with, and what people see of them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from agentic.contracts import Begin, BeginAnswer, Incident, Usage
from agentic.errors import Fenced
from agentic.planning import TELLING_KINDS
from agentic.types import Action, Event, Outcome, utc_now
from store.base import Page, as_number, dumps, from_cursor, loads, ms_to_time, to_cursor
from store.history import HistoryStore
from store.queue import Claimed, QueueStore

LIVE_STATES = ("queued", "running", "delayed", "waiting")


class StoredIncident(Incident):
    """An incident held by this worker; every change is refused once another holds it."""

    def __init__(self, store: IncidentStore, claimed: Claimed, event: Event, budget: tuple[int, int]) -> None:
        self.event = event
        self.deliveries = claimed.deliveries
        self.begun_at = utc_now()
        self.progress: Mapping[str, Any] = claimed.progress
        self._store = store
        self._fence = claimed.fence
        self._budget = budget
        self._nonces: dict[str, str] = {}

    async def save(self, **progress: Any) -> None:
        self.progress = {**self.progress, **{name: loads(dumps(value)) for name, value in progress.items()}}
        if not await self._store.save(self.event.event_id, self._fence, progress):
            raise Fenced(self.event.event_id)

    async def begin(self, step: str, action: Action) -> Begin:
        nonce = self._nonces.setdefault(step, secrets.token_hex(8))
        per_job, for_all = self._budget
        answer, text = await self._store.begin(
            self.event.event_id,
            self._fence,
            step,
            nonce,
            idempotent=action.idempotent,
            counts=action.kind not in TELLING_KINDS,
            job_id=self.event.job_id,
            per_job=per_job,
            for_all=for_all,
        )
        if answer == "fenced":
            raise Fenced(self.event.event_id)
        outcome = Outcome.model_validate_json(text) if answer == "done" else None
        return Begin(BeginAnswer(answer), outcome=outcome, detail=text if outcome is None else "")

    async def result(self, step: str, outcome: Outcome, *, never_sent: bool = False) -> None:
        label = f"{outcome.name}|{outcome.status}"
        if not await self._store.result(
            self.event.event_id,
            self._fence,
            step,
            self._nonces.get(step, ""),
            outcome,
            label,
            never_sent=never_sent,
        ):
            raise Fenced(self.event.event_id)

    async def usage(self) -> Usage:
        return await self._store.usage(self.event.job_id)

    async def is_open(self, event_id: str) -> bool:
        return await self._store.is_open(event_id)


class IncidentStore(QueueStore, HistoryStore):
    """The live side of incidents."""

    async def begin(
        self,
        event_id: str,
        fence: str,
        step: str,
        nonce: str,
        *,
        idempotent: bool,
        counts: bool,
        job_id: str,
        per_job: int,
        for_all: int,
    ) -> tuple[str, str]:
        """Ask the effect journal whether to go; the intention is stored with a go."""
        answer, text = await self._calls(
            "begin", event_id, fence, step, nonce, int(idempotent), int(counts), job_id, per_job, for_all
        )
        return answer.decode(), (text or b"").decode()

    async def result(
        self, event_id: str, fence: str, step: str, nonce: str, outcome: Outcome, label: str, *, never_sent: bool
    ) -> bool:
        """Store what a step did; False when another worker holds the incident (it is kept as evidence)."""
        kind = "never_sent" if never_sent else "done"
        return bool(await self._calls("result", event_id, fence, step, nonce, dumps(outcome), kind, label) == b"ok")

    async def usage(self, job_id: str) -> Usage:
        """Return who paused automatic actions, and how many effects the last hour has seen."""
        by, for_job, for_all = await self._calls("usage", job_id)
        return Usage(by.decode() or None, for_job, for_all)

    async def is_open(self, event_id: str) -> bool:
        """Say whether an event is still being handled."""
        [score] = await self._read(("ZSCORE", self.keys.single("open"), event_id))
        return score is not None

    async def incidents(self, *, state: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        """Return incidents without a record yet, oldest first; with state "done" the newest records instead."""
        if state == "done":
            page = await self.history(limit=limit, cursor=cursor)
            return Page([_of_record(record) for record in page.records], page.next_cursor)
        border = as_number(from_cursor(cursor, 1)[0]) if cursor else 0
        found: list[dict[str, Any]] = []
        while len(found) < limit:
            [some] = await self._read(("ZRANGE", self.keys.single("open"), border, border + 199, "WITHSCORES"))
            ids = [event_id.decode() for event_id in some[::2]]
            hashes = await self._read(*(("HGETALL", self.keys.of("incident", event_id)) for event_id in ids))
            for event_id, raw in zip(ids, hashes, strict=True):
                border += 1
                incident = _of_hash(event_id, _fields(raw))
                if state is None or incident["state"] == state:
                    found.append(incident)
                    if len(found) == limit:
                        return Page(found, to_cursor(border))
            if len(ids) < 200:
                break
        return Page(found)

    async def incident(self, event_id: str) -> dict[str, Any] | None:
        """Return the live state and timeline of one incident, with its record once there is one."""
        record = await self.record(event_id)
        if record is not None:
            return {**_of_record(record), "timeline": _timeline_of(record), "record": record}
        raw, journal = await self._read(
            ("HGETALL", self.keys.of("incident", event_id)), ("HGETALL", self.keys.of("fx", event_id))
        )
        fields = _fields(raw)
        if not fields:
            return None
        return {**_of_hash(event_id, fields), "timeline": _live_timeline(fields, _fields(journal)), "record": None}


def _fields(raw: list[bytes] | dict[bytes, bytes]) -> dict[str, str]:
    pairs = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
    return {name.decode(): value.decode("utf-8", "replace") for name, value in pairs}


def _of_hash(event_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
    event = loads(fields["p:event"].encode()) if "p:event" in fields else None
    waits = fields.get("state") == "delayed"
    return {
        "event_id": event_id,
        "job_id": (event or {}).get("job_id"),
        "state": fields.get("state", "queued"),
        "stage": loads(fields["p:stage"].encode()) if "p:stage" in fields else None,
        "deliveries": int(fields.get("deliveries", 0)),
        "owner": fields.get("owner"),
        "received_at": ms_to_time(fields.get("received_ms")),
        "due_at": ms_to_time(fields.get("due_ms")) if waits else None,
        "diagnosis": loads(fields["p:diagnosis"].encode()) if "p:diagnosis" in fields else None,
    }


def _of_record(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "event_id": record["event_id"],
        "job_id": record["job_id"],
        "state": "done",
        "stage": record["status"],
        "deliveries": record["deliveries"],
        "owner": record["worker"],
        "received_at": record["received_at"],
        "due_at": None,
        "diagnosis": record.get("diagnosis"),
    }


def _live_timeline(fields: Mapping[str, str], journal: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tell what has happened so far, in order of time."""
    entries = [("received_ms", "received", ""), ("claimed_ms", "claimed", f"by {fields.get('owner', '?')}")]
    told = [
        {"at": ms_to_time(fields[key]), "what": what, "detail": detail}
        for key, what, detail in entries
        if key in fields
    ]
    for name, value in journal.items():
        step, _, what = name.rpartition(":")
        if what == "at":
            state = journal.get(f"{step}:state", "intent")
            told.append(
                {
                    "at": ms_to_time(value),
                    "what": f"step {step}",
                    "detail": "done" if state == "done" else "under way",
                }
            )
    if fields.get("state") == "delayed":
        told.append({"at": ms_to_time(fields.get("due_ms")), "what": "due", "detail": "goes on then"})
    return sorted(told, key=lambda entry: entry["at"] or "")


def _timeline_of(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tell a finished incident's story from its record."""
    told = [{"at": record["received_at"], "what": "received", "detail": ""}]
    diagnosis = record.get("diagnosis")
    if diagnosis:
        told.append(
            {
                "at": record["received_at"],
                "what": f"diagnosed as {diagnosis['category']}",
                "detail": f"{diagnosis['root_cause']} ({diagnosis['source']}, {diagnosis['confidence']} %)",
            }
        )
    for outcome in record.get("outcomes", []):
        at = outcome.get("started_at") or record["finished_at"]
        told.append({"at": at, "what": f"{outcome['name']}: {outcome['status']}", "detail": outcome["detail"]})
    proof = record.get("verification")
    if proof and proof["status"] in ("verified", "failed"):
        told.append({"at": proof["at"], "what": f"check: {proof['status']}", "detail": proof["how"]})
    for note in record.get("feedback", []):
        told.append({"at": note["at"], "what": f"feedback by {note['user']}", "detail": note.get("comment") or ""})
    told.append({"at": record["finished_at"], "what": record["status"], "detail": record["reason"]})
    return told
