"""History out: one record for each event, newest first."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from agentic.types import Category, HistoryRecord, RecordStatus
from api import examples
from api.models import HistoryPage, Precedents
from api.openapi import answers
from api.problems import not_found, parameter_error
from api.routes.query import Cursor, Known, Limit, Time
from api.services import json_response, services

router = APIRouter(tags=["history"])


@router.get(
    "/history",
    dependencies=[Known],
    responses=answers("invalid", "store-unavailable", model=HistoryPage, example=examples.HISTORY),
)
async def list_history(
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    job_id: Annotated[str | None, Query(min_length=1, max_length=256)] = None,
    status: Annotated[RecordStatus | None, Query(description="How the handling ended")] = None,
    category: Annotated[Category | None, Query(description="Root cause")] = None,
    since: Time = None,
    until: Time = None,
    order: Literal["desc", "asc"] = "desc",
) -> Response:
    """List records, newest first; a page does not shift while records are added.

    `since` (inclusive) and `until` (exclusive) bound the time the record was finished.
    """
    if since and until and since >= until:
        raise parameter_error("until", "out_of_range", "must be later than since")
    page = await services(request).store.history(
        limit=limit,
        cursor=cursor,
        job_id=job_id,
        status=status,
        category=category,
        since=since,
        until=until,
        order=order,
    )
    return json_response({"records": page.records, "next_cursor": page.next_cursor})


@router.get(
    "/precedents",
    dependencies=[Known],
    responses=answers("invalid", "store-unavailable", model=Precedents, example=examples.PRECEDENTS),
)
async def list_precedents(
    request: Request,
    signature: Annotated[str, Query(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="`digest.signature` of a record")],
    job_id: Annotated[str, Query(max_length=256, description="The job that would recall them")] = "",
) -> Response:
    """List the earlier incidents that count when a failure with this signature comes again, newest first."""
    found = await services(request).store.precedents(signature, job_id)
    return json_response({"precedents": [precedent.model_dump(mode="json") for precedent in found]})


@router.get(
    "/history/{event_id}",
    responses=answers("not-found", "store-unavailable", model=HistoryRecord, example=examples.RECORD),
)
async def get_record(request: Request, event_id: str) -> Response:
    """Return the record of one event, with what people said of it."""
    record = await services(request).store.record(event_id)
    if record is None:
        raise not_found("No record of that event: it is unknown, or still being handled (see /incidents).")
    return json_response(record)
