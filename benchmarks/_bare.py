"""What ingest.py is compared with: a FastAPI endpoint with a pydantic model that pushes what it got."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from redis.asyncio import Redis


class Report(BaseModel):
    """The fields of the benchmark's events."""

    job_id: str
    status: str
    exit_code: int | None = None
    host: str | None = None
    command: str | None = None
    log: list[str] = []
    details: dict[str, Any] = {}


app = FastAPI()
client = Redis.from_url(os.environ["BENCH_URL"])


@app.post("/event", status_code=202)
async def submit(report: Report) -> dict[str, str]:
    """Check a report and append it."""
    await client.rpush("agentic:events", report.model_dump_json())  # type: ignore[misc]
    return {"status": "submitted"}
