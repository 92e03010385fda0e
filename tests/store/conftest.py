"""The store's tests run on both servers: the embedded Valkey, and the machine's Redis where it has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Server


@pytest.fixture(scope="session", params=["valkey", "redis"])
def store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server that lives as long as the test process."""
    folder = Path(tmp_path_factory.mktemp("server"))
    with Server(folder, "--appendonly", "yes", "--appendfsync", "everysec", kind=request.param) as server:
        yield server.url
