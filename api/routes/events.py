"""Events in: read, redact, queue. A 2xx means that the store has it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from agentic.errors import InvalidEvent
from agentic.intake import accept_event, accept_events
from agentic.report import Report
from agentic.types import utc_now
from api import examples
from api.body import media_type, read_body
from api.models import Accepted, BatchAnswer
from api.openapi import JSON, answers, body, content, ref
from api.ports import DUPLICATE, FULL
from api.problems import ApiProblem, body_errors, queue_full
from api.services import Services, json_response, services

router = APIRouter(tags=["events"])

NDJSON = "application/x-ndjson"
IN_A_THREAD_BYTES = 256 * 1024
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
        async with api.reading_long:
            event_id, payload = await asyncio.to_thread(accept_event, raw, api.limits, api.redactor, utc_now())
    else:
        event_id, payload = accept_event(raw, api.limits, api.redactor, utc_now())
    answer = await api.store.enqueue(event_id, payload)
    if answer == FULL:
        raise queue_full(await api.store.retry_after_seconds())
    return json_response(_accepted(event_id, answer), 202)


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
        async with api.reading_long:
            accepted = await asyncio.to_thread(accept_events, raw, kind, api.limits, api.redactor, utc_now())
    else:
        async with api.reading:
            accepted = accept_events(raw, kind, api.limits, api.redactor, utc_now())
            await asyncio.sleep(0)  # the next batch waits for its turn, and everybody else has one before it
    payloads = [item for item in accepted if not isinstance(item, InvalidEvent)]
    stored = iter(await api.store.enqueue_many(payloads) if payloads else ())
    results = [
        _rejected(item) if isinstance(item, InvalidEvent) else _accepted(item[0], next(stored)) for item in accepted
    ]
    return await _batch_answer(api, results)


class StraightWay(Route):
    """A way to an endpoint that reads its request and writes its response itself, so needs no more of FastAPI.

    What FastAPI does before and after costs as much as everything the endpoint does. It still serves the document
    of the API, and every method but POST.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take the requests that the endpoint is for, and leave all others."""
        match, found = super().matches(scope)
        return (match, {**found, "route": self}) if match is Match.FULL else (Match.NONE, {})


straight_ways = (
    StraightWay("/event", submit_event, methods=["POST"]),
    StraightWay("/events", submit_events, methods=["POST"]),
)
"""Tried before all other routes."""


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


def _accepted(event_id: str, answer: str) -> dict[str, Any]:
    if answer == FULL:
        return {"status": "full", "event_id": event_id}
    return {
        "status": "duplicate" if answer == DUPLICATE else "submitted",
        "event_id": event_id,
        "links": links(event_id),
    }


def links(event_id: str) -> dict[str, str]:
    """Say where an event can be looked at; its id has no character that a URL would change."""
    return {"history": f"/history/{event_id}", "incident": f"/incidents/{event_id}"}


def _rejected(error: InvalidEvent) -> dict[str, Any]:
    return {"status": "rejected", "errors": body_errors(error.problems)}
