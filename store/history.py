"""History: pages of records, single records, feedback, and what is known of jobs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import structlog

from agentic.types import Feedback
from store.base import Page, StoreBase, as_number, dumps, from_cursor, loads, ms_to_time, to_cursor

log = structlog.get_logger()

CHUNK = 200
"""Records read at once while filtering."""
LOOK_AT_MOST = 5_000
"""Records looked at for one page; then the page ends early with a cursor, so that no request runs for ever."""
CHUNK_BYTES = 4 * 1024 * 1024
PAGE_BYTES = 8 * 1024 * 1024
"""A page with long logs ends early too, so that no request takes hundreds of megabytes."""
FAR = 2**53


class HistoryStore(StoreBase):
    """The list of records and its indexes."""

    async def history(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        job_id: str | None = None,
        status: str | None = None,
        category: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Literal["desc", "asc"] = "desc",
    ) -> Page:
        """Return a page of records; the cursor is a record number, so new records shift nothing.

        Raises BadCursor. `since` and `until` bound `finished_at`, the first inclusive, the second exclusive.
        """
        wanted = {"job_id": job_id, "status": status, "category": category}
        index = await self._narrowest_index(wanted)
        sifts = bool(since or until) or sum(value is not None for value in wanted.values()) > 1
        border = as_number(from_cursor(cursor, 1)[0]) if cursor else (FAR if order == "desc" else 0)
        found: list[dict[str, Any]] = []
        looked = size = 0
        more = True
        while more and len(found) < limit and looked < LOOK_AT_MOST and size < PAGE_BYTES:
            numbered, more = await self._chunk(index, order, border, CHUNK if sifts else limit - len(found))
            for number, raw in numbered:
                record = _readable(raw)
                looked += 1
                place = _compare(record, since, until)
                if place != 0 and (place < 0) == (order == "desc"):
                    more = False  # every record after this one lies outside too
                    break
                border = number
                if place == 0 and _matches(record, wanted):
                    found.append(record)
                    size += len(raw)
                    if len(found) == limit:
                        more = more or number != numbered[-1][0]
                        break
        return Page(await self._with_feedback(found), to_cursor(border) if more else None)

    async def _narrowest_index(self, wanted: Mapping[str, str | None]) -> str | None:
        kinds = {"job_id": "by-job", "status": "by-status", "category": "by-category"}
        indexes = [self.keys.of(kinds[name], value) for name, value in wanted.items() if value is not None]
        if len(indexes) < 2:
            return indexes[0] if indexes else None
        sizes = await self._read(*(("ZCARD", index) for index in indexes))
        return indexes[sizes.index(min(sizes))]

    async def _chunk(
        self, index: str | None, order: str, border: int, most: int
    ) -> tuple[list[tuple[int, bytes]], bool]:
        """Return some records by their numbers, and whether there are more behind them."""
        answer = await self._ask("page", index or "", order, border, most, CHUNK_BYTES)
        return list(zip(map(int, answer[1::2]), answer[2::2], strict=True)), bool(answer[0])

    async def record(self, event_id: str) -> dict[str, Any] | None:
        """Return one record with its feedback, or None when there is none."""
        [number] = await self._read(("ZSCORE", self.keys.single("history:ids"), event_id))
        if number is None:
            return None
        numbered, _ = await self._chunk(None, "asc", int(number) - 1, 1)
        record = _readable(numbered[0][1]) if numbered else {}
        if record.get("event_id") != event_id:
            return None  # it has left the bounded list
        return (await self._with_feedback([record]))[0]

    async def _with_feedback(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not records:
            return []
        notes = await self._read(*(("LRANGE", self.keys.of("feedback", r["event_id"]), 0, -1) for r in records))
        return [
            {**record, "feedback": [*record["feedback"], *(loads(note) for note in found)]} if found else record
            for record, found in zip(records, notes, strict=True)
        ]

    async def add_feedback(self, feedback: Feedback) -> bool:
        """Keep what a person said, also as a lesson for the signature; False when there is no such record."""
        record = await self.record(feedback.event_id)
        if record is None:
            return False
        signature = (record.get("digest") or {}).get("signature", "")
        verdict = feedback.verdict or ("corrected" if feedback.correct_category else "none")
        answer = await self._ask("feedback", feedback.event_id, dumps(feedback), signature, verdict)
        return bool(answer == b"ok")

    async def jobs(self) -> list[dict[str, Any]]:
        """Return every job that was heard of, the latest first (at most 1,000)."""
        [ids] = await self._read(("ZREVRANGE", self.keys.single("jobs"), 0, 999))
        names = [job_id.decode() for job_id in ids]
        hashes = await self._read(*(("HGETALL", self.keys.of("job", name)) for name in names)) if names else []
        return [_job(name, raw) for name, raw in zip(names, hashes, strict=True)]

    async def job(self, job_id: str) -> dict[str, Any] | None:
        """Return what is known of one job, with its latest records."""
        [raw] = await self._read(("HGETALL", self.keys.of("job", job_id)))
        if not raw:
            return None
        return {**_job(job_id, raw), "recent": await self._recent(job_id)}

    async def _recent(self, job_id: str) -> list[dict[str, Any]]:
        """Return how the job's latest incidents ended, without reading their records."""
        [ids] = await self._read(("ZREVRANGE", self.keys.of("by-job", job_id), 0, 29))
        if not ids:
            return []
        fields = ("status", "finished_ms")
        ends = await self._read(*(("HMGET", self.keys.of("incident", one.decode()), *fields) for one in ids))
        return [
            {"event_id": one.decode(), "status": status.decode(), "finished_at": ms_to_time(ms)}
            for one, (status, ms) in zip(ids, ends, strict=True)
            if status is not None  # the id is remembered for queue.dedup_days only
        ]


