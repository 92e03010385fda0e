"""The programs as a user starts them: they come up, do their work, and go without a trace."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Program:
    """A program of ours under way, with its output in a file."""

    def __init__(self, folder: Path, *argv: str, **environment: str) -> None:
        self.output = folder / f"{argv[-1].replace('/', '_')}.log"
        self._file = self.output.open("wb")
        known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, *argv],
            cwd=folder,
            env={**known, "PYTHONPATH": str(ROOT), **environment},
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end(self, number: int = signal.SIGTERM, within_seconds: float = 30) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait(within_seconds)

    def wait(self, within_seconds: float = 30) -> int:
        try:
            return self.process.wait(within_seconds)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            self._file.close()

    def said(self) -> str:
        return self.output.read_text(errors="replace")


def ask(port: int, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text
    finally:
        connection.close()


def wait_until_ready(program: Program, port: int, within_seconds: float = 90) -> None:
    ends = time.monotonic() + within_seconds
    while time.monotonic() < ends:
        assert program.process.poll() is None, program.said()
        try:
            if ask(port, "/readyz")[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(program.said())


def wait_for_record(port: int, event_id: str, within_seconds: float = 60) -> dict[str, Any]:
    ends = time.monotonic() + within_seconds
    while time.monotonic() < ends:
        status, record = ask(port, f"/history/{event_id}")
        if status == 200:
            return dict(record)
        time.sleep(0.05)
    raise AssertionError("no record")


def users_of(folder: Path) -> list[str]:
    """Return the processes that still run out of a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder) in entry.joinpath("cmdline").read_text().replace("\0", " "):
                found.append(entry.name)
        except OSError:
            continue
    return found


Start = Callable[..., Program]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text("version: 1\nllm: {enabled: false}\nlab: {enabled: false}\n")
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start programs in the folder; at the end nothing of them may be left."""
    programs: list[Program] = []

    def started(*argv: str, **environment: str) -> Program:
        programs.append(Program(folder, *argv, **environment))
        return programs[-1]

    yield started
    for program in programs:
        if program.process.poll() is None:
            os.killpg(program.process.pid, signal.SIGKILL)
            program.wait()
    left = users_of(folder)
    for pid in left:  # a test that failed half-way must not leave a store behind
        os.kill(int(pid), signal.SIGKILL)
    assert left == [], "nothing is left running"


@pytest.mark.parametrize("argv", [[str(ROOT / "main.py")], ["-m", "agentic_worker.main"]], ids=["all", "worker"])
def test_a_program_told_to_stop_while_its_store_starts_takes_it_along(
    start: Start, folder: Path, argv: list[str]
) -> None:
    program = start(*argv, PORT=str(free_port()))
    server = folder / "data" / "valkey.conf"  # written just before the server is started
    ends = time.monotonic() + 60
    while not server.exists() and time.monotonic() < ends:
        time.sleep(0.0005)
    assert program.end() == 0, program.said()
    assert users_of(folder) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_process_takes_an_event_to_its_record_and_ends_with_zero(start: Start, number: int) -> None:
    port = free_port()
    program = start(str(ROOT / "main.py"), PORT=str(port))
    wait_until_ready(program, port)
    event = {"job_id": "etl", "event_id": "e1", "status": "failed", "log": "nothing anybody knows"}
    assert ask(port, "/event", event)[0] == 202
    assert wait_for_record(port, "e1")["status"] == "escalated"
    assert program.end(number) == 0, program.said()
    assert "Traceback" not in program.said()


def test_api_and_worker_alone_share_the_embedded_store(start: Start) -> None:
    port = free_port()
    api = start("-m", "uvicorn", "api.main:app", "--port", str(port))
    worker = start("-m", "agentic_worker.main")
    wait_until_ready(api, port)
    assert ask(port, "/event", {"job_id": "etl", "event_id": "e1", "status": "failed", "log": "?"})[0] == 202
    assert wait_for_record(port, "e1")["job_id"] == "etl"
    assert len(ask(port, "/status")[1]["workers"]) == 1
    assert worker.end() == 0, worker.said()
    assert ask(port, "/status")[1]["workers"] == []
    assert api.end() in (0, -signal.SIGTERM), api.said()


def test_a_second_sigterm_changes_nothing(start: Start) -> None:
    worker = start("-m", "agentic_worker.main")
    ends = time.monotonic() + 30
    while "worker.started" not in worker.said() and time.monotonic() < ends:
        time.sleep(0.05)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.end(signal.SIGTERM) == 0, worker.said()


@pytest.mark.parametrize("argv", [["-m", "agentic_worker.main"], [str(ROOT / "main.py")]], ids=["worker", "all"])
def test_however_often_it_is_told_a_program_ends_in_order(start: Start, argv: list[str]) -> None:
    program = start(*argv, PORT=str(free_port()))
    ends = time.monotonic() + 30
    while "worker.started" not in program.said() and time.monotonic() < ends:
        time.sleep(0.05)
    while program.process.poll() is None and time.monotonic() < ends:
        program.process.send_signal(signal.SIGTERM)
        time.sleep(0.002)
    assert program.wait() == 0, program.said()


def test_a_wrong_setting_stops_every_program_with_its_place(folder: Path, start: Start) -> None:
    (folder / "config.yaml").write_text("version: 1\nqueue: {leese_seconds: 3}\n")
    for argv in ([str(ROOT / "main.py")], ["-m", "agentic_worker.main"], ["-m", "uvicorn", "api.main:app"]):
        program = start(*argv)
        assert program.wait() == 78, program.said()
        assert 'config.yaml:2:9: queue.leese_seconds: unknown key; did you mean "lease_seconds"?' in program.said()
        assert "Traceback" not in program.said()


def test_a_taken_port_is_said_in_a_sentence(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = start(str(ROOT / "main.py"), PORT=str(port))
        assert program.wait() == 1
        assert f"cannot listen on 127.0.0.1:{port}" in program.said()
        assert "Traceback" not in program.said()
