"""The tutorial's code runs exactly as printed, through the registry, named by its own configuration lines."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from agentic.contracts import EffectRequest
from agentic.registry import BUILT_IN, call, load
from agentic.types import Category, Event, Job, LogDigest, OutcomeStatus, Situation
from notifications import Message
from settings.models import Settings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
LESSON = re.compile(r"### ([\w ]+)\n\n`(\w+)\.py`:.*?```python\n(.*?)```\n\n```yaml\n(.*?)```", re.DOTALL)
LESSONS = {title: (module, code, lines) for title, module, code, lines in LESSON.findall(DOCUMENT)}


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """Write a lesson's code beside a configuration with its lines, pointing its paths into a folder of ours."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def prepare(title: str, **places: str) -> Settings:
        module, code, lines = LESSONS[title]
        (tmp_path / f"{module}.py").write_text(code)
        for place in places.values():
            assert place in lines
            lines = lines.replace(place, str(tmp_path / Path(place).name))
        return Settings.model_validate(yaml.safe_load(lines))

    return prepare


def test_the_tutorial_has_a_lesson_for_each_kind_of_about_ten_lines():
    assert list(LESSONS) == ["Sensor", "Reasoning module", "Effector", "Notifier"]
    for _, code, _ in LESSONS.values():
        assert len([line for line in code.splitlines() if line.strip()]) <= 12


async def test_the_sensor_lesson_reports_what_a_job_left_behind(lesson, tmp_path):
    settings = lesson("Sensor", folder="/var/spool/jobs")
    part = settings.sensors[0]
    sensor = load("sensors", part.use, part.options(), tmp_path)
    assert await call(sensor.get_event) is None
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "nightly.failed").write_text("first\nNo space left on device\n")
    (tmp_path / "jobs" / "weekly.failed").write_text("Killed\n")
    report = await call(sensor.get_event)
    assert Event(**report).log == ("first", "No space left on device")
    assert report["job_id"] == "nightly"
    assert (await call(sensor.get_event))["job_id"] == "weekly"
    assert await call(sensor.get_event) is None


async def test_the_reasoning_lesson_finds_its_cause_and_leaves_the_rest_to_others(lesson, tmp_path):
    settings = lesson("Reasoning module")
    part = settings.reasoning[1]
    module = load("reasoning", part.use, part.options(), tmp_path)

    def situation(*lines: str) -> Situation:
        event = Event(event_id="e", job_id="j", status="failed", log=lines)
        return Situation(event=event, digest=LogDigest(signature="s", lines=lines), job=Job(id="j"))

    decision = await call(module.decide, situation("start", "error: no licence seat left"))
    assert decision.diagnosis.category is Category.RESOURCE_QUOTA
    assert decision.diagnosis.evidence == (1,)
    assert await call(module.decide, situation("all well")) is None


async def test_the_effector_lesson_acts_and_honours_a_dry_run(lesson, tmp_path):
    settings = lesson("Effector", path="/var/lock/released")
    part = settings.effectors["touch"]
    effector = load("effectors", part.use, part.options(), tmp_path)
    action = settings.declared_actions()["release_lock"]
    assert action.effector == "touch"
    effector.check(action)
    event = Event(event_id="e", job_id="nightly", status="failed")
    made = tmp_path / "released"
    for dry_run, status in ((True, OutcomeStatus.DRY_RUN), (False, OutcomeStatus.DONE)):
        request = EffectRequest(action=action, event=event, job=Job(id="nightly"), step="1", key="e:1", dry_run=dry_run)
        result = await call(effector.execute, request)
        assert result.status is status
        assert made.exists() is not dry_run
    assert made.read_text() == "nightly\n"


async def test_the_notifier_lesson_delivers(lesson, tmp_path):
    settings = lesson("Notifier", path="/var/log/incidents.txt")
    for part in settings.notifications:
        notifier = load("notifiers", part.use, part.options(), tmp_path)
        await call(notifier.send, Message(title="nightly: failed", body=""))
    assert (tmp_path / "incidents.txt").read_text() == ">> nightly: failed\n"


def test_every_built_in_part_is_described():
    for names in BUILT_IN.values():
        for name in names:
            assert f"`{name}`" in DOCUMENT
