"""Running sensors: what they see goes through the queue like every other event, so that nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from agentic.contracts import Sensor
from agentic.errors import InvalidEvent
from agentic.intake import event_to_json
from agentic.registry import call
from agentic.types import Event, HistoryRecord
from store import Enqueued, Store, StoreUnavailable

log = structlog.get_logger()

PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
MOST_PENDING = 1000
LOOK_AT_ONCE = 50
"""Pending events whose record is asked for in one round; those without one go to the end of the line."""


class SensorRunner:
    """Asks one sensor for events, queues them, and tells it when each has its record."""

    def __init__(self, name: str, sensor: Sensor, store: Store, read: Callable[[Mapping[str, Any]], Event]) -> None:
        self.name = name
        self._sensor = sensor
        self._store = store
        self._read = read
        self._pending: list[str] = []

    async def run(self) -> None:
        """Ask until cancelled; a sensor that breaks is asked again later, less and less often."""
        failures = 0
        while True:
            try:
                seen = await call(self._sensor.get_event)
                failures = 0
            except Exception:
                failures += 1
                log.exception("sensor.failed", sensor=self.name)
                await asyncio.sleep(min(PAUSE_SECONDS * 2**failures, LONGEST_PAUSE_SECONDS))
                continue
            if seen is not None:
                await self._queue(seen)
            await self._tell()
            if seen is None:
                await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """Tell the sensor that the worker stops."""
        try:
            await call(self._sensor.close)
        except Exception:
            log.exception("sensor.close_failed", sensor=self.name)

    async def _queue(self, seen: Event | Mapping[str, Any]) -> None:
        try:
            # When it was received is for us to say, not among what the sensor reports.
            fields = seen.model_dump(mode="json", exclude={"received_at"}) if isinstance(seen, Event) else seen
            event = self._read(fields)
        except InvalidEvent as error:
            log.warning("sensor.bad_event", sensor=self.name, problem=str(error))
            return
        except Exception:  # a mapping of the sensor's own making may raise anything
            log.exception("sensor.bad_event", sensor=self.name)
            return
        while True:
            try:
                answer = await self._store.enqueue(event.event_id, event_to_json(event))
            except StoreUnavailable:
                continue  # it waited already; the event is still in our hands
            if answer is not Enqueued.FULL:
                break
            await asyncio.sleep(PAUSE_SECONDS)
        self._pending = [*self._pending, event.event_id][-MOST_PENDING:]

    async def _tell(self) -> None:
        """Tell the sensor of the events that have their record; the others are looked at again another time."""
        looked, rest = self._pending[:LOOK_AT_ONCE], self._pending[LOOK_AT_ONCE:]
        late: list[str] = []
        for number, event_id in enumerate(looked):
            try:
                record = await self._store.record(event_id)
            except StoreUnavailable:
                late += looked[number:]
                break
            if record is None:
                late.append(event_id)
                continue
            try:
                await call(self._sensor.done, HistoryRecord.model_validate(record))
            except Exception:
                log.exception("sensor.done_failed", sensor=self.name, event_id=event_id)
        self._pending = [*rest, *late]
