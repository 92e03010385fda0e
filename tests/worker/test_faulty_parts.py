"""Parts of the operator's own that break in every way: the worker goes on, and the record says what happened."""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentic import registry
from store import Store

DISK_FULL = ["cp: error writing '/backup/2026-01-02.tar': No space left on device"]
EFFECTOR = """
import asyncio, sys, time
from agentic.contracts import Effector, EffectResult

class Own(Effector):
    def __init__(self, how):
        self.how = how
    def execute(self, request):
        if self.how == "exits":
            sys.exit(3)
        if self.how == "cancels":
            raise asyncio.CancelledError
        if self.how == "says a word":
            return "done"
        if self.how == "sleeps":
            return asyncio.sleep(3600)
        if self.how == "sleeps in a thread":
            time.sleep(5)
        if self.how == "odd detail":
            return EffectResult.done(None)
        if self.how == "nothing":
            return None
        return EffectResult.done("well")
    def preview(self, request):
        if self.how == "odd preview":
            return 7
        if self.how == "exits":
            sys.exit(3)
        return "something"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a module of the operator's own beside the configuration; gives its name."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text: str) -> str:
        name = f"own_{uuid.uuid4().hex[:8]}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


def job_with(how: str, module: str) -> dict[str, Any]:
    return {
        "jobs": [{"id": "backup", "mode": "auto", "playbooks": {"disk_full": ["fix", "escalate"]}}],
        "actions": {"fix": {"kind": "free_disk_space", "effector": "own", "risk": "safe"}},
        "effectors": {"own": {"use": f"{module}:Own", "how": how}},
    }


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("exits", "the effector broke: RuntimeError: SystemExit: 3"),
        ("cancels", "the effector broke: RuntimeError: CancelledError"),
        ("nothing", "the effector returned NoneType"),
        ("says a word", "the effector returned str"),
        ("odd detail", "the effector returned EffectResult"),
    ],
)
async def test_an_effector_that_breaks_leaves_an_unknown_outcome(
    start_worker: Any, report: Any, own: Any, how: str, words: str
) -> None:
    async with start_worker(**job_with(how, own(EFFECTOR))):
        record = await report(log=DISK_FULL)
        assert (await report(event_id="next", job_id="other", log=["fine"]))["event_id"] == "next"
    assert record["outcomes"][0]["status"] == "unknown"
    assert record["outcomes"][0]["detail"].startswith(words)
    assert record["deliveries"] == 1


@pytest.mark.parametrize("how", ["sleeps", "sleeps in a thread"])
async def test_an_effector_that_never_comes_back_holds_its_event_no_longer_than_its_time(
    start_worker: Any, report: Any, own: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentic.effecting.GRACE_SECONDS", 0.2)
    settings = job_with(how, own(EFFECTOR))
    settings["actions"]["fix"]["timeout_seconds"] = 0.2
    async with start_worker(**settings):
        record = await report(log=DISK_FULL, timeout_seconds=10)
    assert record["status"] == "unknown"
    assert record["outcomes"][0]["detail"] == "the effector did not come back within 0.2 s"


async def test_a_preview_that_is_no_text_is_left_out(start_worker: Any, report: Any, own: Any) -> None:
    async with start_worker(**job_with("odd preview", own(EFFECTOR))):
        record = await report(log=DISK_FULL)
    assert record["actions"][0]["preview"] is None
    assert record["outcomes"][0]["status"] == "done"


@pytest.mark.parametrize("how", ["exits", "nothing"])
async def test_a_check_that_breaks_has_not_passed(start_worker: Any, report: Any, own: Any, how: str) -> None:
    settings = job_with(how, own(EFFECTOR))
    settings["actions"]["fix"] |= {"effector": "command", "argv": ["/usr/bin/true"]}
    settings["jobs"][0]["verify"] = {"effector": "own", "within_seconds": 0.5}
    async with start_worker(**settings):
        record = await report(log=DISK_FULL)
    assert record["verification"]["status"] == "failed"
    assert "the effector" in record["verification"]["how"]


SENSOR = """
from pathlib import Path
from agentic.contracts import Sensor
from agentic.types import Event

class Watch(Sensor):
    def __init__(self, folder: Path):
        self.folder, self.number = folder, 0
    def get_event(self):
        self.number += 1
        if self.number == 1:
            return {"event_id": "slow", "job_id": "slow", "status": "failed", "log": "No space left on device"}
        if self.number == 2:
            return ["no", "event"]
        if self.number == 3:
            raise SystemExit(3)
        if self.number <= 6:
            return Event(event_id=f"s{self.number}", job_id="quick", status="succeeded")
    def done(self, record):
        with (self.folder / "done").open("a") as file:
            file.write(f"{record.event_id}\\n")
        raise SystemExit(1)
    def close(self):
        raise ValueError("cannot close")
"""


async def test_a_sensor_that_breaks_is_asked_again_and_told_of_every_record(
    start_worker: Any, store: Store, own: Any, tmp_path: Path
) -> None:
    settings = {
        "sensors": [{"use": f"{own(SENSOR)}:Watch", "folder": str(tmp_path)}],
        "jobs": [
            {
                "id": "slow",
                "mode": "auto",
                "safe_to_rerun": True,
                "rerun": {"argv": ["/usr/bin/sleep", "30"]},
                "playbooks": {"disk_full": ["rerun"]},
            }
        ],
        "queue": {"lease_seconds": 1, "drain_seconds": 0.2},
    }
    told = tmp_path / "done"
    async with start_worker(**settings):
        async with asyncio.timeout(15):
            while not told.exists() or len(told.read_text().split()) < 3:
                await asyncio.sleep(0.05)
        assert await store.record("slow") is None, "its record is late, and holds up nobody's"
        record = await store.record("s4")
    assert told.read_text().split() == ["s4", "s5", "s6"]
    assert record is not None
    assert record["event"]["details"] == {}


MODEL = """
from agentic.contracts import ReasoningModule

class Model(ReasoningModule):
    asked = 0
    def decide(self, situation):
        return None
    async def state(self):
        Model.asked += 1
        if Model.asked == 1:
            raise SystemExit(1)
        return {"state": "up"}
"""


async def test_a_model_that_cannot_say_how_it_is_is_asked_again(
    start_worker: Any, store: Store, own: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentic_worker.service.LOOK_AT_MODEL_SECONDS", 0.05)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry.REASONING, "llm", f"{own(MODEL)}:Model")
    async with start_worker(llm={"enabled": True}), asyncio.timeout(10):
        while (await store.status())["llm"].get("state") != "up":
            await asyncio.sleep(0.05)


CLOSES = """
import time
from agentic.contracts import ReasoningModule

class Closes(ReasoningModule):
    def __init__(self, how):
        self.how = how
    def decide(self, situation):
        return None
    def close(self):
        if self.how == "never":
            time.sleep(5)
        raise SystemExit(1)
"""


@pytest.mark.parametrize("how", ["never", "breaks"])
async def test_a_reasoning_module_that_cannot_close_does_not_keep_the_worker_from_stopping(
    start_worker: Any, report: Any, own: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentic_worker.service.CLOSE_SECONDS", 0.2)
    async with start_worker(reasoning=[{"use": f"{own(CLOSES)}:Closes", "how": how}, {"use": "rules"}]):
        record = await report(log=DISK_FULL)
        stopping = time.monotonic()
    assert record["diagnosis"]["category"] == "disk_full"
    assert time.monotonic() - stopping < 4
