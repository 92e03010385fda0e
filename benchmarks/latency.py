"""POST of a failure to its record in /history, one event at a time, and what idle processes cost.

usage: python benchmarks/latency.py [--events 300]

Starts the API and one worker as separate processes on an embedded store (append-only file, every write synced),
diagnoses by rules, acts on nothing (mode observe). Prints medians and 99th percentiles of one run, then the
CPU share of each idle process over ten seconds and its resident memory.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'version: 1\nllm: {enabled: false}\njobs: [{id: "*", mode: observe}]\n'
LOG = [f"2026-01-02 03:04:{second:02d} INFO copied part {second} of 18" for second in range(18)] + [
    "2026-01-02 03:04:18 ERROR could not write /backup/part18: No space left on device",
    "2026-01-02 03:04:18 backup failed",
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=300)
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.yaml").write_text(CONFIG)
        port = _free_port()
        processes = [
            _start(folder, "-m", "uvicorn", "api.main:app", "--port", str(port), "--log-level", "warning"),
            _start(folder, "-m", "agentic_worker.main"),
        ]
        try:
            connection = _connect(port)
            _time(connection, 20, "warm")
            seconds = _time(connection, events, "run")
            print(f"POST -> record, {events} events one after the other, 20 log lines each, rules only, no action:")
            cuts = statistics.quantiles(seconds, n=100)
            print(f"  p50 {cuts[49] * 1000:.1f} ms   p90 {cuts[89] * 1000:.1f} ms   p99 {cuts[98] * 1000:.1f} ms")
            for name, process in zip(("api", "worker"), processes, strict=True):
                share, memory = _idle(process.pid)
                print(f"{name} idle: {share * 100:.2f} % CPU over 10 s, {memory:.0f} MB resident")
        finally:
            for process in reversed(processes):
                process.send_signal(signal.SIGTERM)
                process.wait(30)


def _start(folder: str, *argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _connect(port: int) -> http.client.HTTPConnection:
    for _ in range(400):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            workers = json.loads(answer.read()) if answer.status == 200 else {}
            if workers:
                return connection
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the API did not become ready")


def _time(connection: http.client.HTTPConnection, count: int, name: str) -> list[float]:
    seconds = []
    for number in range(count):
        event_id = f"{name}-{number}-{os.getpid()}"
        body = json.dumps({"event_id": event_id, "job_id": "bench", "status": "failed", "log": LOG, "exit_code": 1})
        begun = time.perf_counter()
        _ask(connection, "POST", "/event", body)
        while _ask(connection, "GET", f"/history/{event_id}") != 200:
            time.sleep(0.0005)
        seconds.append(time.perf_counter() - begun)
    return seconds


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> int:
    connection.request(method, path, body, {"content-type": "application/json"} if body else {})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _idle(pid: int) -> tuple[float, float]:
    """Return the CPU share of a process over ten seconds, and its resident megabytes."""
    before = _cpu_seconds(pid)
    time.sleep(10)
    used = _cpu_seconds(pid) - before
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    return used / 10, kilobytes / 1024


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
