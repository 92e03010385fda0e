"""Events a second through the API, beside a bare FastAPI endpoint that pushes to the same server.

usage: python benchmarks/ingest.py [--rounds 3] [--seconds 5] [--connections 64]

Needs `wrk` (Debian and Ubuntu: apt install wrk). One server process each, in turn, on one store: the bare endpoint
checks a pydantic model and RPUSHes; POST /event checks every field, redacts, deduplicates and bounds; POST /events
does so for 100 events at once. Bodies are 1.5 KB an event, connections are kept alive. Printed are medians of the
rounds and ratios to the bare endpoint of the same round, and whether every event answered for is in the store.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis
from _common import HERE, ROOT, about, cpu_seconds, event_body, free_port, median, server, set_durability, until, url_of

CONFIG = "version: 1\nllm: {{enabled: false}}\nqueue: {{max_length: 50000000}}\nredis: {{url: {url!r}}}\n"
ROWS = (("bare FastAPI, RPUSH", "_bare:app", 1), ("POST /event", "api.main:app", 1), ("POST /events x 100", "", 100))
SCRIPT = 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [==[{body}]==]\n'
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass
class Results:
    """What the rounds of one row gave."""

    rate: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    missing: int = 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed (Debian and Ubuntu: apt install wrk)")
    results = [Results() for _ in ROWS]
    with server() as client, tempfile.TemporaryDirectory() as folder:
        print(f"{about(client)}; {options.rounds} rounds of {options.seconds} s, {options.connections} connections")
        Path(folder, "config.yaml").write_text(CONFIG.format(url=url_of(client)))
        with _serving("_bare:app", folder, client) as bare, _serving("api.main:app", folder, client) as ours:
            _load(folder, bare, "/event", 1, 1, options.connections)
            _load(folder, ours, "/event", 1, 1, options.connections)
            for _ in range(options.rounds):
                for row, (_, app, batch) in enumerate(ROWS):
                    target = bare if app == "_bare:app" else ours
                    path = "/event" if batch == 1 else "/events"
                    set_durability(client, None)
                    cpu = cpu_seconds(target.pid)
                    answered, rate, p50, p99 = _load(folder, target, path, batch, options.seconds, options.connections)
                    result = results[row]
                    result.cpu.append((cpu_seconds(target.pid) - cpu) / (answered * batch) * 1000)
                    result.rate.append(rate * batch)
                    result.p50.append(p50)
                    result.p99.append(p99)
                    result.missing += max(0, answered * batch - client.llen("agentic:events"))
    _print(results)


@dataclass(frozen=True)
class Target:
    """A server under test."""

    pid: int
    port: int


@contextmanager
def _serving(app: str, folder: str, client: redis.Redis) -> Iterator[Target]:
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "warning", "--no-access-log"]
    environ = {**os.environ, "BENCH_URL": url_of(client), "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    with Path(folder, f"{port}.log").open("wb") as log:
        process = subprocess.Popen(argv, cwd=folder, env=environ, stdout=log, stderr=log)
        try:
            until(lambda: _answers(port), 30, f"{app} did not start")
            yield Target(process.pid, port)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/docs")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _load(
    folder: str, target: Target, path: str, batch: int, seconds: int, connections: int
) -> tuple[int, float, float, float]:
    """Run wrk once; returns requests answered, requests a second, p50 and p99 in ms."""
    bodies = [_without_id(number) for number in range(batch)]
    text = json.dumps(bodies[0] if batch == 1 else bodies, separators=(",", ":"))
    script = Path(folder, "wrk.lua")
    script.write_text(SCRIPT.format(body=text))
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", str(script)]
    said = subprocess.run([*argv, f"http://127.0.0.1:{target.port}{path}"], capture_output=True, text=True, check=True)
    if "Non-2xx" in said.stdout:
        raise SystemExit(f"{path} refused some requests:\n{said.stdout}")
    answered = int(re.search(r"(\d+) requests in", said.stdout)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec: +([\d.]+)", said.stdout)[1])  # type: ignore[index]
    return answered, rate, _percentile(said.stdout, 50), _percentile(said.stdout, 99)


def _without_id(number: int) -> dict[str, object]:
    """Return a report whose id the server makes, since wrk sends the same body again and again."""
    fields: dict[str, object] = json.loads(event_body(number))
    del fields["event_id"]
    return fields


def _percentile(text: str, percent: int) -> float:
    found = re.search(rf"{percent}% +([\d.]+)(us|ms|s|m)\b", text)
    assert found is not None, text
    return float(found[1]) * UNITS[found[2]]


def _print(results: list[Results]) -> None:
    bare = results[0]
    heads = ("events/s", "x bare", "p50 ms", "p99 ms", "p99 x", "CPU s/1k", "x by CPU")
    print(" " * 24 + "".join(f"{head:>10}" for head in heads) + "  lost")
    for (name, _, _), row in zip(ROWS, results, strict=True):
        rate = median([a / b for a, b in zip(row.rate, bare.rate, strict=True)])
        tail = median([a / b for a, b in zip(row.p99, bare.p99, strict=True)])
        cpu = median([b / a for a, b in zip(row.cpu, bare.cpu, strict=True)])
        print(
            f"{name:24}{median(row.rate):10,.0f}{rate:10.2f}{median(row.p50):10.1f}{median(row.p99):10.1f}{tail:10.2f}"
            f"{median(row.cpu):10.3f}{cpu:10.2f}  {row.missing}"
        )


if __name__ == "__main__":
    main()
