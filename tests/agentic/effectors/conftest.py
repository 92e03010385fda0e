"""Orders to effectors, programs to run, and a real HTTP server to talk to."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agentic.contracts import EffectRequest
from agentic.types import Action, ActionKind, Event, Job


@pytest.fixture
def order() -> Callable[..., EffectRequest]:
    def make(
        settings: dict[str, Any],
        *,
        effector: str = "command",
        kind: ActionKind = ActionKind.FREE_DISK_SPACE,
        timeout: float = 20,
        params: dict[str, str] | None = None,
        job: dict[str, Any] | None = None,
        dry_run: bool = False,
        request: dict[str, Any] | None = None,
        **event: Any,
    ) -> EffectRequest:
        fields = {"event_id": "ev-1", "job_id": "nightly", "status": "failed", **event}
        action = Action(
            name="act",
            kind=kind,
            effector=effector,
            settings=settings,
            params=params or {},
            timeout_seconds=timeout,
        )
        made = Event(**fields)
        return EffectRequest(
            action=action,
            event=made,
            job=Job(**{"id": made.job_id, **(job or {})}),
            step="2",
            key=f"{made.event_id}:2",
            dry_run=dry_run,
            **(request or {}),
        )

    return make


@pytest.fixture
def show_args(tmp_path: Path) -> str:
    """A program that prints each of its arguments in angle brackets."""
    program = tmp_path / "show-args"
    program.write_text('#!/bin/sh\nfor each in "$@"; do printf "<%s>\\n" "$each"; done\n')
    program.chmod(stat.S_IRWXU)
    return str(program)


@pytest.fixture
def marked() -> Callable[[str], list[int]]:
    """Find living processes whose environment holds a mark; the only sure way to find what has run away."""

    def find(mark: str) -> list[int]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    if mark.encode() in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    return find


@dataclass
class Server:
    """What a real HTTP server was asked, and what it answers."""

    port: int = 0
    seen: list[bytes] = field(default_factory=list)
    connections: int = 0
    answer: bytes | None = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    """None = never answer."""
    reset: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def header(self, name: str, request: int = -1) -> str | None:
        head = self.seen[request].split(b"\r\n\r\n")[0].decode()
        for line in head.split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    state = Server()
    closing = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            state.seen.append(head + await reader.readexactly(length))
            if state.reset:
                writer.transport.abort()
                return
            if state.answer is None:
                await closing.wait()
            else:
                writer.write(state.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    state.port = listening.sockets[0].getsockname()[1]
    yield state
    closing.set()
    listening.close()
    await asyncio.sleep(0)
