"""Microseconds of the server for each event that is queued, claimed and ended, in groups as a worker makes them.

usage: python benchmarks/scripts.py [--events 8000] [--group 22] [--rounds 3]

The server counts the time of its scripts itself, so a busy machine disturbs the figures less than wall rates. Printed
are the medians of the rounds, with how many commands the scripts gave for one event.
"""

from __future__ import annotations

import argparse
import asyncio

import redis
from _common import about, median, server, url_of
from throughput import payloads_of

from agentic.intake import event_from_json
from agentic.types import Category, Diagnosis, HistoryRecord, RecordStatus, utc_now
from store import Claimed, Ending, Limits, Store

LIMITS = Limits(max_waiting=10_000_000, max_history=2_000_000)
ANSWER = Diagnosis(category=Category.UNKNOWN, root_cause="not looked at", confidence=0, source="none")
STEPS = ("queue", "claim", "end")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=8000)
    parser.add_argument("--group", type=int, default=22)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    payloads = payloads_of(options.events)
    found: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
    with server() as client:
        print(f"{about(client)}; groups of {options.group}")
        for _ in range(options.rounds):
            client.flushall()
            for step, cost in asyncio.run(_round(client, payloads, options.group)).items():
                found[step].append(cost)
    print(f"{'':8}{'server us':>12}{'commands':>12}")
    for step, costs in found.items():
        print(f"{step:8}{median([cost[0] for cost in costs]):12.1f}{median([cost[1] for cost in costs]):12.1f}")


async def _round(client: redis.Redis, payloads: list[tuple[str, bytes]], group: int) -> dict[str, tuple[float, float]]:
    """Send all events through, one step after the other."""
    store, costs = Store(url_of(client), limits=LIMITS), {}
    await store.open()
    claimed: list[Claimed] = []
    client.config_resetstat()
    for start in range(0, len(payloads), group):
        await store.enqueue_many(payloads[start : start + group])
    costs["queue"] = _cost(client, len(payloads))
    for number in range(1, -(-len(payloads) // group) + 1):
        claimed += await store.claim("bench", f"bench-{number}", group)
    costs["claim"] = _cost(client, len(payloads))
    records = [_record(one) for one in claimed]
    for start in range(0, len(claimed), group):
        some = zip(claimed[start : start + group], records[start : start + group], strict=True)
        await store.finish_many([Ending(one.event_id, one.fence, record) for one, record in some])
    costs["end"] = _cost(client, len(payloads))
    await store.close()
    return costs


def _cost(client: redis.Redis, events: int) -> tuple[float, float]:
    """Return microseconds and commands for one event since the last time it was asked."""
    stats = client.info("commandstats")
    client.config_resetstat()
    within = sum(int(about["calls"]) for name, about in stats.items() if not name.endswith(("evalsha", "info")))
    return float(stats["cmdstat_evalsha"]["usec"]) / events, within / events


def _record(claimed: Claimed) -> HistoryRecord:
    event = event_from_json(claimed.payload)
    return HistoryRecord(
        event_id=event.event_id, job_id=event.job_id, status=RecordStatus.SUGGESTED, event=event, diagnosis=ANSWER,
        received_at=event.received_at, finished_at=utc_now(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
