"""One worker with everything around it: store, heartbeat, sensors; started and stopped as one."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Mapping
from pathlib import Path

import structlog

from agentic.registry import call
from agentic_worker.heartbeat import Heartbeat
from agentic_worker.sensing import SensorRunner
from agentic_worker.wiring import build
from agentic_worker.worker import Worker, WorkerLimits
from settings.models import Settings
from store import Store, StoreUnavailable
from store.lease import LeaseKeeper
from store.server import report_server

log = structlog.get_logger()

LOOK_AT_MODEL_SECONDS = 15.0
OPEN_AGAIN_SECONDS = 1.0
LOOK_AT_LEASES_SECONDS = 1.0
CLOSE_SECONDS = 5.0
"""How long a reasoning module may take to end its connections; a worker that stops waits for nobody's manners."""


class WorkerService:
    """Runs one worker until it is stopped."""

    def __init__(self, settings: Settings, store: Store, url: str, environ: Mapping[str, str]) -> None:
        self.name = settings.worker.id or f"{platform.node() or 'worker'}-{os.getpid()}"
        self._store = store
        parts = build(settings, store, self.name, environ)
        self._parts = parts
        health = settings.worker.heartbeat_file
        self._heartbeat = Heartbeat(
            LeaseKeeper(url, settings.redis.key_prefix, store.limits.lease_ms),
            self.name,
            store.limits.lease_seconds,
            self._lost,
            Path(health) if health else None,
        )
        self._heartbeat.about = {"host": platform.node(), "pid": os.getpid()}
        self._worker = Worker(
            self.name,
            store,
            parts.pipeline,
            self._heartbeat,
            parts.read,
            WorkerLimits(
                concurrency=settings.worker.concurrency,
                drain_seconds=settings.queue.drain_seconds,
                max_deliveries=settings.queue.max_deliveries,
            ),
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Begin to drain; `run` returns when that is done."""
        self._worker.stop()

    async def run(self) -> None:
        """Work until stopped. The store is waited for as long as it takes."""
        self._loop = asyncio.get_running_loop()
        if not await self._open_store():
            return
        self._heartbeat.start()
        runners = [
            SensorRunner(name, sensor, self._store, self._parts.read_fields)
            for name, sensor in self._parts.sensors.items()
        ]
        beside = [asyncio.create_task(runner.run(), name=f"sensor {runner.name}") for runner in runners]
        beside.append(asyncio.create_task(self._watch_model(), name="model watch"))
        beside.append(asyncio.create_task(self._watch_each_other(), name="lease watch"))
        for task in beside:
            task.add_done_callback(_say_if_dead)
        try:
            await self._worker.run()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            for runner in runners:
                await runner.close()
            await self._close_reasoning()
            await asyncio.to_thread(self._heartbeat.stop)

    async def _open_store(self) -> bool:
        """Wait for the store; False when the worker was stopped before it came."""
        while not self._worker.stopping:
            try:
                await self._store.open()
            except StoreUnavailable as error:
                log.warning("store.unreachable", error=str(error))
                await self._worker.pause(OPEN_AGAIN_SECONDS)
            else:
                break
        else:
            return False
        self._parts.redactor.take_key(self._store.mark_key)
        report_server(self._store.server)
        return True

    async def _close_reasoning(self) -> None:
        for name, module in self._parts.reasoning.items():
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await call(module.close)
            except Exception:  # a guest's module must not keep the worker from stopping
                log.exception("reasoning.close_failed", module=name)

    def _lost(self, fences: Mapping[str, str]) -> None:
        """Called by the heartbeat's thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._worker.fence, fences)

    async def _watch_each_other(self) -> None:
        """Let the heartbeat see that the loop goes round, and see for ourselves that the leases are renewed."""
        pause = min(LOOK_AT_LEASES_SECONDS, self._store.limits.lease_seconds / 10)
        while True:
            self._heartbeat.loop_runs()
            if over := self._heartbeat.soon_over(pause):
                self._worker.fence(over)
            await asyncio.sleep(pause)

    async def _watch_model(self) -> None:
        """Keep the store's note of the model server fresh, for people who look at the status."""
        module = self._parts.reasoning.get("llm")
        while True:
            look = getattr(module, "state", None)
            try:
                state = await call(look) if look is not None else {"state": "off"}
                await self._store.note_llm(state)
            except StoreUnavailable:
                pass  # whoever needs it says so; the next round tries again
            except Exception:
                log.exception("model.state_failed")
            await asyncio.sleep(LOOK_AT_MODEL_SECONDS)


def _say_if_dead(task: asyncio.Task[None]) -> None:
    """Say in the log that something beside the worker has ended, which it never should."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("worker.part_died", part=task.get_name(), exc_info=error)
