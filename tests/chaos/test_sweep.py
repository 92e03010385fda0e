"""A sample of the crash-point sweep; `make chaos` visits every point."""

from __future__ import annotations

import pytest

from tests.chaos.ground import KINDS, Ground
from tests.chaos.sweep import points, sample, sweep

POINTS = 24
SEED = 20260102


@pytest.mark.parametrize("kinds", [("once", "later"), ("checked", "idempotent"), ("rerun", "healthy")], ids="-".join)
async def test_whatever_dies_at_whichever_request_the_event_ends_once(ground: Ground, kinds: tuple[str, ...]) -> None:
    wanted = sample(await points(ground, [KINDS[kind] for kind in kinds], from_start=False), POINTS, SEED)
    seen = await sweep(ground, wanted)
    assert [str(visited) for visited in seen if visited.problems] == []
    assert sum(bool(visited.name) for visited in seen) > POINTS / 2, "most points are reached"


async def test_an_undisturbed_event_of_each_kind_is_struck_nowhere_and_ends_well(ground: Ground) -> None:
    """The sweep would be worth nothing if its points were not the requests of a real handling."""
    wanted = await points(ground, [KINDS["once"]])
    assert {"claim", "begin", "result", "finish"} <= {
        visited.name for visited in await sweep(ground, [point for point in wanted if point.fault == "cut_before"])
    }
