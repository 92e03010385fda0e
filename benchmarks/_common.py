"""What the benchmarks share: a server of their own, events, clocks, tables."""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

from store.embedded import EmbeddedStoreError, _server_program

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
OBSERVE = 'version: 1\nllm: {enabled: false}\njobs: [{id: "*", mode: observe}]\nhistory: {max_length: 2000000}\n'


@contextmanager
def server(program: str | None = None) -> Iterator[redis.Redis]:
    """Start a server of our own on a free port; yields a client. Nothing is written to disk until it is told to."""
    with tempfile.TemporaryDirectory(prefix="autoremedy-bench-") as folder:
        port = free_port()
        argv = [program or _find_server(), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        argv += ["--maxmemory-policy", "noeviction", "--auto-aof-rewrite-percentage", "0"]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = redis.Redis(port=port, socket_timeout=60)
        try:
            until(lambda: _answers(client), 10, "the server did not start")
            yield client
        finally:
            client.close()
            process.terminate()
            process.wait(30)


def url_of(client: redis.Redis) -> str:
    """Return the URL that others reach the same server by."""
    return f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}/0"


def about(client: redis.Redis) -> str:
    """Say in one line what was measured on."""
    info = client.info("server")
    name = info.get("server_name", "redis")
    version = info.get("valkey_version") or info["redis_version"]
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{name} {version}, Python {sys.version.split()[0]}, {os.cpu_count()} cores, load before {load}"


def _find_server() -> str:
    try:
        return shutil.which("redis-server") or str(_server_program())
    except EmbeddedStoreError as error:
        raise SystemExit(f"no server to measure on: {error}") from error


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def set_durability(client: redis.Redis, fsync: str | None) -> None:
    """Empty the server and let it sync every write ("always"), every second ("everysec"), or write nothing (None)."""
    client.config_set("appendonly", "no")
    client.flushall()
    if fsync is not None:
        client.config_set("appendfsync", fsync)
        client.config_set("appendonly", "yes")
        until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], 60, "the append-only file")


def event_body(number: int, event_id: str | None = None) -> bytes:
    """Return a report of about 1.5 KB: 20 log lines whose times, ids and sizes differ from event to event."""
    start = 9 * 3600 + number * 7
    lines = []
    for step in range(18):
        second = start + step * 3
        clock = f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        size = (number * 7919 + step * 104_729) % 900_000
        lines.append(f"2026-03-{number % 28 + 1:02d} {clock} INFO  copied part {step} of 18, {size} bytes")
    day = f"2026-03-{number % 28 + 1:02d}"
    lines.append(f"{day} 10:00:00 ERROR cannot write part {number % 1000}: {FAULTS[number % 4]}")
    lines.append("backup failed, leaving 3 temporary files behind")
    fields = {
        "event_id": event_id or f"bench-{number}", "job_id": f"backup-{number % 200}", "status": "failed",
        "exit_code": 1, "host": f"db-{number % 40}", "command": "/usr/local/bin/backup.sh --all", "log": lines,
    }  # fmt: skip
    return json.dumps(fields, separators=(",", ":")).encode()


FAULTS = (
    "No space left on device",
    "Connection refused (10.1.2.3:5432)",
    "Permission denied",
    "certificate has expired",
)
"""What the jobs of the benchmark die of, in turn."""


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += tree(int(child))
    return found


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until(done: Callable[[], bool], seconds: float, otherwise: str, pause: float = 0.01) -> None:
    """Wait for something; ends the program when it does not come."""
    ends = time.monotonic() + seconds
    while not done():
        if time.monotonic() > ends:
            raise SystemExit(f"gave up after {seconds:g} s: {otherwise}")
        time.sleep(pause)


def median(values: Sequence[float]) -> float:
    """Return the middle of what several rounds gave."""
    return statistics.median(values)
