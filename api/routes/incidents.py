"""Incidents: the handling of events, as it stands now."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import examples
from api.body import media_type, read_body
from api.models import ApproveIn, Decided, IncidentDetail, IncidentPage, RejectIn
from api.openapi import JSON, answers, body
from api.problems import ApiProblem, not_found
from api.routes.events import links
from api.routes.forms import SMALL_BODY_BYTES, read_form
from api.routes.query import Cursor, Known, Limit
from api.services import json_response, services

router = APIRouter(tags=["incidents"])

State = Literal["queued", "running", "delayed", "waiting", "done"]


@router.get(
    "/incidents",
    dependencies=[Known],
    responses=answers("invalid", "store-unavailable", model=IncidentPage, example=examples.INCIDENTS),
)
async def list_incidents(
    request: Request,
    state: Annotated[State | None, Query(description="Default: all that are not done")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List incidents that are being handled, oldest first; with `state=done` those that are over, newest first."""
    page = await services(request).store.incidents(state=state, limit=limit, cursor=cursor)
    return json_response({"incidents": page.records, "next_cursor": page.next_cursor})


@router.get(
    "/incidents/{event_id}",
    responses=answers("not-found", "store-unavailable", model=IncidentDetail, example=examples.INCIDENT_DETAIL),
)
async def get_incident(request: Request, event_id: str) -> Response:
    """Return one incident with its timeline, and its record once there is one."""
    incident = await services(request).store.incident(event_id)
    if incident is None:
        raise not_found("No incident of that event.")
    return json_response(incident)


DECISION_PROBLEMS = (
    "cross-site", "not-found", "conflict", "too-large", "unsupported-media-type", "invalid", "store-unavailable"
)  # fmt: skip
APPROVE_EXAMPLE = {"as it was shown": {"plan_hash": "5f" * 32, "user": "dana"}}
REJECT_EXAMPLE = {"not now": {"user": "dana", "reason": "the disk is being replaced tonight"}}


@router.post(
    "/incidents/{event_id}/approve",
    responses=answers(*DECISION_PROBLEMS, model=Decided, example=examples.DECIDED),
    openapi_extra=body(ApproveIn, APPROVE_EXAMPLE),
)
async def approve(request: Request, event_id: str) -> Response:
    """Allow the plan that an incident waits with, exactly as it was shown; it is carried out once.

    Saying it again changes nothing. While automatic actions are paused nothing can be approved.
    """
    media_type(request, accepted=(JSON,))
    given = read_form(await read_body(request, SMALL_BODY_BYTES), ApproveIn)
    by = await services(request).store.paused_by()
    if by is not None:
        raise ApiProblem("conflict", f"Automatic actions are paused by {by}; resume them first, then approve.")
    return await _decide(request, event_id, "approved", given.plan_hash, given.user, "")


@router.post(
    "/incidents/{event_id}/reject",
    responses=answers(*DECISION_PROBLEMS, model=Decided, example={**examples.DECIDED, "status": "rejected"}),
    openapi_extra=body(RejectIn, REJECT_EXAMPLE),
)
async def reject(request: Request, event_id: str) -> Response:
    """Forbid the plan that an incident waits with; it ends as `rejected`, and nothing more is done."""
    media_type(request, accepted=(JSON,))
    given = read_form(await read_body(request, SMALL_BODY_BYTES), RejectIn)
    api = services(request)
    reason = given.reason or ""
    reason = api.redactor.text(reason) if api.redactor is not None else reason
    return await _decide(request, event_id, "rejected", "", given.user, reason)


async def _decide(
    request: Request, event_id: str, verdict: Literal["approved", "rejected"], plan: str, user: str, reason: str
) -> Response:
    answer, text = await services(request).store.decide(event_id, verdict, plan, user, reason)
    if answer == "unknown":
        raise not_found("No incident of that event.")
    if answer != "ok":
        said = _NOT_POSSIBLE[answer].format(text=text)
        raise ApiProblem("conflict", said)
    return json_response({"status": verdict, "event_id": event_id, "links": links(event_id)})


_NOT_POSSIBLE = {
    "already": "It was decided before: {text}.",
    "changed": "The plan has changed since it was shown (its hash is now {text}); look at it again.",
    "expired": "The time for an answer is over; the plan was given up.",
    "not_waiting": "Nothing waits for a word here: the incident is being handled, or over.",
}
