"""Incidents: the handle a worker works with, and what people see of them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Mapping
from typing import Any, Literal

from agentic.contracts import Asked, Begin, BeginAnswer, Entry, Incident, Usage
from agentic.errors import Fenced
from agentic.planning import TELLING_KINDS
from agentic.types import Action, Event, Outcome, utc_now
from store.base import Page, as_number, dumps, from_cursor, loads, to_cursor
from store.errors import StoreUnavailable
from store.history import HistoryStore
from store.questions import QuestionStore
from store.queue import Claimed, QueueStore
from store.timeline import (
    SHOWN_FIELDS,
    fields_of,
    journal_of,
    late_results,
    live_timeline,
    of_hash,
    of_record,
    timeline_of,
)


class StoredIncident(Incident):
    """An incident held by this worker; every change is refused once another holds it."""

    def __init__(self, store: IncidentStore, claimed: Claimed, event: Event) -> None:
        self.event = event
        self.deliveries = claimed.deliveries
        self.begun_at = utc_now()
        self.progress: Mapping[str, Any] = claimed.progress
        self._store = store
        self._fence = claimed.fence
        self._nonces: dict[str, str] = {}

    async def save(self, **progress: Any) -> None:
        self.progress = {**self.progress, **{name: loads(dumps(value)) for name, value in progress.items()}}
        if not await self._store.save(self.event.event_id, self._fence, progress):
            raise Fenced(self.event.event_id)

    async def begin(self, step: str, action: Action, budget: tuple[int, int]) -> Begin:
        nonce = self._nonces.setdefault(step, secrets.token_hex(8))
        try:
            answer, text = await self._begin(step, action, nonce, budget)
        except asyncio.CancelledError:
            # Nothing was done yet, so a successor need not be told that something may have happened.
            with contextlib.suppress(StoreUnavailable):
                await self._store.withdraw(self.event.event_id, self._fence, step, nonce)
            raise
        if answer == "fenced":
            raise Fenced(self.event.event_id)
        outcome = Outcome.model_validate_json(text) if answer == "done" else None
        age = int(text) / 1000 if answer == "unknown" else 0.0
        return Begin(BeginAnswer(answer), outcome=outcome, detail="" if outcome or age else text, age_seconds=age)

    async def _begin(self, step: str, action: Action, nonce: str, budget: tuple[int, int]) -> tuple[str, str]:
        """Ask until the answer is young: each one renews the lease, so that most of it is left for the effect."""
        counts = action.kind not in TELLING_KINDS
        confirm = counts
        while True:
            sent = time.monotonic()
            answer, text = await self._store.begin(
                self.event.event_id, self._fence, step, nonce,
                idempotent=action.idempotent, counts=counts, job_id=self.event.job_id,
                per_job=budget[0], for_all=budget[1], confirm=confirm,
            )  # fmt: skip
            if answer != "go" or time.monotonic() - sent <= self._store.limits.lease_seconds / 3:
                return answer, text
            confirm = False  # the intention itself is safe by now

    async def result(self, step: str, outcome: Outcome, *, never_sent: bool = False, found: bool = False) -> None:
        label = f"{outcome.name}|{outcome.status}"
        kind = "never_sent" if never_sent else "found" if found else "done"
        nonce = self._nonces.get(step, "")
        if not await self._store.result(self.event.event_id, self._fence, step, nonce, outcome, label, kind=kind):
            raise Fenced(self.event.event_id)
        if never_sent:
            del self._nonces[step]  # a new intention is not the one that was taken back

    async def journal(self) -> Mapping[str, Entry]:
        return await self._store.journal(self.event.event_id)

    async def usage(self) -> Usage:
        return await self._store.usage(self.event.job_id)

    async def ask(self, signature: str, by: str, may: Literal["go", "wait", "look"], seconds: float) -> Asked:
        return await self._store.ask(self.event.event_id, self._fence, signature, by, may, seconds)

    async def answered(
        self,
        signature: str,
        by: str,
        answer: Mapping[str, Any] | None,
        keep_seconds: float,
        counts: Mapping[str, float],
    ) -> None:
        event_id, fence = self.event.event_id, self._fence
        await self._store.answered(event_id, fence, signature, by, answer, keep_seconds, counts)

    async def is_rerun_of(self, event_id: str) -> bool:
        return await self._store.is_rerun_of(event_id, self.event.job_id)


class IncidentStore(QueueStore, HistoryStore, QuestionStore):
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
        confirm: bool = False,
    ) -> tuple[str, str]:
        """Ask the effect journal whether to go; the intention is stored, and the lease renewed, with a go.

        With `confirm`, a go comes only after the server has made the intention safe as far as it can.
        """
        arguments = (
            event_id, fence, step, nonce, int(idempotent), int(counts), job_id, per_job, for_all, self.limits.lease_ms
        )  # fmt: skip
        answer, text = await self._calls("begin", *arguments)
        if confirm and answer == b"go":
            command = self._calls.command("begin", *arguments)
            answer, text = await self._confirmer.confirm(self._calls.scripts.texts["begin"], command)
        return answer.decode(), (text or b"").decode()

    async def result(
        self, event_id: str, fence: str, step: str, nonce: str, outcome: Outcome, label: str, *, kind: str = "done"
    ) -> bool:
        """Store what a step did; False when another worker holds the incident (it is kept as evidence)."""
        return bool(await self._calls("result", event_id, fence, step, nonce, dumps(outcome), kind, label) == b"ok")

    async def withdraw(self, event_id: str, fence: str, step: str, nonce: str) -> None:
        """Take an intention back that nothing was done about; raises StoreUnavailable."""
        await self._ask("result", event_id, fence, step, nonce, b"", "never_sent", "")

    async def journal(self, event_id: str) -> dict[str, Entry]:
        """Return what the effect journal says of each step that was ever begun."""
        [raw] = await self._read_patiently(("HGETALL", self.keys.of("fx", event_id)))
        return journal_of(fields_of(raw))

    async def park(self, event_id: str, fence: str, plan_hash: str, within_seconds: float, watch_job: str = "") -> str:
        """Let an incident wait for a person, or for a success of the job.

        Answers "ok", "approved" when this very plan was approved before, or "fenced".
        """
        answer: bytes = await self._calls("park", event_id, fence, plan_hash, int(within_seconds * 1000), watch_job)
        return answer.decode()

    async def decide(
        self, event_id: str, verdict: Literal["approved", "rejected"], plan_hash: str, user: str, reason: str = ""
    ) -> tuple[str, str]:
        """Approve or reject the plan that an incident waits with; saying it twice changes nothing.

        Answers "ok", "already", "changed", "expired", "not_waiting" or "unknown", with who decided or the hash of
        the plan as it stands. Raises StoreUnavailable, and then it may be said again.
        """
        answer, text = await self._ask("approve", event_id, verdict, plan_hash, user, reason)
        return answer.decode(), text.decode()

    async def usage(self, job_id: str) -> Usage:
        """Return who paused automatic actions, and how many effects the last hour has seen."""
        by, for_job, for_all = await self._calls("usage", job_id)
        return Usage(by.decode() or None, for_job, for_all)

    async def is_rerun_of(self, event_id: str, job_id: str) -> bool:
        """Say whether another event of the same job is being handled and has begun an effect, such as a rerun."""
        (state, job), begun = await self._read_patiently(
            ("HMGET", self.keys.of("incident", event_id), "state", "job_id"),
            ("EXISTS", self.keys.of("fx", event_id)),
        )
        return state not in (None, b"done", b"queued") and (job or b"").decode() == job_id and bool(begun)

    async def incidents(self, *, state: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        """Return incidents without a record yet, oldest first; with state "done" the newest records instead."""
        if state == "done":
            page = await self.history(limit=limit, cursor=cursor)
            return Page([of_record(record) for record in page.records], page.next_cursor)
        border = as_number(from_cursor(cursor, 1)[0]) if cursor else 0
        found: list[dict[str, Any]] = []
        while len(found) < limit:
            [some] = await self._read(("ZRANGE", self.keys.single("open"), border, border + 199, "WITHSCORES"))
            ids = [event_id.decode() for event_id in some[::2]]
            wanted = (("HMGET", self.keys.of("incident", event_id), *SHOWN_FIELDS) for event_id in ids)
            hashes = await self._read(*wanted) if ids else []
            for event_id, values in zip(ids, hashes, strict=True):
                border += 1
                known = {n: v.decode() for n, v in zip(SHOWN_FIELDS, values, strict=True) if v is not None}
                incident = of_hash(event_id, known)
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
        raw, raw_journal = await self._read(
            ("HGETALL", self.keys.of("incident", event_id)), ("HGETALL", self.keys.of("fx", event_id))
        )
        fields, journal = fields_of(raw), fields_of(raw_journal)
        late = late_results(journal)
        if fields and (record is None or fields["state"] != "done"):  # after a replay there is an earlier record
            timeline = live_timeline(fields, journal)
            return {**of_hash(event_id, fields), "timeline": timeline, "late_results": late, "record": record}
        if record is None:
            return None
        timeline = timeline_of(record, late)
        return {**of_record(record), "timeline": timeline, "late_results": late, "record": record}
