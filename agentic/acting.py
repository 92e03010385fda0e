"""Carrying out a plan: guard, effect journal, effect, check; what cannot wait in memory is put aside."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from agentic.approval import Word, plan_hash
from agentic.contracts import Deferred, Effector, EffectRequest, Incident, Parked, Proposal, Usage
from agentic.course import ASKING, Acted, Course, conclude, why_not
from agentic.effecting import preview
from agentic.effectors.placeholders import param_values
from agentic.effects import Effects
from agentic.guard import GuardInput, by_feedback, rule
from agentic.planning import ASK, RERUN_KINDS, TELLING_KINDS
from agentic.registry import call
from agentic.types import (
    Action,
    ActionKind,
    Category,
    Decision,
    Event,
    Job,
    LogDigest,
    Mode,
    Outcome,
    OutcomeStatus,
    Step,
    Verdict,
    VerificationStatus,
    utc_now,
)
from agentic.verification import Verifier

BACKOFF_FIRST_SECONDS = 30.0
BACKOFF_LONGEST_SECONDS = 900.0
NO_BUDGET = (10**9, 10**9)
WAITING_KINDS = frozenset({ActionKind.RETRY_WITH_BACKOFF, ActionKind.WAIT_FOR_DEPENDENCY_THEN_RERUN})


@dataclass(frozen=True, slots=True)
class ActingLimits:
    """The operator's bounds on acting without a person."""

    per_job_per_hour: int = 6
    per_hour: int = 60
    reruns_per_failure: int = 3
    min_confidence: int = 70
    approve_within_seconds: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Untaught:
    """What the rules alone would have led to, had nobody given feedback."""

    category: Category
    plan: tuple[Action, ...]


Unteach = Callable[[Event, LogDigest, Job], Untaught | None]


class Actor:
    """Carries out plans; `shown` makes of parameters and previews what people may see of them."""

    def __init__(
        self,
        effectors: Mapping[str, Effector],
        declared: Mapping[str, Action],
        limits: ActingLimits,
        unteach: Unteach | None = None,
        shown: Callable[[Any], Any] = lambda values: values,
    ) -> None:
        self._effectors = effectors
        self._declared = declared
        self._limits = limits
        self._unteach = unteach
        self._shown = shown
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
    ) -> Acted | Deferred | Parked:
        """Rule on every action, run what may run, ask about what a person decides, check that it helped."""
        course = Course(incident, job, digest, decision, [], word=Word.of(incident.progress))
        if "steps" in incident.progress:
            course.journal = await incident.journal()
        course.taught = await self._taught(course, actions)
        plan = await self._rule(course, actions, judged_wrong)
        if course.heeds_approval and course.word.approves(self._hash(course, plan, actions)):
            plan = tuple(course.word.ruled(step) for step in plan)
        may_run = (Verdict.AUTO, Verdict.APPROVED)
        if not course.spared and any(step.decision in may_run and step.kind not in TELLING_KINDS for step in plan):
            await self._pin(course, "acting", plan)
        for number, (step, action) in enumerate(zip(plan, actions, strict=True)):
            if course.must_ask(step):
                return await self._ask(course, step, plan, actions)
            following = actions[number + 1] if number + 1 < len(actions) else None
            waits = await self._take(course, step, action, following)
            if waits is not None:
                return waits
        status, reason = conclude(job.mode, plan, course)
        said = course.word.for_the_record()
        return Acted(plan, tuple(course.outcomes), course.verification, status, reason, said)

    async def _pin(self, course: Course, stage: str, plan: Sequence[Step]) -> None:
        """Store the plan: whoever goes on must find the same steps under the same numbers."""
        decision = course.decision
        pinned = decision.model_copy(update={"actions": tuple(step.name for step in plan)})
        await course.incident.save(
            stage=stage, decision=pinned, diagnosis=decision.diagnosis, steps=plan, evidence=course.evidence
        )

    def _hash(self, course: Course, plan: Sequence[Step], actions: Sequence[Action]) -> str:
        return plan_hash(tuple(zip(plan, actions, strict=True)), self._declared, course.job, course.incident.event)

    async def _ask(self, course: Course, step: Step, plan: tuple[Step, ...], actions: Sequence[Action]) -> Parked:
        """Tell people what is to be approved, once for each plan, and put the incident before them."""
        bound = self._hash(course, plan, actions)
        within = self._limits.approve_within_seconds
        await self._pin(course, ASKING, plan)
        asking = Step(
            step=step.step, name=ASK.name, kind=ASK.kind, risk=ASK.risk, decision=Verdict.AUTO, reason=step.reason
        )
        proposal = Proposal(bound, plan, utc_now() + timedelta(seconds=within))
        request = replace(self._request(course, ASK, f"ask.{bound[:16]}"), proposal=proposal)
        # Should no channel take it, the incident stands in the list of those that wait all the same.
        await self._effects.once(course.incident, asking, request, NO_BUDGET, may_wait=False)
        return Parked(bound, within)

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
        course.paused = usage.paused_by is not None
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
            params=self._shown(param_values(action, job, event)),
            risk=action.risk,
            decision=ruling.verdict,
            reason=ruling.reason,
            preview=self._preview(course, action, str(number)),
            undo=self._preview(course, self._declared[action.undo], f"{number}.undo") if action.undo else None,
        )

    def _budget(self, job: Job) -> tuple[int, int]:
        own = job.max_actions_per_hour
        return self._limits.per_job_per_hour if own is None else own, self._limits.per_hour

    def _budget_for(self, course: Course, step: Step) -> tuple[int, int]:
        """Return the limits for one step; what a person approved is no automatic action, though it counts as one."""
        return NO_BUDGET if step.decision is Verdict.APPROVED else self._budget(course.job)

    def _preview(self, course: Course, action: Action, step: str) -> str | None:
        effector = self._effectors.get(action.effector or "")
        said = None if effector is None else preview(effector, self._request(course, action, step))
        return None if said is None else str(self._shown(said))

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
        passed_over = why_not(course, step)
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
            if course.verification is not None and course.verification.status is VerificationStatus.NOT_CONFIGURED:
                course.verification = None  # an earlier remedy may have helped, but it did not end there
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
        approved = course.heeds_approval and _approved_along(step, ruled)
        if ruled.decision is Verdict.AUTO or label in course.journal or approved:
            request = self._request(course, undo, label)
            ended = await self._effects.once(course.incident, ruled, request, self._budget_for(course, step))
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
            outcome = await self._effects.once(course.incident, step, request, self._budget_for(course, step))
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


def _approved_along(step: Step, undo: Step) -> bool:
    """Say whether whoever approved a step approved its undo with it, and nothing else stands against it."""
    return step.decision is Verdict.APPROVED and undo.decision is Verdict.ASK
