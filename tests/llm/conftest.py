"""Fixtures of the model client's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm import ChatClient
from tests.llm.asking import HASTY
from tests.llm.scripted_server import ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A scripted server with one model."""
    scripted = ScriptedServer(lists={"/v1/models": (200, {"object": "list", "data": [{"id": "llama-3-8b"}]})})
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest.fixture
async def make_client(server: ScriptedServer) -> AsyncIterator[Any]:
    """Makes clients of the scripted server that have time enough on a busy machine."""
    made: list[ChatClient] = []

    def make(base_url: str | None = None, **options: Any) -> ChatClient:
        made.append(ChatClient(base_url or server.url, **{"retry_pause_seconds": 0.01, **options}))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
def hasty(make_client: Any) -> ChatClient:
    """A client that waits for nothing."""
    return make_client(**HASTY)


@pytest.fixture
def client(make_client: Any) -> ChatClient:
    """A client of the scripted server."""
    return make_client()
