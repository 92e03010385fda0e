"""One worker whose core answers at once: queue, leases, records and history are all that is left to measure.

usage: python _instant.py URL CONCURRENCY
"""

from __future__ import annotations

import asyncio
import signal
import sys

from agentic.contracts import Incident
from agentic.digest import Redactor
from agentic.intake import Limits as IntakeLimits
from agentic.records import write_record
from agentic.types import Category, Diagnosis, HistoryRecord, RecordStatus
from agentic_worker.heartbeat import Heartbeat
from agentic_worker.wiring import read_payload
from agentic_worker.worker import Worker, WorkerLimits
from settings.collector import calm_collector
from settings.logs import set_up_logs
from store import Limits, Store
from store.lease import LeaseKeeper

ANSWER = Diagnosis(category=Category.UNKNOWN, root_cause="not looked at", confidence=0, source="none")


class Instant:
    """A core that answers at once."""

    async def handle(self, incident: Incident) -> HistoryRecord:
        """Return a record without having read anything."""
        return write_record(
            incident, RecordStatus.SUGGESTED, worker="bench", reason="answered at once", diagnosis=ANSWER
        )


async def main(url: str, concurrency: int) -> None:
    """Work until SIGTERM."""
    store = Store(url, limits=Limits(max_history=2_000_000))
    await store.open()
    keeper = LeaseKeeper(url, "agentic", store.limits.lease_ms)
    loop = asyncio.get_running_loop()
    redactor, limits = Redactor(), IntakeLimits()

    def lost(event_ids: set[str]) -> None:
        loop.call_soon_threadsafe(worker.fence, event_ids)

    heartbeat = Heartbeat(keeper, "bench", store.limits.lease_seconds, lost)
    worker = Worker(
        "bench",
        store,
        Instant(),  # type: ignore[arg-type]
        heartbeat,
        lambda raw, accepted: read_payload(raw, accepted, limits, redactor),
        WorkerLimits(concurrency=concurrency),
    )
    loop.add_signal_handler(signal.SIGTERM, worker.stop)
    calm_collector()
    heartbeat.start()
    await worker.run()
    heartbeat.stop()
    await store.close()


if __name__ == "__main__":
    set_up_logs()
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
