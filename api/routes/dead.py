"""Dead letters: what could not be processed, and the way back."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import examples
from api.models import Accepted, DeadPage
from api.openapi import answers
from api.problems import not_found
from api.routes.events import links
from api.routes.query import Cursor, Known, Limit
from api.services import json_response, services

router = APIRouter(tags=["operation"])


@router.get(
    "/dead",
    dependencies=[Known],
    responses=answers("invalid", "store-unavailable", model=DeadPage, example=examples.DEAD),
)
async def list_dead(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """List dead letters with their reasons, newest first."""
    page = await services(request).store.dead(limit=limit, cursor=cursor)
    return json_response({"dead": page.records, "next_cursor": page.next_cursor})


@router.post(
    "/dead/{event_id}/replay",
    status_code=202,
    responses=answers(
        "cross-site", "not-found", "store-unavailable", ok=202, model=Accepted, example=examples.ACCEPTED
    ),
)
async def replay_dead(request: Request, event_id: str) -> Response:
    """Put a dead letter back into the queue, once."""
    if not await services(request).store.replay(event_id):
        raise not_found("No dead letter of that id; it may have been replayed already.")
    return json_response({"status": "submitted", "event_id": event_id, "links": links(event_id)}, 202)
