"""What many tests share: a real Valkey for each test process, and a fresh key prefix for each test."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from store import Limits, Store
from store.embedded import EmbeddedStore

# How long one example takes tells of the machine, which others use too.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Valkey that lives as long as the test process."""
    server = EmbeddedStore(Path(tmp_path_factory.mktemp("valkey")), fsync="everysec")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def prefix() -> str:
    """A key prefix nobody else uses."""
    return f"t{secrets.token_hex(4)}"


@pytest.fixture
async def store(store_url: str, prefix: str) -> AsyncIterator[Store]:
    """An open store with short leases."""
    opened = Store(store_url, prefix=prefix, limits=Limits(lease_seconds=1.0))
    await opened.open()
    yield opened
    await opened.close()
