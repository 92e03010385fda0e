"""What the tests of the rules share: the shipped rules, and a run to judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentic.digest import digest_log, split_log
from agentic.reasoning.rules import Rules
from agentic.types import Diagnosis, Event, EventStatus, Job, Situation

Diagnose = Callable[..., Diagnosis | None]


@pytest.fixture(scope="session")
def rules() -> Rules:
    return Rules()


@pytest.fixture(scope="session")
def situation_of() -> Callable[..., Situation]:
    """Make the situation of a run that left a log."""

    def make(log: str, **run: Any) -> Situation:
        lines = split_log(log)
        event = Event(**{"event_id": "e", "job_id": "nightly", "status": EventStatus.FAILED, "log": tuple(lines)} | run)
        digest = digest_log(lines, exit_code=event.exit_code, command=event.command)
        return Situation(event=event, digest=digest, job=Job(id=event.job_id))

    return make


@pytest.fixture(scope="session")
def diagnose(rules: Rules, situation_of: Callable[..., Situation]) -> Diagnose:
    """Return the diagnosis of a run by the shipped rules, or None."""

    def run(log: str, **fields: Any) -> Diagnosis | None:
        decision = rules.decide(situation_of(log, **fields))
        return decision.diagnosis if decision else None

    return run
