"""May this action run now, by itself? A pure function from one frozen description to a verdict with its reason.

The rules stand in one list, strictest first: what must never run, then what a person must decide, then what is
left. Whatever no rule lets through asks a person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentic.planning import RERUN_KINDS, TELLING_KINDS
from agentic.types import Action, ActionKind, Mode, Risk, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardInput:
    """Everything the guard looks at. What is not said is taken to be unremarkable."""

    is_failure: bool
    """The event reports a failure."""
    mode: Mode
    action: Action
    safe_to_rerun: bool = False
    """The job's contract."""
    source: str = "none"
    """Of the diagnosis: `rule:…`, `precedent:…`, `llm:…`, `module:…` or `none`."""
    confidence: int = 0
    min_confidence: int = 70
    job_actions: int = 0
    """Actions carried out for this job within the last hour."""
    max_job_actions: int = 6
    all_actions: int = 0
    """Actions carried out for all jobs within the last hour."""
    max_all_actions: int = 60
    reruns: int = 0
    """Reruns of this failure so far, counted along its lineage."""
    max_reruns: int = 3
    paused_by: str | None = None
    """Who paused automatic actions."""
    frozen: bool = False
    """A maintenance window is open."""
    recovered: bool = False
    """The job has succeeded since the failure."""
    taught: bool = False
    """Only feedback leads to this action here: without it, the rules would have led to something else."""
    judged_wrong: str | None = None
    """Who said on which incident that this action was wrong for a failure with this signature."""
    plan_failures: int = 0
    """How often this same plan has failed for this job and signature."""
    max_plan_failures: int = 2
    effect_unknown: bool = False
    """An earlier try of this action for this failure may or may not have happened."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict and a sentence that says why."""

    verdict: Verdict
    reason: str


def rule(case: GuardInput) -> Ruling:
    """Say whether the action may run by itself, must be asked for, is only a proposal, or is refused."""
    for judge in _RULES:
        ruling = judge(case)
        if ruling is not None:
            return ruling
    return _ask("No rule lets this run by itself, so a person decides.")


def is_telling(action: Action) -> bool:
    """Say whether the action only tells people; a risky one counts as any other, whatever its kind."""
    return action.kind in TELLING_KINDS and (action.effector == "notify" or action.risk is not Risk.RISKY)


def is_rerun(action: Action) -> bool:
    """Say whether the action starts the job again."""
    return action.kind in RERUN_KINDS or "rerun" in (action.effector, action.name)


def by_model(source: str) -> bool:
    """Say whether the diagnosis is neither from a rule nor from an earlier incident."""
    return not source.startswith(("rule:", "precedent:"))


def by_feedback(source: str) -> bool:
    """Say whether the diagnosis rests on what somebody said of an earlier incident."""
    return source.startswith("precedent:")


def _refuse(reason: str) -> Ruling:
    return Ruling(Verdict.REFUSE, reason)


def _ask(reason: str) -> Ruling:
    return Ruling(Verdict.ASK, reason)


def _auto(reason: str) -> Ruling:
    return Ruling(Verdict.AUTO, reason)


def _only_failures_act(case: GuardInput) -> Ruling | None:
    if not case.is_failure:
        return _refuse("Only failures are acted on, and this event does not report one.")
    return None


def _proposals_are_words(case: GuardInput) -> Ruling | None:
    if case.action.effector is not None:
        return None
    if case.action.kind is ActionKind.NO_OP:
        return Ruling(Verdict.PROPOSE, "There is nothing to do.")
    return Ruling(Verdict.PROPOSE, "No action is declared that does this, so it is left to a person.")


def _observe_does_nothing(case: GuardInput) -> Ruling | None:
    if case.mode is Mode.OBSERVE:
        return _refuse("The job's mode is observe: failures are diagnosed, and nothing is done.")
    return None


def _telling_is_free(case: GuardInput) -> Ruling | None:
    return _auto("It only tells people.") if is_telling(case.action) else None


def _recovered_jobs_are_left_alone(case: GuardInput) -> Ruling | None:
    return _refuse("The job has succeeded since, so nothing needs to be done.") if case.recovered else None


