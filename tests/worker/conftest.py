"""A whole worker on a real store, with settings as an operator would write them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentic.intake import event_to_json
from agentic.types import Event
from agentic_worker.service import WorkerService
from config import load_settings
from store import Store

StartWorker = Callable[..., AbstractAsyncContextManager[WorkerService]]
Report = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def start_worker(store_url: str, prefix: str, tmp_path: Path) -> StartWorker:
    """Start a worker with the given settings; it is drained at the end of the block."""

    @asynccontextmanager
    async def started(**settings: Any) -> AsyncIterator[WorkerService]:
        file = tmp_path / "config.yaml"
        written = {
            "version": 1,
            "redis": {"url": store_url, "key_prefix": prefix},
            "queue": {"lease_seconds": 1, "drain_seconds": 5},
            "llm": {"enabled": False},
            **settings,
        }
        file.write_text(yaml.safe_dump(written))
        loaded = load_settings(file, environ={})
        own = Store(store_url, prefix=prefix, limits=_limits(loaded))
        service = WorkerService(loaded, own, store_url, {"PATH": "/usr/bin:/bin"})
        running = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            service.stop()
            await asyncio.wait_for(running, 15)
            await own.close()

    return started


def _limits(settings: Any) -> Any:
    from store import Limits

    return Limits(**settings.store_limits())


@pytest.fixture
def report(store: Store) -> Report:
    """Report an event and wait for its record."""

    async def reported(timeout_seconds: float = 60, wait: bool = True, **fields: Any) -> dict[str, Any]:
        fields = {"event_id": f"e{id(fields)}", "job_id": "backup", "status": "failed", **fields}
        event = Event.model_validate(fields)
        await store.enqueue(event.event_id, event_to_json(event))
        async with asyncio.timeout(timeout_seconds):
            while wait:
                record = await store.record(event.event_id)
                if record is not None:
                    return record
                await asyncio.sleep(0.02)
        return {}

    return reported
