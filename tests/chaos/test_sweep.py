"""A sample of the crash-point sweep; `make chaos` visits every point."""

from __future__ import annotations

import pytest

from tests.chaos.ground import KINDS, Ground
from tests.chaos.points import visit
from tests.chaos.sweep import points, sample, sweep

POINTS = 24
SEED = 20260102


@pytest.mark.parametrize("kinds", [("once", "later"), ("checked", "idempotent"), ("rerun", "healthy")], ids="-".join)
async def test_whatever_dies_at_whichever_request_the_event_ends_once(ground: Ground, kinds: tuple[str, ...]) -> None:
    wanted = sample(await points(ground, [KINDS[kind] for kind in kinds], from_start=False), POINTS, SEED)
    seen = await sweep(ground, wanted)
    assert [str(visited) for visited in seen if visited.problems] == []
    assert sum(bool(visited.name) for visited in seen) > POINTS / 2, "most points are reached"


async def test_the_points_of_the_sweep_are_the_requests_of_a_real_handling(ground: Ground) -> None:
    calm = await visit(ground, KINDS["once"])
    assert calm.problems == []
    assert {"claim", "save", "begin", "result", "finish"} <= set(calm.requests)
