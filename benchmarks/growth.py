"""Whether a claim, an ending and a worker cost the same however much has piled up.

usage: python benchmarks/growth.py [--depths 1,1000,100000,1000000] [--claims 400] [--memory 200000] [--rounds 3]

Three tables: microseconds of the server for a claim of one event at each depth of the queue, and for an ending at
each length of the history (the server counts them itself, so a busy machine disturbs them little), interleaved over
the rounds; then the resident memory of one worker while it diagnoses `--memory` events (0 leaves that out).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis
from _common import OBSERVE, ROOT, about, event_body, median, resident_mb, server, until, url_of

from agentic.types import Category, Diagnosis, Event, HistoryRecord, LogDigest, RecordStatus, utc_now
from store import Limits, Store
from store.keys import Keys

CHUNK = 1000
CHECKPOINTS = (0.05, 0.25, 0.5, 0.75, 1.0)
LIMITS = Limits(max_waiting=10_000_000, max_history=2_000_000, lease_seconds=600)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--depths", default="1,1000,100000,1000000")
    parser.add_argument("--claims", type=int, default=400)
    parser.add_argument("--memory", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sizes = [int(size) for size in options.depths.split(",")]
    with server() as client:
        print(about(client))
        claims, endings = asyncio.run(_costs(client, sizes, options.claims, options.rounds))
        _print("events waiting", "claim of 1", claims)
        _print("records in history", "ending of 1", endings)
        client.flushall()
        if options.memory:
            _memory(client, options.memory)


async def _costs(
    client: redis.Redis, sizes: list[int], count: int, rounds: int
) -> tuple[dict[int, list[float]], dict[int, list[float]]]:
    """Return the server's microseconds for a claim and for an ending at each size.

    Each size has keys of its own behind a prefix of its own, so that the rounds can go from one to the other.
    """
    claims: dict[int, list[float]] = {size: [] for size in sizes}
    endings: dict[int, list[float]] = {size: [] for size in sizes}
    stores = {}
    for size in sizes:
        stores[size] = Store(url_of(client), prefix=f"grown{size}", limits=LIMITS)
        await stores[size].open()
        _pile_up(client, stores[size].keys, size)
    for _ in range(rounds):
        for size in sizes:
            claimed, ended = await _once(client, stores[size], count)
            claims[size].append(claimed)
            endings[size].append(ended)
    for store in stores.values():
        await store.close()
    return claims, endings


def _pile_up(client: redis.Redis, keys: Keys, size: int) -> None:
    """Fill a queue and a history, with the indexes of the history."""
    for start in range(0, size, CHUNK):
        numbers = range(start, min(start + CHUNK, size))
        pipe = client.pipeline(transaction=False)
        pipe.rpush(keys.single("events"), *(event_body(number, f"deep-{number}") for number in numbers))
        pipe.rpush(keys.single("history"), *(b'{"event_id":"old-%d"}' % number for number in numbers))
        pipe.zadd(keys.single("history:ids"), {f"old-{number}": number for number in numbers})
        pipe.zadd(keys.of("by-status", "suggested"), {f"old-{number}": number for number in numbers})
        pipe.zadd(keys.of("by-category", "disk_full"), {f"old-{number}": number for number in numbers})
        pipe.incrby(keys.single("history:seq"), len(numbers))
        pipe.execute()


async def _once(client: redis.Redis, store: Store, count: int) -> tuple[float, float]:
    """Claim and end events one by one, with a new one pushed for each, so that the sizes stay."""
    claimed = []
    client.config_resetstat()
    for number in range(count):
        claimed += await store.claim("bench", f"{secrets.token_hex(8)}-{number}", 1)
        client.rpush(store.keys.single("events"), event_body(number, f"more-{secrets.token_hex(8)}"))
    for_claims = _script_microseconds(client, count)
    client.config_resetstat()
    for one in claimed:
        await store.finish(one.event_id, one.fence, _record(one.event_id))
    return for_claims, _script_microseconds(client, count)


def _script_microseconds(client: redis.Redis, count: int) -> float:
    return float(client.info("commandstats")["cmdstat_evalsha"]["usec"]) / count


def _record(event_id: str) -> HistoryRecord:
    now = utc_now()
    return HistoryRecord(
        event_id=event_id,
        job_id="backup",
        status=RecordStatus.SUGGESTED,
        event=Event(event_id=event_id, job_id="backup", status="failed", log=("No space left on device",) * 20),  # type: ignore[arg-type]
        digest=LogDigest(signature="0123456789abcdef"),
        diagnosis=Diagnosis(category=Category.DISK_FULL, root_cause="full", confidence=90, source="rule:bench"),
        received_at=now,
        finished_at=now,
    )


def _print(what: str, cost: str, found: dict[int, list[float]]) -> None:
    base = min(median(values) for values in found.values())
    print(f"\n{what:>20}{cost + ', server us':>26}{'x least':>9}")
    for size, values in found.items():
        print(f"{size:20,}{median(values):26.1f}{median(values) / base:9.2f}")


def _memory(client: redis.Redis, events: int) -> None:
    """Let one worker diagnose many events and look at its memory on the way."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("wb") as log:
        Path(folder, "config.yaml").write_text(OBSERVE + f"redis: {{url: {url_of(client)!r}}}\n")
        argv = [sys.executable, "-m", "agentic_worker.main"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        worker = subprocess.Popen(argv, cwd=folder, env=environ, stdout=log, stderr=log)
        try:
            print(f"\n{'events handled':>20}{'worker RSS MB':>16}{'events/s so far':>17}")
            begun, pushed = time.monotonic(), 0
            for share in CHECKPOINTS:
                pushed = _feed(client, pushed, int(events * share))
                print(
                    f"{pushed:20,}{resident_mb(worker.pid):16.1f}{pushed / (time.monotonic() - begun):17,.0f}",
                    flush=True,
                )
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(60)


def _feed(client: redis.Redis, pushed: int, wanted: int) -> int:
    """Push events with never more than some thousands waiting, until so many have their record."""
    while pushed < wanted:
        numbers = range(pushed, min(pushed + CHUNK, wanted))
        client.rpush("agentic:events", *(event_body(number) for number in numbers))
        pushed += len(numbers)
        until(lambda: client.llen("agentic:events") < 4 * CHUNK, 120, "the worker to keep up")
    until(lambda: int(client.get("agentic:history:seq") or 0) >= wanted, 120, "the last records")
    return pushed


if __name__ == "__main__":
    main()
