"""How things are: for people, for probes, for Prometheus; and the pause switch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from agentic import __version__
from api import examples
from api.body import media_type, read_body
from api.metrics import exposition
from api.models import Health, PauseIn, PauseState, Readiness, Status
from api.openapi import JSON, answers, body
from api.routes.forms import SMALL_BODY_BYTES, read_form
from api.services import json_response, services
from store.errors import StoreUnavailable

router = APIRouter(tags=["operation"])

MODEL = {
    "up": "The model answers.",
    "down": "The model does not answer: rules and people go on without it.",
    "off": "No model is used.",
    "unknown": "No worker has looked for a model yet.",
}
"""What a worker last wrote of the model, in words."""
PAUSE_EXAMPLE = {"before maintenance": {"user": "dana", "reason": "database upgrade until 04:00"}}


@router.get("/status", responses=answers("store-unavailable", model=Status, example=examples.STATUS))
async def get_status(request: Request) -> Response:
    """Return queue, workers, store and model as they stand now."""
    api = services(request)
    now = await api.store.status()
    uptime = round(time.monotonic() - api.started, 1)
    return json_response({"version": __version__, "uptime_seconds": uptime, **now})


@router.get(
    "/health",
    responses={
        **answers(model=Health, example=examples.HEALTH),
        503: {"model": Health, "description": "Down", "content": {JSON: {"example": examples.DOWN}}},
    },
)
async def get_health(request: Request) -> Response:
    """Say in a sentence how things are."""
    status = await _look(request)
    if status is None:
        summary = "The store does not answer: events are refused until it is back."
        return json_response({"status": "down", "summary": summary, "checks": _checks(None)}, 503)
    checks = _checks(status)
    bad = [name for name, check in checks.items() if not check["ok"]]
    summary = " ".join(check["detail"] for check in checks.values())
    return json_response({"status": "degraded" if bad else "ok", "summary": summary, "checks": checks})


@router.get("/healthz", responses=answers(text="This process is alive", example={"status": "alive"}))
async def get_alive() -> Response:
    """Say that this process is alive; asks nobody else."""
    return json_response({"status": "alive"})


@router.get(
    "/readyz",
    responses={
        **answers(model=Readiness, example=examples.READY),
        503: {
            "model": Readiness,
            "description": "The store does not answer",
            "content": {JSON: {"example": examples.NOT_READY}},
        },
    },
)
async def get_ready(request: Request) -> Response:
    """Say whether events can be taken; without workers or model they can, and that is called degraded."""
    status = await _look(request)
    checks = _checks(status)
    if status is None:
        return json_response({"status": "unavailable", "checks": checks}, 503, {"retry-after": "2"})
    ready = all(check["ok"] for check in checks.values())
    return json_response({"status": "ready" if ready else "degraded", "checks": checks})


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Prometheus text format", "content": {"text/plain": {"example": examples.METRICS}}}
    },
)
async def get_metrics(request: Request) -> Response:
    """Return counters of all workers and of this process for Prometheus."""
    api = services(request)
    totals: Mapping[str, Mapping[str, float]] | None = None
    status = await _look(request)
    if status is not None:
        try:
            totals = await api.store.totals()
        except StoreUnavailable:
            status = None
    text = exposition(api.metrics, __version__, totals, status)
    return Response(text, headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})


@router.post(
    "/pause",
    responses=answers(
        "cross-site",
        "too-large",
        "unsupported-media-type",
        "invalid",
        "store-unavailable",
        model=PauseState,
        example={"paused": True},
    ),
    openapi_extra=body(PauseIn, PAUSE_EXAMPLE, required=False),
)
async def pause(request: Request) -> Response:
    """Let no automatic action begin from now on; events are still taken and diagnosed."""
    given = PauseIn()
    raw = await read_body(request, SMALL_BODY_BYTES)
    if raw:
        media_type(request, accepted=(JSON,))
        given = read_form(raw, PauseIn)
    await services(request).store.pause(given.user, given.reason)
    return json_response({"paused": True})


@router.post(
    "/resume", responses=answers("cross-site", "store-unavailable", model=PauseState, example={"paused": False})
)
async def resume(request: Request) -> Response:
    """Take the pause back."""
    await services(request).store.resume()
    return json_response({"paused": False})


async def _look(request: Request) -> Mapping[str, Any] | None:
    """Return the store's status, or None when it does not answer."""
    try:
        return await services(request).store.status()
    except StoreUnavailable:
        return None


def _checks(status: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    if status is None:
        return {"store": {"ok": False, "detail": "The store does not answer."}}
    workers = len(status.get("workers") or ())
    waiting, room = int(status.get("queue_depth", 0)), int(status.get("queue_limit", 0))
    llm = str((status.get("llm") or {}).get("state", "unknown"))
    paused = status.get("paused")
    checks = {
        "store": {"ok": True, "detail": "The store answers."},
        "queue": {
            "ok": not room or waiting < room,
            "detail": f"{waiting} event{'' if waiting == 1 else 's'} waiting.",
        },
        "workers": {
            "ok": workers > 0,
            "detail": f"{workers} worker{'' if workers == 1 else 's'} at work."
            if workers
            else "No worker was heard of lately: events are taken, but nobody handles them.",
        },
        "llm": {"ok": llm != "down", "detail": MODEL.get(llm, f"Model: {llm}.")},
    }
    if paused:
        why = f" ({paused['reason']})" if paused.get("reason") else ""
        checks["actions"] = {"ok": True, "detail": f"Automatic actions are paused by {paused.get('by')}{why}."}
    return checks
