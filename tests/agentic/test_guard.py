"""Nothing outside the allowed region runs by itself, and every answer is a sentence."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic.guard import GuardInput, rule
from agentic.planning import ESCALATE, NO_OP, NOTIFY, RERUN_KINDS, TELLING_KINDS
from agentic.types import Action, ActionKind, Mode, Risk, Verdict

CLEAN = Action(name="clean", kind=ActionKind.FREE_DISK_SPACE, effector="command", risk=Risk.SAFE, idempotent=True)
ALLOWED = GuardInput(
    is_failure=True,
    mode=Mode.AUTO,
    action=CLEAN,
    safe_to_rerun=True,
    source="rule:disk_full.enospc",
    confidence=95,
)


def change(action: dict | None = None, **case) -> GuardInput:
    changed = dataclasses.replace(ALLOWED, **case)
    return dataclasses.replace(changed, action=changed.action.model_copy(update=action or {}))


def test_a_safe_action_for_a_proven_cause_in_auto_mode_runs():
    assert rule(ALLOWED).verdict is Verdict.AUTO


def test_a_declared_rerun_of_a_job_that_is_safe_to_rerun_runs():
    assert rule(change({"kind": ActionKind.RETRY})).verdict is Verdict.AUTO


def test_a_model_that_is_certain_enough_may_have_a_safe_action_run():
    assert rule(change(source="llm:llama", confidence=70)).verdict is Verdict.AUTO


def test_looking_needs_no_known_cause():
    assert rule(change({"risk": Risk.OBSERVE}, source="none", confidence=0)).verdict is Verdict.AUTO


WHAT_STOPS_IT = [
    (change(is_failure=False), Verdict.REFUSE, "Only failures"),
    (change(mode=Mode.OBSERVE), Verdict.REFUSE, "observe"),
    (change(recovered=True), Verdict.REFUSE, "has succeeded since"),
    (change(plan_failures=2), Verdict.REFUSE, "failed 2 times"),
    (change({"kind": ActionKind.RETRY}, reruns=3), Verdict.REFUSE, "already been run again 3 times"),
    (change({"effector": "rerun"}, reruns=3), Verdict.REFUSE, "already been run again 3 times"),
    (change({"effector": None}), Verdict.PROPOSE, "left to a person"),
    (change(mode=Mode.SUGGEST), Verdict.ASK, "mode is suggest"),
    (change(mode=Mode.APPROVE), Verdict.ASK, "mode is approve"),
    (change(paused_by="ana"), Verdict.ASK, "paused by ana"),
    (change(frozen=True), Verdict.ASK, "maintenance window"),
    (change(judged_wrong="ana called it wrong on e1"), Verdict.ASK, "ana called it wrong on e1"),
    (change(taught=True), Verdict.ASK, "Only feedback"),
    (change({"risk": Risk.OBSERVE}, taught=True), Verdict.ASK, "Only feedback"),
    (change({"idempotent": False}, effect_unknown=True), Verdict.ASK, "may or may not have happened"),
    (change({"risk": Risk.RISKY}), Verdict.ASK, "marked risky"),
    (change({"risk": Risk.RISKY}, source="llm:x", confidence=100), Verdict.ASK, "risky, and neither"),
    (change({"kind": ActionKind.RETRY}, safe_to_rerun=False), Verdict.ASK, "safe_to_rerun"),
    (change({"name": "rerun"}, safe_to_rerun=False), Verdict.ASK, "safe_to_rerun"),
    (change({"kind": ActionKind.RETRY, "risk": Risk.OBSERVE}, safe_to_rerun=False), Verdict.ASK, "safe_to_rerun"),
    (change(source="llm:llama", confidence=69), Verdict.ASK, "only 69 % certain"),
    (change(source="module:mine", confidence=69), Verdict.ASK, "only 69 % certain"),
    (change(source="none"), Verdict.ASK, "cause is not known"),
    (change(job_actions=6), Verdict.ASK, "This job has had 6 actions"),
    (change(all_actions=60), Verdict.ASK, "60 actions within the hour"),
    (change(max_job_actions=0), Verdict.ASK, "the limit is 0"),
]


@pytest.mark.parametrize(("case", "verdict", "words"), WHAT_STOPS_IT, ids=lambda value: str(value)[:30])
def test_one_thing_out_of_order_is_enough_to_stop_it(case, verdict, words):
    ruling = rule(case)
    assert ruling.verdict is verdict
    assert words in ruling.reason


@pytest.mark.parametrize("action", [ESCALATE, NOTIFY], ids=["escalate", "notify"])
@pytest.mark.parametrize("mode", [Mode.SUGGEST, Mode.APPROVE, Mode.AUTO])
def test_people_are_told_even_when_paused_out_of_budget_and_without_a_cause(action, mode):
    case = GuardInput(
        is_failure=True, mode=mode, action=action, paused_by="ana", frozen=True, plan_failures=9, job_actions=99
    )
    assert rule(case).verdict is Verdict.AUTO


def test_nothing_to_do_is_said_and_not_run():
    assert rule(change(NO_OP.model_dump())) == rule(dataclasses.replace(ALLOWED, action=NO_OP))
    assert rule(dataclasses.replace(ALLOWED, action=NO_OP)).verdict is Verdict.PROPOSE


def test_calling_a_risky_command_a_notification_does_not_free_it():
    risky = {"kind": ActionKind.NOTIFY, "effector": "command", "risk": Risk.RISKY}
    assert rule(change(risky)).verdict is Verdict.ASK
    assert rule(change(risky, paused_by="ana")).verdict is Verdict.ASK


actions = st.builds(
    Action,
    name=st.sampled_from(["clean", "rerun", "escalate"]),
    kind=st.sampled_from(ActionKind),
    effector=st.sampled_from([None, "command", "http", "rerun", "notify", "own"]),
    risk=st.sampled_from(Risk),
    idempotent=st.booleans(),
)
counts = st.integers(0, 8)
cases = st.builds(
    GuardInput,
    is_failure=st.booleans(),
    mode=st.sampled_from(Mode),
    action=actions,
    safe_to_rerun=st.booleans(),
    source=st.sampled_from(["rule:a.b", "precedent:e1", "llm:x", "module:m", "none", "", "RULE:x", "ruler:x"]),
    confidence=st.integers(0, 100),
    min_confidence=st.integers(0, 100),
    job_actions=counts,
    max_job_actions=counts,
    all_actions=counts,
    max_all_actions=counts,
    reruns=counts,
    max_reruns=counts,
    paused_by=st.sampled_from([None, "", "ana"]),
    frozen=st.booleans(),
    recovered=st.booleans(),
    taught=st.booleans(),
    judged_wrong=st.sampled_from([None, "ana called it wrong on e1"]),
    plan_failures=counts,
    max_plan_failures=st.integers(1, 3),
    effect_unknown=st.booleans(),
)


def may_run_alone(case: GuardInput) -> bool:
    """The allowed region, written down a second time and in another way than the guard's list."""
    action = case.action
    if not case.is_failure or action.effector is None or case.mode is Mode.OBSERVE:
        return False
    if action.kind in TELLING_KINDS and (action.effector == "notify" or action.risk in (Risk.OBSERVE, Risk.SAFE)):
        return True
    reruns = action.kind in RERUN_KINDS or action.effector == "rerun" or action.name == "rerun"
    proven = case.source.startswith(("rule:", "precedent:")) or (
        case.source not in ("", "none") and case.confidence >= case.min_confidence
    )
    looks_only = action.risk is Risk.OBSERVE and not reruns
    return (
        case.mode is Mode.AUTO
        and action.risk is not Risk.RISKY
        and (proven or looks_only)
        and (not reruns or (case.safe_to_rerun and case.reruns < case.max_reruns))
        and case.job_actions < case.max_job_actions
        and case.all_actions < case.max_all_actions
        and case.plan_failures < case.max_plan_failures
        and (action.idempotent or not case.effect_unknown)
        and case.paused_by is None
        and not any((case.frozen, case.recovered, case.judged_wrong, case.taught))
    )


@given(cases)
def test_no_situation_outside_the_allowed_region_runs_by_itself(case):
    assert (rule(case).verdict is Verdict.AUTO) == may_run_alone(case)


@given(cases)
def test_every_answer_is_one_sentence_and_always_the_same(case):
    ruling = rule(case)
    assert ruling == rule(case)
    assert ruling.reason[0].isupper()
    assert ruling.reason.endswith(".")


@given(cases)
def test_pausing_or_a_word_from_a_person_never_frees_an_action(case):
    if rule(case).verdict is not Verdict.AUTO:
        words = ({"paused_by": "x"}, {"judged_wrong": "x did"}, {"frozen": True}, {"recovered": True}, {"taught": True})
        for stricter in words:
            assert rule(dataclasses.replace(case, **stricter)).verdict is not Verdict.AUTO
