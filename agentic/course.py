"""One plan under way: which of its steps are passed over, and how the whole of it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentic.approval import NO_WORD, Word
from agentic.contracts import Entry, Incident
from agentic.guard import by_model
from agentic.planning import RERUN_KINDS, TELLING_KINDS
from agentic.types import (
    ActionKind,
    Approval,
    Decision,
    Job,
    Line,
    LogDigest,
    Mode,
    Outcome,
    OutcomeStatus,
    RecordStatus,
    Risk,
    Step,
    Verdict,
    Verification,
    VerificationStatus,
)

ASKING = "asking"
"""Stage of an incident whose plan a person was asked about."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of a plan."""

    plan: tuple[Step, ...]
    outcomes: tuple[Outcome, ...]
    verification: Verification | None
    status: RecordStatus
    reason: str
    approval: Approval | None = None


@dataclass(slots=True)
class Course:
    """One plan under way."""

    incident: Incident
    job: Job
    digest: LogDigest
    decision: Decision
    outcomes: list[Outcome]
    word: Word = NO_WORD
    """What a person said of the plan."""
    paused: bool = False
    """Automatic actions are paused: then nobody is asked either, since nothing could be done."""
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

    @property
    def spared(self) -> str:
        """The event by which the job was well before what a person is asked about was run; empty if it was not."""
        progress = self.incident.progress
        return str(progress.get("recovered_by") or "") if progress.get("stage") == ASKING else ""

    def must_ask(self, step: Step) -> bool:
        """Say whether a person has to be asked before this step, and would be listened to."""
        return (
            step.decision is Verdict.ASK
            and self._worth_asking(step)
            and not self.paused
            and self.word.refusal is None
            and not self.begun(step.step)
            and _pointless(self, step) is None
            and not self.rerun_would_fail(step)
        )

    @property
    def heeds_approval(self) -> bool:
        """Say whether a person's yes counts here: not if the job's mode has become one in which nothing is run."""
        return self.word.verdict == "approved" and self.job.mode in (Mode.APPROVE, Mode.AUTO)

    def _worth_asking(self, step: Step) -> bool:
        """Say whether a plan waits for a person's word here, rather than end with the advice to look.

        In mode auto that is what the operator declared risky, where a rule or an earlier incident proves the cause;
        whatever else stands against acting alone there wants a person to look at the case, not at the plan.
        """
        if self.job.mode is Mode.APPROVE:
            return True
        proven = not by_model(self.decision.diagnosis.source)
        return self.job.mode is Mode.AUTO and step.risk is Risk.RISKY and proven and step.name not in self.taught

    def rerun_would_fail(self, step: Step) -> bool:
        """Say whether the step starts the job again though the remedy before it did not happen."""
        return step.kind in RERUN_KINDS and self.broken


def why_not(course: Course, step: Step) -> Outcome | None:
    """Return the outcome of a step that is not to be run, or None."""
    status, detail = OutcomeStatus.SKIPPED, _pointless(course, step)
    if course.begun(step.step) and step.decision in (Verdict.AUTO, Verdict.APPROVED):
        return None  # it happened, or may have; the journal knows, and nothing is done twice
    if detail is not None:
        pass
    elif step.decision is Verdict.PROPOSE:
        detail = "left to a person"
    elif step.decision is Verdict.ASK and not (course.job.mode is Mode.APPROVE and course.rerun_would_fail(step)):
        detail = f"not by itself: {step.reason}"
    elif step.decision is Verdict.REFUSE:
        status, detail = OutcomeStatus.REFUSED, step.reason
    elif course.rerun_would_fail(step):
        detail = "not run: the remedy before it did not happen, so the job would fail again"
    elif step.kind in TELLING_KINDS and _helped_unchecked(course):
        detail = "not needed: the remedy was carried out, and no check is declared"
    elif step.kind in TELLING_KINDS and course.word.verdict == "rejected":
        detail = f"not needed: {course.word.refusal}"
    else:
        return None
    return Outcome(step=step.step, name=step.name, status=status, detail=detail)


def _pointless(course: Course, step: Step) -> str | None:
    """Say why a step would be of no use by now, whatever the guard says of it."""
    if course.healed:
        return "not needed: the job is well again"
    if course.spared:
        return f"not needed: the job succeeded (event {course.spared}) before it was run"
    if step.kind in TELLING_KINDS:
        return None
    if course.word.refusal is not None:
        return course.word.refusal
    if any(outcome.status is OutcomeStatus.UNKNOWN for outcome in course.outcomes):
        return "left alone: nobody can tell what an earlier step did"
    return None


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
    if course.spared:
        status = RecordStatus.RESOLVED if done else RecordStatus.IGNORED
        return status, f"the job succeeded (event {course.spared}) before the plan was carried out"
    if course.word.refusal is not None:
        return RecordStatus.REJECTED, course.word.refusal
    if done and proof is not None and proof.status is VerificationStatus.NOT_CONFIGURED:
        return RecordStatus.REMEDIATED, f"{_names(done)} carried out; no check is declared"
    if not remedies and not told and all(step.kind is ActionKind.NO_OP for step in plan):
        return RecordStatus.IGNORED, course.decision.diagnosis.root_cause
    allowed = any(step.decision is Verdict.APPROVED for step in remedies)
    if mode is not Mode.AUTO and remedies and not done and not allowed:
        why = _first_reason(remedies, by_step) if mode is Mode.APPROVE else ""  # nobody was asked, for that reason
        return RecordStatus.SUGGESTED, why or f"the job's mode is {mode}: {_names(remedies)} would be next"
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
