"""Carrying out a plan: guard, effect journal, effect, check; what cannot wait in memory is put aside."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from agentic.contracts import Deferred, Effector, EffectRequest, Entry, Incident, Usage
from agentic.effecting import preview
from agentic.effectors.placeholders import param_values
from agentic.effects import Effects
from agentic.guard import GuardInput, by_feedback, rule
from agentic.planning import RERUN_KINDS, TELLING_KINDS
from agentic.registry import call
from agentic.types import (
    Action,
    ActionKind,
    Category,
    Decision,
    Event,
    Job,
    Line,
    LogDigest,
    Mode,
    Outcome,
    OutcomeStatus,
    RecordStatus,
    Step,
    Verdict,
    Verification,
    VerificationStatus,
)
from agentic.verification import Verifier

log = structlog.get_logger()

BACKOFF_FIRST_SECONDS = 30.0
BACKOFF_LONGEST_SECONDS = 900.0
WAITING_KINDS = frozenset({ActionKind.RETRY_WITH_BACKOFF, ActionKind.WAIT_FOR_DEPENDENCY_THEN_RERUN})


@dataclass(frozen=True, slots=True)
class ActingLimits:
    """The operator's bounds on acting without a person."""

    per_job_per_hour: int = 6
    per_hour: int = 60
    reruns_per_failure: int = 3
    min_confidence: int = 70


@dataclass(frozen=True, slots=True)
class Untaught:
    """What the rules alone would have led to, had nobody given feedback."""

    category: Category
    plan: tuple[Action, ...]


