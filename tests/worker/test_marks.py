"""The marks of secrets belong to one installation: its API and its workers share a key that nobody else has."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import redis.asyncio

from agentic.digest import Redactor
from api.main import create_app
from config import Settings
from store import Store

LINE = "login with password=hunter2x"
REPORT = {"event_id": "e1", "job_id": "etl", "status": "failed", "log": LINE}


async def line_kept_by_an_api(url: str, prefix: str, redactor: Redactor) -> str:
    """Send a report through an API of its own and return its line as the queue holds it."""
    own = Store(url, prefix=prefix)
    app = create_app(Settings(), own, redactor)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.post("/event", json=REPORT)
        assert answer.status_code == 202
        [claimed] = await own.claim("w", "n-1", 1)
    return str(json.loads(claimed.payload)["log"][0])


async def line_recorded_by_a_worker(url: str, prefix: str, store: Store) -> str:
    """Push a report past the API, so that the worker redacts it, and return its line from the record."""
    async with redis.asyncio.Redis.from_url(url) as client:
        await client.rpush(f"{prefix}:events", json.dumps({**REPORT, "event_id": "e2"}))
    async with asyncio.timeout(30):
        while (record := await store.record("e2")) is None:
            await asyncio.sleep(0.02)
    return str(record["event"]["log"][0])


async def test_the_api_and_a_worker_of_one_store_make_the_same_marks(
    store_url: str, prefix: str, store: Store, start_worker: Any
) -> None:
    by_api = await line_kept_by_an_api(store_url, prefix, Redactor())
    async with start_worker():
        assert await line_recorded_by_a_worker(store_url, prefix, store) == by_api
    assert by_api == Redactor(key=store.mark_key).text(LINE)


async def test_another_installation_makes_other_marks(store_url: str, prefix: str, store: Store) -> None:
    here = await line_kept_by_an_api(store_url, prefix, Redactor())
    others = {await line_kept_by_an_api(store_url, f"{prefix}-{n}", Redactor()) for n in range(3)}
    assert others != {here}  # four hex digits may agree once in 65,536 times, not three times
    assert here != Redactor().text(LINE) or len(others) > 1


async def test_a_configured_key_wins_over_the_stores(store_url: str, prefix: str) -> None:
    mine = Settings.model_validate({"redaction": {"key": "mine"}}).redaction.mark_key()
    line = await line_kept_by_an_api(store_url, prefix, Redactor(key=mine))
    assert line == Redactor(key=b"mine").text(LINE)


async def test_the_key_stays_when_the_store_is_opened_again(store_url: str, prefix: str, store: Store) -> None:
    again = Store(store_url, prefix=prefix)
    await again.open()
    assert again.mark_key == store.mark_key
    assert len(store.mark_key) == 64
    await again.close()
