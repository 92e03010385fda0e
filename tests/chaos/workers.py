"""Real worker processes to kill, stop and drain."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(eq=False)
class WorkerProcess:
    """One worker under way."""

    pid: int
    log: Path
    ended: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """Its exit code, negative for a signal."""
    _started: bool = False

    @property
    def working(self) -> bool:
        """Say whether it has begun to work, by its own word, and not ended."""
        if not self._started:
            self._started = self.log.exists() and b"worker.started" in self.log.read_bytes()
        return self._started and not self.ended.done()

    def send(self, number: int) -> None:
        """Send a signal, if it still lives."""
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def kill(self) -> None:
        """Kill -9 and wait until it is gone."""
        self.send(signal.SIGKILL)
        await asyncio.shield(self.ended)

    async def begun(self, within_seconds: float = 15.0) -> None:
        """Wait until it has started to work; before that, SIGTERM ends it as it ends any program."""
        async with asyncio.timeout(within_seconds):
            while not (self.ended.done() or self.working):
                await asyncio.sleep(0.02)

    async def drain(self, within_seconds: float = 15.0) -> int:
        """SIGTERM; return the exit code."""
        await self.begun()
        self.send(signal.SIGTERM)
        return await asyncio.wait_for(asyncio.shield(self.ended), within_seconds)


class Workers:
    """Starts workers; knows how each ended."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._listener: asyncio.Task[None] | None = None
        self._ordered: deque[tuple[Path, asyncio.Future[WorkerProcess]]] = deque()
        self._alive: dict[int, WorkerProcess] = {}

    async def __aenter__(self) -> Workers:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.chaos.zygote",
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._listener = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None and self._process.stdin is not None and self._listener is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._listener

    async def start(self, config: Path) -> WorkerProcess:
        """Start a worker with a configuration file; its log lies beside that."""
        assert self._process is not None and self._process.stdin is not None
        if self._process.returncode is not None:
            raise RuntimeError(f"what starts the workers ended with {self._process.returncode}")
        log = config.with_suffix(".log")
        started: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()
        self._ordered.append((log, started))
        self._process.stdin.write(json.dumps({"config": str(config), "log": str(log)}).encode() + b"\n")
        await self._process.stdin.drain()
        return await started

    async def _listen(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "code" in said:
                self._alive.pop(said["pid"]).ended.set_result(said["code"])
            else:
                log, started = self._ordered.popleft()
                worker = WorkerProcess(said["pid"], log)
                self._alive[worker.pid] = worker
                started.set_result(worker)
        for _, started in self._ordered:
            started.set_exception(RuntimeError("what starts the workers is gone"))
        for worker in self._alive.values():  # it took them with it
            worker.ended.set_result(-signal.SIGKILL)
