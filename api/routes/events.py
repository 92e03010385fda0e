"""Events in: read, redact, queue. A 2xx means that the store has it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from agentic.errors import InvalidEvent
from agentic.intake import event_to_json, parse_event, parse_events
from agentic.report import Report
from agentic.types import Event, utc_now
from api import examples
from api.body import media_type, read_body
from api.models import Accepted, BatchAnswer
from api.openapi import JSON, answers, body, content, ref
from api.ports import DUPLICATE, FULL
from api.problems import ApiProblem, body_errors, queue_full
from api.services import Services, json_response, services

router = APIRouter(tags=["events"])

NDJSON = "application/x-ndjson"
IN_A_THREAD_BYTES = 128 * 1024
"""Larger bodies are read in a thread, so that one long log does not hold up everybody else."""
BATCH_FACTOR = 4
"""A batch may have this many times the bytes of one event."""

FAILED: dict[str, Any] = {
    "job_id": "nightly-backup",
    "status": "failed",
    "exit_code": 1,
    "host": "db-3",
    "command": "/usr/local/bin/backup.sh",
    "log": ["starting backup of 3 databases", "tar: /var/backups/db.tar: Cannot write: No space left on device"],
}
SUCCEEDED: dict[str, Any] = {"job_id": "nightly-backup", "status": "succeeded", "duration_seconds": 412.5}
DETAILED: dict[str, Any] = {
    "event_id": "etl-2026-11-22.1",
    "job_id": "etl",
    "status": "timeout",
    "run_id": "2026-11-22",
    "attempt": 2,
    "started_at": "2026-11-22T01:00:00Z",
    "finished_at": "2026-11-22T03:00:00Z",
    "labels": {"team": "data", "scheduler": "cron"},
    "details": {"message": "gave up waiting for the warehouse", "queue": "heavy"},
}
PROBLEMS = ("cross-site", "too-large", "unsupported-media-type", "invalid", "queue-full", "store-unavailable")


@router.post(
    "/event",
    status_code=202,
    responses=answers(*PROBLEMS, ok=202, model=Accepted, example=examples.ACCEPTED),
    openapi_extra=body(Report, {"a failure": FAILED, "a success": SUCCEEDED, "more fields": DETAILED}),
)
async def submit_event(request: Request) -> Response:
    """Report what happened to one run of a job.

    The same `event_id` twice is one event. Secrets are redacted before anything is stored.
    """
    api = services(request)
    media_type(request, accepted=(JSON,))
    raw = await read_body(request, api.limits.max_body_bytes)
    if len(raw) > IN_A_THREAD_BYTES:
        event = await asyncio.to_thread(parse_event, raw, api.limits, api.redactor, utc_now())
    else:
        event = parse_event(raw, api.limits, api.redactor, utc_now())
    answer = await api.store.enqueue(event.event_id, event_to_json(event))
    if answer == FULL:
        raise queue_full(await api.store.retry_after_seconds())
    return json_response(_accepted(event, answer), 202)


@router.post(
    "/events",
    status_code=202,
    responses={
        **answers(*PROBLEMS, ok=202, model=BatchAnswer, text="The store has every event", example=examples.BATCH),
        207: {
            "model": BatchAnswer,
            "description": "The store has some of the events; `results` says which",
            "content": {JSON: {"example": examples.BATCH_IN_PART}},
        },
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                JSON: content(
                    {"type": "array", "items": ref(Report), "minItems": 1}, {"two events": [FAILED, SUCCEEDED]}
                ),
                NDJSON: content(
                    {"type": "string", "description": "One JSON object per line"},
                    {"two events": "".join(f"{json.dumps(event)}\n" for event in (FAILED, SUCCEEDED))},
                ),
            },
        }
    },
)
async def submit_events(request: Request) -> Response:
    """Report many events at once: a JSON array, or one JSON object per line.

    Each event is taken or refused by itself: 202 when all are stored, 207 when some are, 422 when none can be
    understood, 429 when there was no room for any.
    """
    api = services(request)
    media = media_type(request, accepted=(JSON, NDJSON))
    raw = await read_body(request, api.limits.max_body_bytes * BATCH_FACTOR)
    kind: Literal["json", "ndjson"] = "ndjson" if media == NDJSON else "json"
    if len(raw) > IN_A_THREAD_BYTES:
        parsed, payloads = await asyncio.to_thread(_read_batch, raw, kind, api)
    else:
        parsed, payloads = _read_batch(raw, kind, api)
    stored = iter(await api.store.enqueue_many(payloads) if payloads else ())
    results = [_rejected(item) if isinstance(item, InvalidEvent) else _accepted(item, next(stored)) for item in parsed]
    return await _batch_answer(api, results)


def _read_batch(
    raw: bytes, kind: Literal["json", "ndjson"], api: Services
) -> tuple[list[Event | InvalidEvent], list[tuple[str, bytes]]]:
    parsed = parse_events(raw, kind, api.limits, api.redactor, utc_now())
    return parsed, [(item.event_id, event_to_json(item)) for item in parsed if isinstance(item, Event)]


async def _batch_answer(api: Services, results: list[dict[str, Any]]) -> Response:
    count = Counter(result["status"] for result in results)
    if count["rejected"] == len(results):
        errors = [error for result in results for error in result["errors"]]
        raise ApiProblem("invalid", "None of the events can be understood; nothing was stored.", errors=errors[:100])
    headers = {}
    if count["full"]:
        wait = await api.store.retry_after_seconds()
        if count["full"] + count["rejected"] == len(results):
            raise queue_full(wait)
        headers["retry-after"] = str(wait)
    whole = not count["full"] and not count["rejected"]
    counts = {name: count[name] for name in ("submitted", "duplicate", "full", "rejected")}
    return json_response({**counts, "results": results}, 202 if whole else 207, headers)


def _accepted(event: Event, answer: str) -> dict[str, Any]:
    if answer == FULL:
        return {"status": "full", "event_id": event.event_id}
    return {
        "status": "duplicate" if answer == DUPLICATE else "submitted",
        "event_id": event.event_id,
        "links": links(event.event_id),
    }


def links(event_id: str) -> dict[str, str]:
    """Say where an event can be looked at; its id has no character that a URL would change."""
    return {"history": f"/history/{event_id}", "incident": f"/incidents/{event_id}"}


def _rejected(error: InvalidEvent) -> dict[str, Any]:
    return {"status": "rejected", "errors": body_errors(error.problems)}
