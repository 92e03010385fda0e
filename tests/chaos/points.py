"""Visiting one crash point: an event, a worker, one fault at one request, and what must be true afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.effects import EffectFault
from tests.chaos.ground import KINDS, LEASE_SECONDS, Field, Ground, Kind
from tests.chaos.proxy import CUTTING, KILLING, Fault, Plan, Proxy
from tests.chaos.workers import WorkerProcess

AnyFault = Fault | EffectFault
DEADLY = frozenset({*KILLING, EffectFault.KILL_BEFORE, EffectFault.KILL_AFTER})
UNHARMED = CUTTING
"""Faults that a worker survives with its lease: they may cost a repeat, never an answer."""


@dataclass(frozen=True, slots=True)
class How:
    """How long things last at a crash point, and settings of the workers."""

    hold_seconds: float | None = None
    """How long a request is held back, or a process stands still; None = until the successor has written a record."""
    gap_seconds: float = 0.0
    """Time from the fault to the successor's start."""
    meet_before: str = ""
    """The held request arrives, or the process goes on, while the successor stands before this request of its own."""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Visit:
    """What came of one crash point."""

    kind: Kind
    fault: AnyFault | None
    at: int
    name: str
    """Of the request that was struck; empty when the event ended before the n-th."""
    record: dict[str, Any]
    done: dict[str, int]
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    journal: dict[str, str] = field(default_factory=dict)
    struck: bool = False

    @property
    def status(self) -> str:
        """How the event ended."""
        return str(self.record.get("status"))

    @property
    def deliveries(self) -> int:
        """How often the event was handed to a worker."""
        return int(self.record.get("deliveries", 0))

    @property
    def worker(self) -> str:
        """Who wrote the record."""
        return str(self.record.get("worker"))

    def __str__(self) -> str:
        where = f"{self.kind.job_id} {self.fault} at {self.at} ({self.name})"
        return f"{where}: {'; '.join(self.problems) or 'well'}; ended {self.record.get('status')}, done {self.done}"


def nth(number: int, fault: Fault) -> Plan:
    """Strike at the n-th request, whatever it is."""
    return lambda at, name: fault if at == number else None


def nowhere(at: int, name: str) -> Fault | None:
    """Strike nowhere."""
    return None


def first(script: str, fault: Fault, occurrence: int = 1) -> Plan:
    """Strike at a script's n-th call."""
    met = 0

    def plan(at: int, name: str) -> Fault | None:
        nonlocal met
        met += name == script
        if name == script and met == occurrence:
            return fault
        return None

    return plan


class Victim:
    """The worker that is struck; and the one that comes after it."""

    def __init__(self, place: Field, how: How, event_id: str) -> None:
        self._place = place
        self._event_id = event_id
        self._how = how
        self.worker: WorkerProcess | None = None
        self.successor: asyncio.Task[WorkerProcess] | None = None
        self.resumed: asyncio.Task[None] | None = None
        self._meeting: Proxy | None = None

    async def strike(self, fault: AnyFault) -> None:
        """Do what the fault says to the process, and call the successor where the event needs one."""
        assert self.worker is not None
        if fault in DEADLY:
            await self.worker.kill()
        elif fault in (Fault.STOP, EffectFault.STOP_AFTER, EffectFault.STOP_BEFORE):
            self.worker.send(signal.SIGSTOP)
            self.resumed = asyncio.create_task(self._resume())
        if fault not in (*CUTTING, EffectFault.CUT_AFTER):
            self.successor = asyncio.create_task(self._succeed())
        if fault is EffectFault.STOP_BEFORE:
            await self.hold()

    async def hold(self) -> None:
        """Wait for as long as something is to be held back."""
        if self._how.meet_before:
            async with asyncio.timeout(15):
                while self._meeting is None:
                    await asyncio.sleep(0.02)
                await self._meeting.struck.wait()
            return
        if self._how.hold_seconds is not None:
            await asyncio.sleep(self._how.hold_seconds)
            return
        with contextlib.suppress(TimeoutError):
            await self._place.record(self._event_id)

    async def _succeed(self) -> WorkerProcess:
        await asyncio.sleep(self._how.gap_seconds)
        port = None
        if self._how.meet_before:
            upstream, plan = self._place.ground.server.port, first(self._how.meet_before, Fault.LATE)
            self._meeting = Proxy(upstream, self._place.names, plan, hold=_a_moment)
            await self._meeting.start()
            port = self._meeting.port
        return await self._place.start_worker("successor", port, **self._how.settings)

    async def _resume(self) -> None:
        assert self.worker is not None
        await self.hold()
        self.worker.send(signal.SIGCONT)

    async def dismiss(self) -> list[str]:
        """Drain whoever is left; say what went wrong with that."""
        if self.resumed is not None:
            await self.resumed
        if self.successor is None and self.worker is not None and self.worker.ended.done():
            return ["the worker ended by itself"]
        wrong = []
        for worker in (self.worker, await self.successor if self.successor else None):
            if worker is None:
                continue
            code = await worker.drain()
            if code not in (0, -signal.SIGKILL):  # the fatal blow may come while it drains
                wrong.append(f"a worker exited with {code}, see {worker.log}")
        if self._meeting is not None:
            await self._meeting.stop()
        return wrong


