"""A store and a target for each test in this folder, and workers to lose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.ground import Ground, break_ground


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """The ground; nothing that was started on it is left running."""
    async with break_ground(tmp_path) as broken:
        yield broken
