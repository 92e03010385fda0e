"""The random run: events come in while workers are killed, stopped and drained, the store is killed, connections
are cut and replies are lost; then everything is counted."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio as redis

from agentic.intake import event_to_json
from agentic.types import Event
from store import StoreUnavailable
from tests.chaos.crew import Crew, crew_of
from tests.chaos.effects import some_seconds
from tests.chaos.ground import KINDS, LEASE_SECONDS, Field, Ground, Kind
from tests.chaos.points import untrue

ALL_WELL = Kind("checked", "ignored", fields={"status": "succeeded"})
"""News that proves incidents of the job healed while they wait for their check."""
MIX = [*KINDS.values(), ALL_WELL]
LOSABLE = ("claim", "save", "begin", "result", "finish", "defer")
LONGEST_EFFECT_SECONDS = 0.3
PUSHED_SHARE = 0.1
"""Events that come by a plain RPUSH instead of through the service."""
SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Dose:
    """How much happens in how long."""

    events: int = 1000
    workers: int = 4
    kills: int = 200
    pauses: int = 40
    terms: int = 20
    store_kills: int = 20
    resets: int = 30
    lost_replies: int = 40
    repeated: float = 0.05
    seconds: float = 100.0

    def part(self, share: float) -> Dose:
        """Return the same mixture, less of it."""
        counts = ("events", "kills", "pauses", "terms", "store_kills", "resets", "lost_replies")
        fewer = {name: max(1, round(getattr(self, name) * share)) for name in counts}
        return Dose(**fewer, workers=self.workers, repeated=self.repeated, seconds=self.seconds * share)


@dataclass
class Report:
    """What was counted afterwards."""

    seed: int
    events: int = 0
    repeated: int = 0
    lost: list[str] = field(default_factory=list)
    duplicate_records: int = 0
    duplicate_effects: list[str] = field(default_factory=list)
    success_without_effect: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    dead: int = 0
    left_over: dict[str, int] = field(default_factory=dict)
    exits: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What the workers logged that no fault excuses."""
    needless_unknown: list[str] = field(default_factory=list)
    """Events of which nobody can tell what happened, though no worker was lost with them."""
    settled_seconds: float = 0.0
    """From the last fault until nothing was in hand any more."""
    faults: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    redelivered: int = 0
    most_deliveries: int = 0

    def problems(self) -> dict[str, Any]:
        """Return everything that should be nothing and is not."""
        names = ("lost", "duplicate_records", "duplicate_effects", "success_without_effect", "untrue", "dead")
        names += ("left_over", "exits", "complaints", "needless_unknown")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    def __str__(self) -> str:
        counts = [
            f"seed {self.seed}: {self.events} events, {self.repeated} submitted again",
            f"lost {len(self.lost)}",
            f"duplicate records {self.duplicate_records}",
            f"duplicate effects {len(self.duplicate_effects)}",
            f"success without effect {len(self.success_without_effect)}",
            f"untrue {len(self.untrue)}",
            f"dead {self.dead}",
            f"workers gone by themselves {len(self.exits)}, complaints {len(self.complaints)}",
            f"unknown without a worker lost {len(self.needless_unknown)}",
            f"in hand at the end {self.left_over or 0}, settled {self.settled_seconds:.1f} s after the last fault",
            f"delivered again {self.redelivered} (one event at most {self.most_deliveries} times)",
            f"records {self.statuses}",
            f"faults {self.faults}",
        ]
        return "\n  ".join(counts)


