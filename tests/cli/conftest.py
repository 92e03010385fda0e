"""A small API over real HTTP, and the real command run as a process beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]


class FakeApi:
    """Takes events and answers as it is told to; other routes answer from `pages`."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.posted: list[tuple[str, Any]] = []
        self.status = 202
        self.answer: dict[str, Any] = {"status": "submitted"}
        self.hang = threading.Event()
        self.hang.set()
        self.pages: dict[str, tuple[int, Any]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.hang.wait(30)
                outer.requests.append("POST " + self.path)
                if urlsplit(self.path).path != "/event":
                    outer.posted.append((self.path, body.decode()))
                    self._page()
                    return
                if outer.status == 202:
                    outer.events.append(json.loads(body))
                self._answer(outer.status, outer.answer)

            def do_GET(self) -> None:
                outer.requests.append("GET " + self.path)
                self._page()

            def _page(self) -> None:
                missing = (404, {"title": "Not Found", "status": 404, "detail": "no such thing"})
                path = urlsplit(self.path).path
                self._answer(*outer.pages.get(self.path, outer.pages.get(path, missing)))

            def _answer(self, status: int, answer: Any) -> None:
                body = json.dumps(answer).encode()
                kind = "application/problem+json" if status >= 400 else "application/json"
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that gave up on us while we hung

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def statuses(self) -> list[str]:
        return [event["status"] for event in self.events]

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    def close(self) -> None:
        self.hang.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def api() -> Iterator[FakeApi]:
    server = FakeApi()
    yield server
    server.close()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def environ(api: FakeApi, spool: Path, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTOREMEDY_")}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "AUTOREMEDY_URL": api.url,
        "AUTOREMEDY_SPOOL": str(spool),
        "HOME": str(tmp_path),
    }


Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def autoremedy(environ: dict[str, str], tmp_path: Path) -> Run:
    """Run `autoremedy` with these arguments to its end."""

    def run(*arguments: str, env: dict[str, str] | None = None, **options: Any) -> Any:
        settings: dict[str, Any] = {"capture_output": True, "timeout": 30, "cwd": tmp_path, **options}
        if "stdout" in options or "stderr" in options:
            settings.pop("capture_output")
        return subprocess.run(
            [sys.executable, "-m", "cli", *arguments], env={**environ, **(env or {})}, check=False, **settings
        )

    return run


@pytest.fixture
def run_exec(autoremedy: Run) -> Run:
    """Run `autoremedy exec` with these arguments to its end."""

    def run(*arguments: str, **options: Any) -> Any:
        return autoremedy("exec", *arguments, **options)

    return run


@pytest.fixture
def start_exec(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start `autoremedy exec` and leave it running."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        settings: dict[str, Any] = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "cwd": tmp_path,
            **options,
        }
        process = subprocess.Popen([sys.executable, "-m", "cli", "exec", *arguments], env=environ, **settings)
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