async def _a_moment() -> None:
    """Long enough for the one who comes back to be heard, shorter than a lease."""
    await asyncio.sleep(0.5 * LEASE_SECONDS)


async def visit(
    ground: Ground,
    kind: Kind,
    fault: AnyFault | None = None,
    *,
    plan: Plan | None = None,
    at: int = 0,
    how: How = How(),
) -> Visit:
    """Take one event through one fault; the result says what was not as promised."""
    async with ground.field() as place:
        return await _visit(place, kind, fault, plan or nowhere, at, how)


async def _visit(place: Field, kind: Kind, fault: AnyFault | None, plan: Plan, at: int, how: How) -> Visit:
    event_id = f"{place.prefix}.{kind.job_id}"
    victim = Victim(place, how, event_id)
    proxy = Proxy(place.ground.server.port, place.names, plan, victim.strike, victim.hold)
    problems: list[str] = []
    async with _running(proxy):
        if isinstance(fault, EffectFault):
            place.ground.effects.strike_at(event_id, fault, victim.strike)
        await place.report(kind, event_id)
        victim.worker = await place.start_worker("victim", proxy.port, **how.settings)
        try:
            record = await place.record(event_id)
        except TimeoutError:
            record, problems = {}, ["no record in time"]
        proxy.plan = nowhere  # what would be struck from now on is the farewell
        if proxy.struck.is_set():
            await proxy.over.wait()
            await asyncio.sleep(0.2)  # what was held back or stopped may still come
        problems += await victim.dismiss()
    name = proxy.seen[at - 1] if at and proxy.struck.is_set() else ""
    done = place.ground.effects.of(event_id)
    # Before its intention is stored nothing can have been done, so nothing can be unknown.
    excused = fault if "begin" in proxy.seen else Fault.CUT_BEFORE
    problems += await wrong_with(place, kind, excused, record, done)
    problems += place.complaints()
    struck = proxy.struck.is_set() or event_id in place.ground.effects.struck
    return Visit(kind, fault, at, name, record, done, problems, proxy.seen, await place.journal(event_id), struck)


@asynccontextmanager
async def _running(proxy: Proxy) -> AsyncIterator[None]:
    await proxy.start()
    try:
        yield
    finally:
        await proxy.stop()


async def wrong_with(
    place: Field, kind: Kind, fault: AnyFault | None, record: dict[str, Any], done: dict[str, int]
) -> list[str]:
    """Say which promise was broken: one record, at most one effect, nothing claimed in vain, nothing left over."""
    wrong = []
    records = await place.records()
    if len(records) != 1:
        wrong.append(f"{len(records)} records")
    if left := await place.left_over():
        wrong.append(f"left over: {left}")
    if await place.dead():
        wrong.append("a dead letter")
    wrong += untrue(kind, record, done)
    may_be_unknown = bool(kind.once) and fault not in UNHARMED
    if record and record["status"] != kind.good and not (may_be_unknown and record["status"] == "unknown"):
        wrong.append(f"ended {record['status']}: {record['reason']}")
    return wrong


def untrue(kind: Kind, record: dict[str, Any], done: dict[str, int]) -> list[str]:
    """Say what a record claims against what really happened."""
    wrong = [f"{step} was done {n} times" for step, n in done.items() if step in kind.once and n > 1]
    outcomes = {name_of(outcome["name"]): outcome["status"] for outcome in record.get("outcomes", [])}
    for step in kind.steps:
        told, happened = outcomes.get(step), step in done
        if told == "done" and not happened:
            wrong.append(f"{step} is said to be done and is not")
        if happened and told not in ("done", "unknown"):
            wrong.append(f"{step} was done and is said to be {told}")
    if record.get("status") in ("remediated", "resolved") and not kind.steps <= set(done):
        wrong.append(f"ended {record['status']} with only {sorted(done)} done")
    return wrong


def name_of(action: str) -> str:
    """Return the step that an action's name stands for in the target's book."""
    return "rerun" if action == "retry_with_backoff" else action


def all_kinds() -> list[Kind]:
    """Return every kind of event."""
    return list(KINDS.values())
