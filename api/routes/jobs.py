"""Jobs: what is known of each."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import examples
from api.models import JobList, JobOut
from api.openapi import answers
from api.problems import not_found
from api.services import json_response, services

router = APIRouter(tags=["jobs"])


@router.get("/jobs", responses=answers("store-unavailable", model=JobList, example=examples.JOBS))
async def list_jobs(request: Request) -> Response:
    """List every job that was heard of, the latest first."""
    return json_response({"jobs": await services(request).store.jobs()})


@router.get(
    "/jobs/{job_id:path}",
    responses=answers("not-found", "store-unavailable", model=JobOut, example=examples.JOB_DETAIL),
)
async def get_job(request: Request, job_id: str) -> Response:
    """Return one job with its latest records; its id may contain slashes."""
    job = await services(request).store.job(job_id)
    if job is None:
        raise not_found("No event of that job was seen.")
    return json_response(job)
