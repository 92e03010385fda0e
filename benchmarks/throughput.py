"""Events a second through one worker, beside a naive loop, saq, arq and taskiq.

usage: python benchmarks/throughput.py [--rounds 3] [--events 20000] [--peers PYTHON] [--only NAME,…]

Everything runs in turn on one server in one run; printed are the medians of the rounds and their ratios to the naive
loop of the same durability, with the CPU seconds of the worker for 1,000 events beside the wall rates. Events are
1.5 KB with 20 log lines. Ours are diagnosed by rules in mode observe and get their whole record; the others parse and
append a short line. For the peers: python -m venv peers && peers/bin/pip install saq arq taskiq-redis orjson, then
--peers peers/bin/python. Those not installed are skipped.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import redis
from _common import (
    HERE,
    OBSERVE,
    ROOT,
    about,
    cpu_seconds,
    event_body,
    median,
    resident_mb,
    server,
    set_durability,
    until,
    url_of,
)

from agentic.digest import Redactor
from agentic.intake import Limits as IntakeLimits
from agentic.intake import event_to_json, parse_event
from agentic.types import utc_now
from store import Limits, Store

OURS = ("naive", "pipeline", "instant")
"""Kinds that run in this environment."""
WARM = 0.1
"""Share of the events that is not timed: starting and warming up."""


@dataclass(frozen=True)
class Contender:
    """One row of the table."""

    name: str
    kind: str
    """pipeline, instant, or the name of a peer."""
    share: float = 1.0
    """Of the events, for those that take long."""
    fsync: str | None = None
    concurrency: int = 64


@dataclass
class Results:
    """What the rounds of one contender gave."""

    rate: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    server_cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


CONTENDERS = (
    Contender("naive loop", "naive", 0.5),
    Contender("saq", "saq", 0.2),
    Contender("arq", "arq", 0.2),
    Contender("taskiq, stream", "taskiq", 0.2),
    Contender("whole pipeline", "pipeline", 0.5),
    Contender("queue+history alone", "instant", 2.0),
    Contender("naive loop, AOF always", "naive", 0.3, "always"),
    Contender("whole pipeline, AOF always", "pipeline", 0.5, "always"),
    Contender("queue+history alone, AOF always", "instant", 2.0, "always"),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument(
        "--peers", default=sys.executable, help="Pythons of environments with saq, arq, taskiq, by commas"
    )
    parser.add_argument("--only", default="", help="parts of the names of the rows to measure")
    options = parser.parse_args()
    pythons = {c.kind: _python(c.kind, options.peers.split(",")) for c in CONTENDERS}
    chosen = [c for c in CONTENDERS if _wanted(c, options.only) and pythons[c.kind]]
    payloads = payloads_of(int(options.events * max(c.share for c in chosen)))
    results = {contender.name: Results() for contender in chosen}
    with server() as client:
        print(f"{about(client)}; {options.rounds} rounds, payload {len(payloads[0][1])} bytes as accepted", flush=True)
        for _ in range(options.rounds):
            for contender in chosen:
                count = int(options.events * contender.share)
                _measure(contender, client, payloads[:count], pythons[contender.kind], results[contender.name])
    _print(chosen, results)


def _wanted(contender: Contender, only: str) -> bool:
    return not only or any(part in contender.name for part in only.split(","))


def _python(kind: str, peers: list[str]) -> str:
    """Return the Python that has what a contender needs, or nothing."""
    if kind in OURS:
        return sys.executable
    for python in peers:
        probe = subprocess.run([python, str(HERE / "_peers.py"), kind, "probe", "-"], capture_output=True)
        if probe.returncode == 0:
            return python
    print(f"{kind}: not installed, skipped (see --peers)")
    return ""


def payloads_of(count: int) -> list[tuple[str, bytes]]:
    """Return events as the API would queue them: checked, redacted, written anew."""
    redactor, limits = Redactor(), IntakeLimits()
    events = (parse_event(event_body(number), limits, redactor, utc_now()) for number in range(count))
    return [(event.event_id, event_to_json(event)) for event in events]


def _measure(
    contender: Contender, client: redis.Redis, payloads: list[tuple[str, bytes]], python: str, results: Results
) -> None:
    """Fill the queue, work it off, and time the part after warming up."""
    set_durability(client, contender.fsync)
    url = url_of(client)
    if contender.kind in ("pipeline", "instant"):
        asyncio.run(fill(url, payloads))
    else:
        argv = [python, str(HERE / "_peers.py"), contender.kind, "fill", url]
        subprocess.run(argv, input=b"\n".join(raw for _, raw in payloads), check=True, stderr=subprocess.DEVNULL)
    server_pid = int(client.info("server")["process_id"])
    with _working(contender, url, python) as worker:
        total, first = len(payloads), int(len(payloads) * WARM)
        begun = _reach(client, worker, first)
        cpu, server_cpu, at = cpu_seconds(worker.pid), cpu_seconds(server_pid), perf_counter()
        _reach(client, worker, total)
        seconds, done = perf_counter() - at, total - begun
        results.rate.append(done / seconds)
        results.cpu.append((cpu_seconds(worker.pid) - cpu) / done * 1000)
        results.server_cpu.append((cpu_seconds(server_pid) - server_cpu) / done * 1000)
        results.memory.append(resident_mb(worker.pid))


async def fill(url: str, payloads: list[tuple[str, bytes]]) -> None:
    """Queue events the way the API does."""
    store = Store(url, limits=Limits(max_waiting=10_000_000))
    await store.open()
    for start in range(0, len(payloads), 500):
        await store.enqueue_many(payloads[start : start + 500])
    await store.close()


@contextmanager
def _working(contender: Contender, url: str, python: str) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        text = OBSERVE + f"redis: {{url: {url!r}}}\nworker: {{concurrency: {contender.concurrency}}}\n"
        Path(folder, "config.yaml").write_text(text)
        if contender.kind == "pipeline":
            argv = [python, "-m", "agentic_worker.main"]
        elif contender.kind == "instant":
            argv = [python, str(HERE / "_instant.py"), url, str(contender.concurrency)]
        else:
            argv = [python, str(HERE / "_peers.py"), contender.kind, "work", url]
        environ = (
            {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
            if contender.kind in ("pipeline", "instant")
            else None
        )
        with Path(folder, "log").open("wb") as log:
            worker = subprocess.Popen(argv, cwd=folder, env=environ, stdout=log, stderr=log)
            try:
                yield worker
            finally:
                worker.send_signal(signal.SIGTERM if contender.kind in ("pipeline", "instant") else signal.SIGKILL)
                worker.wait(60)


def _reach(client: redis.Redis, worker: subprocess.Popen[bytes], count: int) -> int:
    """Wait for so many records; returns how many there are by then."""
    length = 0

    def there() -> bool:
        nonlocal length
        length = client.llen("agentic:history")
        if worker.poll() is not None:
            raise SystemExit(f"the worker ended with {worker.returncode}")
        return length >= count

    until(there, 300, f"{count} records", pause=0.002)
    return length


def _print(chosen: list[Contender], results: dict[str, Results]) -> None:
    naive = {c.fsync: results[c.name] for c in chosen if c.kind == "naive"}
    print(f"{'':34}{'events/s':>9}{'x naive':>9}{'CPU s/1k':>10}{'x by CPU':>10}{'server s/1k':>12}{'RSS MB':>8}")
    for contender in chosen:
        row, base = results[contender.name], naive.get(contender.fsync)
        wall = median([a / b for a, b in zip(row.rate, base.rate, strict=True)]) if base else 0
        by_cpu = median([b / a for a, b in zip(row.cpu, base.cpu, strict=True)]) if base else 0
        print(
            f"{contender.name:34}{median(row.rate):9,.0f}{wall:9.2f}{median(row.cpu):10.3f}{by_cpu:10.2f}"
            f"{median(row.server_cpu):12.3f}{max(row.memory):8.0f}"
        )


if __name__ == "__main__":
    main()
