"""The contracts of the pluggable parts: each asks for one method, every other hook has a harmless default.

A method may be a plain function or a coroutine; a plain one runs in a thread of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from agentic.types import (
    Action,
    Decision,
    Diagnosis,
    Event,
    HistoryRecord,
    Job,
    Line,
    LogDigest,
    ModelCall,
    Outcome,
    OutcomeStatus,
    Precedent,
    Situation,
    Step,
)


class Sensor(ABC):
    """Watches something and reports what it sees as events."""

    @abstractmethod
    def get_event(self) -> Event | Mapping[str, Any] | Awaitable[Event | Mapping[str, Any] | None] | None:
        """Return the next event (or the fields of one), or None when there is nothing now."""

    def done(self, record: HistoryRecord) -> Awaitable[None] | None:
        """Called once when an event this sensor reported has its record in history."""

    def close(self) -> Awaitable[None] | None:
        """Called once when the worker stops."""


class ReasoningModule(ABC):
    """Says what went wrong."""

    quick: ClassVar[bool] = False
    """True for a plain `decide` that never waits and is done within a millisecond or two: for an ordinary log it
    then needs no thread, which would cost more than the answer."""

    timeout_seconds: ClassVar[float] = 60.0
    """How long one event waits for an answer; then the next module of the chain is asked."""

    @abstractmethod
    def decide(self, situation: Situation) -> Decision | Awaitable[Decision | None] | None:
        """Return a decision, or None to leave it to the next module of the chain."""

    def close(self) -> Awaitable[None] | None:
        """Called once when the worker stops."""


@dataclass(frozen=True, slots=True)
class Consulted:
    """What came of a question that costs something."""

    decision: Decision | None
    reason: str
    """Why there is no decision, or how it came about; one sentence for the record."""
    calls: tuple[ModelCall, ...] = ()
    keep_seconds: float = 0.0
    """How long this is the answer to the same question, also when it is none; 0: ask again."""
    answer_of: str = ""
    """The event that the question was asked about, when this is its answer reused."""


@runtime_checkable
class Consultable(Protocol):
    """A reasoning module whose answers cost so much that the same question is asked only once."""

    @property
    def concurrency(self) -> int:
        """How many questions may be under way at once."""

    @property
    def identity(self) -> str:
        """What answers depend on beside the question; an answer given under another identity is none."""

    async def why_not(self, situation: Situation) -> str | None:
        """Say in a sentence why nothing can be asked about this event now, or None."""

    async def consult(self, situation: Situation) -> Consulted:
        """Decide, and say what came of it."""


@dataclass(frozen=True, slots=True)
class EffectRequest:
    """One order to an effector: what to do, for which event, within what limits."""

    action: Action
    event: Event
    job: Job
    step: str
    key: str
    """Idempotency key, the same each time this step of this incident is ordered."""
    params: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False
    attempt: int = 1
    """Which try of this step it is, from 1."""
    diagnosis: Diagnosis | None = None
    """What is believed to be the cause; only for telling people, never for deciding what to run."""
    evidence: tuple[Line, ...] = ()
    """The lines that prove it, with their text."""
    outcomes: tuple[Outcome, ...] = ()
    """What the earlier steps of the plan did."""
    proposal: Proposal | None = None
    """For telling people: the plan they are asked to approve."""

    @property
    def timeout_seconds(self) -> float:
        """How long the effect may take in all."""
        return self.action.timeout_seconds


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a person is asked to approve."""

    plan_hash: str
    steps: tuple[Step, ...]
    until: datetime
    """Without a word by then, the plan is given up."""


@dataclass(frozen=True, slots=True)
class EffectResult:
    """What an effector says happened."""

    status: OutcomeStatus
    detail: str = ""

    @classmethod
    def done(cls, detail: str = "") -> EffectResult:
        """The effect happened and succeeded."""
        return cls(OutcomeStatus.DONE, detail)

    @classmethod
    def failed(cls, detail: str) -> EffectResult:
        """The effect was tried and certainly did not succeed."""
        return cls(OutcomeStatus.FAILED, detail)

    @classmethod
    def unknown(cls, detail: str) -> EffectResult:
        """Nobody can tell whether the effect happened."""
        return cls(OutcomeStatus.UNKNOWN, detail)

    @classmethod
    def refused(cls, detail: str) -> EffectResult:
        """Nothing was done, because doing it would not have been safe."""
        return cls(OutcomeStatus.REFUSED, detail)

    @classmethod
    def rehearsed(cls, detail: str) -> EffectResult:
        """Nothing was done, because only a dry run was asked for; the detail says what would have been."""
        return cls(OutcomeStatus.DRY_RUN, detail)


