"""Where the work on an event is done: in place while that is quick, in a thread where it would hold up others."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from agentic.acting import ActingLimits, Actor
from agentic.contracts import Incident, Memory, ReasoningModule
from agentic.pipeline import LONG_LOG_CHARS, Core, Pipeline
from agentic.planning import Planner
from agentic.types import Category, Decision, Diagnosis, Event, HistoryRecord, Job, Mode, Situation, utc_now

ANSWER = Decision(diagnosis=Diagnosis(category=Category.DISK_FULL, root_cause="full", confidence=90, source="rule:t"))


class Remembers(ReasoningModule):
    """Notes the thread it was asked in."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick  # type: ignore[misc] # a class says this of itself; one class here stands for two
        self.asked_in: list[threading.Thread] = []

    def decide(self, situation: Situation) -> Decision:
        self.asked_in.append(threading.current_thread())
        return ANSWER


class Nothing(Memory):
    async def recall(self, *_: Any) -> tuple[()]:
        return ()


class Held(Incident):
    """An incident that asks nobody; in mode observe nobody has to be asked."""

    def __init__(self, event: Event) -> None:
        self.event, self.deliveries, self.begun_at = event, 1, utc_now()
        self.progress: Mapping[str, Any] = {}


Held.__abstractmethods__ = frozenset()


async def handled(module: ReasoningModule, log: tuple[str, ...]) -> HistoryRecord:
    job = Job(id="backup", mode=Mode.OBSERVE)
    actor = Actor({}, {}, ActingLimits())
    core = Core(jobs=lambda _: job, planner=Planner({}, {}), chain=(("t", module),), actor=actor, memory=Nothing())
    record = await Pipeline(core).handle(Held(Event(event_id="e", job_id="backup", status="failed", log=log)))  # type: ignore[arg-type]
    assert isinstance(record, HistoryRecord)
    return record


class Hangs(ReasoningModule):
    """Does not answer while the test lasts."""

    timeout_seconds = 0.05

    def __init__(self) -> None:
        self.over = threading.Event()

    def decide(self, _: Situation) -> None:
        self.over.wait(30)


async def test_a_module_that_does_not_answer_holds_its_event_up_no_longer_than_it_says() -> None:
    module = Hangs()
    record = await handled(module, ("a line that tells nothing",))
    module.over.set()
    assert record.diagnosis is not None and record.diagnosis.category is Category.UNKNOWN
    assert record.notes == ("t: gave no answer within 0.05 s",)


@pytest.mark.parametrize(
    ("quick", "log", "in_place"),
    [
        (True, ("No space left on device",), True),
        (True, ("x" * 99,) * (LONG_LOG_CHARS // 99 + 1), False),
        (False, ("No space left on device",), False),
    ],
    ids=["quick", "quick, long log", "not quick"],
)
async def test_only_a_quick_module_with_an_ordinary_log_is_asked_in_place(
    quick: bool, log: tuple[str, ...], in_place: bool
) -> None:
    module = Remembers(quick=quick)
    record = await handled(module, log)
    assert record.diagnosis == ANSWER.diagnosis
    assert [thread is threading.current_thread() for thread in module.asked_in] == [in_place]