def _what_failed_twice_is_not_repeated(case: GuardInput) -> Ruling | None:
    if case.plan_failures >= case.max_plan_failures:
        return _refuse(
            f"The same plan has failed {case.plan_failures} times for this failure of this job; "
            "it is not tried again, a person must look."
        )
    return None


def _reruns_are_limited(case: GuardInput) -> Ruling | None:
    if is_rerun(case.action) and case.reruns >= case.max_reruns:
        return _refuse(
            f"The job has already been run again {case.reruns} times for this failure; "
            f"the limit is {case.max_reruns} (policy.max_reruns_per_failure)."
        )
    return None


def _pause_stops_acting(case: GuardInput) -> Ruling | None:
    if case.paused_by is not None:
        return _ask(f"Automatic actions are paused by {case.paused_by}; nothing runs by itself until they are resumed.")
    return _ask("A maintenance window is open (policy.freeze); nothing runs by itself.") if case.frozen else None


def _modes_that_ask(case: GuardInput) -> Ruling | None:
    if case.mode is not Mode.AUTO:
        return _ask(f"The job's mode is {case.mode.value}: a person decides.")
    return None


def _people_are_right(case: GuardInput) -> Ruling | None:
    if case.judged_wrong:
        return _ask(f"The same failure came before, and {case.judged_wrong}.")
    return None


def _what_was_taught_asks(case: GuardInput) -> Ruling | None:
    """Anybody can give feedback: it may hold actions back, and can set none free."""
    if case.taught:
        return _ask("Only feedback on an earlier incident leads here, so a person decides.")
    return None


def _what_may_have_happened_is_not_repeated(case: GuardInput) -> Ruling | None:
    if case.effect_unknown and not case.action.idempotent:
        return _ask("An earlier try may or may not have happened, and the action is not marked idempotent; look first.")
    return None


def _risky_actions_ask(case: GuardInput) -> Ruling | None:
    if case.action.risk is not Risk.RISKY:
        return None
    if by_model(case.source):
        return _ask("The action is risky, and neither a rule nor an earlier incident proves the cause.")
    return _ask("The action is marked risky: a person decides.")


def _reruns_need_the_jobs_word(case: GuardInput) -> Ruling | None:
    if is_rerun(case.action) and not case.safe_to_rerun:
        return _ask("The job is not marked safe_to_rerun, so it is not run again without a person.")
    return None


def _unproven_causes_ask(case: GuardInput) -> Ruling | None:
    if case.action.risk is Risk.OBSERVE and not is_rerun(case.action):
        return None  # looking does no harm, and may be what brings the cause to light
    if case.source == "none" or not case.source:
        return _ask("The cause is not known.")
    if by_model(case.source) and case.confidence < case.min_confidence:
        return _ask(
            f"The cause is only {case.confidence} % certain by the model's word; acting alone needs "
            f"{case.min_confidence} % (policy.min_confidence)."
        )
    return None


def _budgets_hold(case: GuardInput) -> Ruling | None:
    if case.job_actions >= case.max_job_actions:
        return _ask(
            f"This job has had {case.job_actions} actions within the hour; "
            f"the limit is {case.max_job_actions} (policy.max_actions_per_job_per_hour)."
        )
    if case.all_actions >= case.max_all_actions:
        return _ask(
            f"There have been {case.all_actions} actions within the hour; "
            f"the limit is {case.max_all_actions} (policy.max_actions_per_hour)."
        )
    return None


def _the_rest_runs(case: GuardInput) -> Ruling | None:
    if case.action.risk is Risk.OBSERVE:
        return _auto("It only looks, and the job's mode is auto.")
    if case.action.risk is Risk.SAFE:
        return _auto("The action is marked safe, the cause is certain enough, and the job's mode is auto.")
    return None


_RULES: tuple[Callable[[GuardInput], Ruling | None], ...] = (
    _only_failures_act,
    _proposals_are_words,
    _observe_does_nothing,
    _telling_is_free,
    _recovered_jobs_are_left_alone,
    _what_failed_twice_is_not_repeated,
    _reruns_are_limited,
    _pause_stops_acting,
    _modes_that_ask,
    _people_are_right,
    _what_was_taught_asks,
    _what_may_have_happened_is_not_repeated,
    _risky_actions_ask,
    _reruns_need_the_jobs_word,
    _unproven_causes_ask,
    _budgets_hold,
    _the_rest_runs,
)