Unteach = Callable[[Event, LogDigest, Job], Untaught | None]


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of a plan."""

    plan: tuple[Step, ...]
    outcomes: tuple[Outcome, ...]
    verification: Verification | None
    status: RecordStatus
    reason: str


@dataclass(slots=True)
class Course:
    """One plan under way."""

    incident: Incident
    job: Job
    digest: LogDigest
    decision: Decision
    outcomes: list[Outcome]
    taught: frozenset[str] = frozenset()
    """Names of the actions that only feedback leads to."""
    verification: Verification | None = None
    broken: bool = False
    """A remedy did not happen, so that a rerun right after it would fail again."""
    journal: Mapping[str, Entry] = field(default_factory=dict)
    """What earlier deliveries have begun."""
    evidence: tuple[Line, ...] = field(init=False)
    """The lines that prove the cause, with their text."""

    def __post_init__(self) -> None:
        proving = self.decision.diagnosis.evidence
        self.evidence = tuple([line for line in self.digest.excerpt if line.line in proving]) if proving else ()

    def begun(self, number: int) -> bool:
        """Say whether an earlier delivery began this step or one of its repeats."""
        if not self.journal:
            return False
        return any(label == str(number) or label.startswith(f"{number}.") for label in self.journal)

    @property
    def healed(self) -> bool:
        return self.verification is not None and self.verification.status is VerificationStatus.VERIFIED


class Actor:
    """Carries out plans."""

    def __init__(
        self,
        effectors: Mapping[str, Effector],
        declared: Mapping[str, Action],
        limits: ActingLimits,
        unteach: Unteach | None = None,
    ) -> None:
        self._effectors = effectors
        self._declared = declared
        self._limits = limits
        self._unteach = unteach
        self._verifier = Verifier(effectors)
        self._effects = Effects(effectors, self._verifier)

    async def carry_out(
        self,
        incident: Incident,
        job: Job,
        digest: LogDigest,
        decision: Decision,
        actions: Sequence[Action],
        judged_wrong: Mapping[str, str],
    ) -> Acted | Deferred:
        """Rule on every action, run what may run, check that it helped."""
        course = Course(incident, job, digest, decision, [])
        if "steps" in incident.progress:
            course.journal = await incident.journal()
        course.taught = await self._taught(course, actions)
        plan = await self._rule(course, actions, judged_wrong)
        if any(step.decision is Verdict.AUTO and step.kind not in TELLING_KINDS for step in plan):
            # Whoever goes on must find the same steps under the same numbers, whatever the settings say by then.
            pinned = decision.model_copy(update={"actions": tuple(action.name for action in actions)})
            await incident.save(stage="acting", decision=pinned, diagnosis=decision.diagnosis, steps=plan)
        for number, (step, action) in enumerate(zip(plan, actions, strict=True)):
            following = actions[number + 1] if number + 1 < len(actions) else None
            waits = await self._take(course, step, action, following)
            if waits is not None:
                return waits
        status, reason = conclude(job.mode, plan, course)
        return Acted(plan, tuple(course.outcomes), course.verification, status, reason)

    async def _taught(self, course: Course, actions: Sequence[Action]) -> frozenset[str]:
        """Return the actions that only feedback leads to: the rules alone would not have, or not in this order."""
        found = course.decision.diagnosis
        remedies = [action for action in actions if action.kind not in TELLING_KINDS]
        if not remedies or not by_feedback(found.source):
            return frozenset()
        same = 0
        if self._unteach is not None:
            untaught = await call(self._unteach, course.incident.event, course.digest, course.job)
            if untaught is not None and untaught.category is found.category:
                own = [action for action in untaught.plan if action.kind not in TELLING_KINDS]
                while same < min(len(own), len(remedies)) and own[same] == remedies[same]:
                    same += 1
        return frozenset(action.name for action in remedies[same:])

    async def _rule(self, course: Course, actions: Sequence[Action], judged: Mapping[str, str]) -> tuple[Step, ...]:
        """Rule on every action; what was begun already keeps the ruling it was begun under.

        A pause or a used-up budget since then must not hide that it happened, or may have.
        """
        # In mode observe every answer is the same whatever the moment, so the store need not be asked.
        usage = Usage() if course.job.mode is Mode.OBSERVE else await course.incident.usage()
        former = {step["step"]: step for step in course.incident.progress.get("steps", ())}
        steps = []
        for number, action in enumerate(actions, 1):
            step = self._step(course, number, action, usage, judged)
            if course.begun(number) and number in former and former[number]["name"] == action.name:
                step = Step.model_validate(former[number])
            steps.append(step)
        return tuple(steps)

    def _step(self, course: Course, number: int, action: Action, usage: Usage, judged: Mapping[str, str]) -> Step:
        event, job, diagnosis = course.incident.event, course.job, course.decision.diagnosis
        ruling = rule(
            GuardInput(
                is_failure=event.status.is_failure,
                mode=job.mode,
                action=action,
                safe_to_rerun=job.safe_to_rerun,
                source=diagnosis.source,
                confidence=diagnosis.confidence,
                min_confidence=self._limits.min_confidence,
                job_actions=usage.job_actions,
                max_job_actions=self._budget(job)[0],
                all_actions=usage.all_actions,
                max_all_actions=self._limits.per_hour,
                reruns=(event.attempt or 1) - 1 if event.lineage else 0,
                max_reruns=self._limits.reruns_per_failure,
                paused_by=usage.paused_by,
                taught=action.name in course.taught,
                judged_wrong=judged.get(action.name),
            )
        )
        return Step(
            step=number,
            name=action.name,
            kind=action.kind,
            effector=action.effector,
            params=param_values(action, job, event),
            risk=action.risk,
            decision=ruling.verdict,
            reason=ruling.reason,
            preview=self._preview(course, action, str(number)),
        )

    def _budget(self, job: Job) -> tuple[int, int]:
        own = job.max_actions_per_hour
        return self._limits.per_job_per_hour if own is None else own, self._limits.per_hour

    def _preview(self, course: Course, action: Action, step: str) -> str | None:
        effector = self._effectors.get(action.effector or "")
        return None if effector is None else preview(effector, self._request(course, action, step))

    def _request(self, course: Course, action: Action, step: str, attempt: int = 1) -> EffectRequest:
        event = course.incident.event
        return EffectRequest(
            action=action,
            event=event,
            job=course.job,
            step=step,
            key=f"{event.event_id}:{step}",
            attempt=attempt,
            diagnosis=course.decision.diagnosis,
            evidence=course.evidence,
            outcomes=tuple(course.outcomes),
        )

    async def _take(self, course: Course, step: Step, action: Action, following: Action | None) -> Deferred | None:
        """Take one step; returns a Deferred when the incident has to be put aside first."""
        if step.kind is ActionKind.NO_OP:
            course.outcomes.append(Outcome(step=step.step, name=step.name, status=OutcomeStatus.DONE))
            return None
        passed_over = _why_not(course, step)
        if passed_over is not None:
            course.outcomes.append(passed_over)
            course.broken = course.broken or (step.kind not in TELLING_KINDS and not course.healed)
            return None
        outcome = await self._run(course, step, action)
        if isinstance(outcome, Deferred):
            return outcome
        course.outcomes.append(outcome)
        if step.kind in TELLING_KINDS:
            return None
        spared = outcome.status is OutcomeStatus.SKIPPED and course.incident.progress.get("recovered_by")
        if outcome.status is not OutcomeStatus.DONE and not spared:
            course.broken = True
            return None
        if following is not None and following.kind in RERUN_KINDS and action.kind not in RERUN_KINDS:
            return None  # the rerun that follows will show whether this helped
        proof = await self._verifier.verify(course.incident, course.job, action, str(step.step))
        if isinstance(proof, Deferred):
            return proof
        course.verification = proof
        if proof.status is VerificationStatus.FAILED and action.undo is not None:
            return await self._take_back(course, step, self._declared[action.undo])
        return None

    async def _take_back(self, course: Course, step: Step, undo: Action) -> Deferred | None:
        """Undo a remedy that did not help, if the guard lets that happen by itself."""
        ruled = self._step(course, step.step, undo, await course.incident.usage(), {})
        label = f"{step.step}.undo"
        if ruled.decision is Verdict.AUTO or label in course.journal:
            request = self._request(course, undo, label)
            ended = await self._effects.once(course.incident, ruled, request, self._budget(course.job))
            if isinstance(ended, Deferred):
                return ended
            outcome = ended
        else:
            detail = f"needs a person: {ruled.reason}"
            outcome = Outcome(step=step.step, name=undo.name, status=OutcomeStatus.SKIPPED, detail=detail)
        course.outcomes.append(outcome)
        return None

    async def _run(self, course: Course, step: Step, action: Action) -> Outcome | Deferred:
        """Run an action once; a rerun with backoff as often as the limit allows, with a growing wait before each."""
        attempts = self._limits.reruns_per_failure if action.kind in WAITING_KINDS else 1
        outcome: Outcome | Deferred | None = None
        for attempt in range(1, max(1, attempts) + 1):
            label = str(step.step) if attempt == 1 else f"{step.step}.{attempt}"
            if action.kind in WAITING_KINDS:
                waits = await self._back_off(course, step, action, attempt)
                if waits is not None:
                    return waits
                if course.incident.progress.get("recovered_by"):
                    tried = f"tried {attempt - 1} times, then " if attempt > 1 else ""
                    detail = f"{tried}not needed: the job succeeded while this waited"
                    return Outcome(step=step.step, name=step.name, status=OutcomeStatus.SKIPPED, detail=detail)
            request = self._request(course, action, label, attempt)
            outcome = await self._effects.once(course.incident, step, request, self._budget(course.job))
            if isinstance(outcome, Deferred) or outcome.status is not OutcomeStatus.FAILED:
                break
        assert outcome is not None
        return outcome

    async def _back_off(self, course: Course, step: Step, action: Action, attempt: int) -> Deferred | None:
        waited = dict(course.incident.progress.get("waited", {}))
        if waited.get(str(step.step), 0) >= attempt:
            return None
        first = float(action.settings.get("delay_seconds", BACKOFF_FIRST_SECONDS))
        wait = min(first * 2 ** (attempt - 1), BACKOFF_LONGEST_SECONDS) * random.uniform(0.75, 1.25)  # noqa: S311
        await course.incident.save(stage="waiting", waited={**waited, str(step.step): attempt})
        return Deferred(wait, watch_job=True)


def _why_not(course: Course, step: Step) -> Outcome | None:
    """Return the outcome of a step that is not to be run, or None."""
    status, detail = OutcomeStatus.SKIPPED, ""
    if course.begun(step.step) and step.decision is Verdict.AUTO:
        return None  # it happened, or may have; the journal knows, and nothing is done twice
    if course.healed:
        detail = "not needed: the job is well again"
    elif any(outcome.status is OutcomeStatus.UNKNOWN for outcome in course.outcomes) and step.kind not in TELLING_KINDS:
        detail = "left alone: nobody can tell what an earlier step did"
    elif step.decision is Verdict.PROPOSE:
        detail = "left to a person"
    elif step.decision is Verdict.ASK:
        detail = f"not by itself: {step.reason}"
    elif step.decision is Verdict.REFUSE:
        status, detail = OutcomeStatus.REFUSED, step.reason
    elif step.kind in RERUN_KINDS and course.broken:
        detail = "not run: the remedy before it did not happen, so the job would fail again"
    elif step.kind in TELLING_KINDS and _helped_unchecked(course):
        detail = "not needed: the remedy was carried out, and no check is declared"
    else:
        return None
    return Outcome(step=step.step, name=step.name, status=status, detail=detail)


def _helped_unchecked(course: Course) -> bool:
    proof = course.verification
    return proof is not None and proof.status is VerificationStatus.NOT_CONFIGURED


def conclude(mode: Mode, plan: Sequence[Step], course: Course) -> tuple[RecordStatus, str]:
    """Say how the incident ended, in the words of the contract, with a sentence."""
    by_step = {outcome.step: outcome for outcome in reversed(course.outcomes)}  # the step itself, not its undo
    remedies = [step for step in plan if step.kind not in TELLING_KINDS]
    done = [step for step in remedies if by_step[step.step].status is OutcomeStatus.DONE]
    told = any(step.kind in TELLING_KINDS and step.kind is not ActionKind.NO_OP
               and by_step[step.step].status is OutcomeStatus.DONE for step in plan)  # fmt: skip
    proof = course.verification
    if any(outcome.status is OutcomeStatus.UNKNOWN for outcome in course.outcomes):
        unknown = next(o for o in course.outcomes if o.status is OutcomeStatus.UNKNOWN)
        return RecordStatus.UNKNOWN, f"nobody can tell whether {unknown.name} happened: {unknown.detail}"
    if course.healed:
        return RecordStatus.RESOLVED, proof.how if proof else ""
    if done and proof is not None and proof.status is VerificationStatus.NOT_CONFIGURED:
        return RecordStatus.REMEDIATED, f"{_names(done)} carried out; no check is declared"
    if not remedies and not told and all(step.kind is ActionKind.NO_OP for step in plan):
        return RecordStatus.IGNORED, course.decision.diagnosis.root_cause
    if mode is not Mode.AUTO and remedies and not done:
        return RecordStatus.SUGGESTED, f"the job's mode is {mode}: {_names(remedies)} would be next"
    if told:
        why = proof.how if proof is not None else _first_reason(remedies, by_step)
        return RecordStatus.ESCALATED, why or "nothing here can be remedied without a person"
    return RecordStatus.SUGGESTED, _first_reason(remedies, by_step) or "nothing may be done here without a person"


def _names(steps: Sequence[Step]) -> str:
    return ", ".join(step.name for step in steps)


def _first_reason(remedies: Sequence[Step], outcomes: Mapping[int, Outcome]) -> str:
    """Name the first remedy that did not happen, in one line."""
    for step in remedies:
        outcome = outcomes[step.step]
        if outcome.status is not OutcomeStatus.DONE:
            return f"{step.name} {outcome.status.value}: {outcome.detail.partition(chr(10))[0]}".rstrip(": ")
    return ""