def _job(job_id: str, raw: Any) -> dict[str, Any]:
    pairs = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
    fields = {name.decode(): value.decode() for name, value in pairs}
    last = [None if word == "-" else word for word in fields.get("last", "- - - - -").split(" ")]
    reports: Counter[str] = Counter()
    records: Counter[str] = Counter()
    for name, times in fields.items():
        if name.startswith("n:"):  # n:REPORTED:STATUS, counted together in one command
            _, reported, status = name.split(":")
            reports[reported] += int(times)
            records[status] += int(times)
    return {
        "job_id": job_id,
        "last_event_id": last[1],
        "last_reported": last[2],
        "last_status": last[3],
        "last_category": last[4],
        "last_at": ms_to_time(last[0]),
        "last_success_at": ms_to_time(fields.get("succeeded_ms")),
        "reports": dict(reports),
        "records": dict(records),
    }


def _readable(raw: bytes) -> dict[str, Any]:
    """Read a record; one that cannot be read must not take the page with it."""
    try:
        record: dict[str, Any] = loads(raw)
    except ValueError:
        found = re.search(rb'"event_id":"([^"]*)"', raw)
        event_id = found[1].decode("utf-8", "replace") if found else ""
        log.exception("history.unreadable", event_id=event_id)
        return {"schema": 1, "event_id": event_id, "job_id": "", "status": "dead", "feedback": [],
                "reason": "this record cannot be read", "finished_at": "1970-01-01T00:00:00Z"}  # fmt: skip
    return record


def _matches(record: Mapping[str, Any], wanted: Mapping[str, str | None]) -> bool:
    values = {**record, "category": (record.get("diagnosis") or {}).get("category")}
    return all(value is None or values.get(name) == value for name, value in wanted.items())


def _compare(record: Mapping[str, Any], since: datetime | None, until: datetime | None) -> int:
    """Return -1 for a record before the time wanted, 1 for one after it, 0 within."""
    if since is None and until is None:
        return 0
    at = datetime.fromisoformat(record["finished_at"])
    if since is not None and at < since:
        return -1
    return 1 if until is not None and at >= until else 0
