"""Reruns go through the job's own call, with a lineage."""

import sys

import pytest

from agentic.effectors.command import Command
from agentic.effectors.rerun import Rerun
from agentic.errors import ConfigError
from agentic.types import Action, ActionKind, OutcomeStatus


def declared(script: str, **more) -> dict:
    action = Action(
        name="rerun",
        kind=ActionKind.RETRY,
        effector="command",
        settings={"argv": ["/bin/sh", "-c", script]},
        **more,
    )
    return {"rerun": action}


@pytest.fixture
def rerun():
    return Rerun(effectors={"command": Command()})


@pytest.mark.parametrize(("code", "status"), [(0, OutcomeStatus.DONE), (4, OutcomeStatus.FAILED)])
async def test_the_jobs_own_call_runs_and_its_exit_code_decides(rerun, order, code, status):
    request = order(
        {"delay_seconds": 5},
        effector="rerun",
        kind=ActionKind.RETRY_WITH_BACKOFF,
        job=declared(f"echo $AUTOREMEDY_LINEAGE $AUTOREMEDY_ATTEMPT; exit {code}"),
    )
    result = await rerun.execute(request)
    assert (result.status, result.detail) == (status, f"exit code {code}\nev-1 2")


async def test_a_rerun_has_the_time_the_job_declared(rerun, order):
    job = declared("sleep 30", timeout_seconds=0.3)
    result = await rerun.execute(order({}, effector="rerun", job=job, timeout=20))
    assert result.detail.startswith("not done within 0.3 s")


async def test_a_job_without_a_rerun_is_refused_with_what_to_write(rerun, order):
    request = order({}, effector="rerun")
    result = await rerun.execute(request)
    assert result.status is OutcomeStatus.REFUSED
    assert result.detail == "nothing says how to run nightly again; add `rerun:` to the job"
    assert "would be refused" in rerun.preview(request)


async def test_a_rerun_that_names_itself_is_refused_and_does_not_go_round_for_ever(rerun, order):
    job = {"rerun": Action(name="rerun", kind=ActionKind.RETRY, effector="rerun")}
    rerun = Rerun(effectors={"rerun": rerun})
    assert (await rerun.execute(order({}, effector="rerun", job=job))).status is OutcomeStatus.REFUSED


async def test_a_lineage_that_could_not_be_an_events_id_is_not_handed_on(rerun, order):
    job = declared("echo $AUTOREMEDY_LINEAGE")
    request = order({}, effector="rerun", job=job, labels={"autoremedy.lineage": "x\ny; $(z)"})
    assert (await rerun.execute(request)).detail == "exit code 0\nev-1"


async def test_preview_and_dry_run_are_those_of_the_declared_call(rerun, order):
    job = {
        "rerun": Action(
            name="rerun",
            kind=ActionKind.RETRY,
            effector="command",
            settings={"argv": [sys.executable, "-m", "backup", "{job_id}"]},
        )
    }
    assert rerun.preview(order({}, effector="rerun", job=job)) == f"{sys.executable} -m backup nightly"
    result = await rerun.execute(order({}, effector="rerun", job=job, dry_run=True))
    assert result.status is OutcomeStatus.DRY_RUN


def test_something_to_run_of_its_own_stops_the_start(rerun, order):
    with pytest.raises(ConfigError, match="argv: what to run again is written at the job"):
        rerun.check(order({"argv": ["/bin/true"]}, effector="rerun").action)
