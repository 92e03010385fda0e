"""A storm of failures that only a model can tell: how often it is asked, and whom that holds up.

usage: python benchmarks/model_storm.py [--failures 1000] [--signatures 40] [--answer-seconds 2] [--known-every 0.2]

One worker process with the shipped concurrency and a model server of our own that answers each question after a while.
All failures are reported at once, in turn of their signatures; while they are handled, failures that rules know come in
one by one. Printed are the questions asked, the most of them under way at once, how long the known failures took from
report to record, and what the records say.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from _common import ROOT, about, server, url_of

from store import Store

CONFIG = 'version: 1\nllm: {{enabled: true, base_url: "{url}"}}\njobs: [{{id: "*", mode: observe}}]\n'
KNOWN = ["tar: /dev/full: Cannot write: No space left on device", "backup failed"]
STEM = "frobnicator: gizmo g-{number} refused the {word} handshake"


class Model:
    """A server that answers every question in form, after a while, one stream each."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked = self.under_way = self.most_under_way = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one request and hang up."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1])) if length else b""
        if head.startswith("GET /v1/models"):
            answer = json.dumps({"object": "list", "data": [{"id": "bench-model"}]})
        elif head.startswith("POST"):
            answer = await self._answer(json.loads(body))
        else:
            answer = "{}"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{answer}".encode())
        await writer.drain()
        writer.close()

    async def _answer(self, asked: dict[str, Any]) -> str:
        self.asked += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(self.seconds)
        self.under_way -= 1
        question = asked["messages"][1]["content"]
        [line] = re.findall(r"^\s*(\d+).*handshake", question, re.MULTILINE)[:1]
        said = {
            "reading": "One line tells it.",
            "evidence": [{"line": int(line), "quote": "refused the"}],
            "root_cause": "The gizmo is not calibrated",
            "category": "config_error",
            "actions": [],
            "confidence": 80,
        }
        choice = {"index": 0, "message": {"role": "assistant", "content": json.dumps(said)}, "finish_reason": "stop"}
        return json.dumps({"model": "bench-model", "choices": [choice], "usage": {"prompt_tokens": 900}})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--failures", type=int, default=1000)
    parser.add_argument("--signatures", type=int, default=40)
    parser.add_argument("--answer-seconds", type=float, default=2.0)
    parser.add_argument("--known-every", type=float, default=0.2)
    options = parser.parse_args()
    with server() as client, tempfile.TemporaryDirectory() as folder:
        print(f"{about(client)}", flush=True)
        asyncio.run(_storm(url_of(client), Path(folder), options))


async def _storm(url: str, folder: Path, options: argparse.Namespace) -> None:
    model = Model(options.answer_seconds)
    listening = await asyncio.start_server(model.serve, "127.0.0.1", 0)
    (folder / "config.yaml").write_text(
        CONFIG.format(url=f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1")
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "REDIS_URL": url}
    argv = [sys.executable, "-m", "agentic_worker.main"]
    worker = subprocess.Popen(argv, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    store = Store(url)
    try:
        await store.open()
        while not (await store.status())["workers"]:
            await asyncio.sleep(0.1)
        words = [f"part{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(options.signatures)]
        begun = time.monotonic()
        names = []
        for number in range(options.failures):
            names.append(f"storm-{number}")
            line = STEM.format(number=number, word=words[number % len(words)])
            await _report(store, names[-1], ["starting", line])
        known = await _known(store, names, options.known_every)
        seconds = time.monotonic() - begun
        records = [record for name in names if (record := await store.record(name)) is not None]
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
        await store.close()
        listening.close()
    print(f"{options.failures} failures with {options.signatures} signatures ended within {seconds:.1f} s")
    print(f"  questions: {model.asked}, at once at most {model.most_under_way}, {model.seconds:g} s each")
    print(f"  records: {dict(Counter(r['diagnosis']['source'] for r in records))}")
    cuts = statistics.quantiles(known, n=100)
    print(
        f"  {len(known)} known failures meanwhile: p50 {cuts[49]:.3f} s, p99 {cuts[98]:.3f} s, max {max(known):.3f} s"
    )


async def _known(store: Store, storm: list[str], every: float) -> list[float]:
    """Report known failures, one by one, until the storm is over; return how long each took."""
    seconds, number = [], 0
    total = 0
    while total < len(storm) or number < 20:
        name, begun = f"known-{number}", time.perf_counter()
        await _report(store, name, KNOWN)
        while await store.record(name) is None:
            await asyncio.sleep(0.005)
        seconds.append(time.perf_counter() - begun)
        number += 1
        await asyncio.sleep(every)
        total = (await store.status())["history_length"] - number
    return seconds


async def _report(store: Store, name: str, log: list[str]) -> None:
    event = {"event_id": name, "job_id": f"job-{hash(name) % 7}", "status": "failed", "log": log}
    await store.enqueue(name, json.dumps(event, separators=(",", ":")).encode())


if __name__ == "__main__":
    main()
