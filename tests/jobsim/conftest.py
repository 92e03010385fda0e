from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class FakeApi:
    """The two routes the lab uses, over real HTTP; `heal` stands in for the worker."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.records: dict[str, dict[str, Any]] = {}
        self.answers: list[int] = []
        """Statuses for the next reports; 202 when there is none left."""
        self.heal: Callable[[dict[str, Any]], str | None] = lambda event: "escalated"
        self.url = ""

    def take(self, event: dict[str, Any]) -> int:
        status = self.answers.pop(0) if self.answers else 202
        if status == 202:
            self.events.append(event)
            outcome = self.heal(event)
            if outcome:
                self.records[event["event_id"]] = {"event_id": event["event_id"], "status": outcome}
        return status


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/event"
            self.answer(fake.take(json.loads(body)), {"status": "submitted"})

        def do_GET(self) -> None:
            record = fake.records.get(self.path.removeprefix("/history/"))
            self.answer(200 if record else 404, record or {})

        def answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield fake
        server.shutdown()
