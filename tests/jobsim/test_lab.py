"""The lab as the API sees it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agentic.planning import Planner
from agentic.types import Category, Decision, Diagnosis
from jobsim import Lab, lab_config
from jobsim.faults import FAULTS, BadData, FullVolume, MissingInput, ServiceAway, all_faults
from settings.checks import semantic_problems
from settings.models import Settings


@pytest.fixture
async def lab(api: Any, tmp_path: Path) -> AsyncIterator[Callable[..., Lab]]:
    made: list[Lab] = []

    def make(*faults: Any, interval_seconds: float = 0.05) -> Lab:
        made.append(Lab(api.url, tmp_path, interval_seconds, faults=faults))
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def test_a_failure_is_reported_as_any_scheduler_would(api: Any, lab: Any, tmp_path: Path) -> None:
    fault = MissingInput(tmp_path)

    verdict = await lab(fault).one(fault, 0)

    first = api.events[0]
    assert first["event_id"] == verdict.event_id
    assert (first["job_id"], first["status"], first["exit_code"]) == ("lab-settle-orders", "failed", 1)
    assert any("FileNotFoundError" in line for line in first["log"])
    assert first["command"].startswith(sys.executable)
    assert datetime.fromisoformat(first["started_at"]) <= datetime.fromisoformat(first["finished_at"])
    assert first["run_id"]


async def test_what_was_not_healed_is_mended_by_hand_and_its_good_run_reported(
    api: Any, lab: Any, tmp_path: Path
) -> None:
    fault = MissingInput(tmp_path)

    verdict = await lab(fault).one(fault, 0)

    assert not verdict.healed
    assert [event["status"] for event in api.events] == ["failed", "succeeded"]


async def test_what_the_worker_healed_is_left_alone(api: Any, lab: Any, tmp_path: Path) -> None:
    settings = lab_config(tmp_path, sys.executable)

    def heal(event: dict[str, Any]) -> str:
        clean = settings["actions"]["lab_clean_scratch"]["argv"]
        (job,) = [job for job in settings["jobs"] if job["id"] == event["job_id"]]
        subprocess.run(clean, check=True, capture_output=True)
        subprocess.run(job["rerun"]["argv"], check=True, capture_output=True)
        return "resolved"

    api.heal = heal
    fault = FullVolume(tmp_path / "backup")

    verdict = await lab(fault).one(fault, 0)

    assert verdict.healed
    assert [event["status"] for event in api.events] == ["failed"]


async def test_the_service_is_away_when_the_failure_is_reported_and_back_soon_after(
    api: Any, lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServiceAway, "back_after_seconds", 0.1)
    fault = ServiceAway(tmp_path)

    await lab(fault).one(fault, 0)

    assert [event["status"] for event in api.events] == ["failed", "succeeded"]
    assert any("Connection refused" in line for line in api.events[0]["log"])


@pytest.mark.parametrize("answer", [503, 429])
async def test_a_report_is_repeated_with_the_same_id_until_it_is_taken(
    api: Any, lab: Any, tmp_path: Path, answer: int
) -> None:
    api.answers = [answer]
    fault = MissingInput(tmp_path)

    verdict = await lab(fault).one(fault, 0)

    assert api.answers == []
    assert api.events[0]["event_id"] == verdict.event_id


async def test_the_lab_waits_for_an_api_that_is_not_up_yet(tmp_path: Path) -> None:
    lab = Lab("http://127.0.0.1:9", tmp_path, 0.05, faults=[MissingInput(tmp_path)])

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lab.run(), 1)


async def test_a_refused_report_does_not_end_the_lab(
    api: Any, lab: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    api.answers = [422]
    running = asyncio.create_task(lab(MissingInput(tmp_path / "a"), BadData(tmp_path / "b")).run())

    async with asyncio.timeout(20):
        while len(api.events) < 2:
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.wait([running])

    assert running.cancelled()
    assert "lab.refused" in caplog.text
    reported = [(event["job_id"], event["status"]) for event in api.events[:2]]
    assert reported == [("lab-sales-report", "failed"), ("lab-sales-report", "succeeded")]


def test_the_settings_of_the_lab_are_accepted_as_they_are(tmp_path: Path) -> None:
    settings = Settings.model_validate(lab_config(tmp_path, sys.executable))

    assert list(semantic_problems(settings)) == []
    assert {job.id for job in settings.jobs} == {fault.job_id for fault in all_faults(tmp_path)}


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind.healable], ids=lambda kind: kind.job_id)
def test_a_healable_job_has_a_plan_that_acts(kind: Any, tmp_path: Path) -> None:
    settings = Settings.model_validate(lab_config(tmp_path, sys.executable))
    job = settings.job_for(kind.job_id)
    planner = Planner(settings.declared_actions(), settings.all_playbooks())

    plan = planner.plan(_diagnosed(kind.category), job)

    acting = [step for step in plan if step.effector == "command"]
    assert acting
    assert acting[-1].settings["argv"] == kind(tmp_path / kind.job_id.removeprefix("lab-")).command(sys.executable)


def test_no_other_job_can_reach_the_actions_of_the_lab(tmp_path: Path) -> None:
    settings = Settings.model_validate(lab_config(tmp_path, sys.executable))
    planner = Planner(settings.declared_actions(), settings.all_playbooks())
    mine = settings.job_for("nightly-backup")

    assert not [name for name in planner.menu(mine) if name.startswith("lab_")]
    for category in Category:
        assert not [step for step in planner.plan(_diagnosed(category), mine) if step.name.startswith("lab_")]


def _diagnosed(category: str) -> Decision:
    return Decision(diagnosis=Diagnosis(category=Category(category), root_cause="…", confidence=95, source="rule:test"))
