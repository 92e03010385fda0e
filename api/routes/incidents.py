"""Incidents: the handling of events, as it stands now."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import examples
from api.models import IncidentDetail, IncidentPage
from api.openapi import answers
from api.problems import not_found
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
