"""The random run, small; `make chaos` runs the whole one and twenty seeds of a fifth."""

from __future__ import annotations

from tests.chaos.ground import Ground
from tests.chaos.storm import Dose, rage

SEED = 20260102


async def test_a_hundred_events_outlive_kills_pauses_cuts_and_the_stores_own_deaths(ground: Ground) -> None:
    dose = Dose().part(0.1)
    report = await rage(ground, dose, SEED)
    assert report.problems() == {}, str(report)
    assert report.events == dose.events
    assert report.faults["kill -9 of a worker"] == dose.kills
    assert report.faults["kill -9 of the store"] == dose.store_kills
    assert report.faults["replies lost"] == dose.lost_replies
    assert report.redelivered > dose.kills, "most of it hits a worker that has something in hand"