class Storm:
    """One run."""

    def __init__(self, place: Field, crew: Crew, dose: Dose, seed: int, chance: random.Random) -> None:
        self._place = place
        self._crew = crew
        self._dose = dose
        self._chance = chance
        self._store_at_work = asyncio.Lock()
        self._pusher = redis.Redis.from_url(place.ground.server.url, socket_timeout=2, socket_connect_timeout=2)
        self._kinds: dict[str, Kind] = {}
        self._faults: Counter[str] = Counter()
        self._last_fault = 0.0
        self._to_come = self._done = 0
        self.report = Report(seed)

    async def run(self) -> Report:
        """Let it rage, wait until everything is quiet, count."""
        dose = self._dose
        faults: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (dose.kills, self._kill),
            (dose.pauses // 2, lambda: self._pause(0.2, 0.6)),
            (dose.pauses - dose.pauses // 2, lambda: self._pause(1.4, 2.5)),
            (dose.terms, self._term),
            (dose.store_kills, self._kill_store),
            (dose.resets, self._reset),
            (dose.lost_replies, self._lose_reply),
        ]
        self._to_come = sum(many for many, _ in faults)
        doing = [self._at(self._moment(0.2), fault, is_fault=True) for many, fault in faults for _ in range(many)]
        doing += [self._at(self._moment(0.0), self._event(number)) for number in range(dose.events)]
        await asyncio.gather(*doing)
        await self._settle()
        await self._pusher.aclose()
        await self._crew.dismiss()
        await self._count()
        return self.report

    def _moment(self, earliest: float) -> float:
        return self._chance.uniform(earliest, self._dose.seconds)

    async def _at(self, seconds: float, what: Callable[[], Awaitable[None]], *, is_fault: bool = False) -> None:
        await asyncio.sleep(seconds)
        while not is_fault and self._done < self._to_come * (seconds / self._dose.seconds - 0.1):
            await asyncio.sleep(0.05)  # faults take their time; they shall not rage after all the work is done
        await what()
        if is_fault:
            self._done += 1
            self._last_fault = time.monotonic()

    # -- what happens to the workers and the store --

    async def _kill(self) -> None:
        (await self._crew.somebody()).signal(signal.SIGKILL)
        self._faults["kill -9 of a worker"] += 1

    async def _pause(self, shortest: float, longest: float) -> None:
        worker = (await self._crew.somebody()).worker
        assert worker is not None
        worker.send(signal.SIGSTOP)
        self._faults["SIGSTOP beyond the lease" if longest > 1 else "SIGSTOP within the lease"] += 1
        await asyncio.sleep(LEASE_SECONDS * self._chance.uniform(shortest, longest))
        worker.send(signal.SIGCONT)

    async def _term(self) -> None:
        (await self._crew.somebody()).signal(signal.SIGTERM)
        self._faults["SIGTERM"] += 1

    async def _kill_store(self) -> None:
        async with self._store_at_work:
            server = self._place.ground.server
            server.kill()
            self._faults["kill -9 of the store"] += 1
            await asyncio.sleep(self._chance.uniform(0.0, 0.5))
            await asyncio.to_thread(server.start)

    async def _reset(self) -> None:
        proxy = (await self._crew.somebody()).proxy
        assert proxy is not None
        proxy.reset()
        self._faults["connections reset"] += 1

    async def _lose_reply(self) -> None:
        (await self._crew.somebody()).replies_to_lose.append(self._chance.choice(LOSABLE))

    # -- what comes in --

    def _event(self, number: int) -> Callable[[], Awaitable[None]]:
        kind, event_id = self._chance.choice(MIX), f"{self._place.prefix}.{number}"
        again = self._chance.uniform(0.0, 2.0) if self._chance.random() < self._dose.repeated else None
        pushed = self._chance.random() < PUSHED_SHARE

        async def submit() -> None:
            fields = {"event_id": event_id, "job_id": kind.job_id, "status": "failed", **kind.fields}
            raw = event_to_json(Event.model_validate(fields))
            await self._submit(event_id, raw, pushed=pushed)
            self._kinds[event_id] = kind
            if again is not None:
                await asyncio.sleep(again)
                await self._submit(event_id, raw, pushed=pushed)
                self.report.repeated += 1

        return submit

    async def _submit(self, event_id: str, raw: bytes, *, pushed: bool) -> None:
        """Send until it is answered, as a producer does that wants to be sure."""
        while True:
            try:
                if pushed:
                    await self._pusher.rpush(self._place.keys.single("events"), raw)
                else:
                    await self._place.store.enqueue(event_id, raw)
            except (StoreUnavailable, redis.RedisError, OSError):
                await asyncio.sleep(0.1)
            else:
                return

    # -- what came of it --

    async def _settle(self) -> None:
        ends = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < ends:
            self.report.left_over = await self._place.left_over()
            if not self.report.left_over:
                break
            await asyncio.sleep(0.1)
        self.report.settled_seconds = time.monotonic() - self._last_fault

    async def _count(self) -> None:
        report, records = self.report, await self._place.records()
        by_id = {record["event_id"]: record for record in records}
        report.events = len(self._kinds)
        report.lost = [event_id for event_id in self._kinds if event_id not in by_id]
        report.duplicate_records = len(records) - len(by_id)
        report.dead = await self._place.dead()
        report.exits = self._crew.exits
        report.complaints = self._place.complaints()
        unknown = [r["event_id"] for r in records if r["status"] == "unknown" and r["deliveries"] == 1]
        # A worker that is told to stop while the store is away may give back what it has begun, uncounted.
        report.needless_unknown = unknown if len(unknown) > self._dose.terms else []
        report.statuses = dict(Counter(record["status"] for record in records))
        report.redelivered = sum(record["deliveries"] - 1 for record in records)
        report.most_deliveries = max(record["deliveries"] for record in records)
        lost = sum(place.replies_lost for place in self._crew.places)
        met = {"met with work in hand": self._crew.met_busy}
        report.faults = {**self._faults, "replies lost": lost, "workers started": self._crew.started, **met}
        for event_id, kind in self._kinds.items():
            done = self._place.ground.effects.of(event_id)
            twice = [step for step, n in done.items() if n > 1 and step in kind.once]
            report.duplicate_effects += [f"{event_id} {kind.job_id} {step}" for step in twice]
            for wrong in untrue(kind, by_id.get(event_id, {}), done):
                place = report.success_without_effect if wrong.startswith("ended") else report.untrue
                place.append(f"{event_id} {kind.job_id}: {wrong}")
            record = by_id.get(event_id)
            if record and record["status"] not in (kind.good, "unknown" if kind.once else kind.good):
                report.untrue.append(f"{event_id} {kind.job_id}: ended {record['status']}: {record['reason']}")


async def rage(ground: Ground, dose: Dose, seed: int) -> Report:
    """Run one storm on a field of its own."""
    chance = random.Random(seed)
    ground.effects.take(some_seconds(chance, LONGEST_EFFECT_SECONDS))
    async with ground.field() as place, crew_of(place, dose.workers, chance, queue={"max_deliveries": 20}) as crew:
        return await Storm(place, crew, dose, seed, chance).run()
