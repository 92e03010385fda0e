"""The shipped rules read the lab's failures as their makers meant them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentic.digest import digest_log
from agentic.reasoning.rules import Rules
from agentic.types import Event, EventStatus, Job, Situation
from jobsim.faults import FAULTS, Fault
from jobsim.run import run_job


@pytest.fixture(scope="module")
def rules() -> Rules:
    return Rules()


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.job_id)
async def test_a_fault_is_diagnosed_as_what_it_is(kind: type[Fault], rules: Rules, tmp_path: Path) -> None:
    fault = kind(tmp_path)
    if not fault.possible_here():
        pytest.skip("this machine cannot make that fault")
    try:
        await fault.mend()
        await fault.break_it()
        run = await run_job(fault.command(sys.executable), min(fault.time_limit_seconds, 10))
    finally:
        await fault.close()
    event = Event(
        event_id="e",
        job_id=fault.job_id,
        status=EventStatus(run.status),
        exit_code=run.exit_code,
        command=" ".join(fault.command(sys.executable)),
        log=tuple(run.log),
    )
    digest = digest_log(event.log, exit_code=event.exit_code, command=event.command)

    decision = rules.decide(Situation(event=event, digest=digest, job=Job(id=fault.job_id)))

    assert decision is not None, run.log
    assert decision.diagnosis.category == fault.category, (decision, run.log)
    assert decision.diagnosis.evidence
