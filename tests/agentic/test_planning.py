"""From a category to the steps that exist for a job."""

from __future__ import annotations

import pytest

from agentic.planning import Planner
from agentic.types import Action, ActionKind, Category, Decision, Diagnosis, Job

DISK_FULL = Decision(
    diagnosis=Diagnosis(category=Category.DISK_FULL, root_cause="full", confidence=95, source="rule:x")
)


def clean(name: str, *jobs: str) -> Action:
    return Action(name=name, kind=ActionKind.FREE_DISK_SPACE, effector="command", jobs=jobs)


def names(planner: Planner, job: Job) -> list[str]:
    return [action.name for action in planner.plan(DISK_FULL, job)]


def test_a_playbook_that_names_a_kind_takes_the_action_declared_for_that_job() -> None:
    planner = Planner({"clean_a": clean("clean_a", "a"), "clean_any": clean("clean_any")}, {})

    assert names(planner, Job(id="a"))[0] == "clean_a"
    assert names(planner, Job(id="b"))[0] == "clean_any"


def test_an_action_of_other_jobs_is_only_a_proposal_in_words() -> None:
    planner = Planner({"clean_a": clean("clean_a", "a")}, {})

    first = planner.plan(DISK_FULL, Job(id="b"))[0]

    assert (first.name, first.effector) == ("free_disk_space", None)


def test_an_action_of_other_jobs_is_not_on_the_menu() -> None:
    planner = Planner({"clean_a": clean("clean_a", "a")}, {})

    assert "clean_a" in planner.menu(Job(id="a"))
    assert "clean_a" not in planner.menu(Job(id="b"))


@pytest.mark.parametrize(("job_id", "plan"), [("a", ["clean_a"]), ("b", ["escalate"])])
def test_naming_an_action_of_other_jobs_in_a_playbook_does_not_open_it(job_id: str, plan: list[str]) -> None:
    planner = Planner({"clean_a": clean("clean_a", "a")}, {Category.DISK_FULL: ("clean_a",)})

    assert names(planner, Job(id=job_id)) == plan
