"""The crash-point sweep: every kind of event, struck at every request of its worker and at the effect."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.chaos.effects import EffectFault
from tests.chaos.ground import KINDS, LEASE_SECONDS, Ground, Kind
from tests.chaos.points import AnyFault, How, Visit, nth, visit
from tests.chaos.proxy import CUTTING, Fault

AT_ONCE = 8
SHORT_HOLD_SECONDS = 1.3 * LEASE_SECONDS
"""Over when the successor may still be at it."""
LONG_HOLD_SECONDS = 2.2 * LEASE_SECONDS
"""Over when the successor has finished."""
PATIENT_SECONDS = 10.0
"""Lease where the worker lives on, so that it does not end because the machine is busy."""
BEYOND = 2
"""Points after the last request of an undisturbed run: there the event must have ended first."""


@dataclass(frozen=True, slots=True)
class Point:
    """One place to strike at."""

    kind: Kind
    fault: AnyFault
    at: int = 0


async def points(ground: Ground, kinds: Iterable[Kind], *, from_start: bool = True) -> list[Point]:
    """Return every point, as many as an undisturbed run of each kind of event has requests.

    From the start: the requests with which a worker begins are among them; else the first is the first claim.
    """
    found = []
    for kind in kinds:
        calm = await visit(ground, kind)
        assert not calm.problems, str(calm)
        begin = 1 if from_start else calm.requests.index("claim") + 1
        numbers = range(begin, len(calm.requests) + 1 + BEYOND)
        found += [Point(kind, fault, number) for number in numbers for fault in Fault]
        found += [Point(kind, fault) for fault in EffectFault if fault_applies(kind, fault)]
    return found


def fault_applies(kind: Kind, fault: EffectFault) -> bool:
    """Say whether there is an effect, and whether its answer is the worker's to lose: a command's is the command's."""
    return bool(kind.steps) and not (fault is EffectFault.CUT_AFTER and kind is KINDS["later"])


def sample(found: Sequence[Point], many: int, seed: int) -> list[Point]:
    """Take some points, always with those at the effect of the kind that must not be done twice."""
    always = [point for point in found if isinstance(point.fault, EffectFault) and point.kind is KINDS["once"]]
    rest = [point for point in found if point not in always]
    return always + random.Random(seed).sample(rest, min(len(rest), max(0, many - len(always))))


async def sweep(ground: Ground, wanted: Sequence[Point], say: Callable[[Visit], None] | None = None) -> list[Visit]:
    """Visit points, several at a time on one store; each has keys and workers of its own."""
    places = asyncio.Semaphore(AT_ONCE)

    async def go(point: Point) -> Visit:
        async with places:
            plan = nth(point.at, point.fault) if isinstance(point.fault, Fault) else None
            patient = {"queue": {"lease_seconds": PATIENT_SECONDS}} if point.fault in CUTTING else {}
            how = How(SHORT_HOLD_SECONDS if point.at % 2 else LONG_HOLD_SECONDS, gap_of(point), settings=patient)
            seen = await visit(ground, point.kind, point.fault, plan=plan, at=point.at, how=how)
            if say is not None:
                say(seen)
            return seen

    return list(await asyncio.gather(*(go(point) for point in wanted)))


def gap_of(point: Point) -> float:
    """Let the late request of a dead worker come before its successor at every second point."""
    return LONG_HOLD_SECONDS + 0.2 if point.fault is Fault.LATE_DEAD and point.at % 2 else 0.0
