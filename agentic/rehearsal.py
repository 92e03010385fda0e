"""Deciding about an event for the sake of looking: nothing is stored, nobody is told, no effect can begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agentic.acting import ActingLimits, Actor
from agentic.contracts import Asked, Begin, BeginAnswer, Deferred, Entry, Incident, Memory, Turn, Usage
from agentic.pipeline import Core, Decided, Pipeline
from agentic.planning import Planner
from agentic.questions import Answer
from agentic.types import Action, Event, LogDigest, Outcome, Precedent, Situation, utc_now


class RehearsedIncident(Incident):
    """An event in nobody's hands; a question about it is put, or has the answer that was given."""

    def __init__(self, event: Event, answer: Answer | None = None) -> None:
        self.event, self.deliveries, self.begun_at = event, 1, utc_now()
        self.progress: Mapping[str, Any] = {}
        self._answer = answer

    async def save(self, **progress: Any) -> None:
        """Forget it."""

    async def ask(self, signature: str, by: str, may: Literal["go", "wait", "look"], seconds: float) -> Asked:
        """Return the given answer; else let the question be put, unless there is nobody to put it to."""
        if self._answer is not None:
            return Asked(Turn.ANSWERED, self._answer.model_dump(mode="json"))
        return Asked(Turn.NONE if may == "look" else Turn.GO)

    async def answered(
        self,
        signature: str,
        by: str,
        answer: Mapping[str, Any] | None,
        keep_seconds: float,
        counts: Mapping[str, float],
    ) -> None:
        """Keep nothing."""

    async def begin(self, step: str, action: Action, budget: tuple[int, int]) -> Begin:
        """Let nothing begin."""
        return Begin(BeginAnswer.PAUSED, detail="a rehearsal")

    async def result(self, step: str, outcome: Outcome, *, never_sent: bool = False, found: bool = False) -> None:
        """Forget it."""

    async def journal(self) -> Mapping[str, Entry]:
        """Return that nothing was begun."""
        return {}

    async def usage(self) -> Usage:
        """Return that all automatic actions are paused."""
        return Usage(paused_by="a rehearsal")

    async def is_rerun_of(self, event_id: str) -> bool:
        """Say no."""
        return False


class GivenPrecedents(Memory):
    """Recalls what it is given."""

    def __init__(self, precedents: Sequence[Precedent] = ()) -> None:
        self.precedents = tuple(precedents)

    async def recall(self, event: Event, digest: LogDigest) -> Sequence[Precedent]:
        """Return them all."""
        return self.precedents


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What would be decided about an event."""

    situation: Situation
    decided: Decided
    plan: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """The parts that decide, without those that act."""

    core: Core
    memory: GivenPrecedents = field(default_factory=GivenPrecedents)

    @classmethod
    def of(cls, **core: Any) -> Stage:
        """Build a stage; takes what `Core` takes beside the actor and the memory."""
        memory = GivenPrecedents()
        return cls(Core(actor=Actor({}, {}, ActingLimits()), memory=memory, **core), memory)

    @property
    def planner(self) -> Planner:
        """Turns decisions into plans."""
        return self.core.planner

    async def situation(self, event: Event, precedents: Sequence[Precedent] = ()) -> Situation:
        """Read an event's log and gather what modules may look at."""
        self.memory.precedents = tuple(precedents)
        return await Pipeline(self.core).situate(event, self.core.jobs(event.job_id))

    async def rehearse(
        self, event: Event, answer: Answer | None = None, precedents: Sequence[Precedent] = ()
    ) -> Rehearsed:
        """Decide about an event as a worker with these parts would, given an earlier answer of the model or none."""
        situation = await self.situation(event, precedents)
        decided = await Pipeline(self.core).decide(RehearsedIncident(event, answer), situation)
        if isinstance(decided, Deferred):  # only a store could ask to wait
            raise TypeError("a rehearsal was put aside")
        return Rehearsed(situation, decided, self.planner.plan(decided.decision, situation.job))