class Effector(ABC):
    """Carries out one kind of action."""

    @abstractmethod
    def execute(self, request: EffectRequest) -> EffectResult | Awaitable[EffectResult]:
        """Carry out the request once and say what happened; raise EffectorError when it could not be."""

    def preview(self, request: EffectRequest) -> str:
        """Say exactly what `execute` would do, in one line."""
        return f"{request.action.effector}: {request.action.name}"

    def check(self, action: Action) -> None:
        """Raise ConfigError when the action's settings cannot work; called once at start."""


class Memory(ABC):
    """Recalls earlier incidents like this one."""

    @abstractmethod
    async def recall(self, event: Event, digest: LogDigest) -> Sequence[Precedent]:
        """Return earlier incidents with the same signature, newest first."""


class Turn(StrEnum):
    """What a worker may do about a question."""

    ANSWERED = "answered"
    GO = "go"
    WAIT = "wait"
    """Another event's handling asks the same now."""
    BUSY = "busy"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose turn it is with a question, or the answer that it got before."""

    turn: Turn
    answer: Mapping[str, Any] = field(default_factory=dict)
    asker: str = ""


class BeginAnswer(StrEnum):
    """What the effect journal answers before a step may act."""

    GO = "go"
    DONE = "done"
    UNKNOWN = "unknown"
    OVER_BUDGET = "over_budget"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Begin:
    """The journal's answer, with the earlier outcome when the step was already done."""

    answer: BeginAnswer
    outcome: Outcome | None = None
    detail: str = ""
    age_seconds: float = 0.0
    """With UNKNOWN: how long ago the intention was stored that nobody knows the result of."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the effect journal holds of one step."""

    done: bool
    """False: it was begun, and nobody has said how it ended."""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """The incident is to wait for a person's word on its plan; without one it ends as rejected."""

    plan_hash: str
    within_seconds: float


@dataclass(frozen=True, slots=True)
class Deferred:
    """The incident is to be put aside until it is due; any worker may then go on with it."""

    wait_seconds: float
    watch_job: bool = False
    """Also go on as soon as the job reports a success."""
    watch_answer: str = ""
    """Also go on as soon as the question about this signature is answered."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the guard must know of the moment: who paused, and how much of the hour's budget is used."""

    paused_by: str | None = None
    job_actions: int = 0
    all_actions: int = 0


class Incident(ABC):
    """The durable handling of one event, held by this worker under a lease.

    Every method raises Fenced when another worker holds the incident by now.
    """

    event: Event
    deliveries: int
    begun_at: datetime
    """When this worker took the incident in hand."""
    progress: Mapping[str, Any]
    """What earlier deliveries already worked out (digest, diagnosis, plan …), as plain JSON."""

    @abstractmethod
    async def save(self, **progress: Any) -> None:
        """Store what has been worked out, so that a successor need not do it again."""

    @abstractmethod
    async def begin(self, step: str, action: Action, budget: tuple[int, int]) -> Begin:
        """Store the intention to act and answer whether to go; never GO twice for a non-idempotent step.

        `budget`: automatic actions allowed in an hour, for the job and in all.
        """

    @abstractmethod
    async def result(self, step: str, outcome: Outcome, *, never_sent: bool = False, found: bool = False) -> None:
        """Store what the step did.

        `never_sent` takes the intention back, since nothing can have happened; `found` settles the intention of a
        worker that is gone, by what a probe has shown.
        """

    @abstractmethod
    async def journal(self) -> Mapping[str, Entry]:
        """Return what was begun so far, by step."""

    @abstractmethod
    async def usage(self) -> Usage:
        """Return what the guard must know of this moment."""

    @abstractmethod
    async def ask(self, signature: str, by: str, may: Literal["go", "wait", "look"], seconds: float) -> Asked:
        """Return the kept answer to the question about a signature, or whose turn it is to ask it.

        by: what answers depend on, empty for any. may: ask, wait while another asks, or only look. A go is good for
        that many seconds, and asks for a call of `answered`.
        """

    @abstractmethod
    async def answered(
        self,
        signature: str,
        by: str,
        answer: Mapping[str, Any] | None,
        keep_seconds: float,
        counts: Mapping[str, float],
    ) -> None:
        """Keep the answer, if there is one, and let those go on that wait for it; counts are added to the totals."""

    @abstractmethod
    async def is_rerun_of(self, event_id: str) -> bool:
        """Say whether another event of this job is being handled and may have started this run as its remedy."""
