"""`autoremedy replay` on records that a real worker wrote: the same decision, or what changed and why."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from agentic.types import Feedback
from cli.commands import app
from store import Store
from tests.cli.conftest import FakeApi
from tests.llm.scripted_server import Exchange, ScriptedServer, document, silent, streamed
from tests.worker.conftest import Report, StartWorker
from tests.worker.test_probes import asks_then_answers, command
from tests.worker.test_questions import log_of, model, says, settings

__all__ = ["model"]  # a fixture

DISK_FULL = ["copying", "tar: /srv/out.tar: Cannot write: No space left on device", "backup failed"]
Replay = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    server = FakeApi()
    yield server
    server.close()


@pytest.fixture
def replay(api: FakeApi, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Replay:
    """Replay an event with the configuration that the worker had, or another; returns exit code and answer."""
    monkeypatch.setenv("AUTOREMEDY_URL", api.url)

    async def run(event_id: str, *options: str, without: str = "", **settings: Any) -> tuple[int, dict[str, Any]]:
        for name in ("e1", "e2"):
            record = await store.record(name)
            if record is not None and name != without:
                api.pages[f"/history/{name}"] = (200, record)
                api.pages["/precedents"] = (200, {"precedents": await precedents(record)})
        file = tmp_path / "config.yaml"
        written = {**yaml.safe_load(file.read_text()), **settings} if file.exists() else settings
        file.write_text(yaml.safe_dump(written))
        arguments = ["replay", event_id, "--json", "--config", str(file), *options]
        done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        return done.exit_code, json.loads(done.stdout) if done.stdout.strip() else {"said": done.stderr}

    async def precedents(record: dict[str, Any]) -> list[dict[str, Any]]:
        signature = (record["digest"] or {}).get("signature", "")
        found = await store.precedents(signature, record["job_id"]) if signature else ()
        return [one.model_dump(mode="json") for one in found]

    return run


async def test_a_decision_of_the_rules_is_the_same_again(
    start_worker: StartWorker, report: Report, replay: Replay
) -> None:
    async with start_worker():
        record = await report(event_id="e1", log=DISK_FULL)
    assert set(record["made_by"]) == {"version", "rules", "settings"}
    code, found = await replay("e1")
    assert (code, found["same"], found["reasons"]) == (0, True, [])
    assert found["now"]["category"] == "disk_full"
    assert found["now"]["plan"] == [step["name"] for step in record["actions"]]


async def test_other_settings_are_named_when_the_plan_changes(
    start_worker: StartWorker, report: Report, replay: Replay
) -> None:
    async with start_worker():
        await report(event_id="e1", log=DISK_FULL)
    code, found = await replay("e1", playbooks={"disk_full": ["notify"]})
    assert code == 1
    [difference] = found["differences"]
    assert (difference["what"], difference["now"]) == ("plan", ["notify"])
    [reason] = found["reasons"]
    assert "settings that decide" in reason


async def test_other_rules_are_named_when_the_cause_changes(
    start_worker: StartWorker, report: Report, replay: Replay, tmp_path: Path
) -> None:
    async with start_worker():
        await report(event_id="e1", log=log_of("a"))
    known = {
        "name": "gizmo",
        "category": "config_error",
        "confidence": 90,
        "patterns": ["gizmo .* refused the .* handshake"],
        "cause": "The gizmo is not calibrated",
        "matches": log_of("a"),
        "not_matches": ["gizmo g-1 is well"],
    }
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "own.yaml").write_text(yaml.safe_dump({"signatures": [known]}))
    code, found = await replay("e1", knowledge=["known"])
    assert code == 1
    assert {"category", "confidence"} <= {one["what"] for one in found["differences"]}
    assert (found["then"]["category"], found["now"]["category"]) == ("unknown", "config_error")
    assert any("the rules" in reason.lower() for reason in found["reasons"])


async def test_feedback_since_is_named(start_worker: StartWorker, report: Report, replay: Replay, store: Store) -> None:
    async with start_worker():
        await report(event_id="e1", log=DISK_FULL)
    await store.add_feedback(Feedback(event_id="e1", user="ana", rating=1, correct_category="resource_quota"))
    code, found = await replay("e1")
    assert code == 1
    assert found["now"]["source"] == "precedent:e1"
    assert found["reasons"] == ["Feedback since, by ana on e1: it is resource_quota"]


async def test_the_models_recorded_answer_is_taken_and_the_model_not_asked(
    start_worker: StartWorker, report: Report, model: ScriptedServer, replay: Replay
) -> None:
    model.say(says())
    async with start_worker(**settings(model)):
        record = await report(event_id="e1", log=log_of("a"))
    assert set(record["made_by"]) == {"version", "rules", "prompts", "settings"}
    model.say(silent())
    asked = len(model.questions)
    code, found = await replay("e1")
    assert (code, found["reasons"]) == (0, [])
    assert found["now"]["source"] == "llm:llama-3-8b"
    assert len(model.questions) == asked


async def test_an_answer_reused_from_another_event_is_worked_out_again(
    start_worker: StartWorker, report: Report, model: ScriptedServer, replay: Replay
) -> None:
    model.say(says())
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a"))
        second = await report(event_id="e2", log=log_of("a", 22, noise=5))
    assert second["made_by"]["answer_of"] == "e1"
    code, found = await replay("e2")
    assert (code, found["reasons"]) == (0, [])
    assert found["now"]["root_cause"] == "The gizmo g-22 is not calibrated"


async def test_a_reused_answer_whose_record_is_gone_is_taken_as_it_was_told(
    start_worker: StartWorker, report: Report, model: ScriptedServer, replay: Replay
) -> None:
    model.say(says())
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a"))
        await report(event_id="e2", log=log_of("a", 22))
    code, found = await replay("e2", without="e1")
    assert code == 0
    assert "whose record is gone" in found["reasons"][0]


async def test_a_model_that_failed_then_fails_again(
    start_worker: StartWorker, report: Report, model: ScriptedServer, replay: Replay
) -> None:
    model.say(document({"error": "Context size has been exceeded."}, 400))
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a"))
    model.say(says())
    code, found = await replay("e1")
    assert (code, found["reasons"]) == (0, [])
    assert found["now"]["category"] == "unknown"


async def test_the_checks_that_the_model_asked_for_are_not_run_again(
    start_worker: StartWorker, report: Report, model: ScriptedServer, replay: Replay, tmp_path: Path
) -> None:
    model.say(asks_then_answers("drift"))
    probe = command(tmp_path)
    async with start_worker(**settings(model), probes={"drift": probe}):
        await report(event_id="e1", log=log_of("a"))
    (tmp_path / "look.sh").write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    code, found = await replay("e1")
    assert (code, found["reasons"]) == (0, [])
    assert not (tmp_path / "ran").exists()


async def test_other_prompts_and_a_model_asked_anew_are_named(
    start_worker: StartWorker, report: Report, model: ScriptedServer, replay: Replay, tmp_path: Path
) -> None:
    model.say(says())
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "system.md").write_text("Be brief.\n{{categories}}")
    chain = [{"use": "precedent"}, {"use": "rules"}, {"use": "llm", "prompts": "mine"}]
    code, found = await replay("e1", reasoning=chain)
    assert code == 0
    assert [reason.partition(":")[0] for reason in found["reasons"]] == [
        "The texts that are sent to the model changed",
        "The question would not be the same to the letter today (prompts, hints, or lines of a long log); "
        "the recorded answer was taken",
    ]
    model.say(says(category="code_error", confidence=70))
    code, found = await replay("e1", "--ask-model")
    assert code == 1
    assert [one["what"] for one in found["differences"]] == ["category", "confidence"]
    assert "The model was asked again: llama-3-8b; then: llama-3-8b" in found["reasons"]


async def test_an_answer_may_rest_on_a_line_that_would_not_be_shown_today(
    start_worker: StartWorker, report: Report, model: ScriptedServer, replay: Replay
) -> None:
    async def cites_the_first_line(exchange: Exchange) -> None:
        shown = re.findall(r"^(\d+)\| (.*)", exchange.body["messages"][1]["content"], re.MULTILINE)
        number, text = shown[0]
        answer = {
            "reading": "The first line tells it.",
            "evidence": [{"line": int(number), "quote": text[:40]}],
            "root_cause": "It was started wrongly",
            "category": "config_error",
            "actions": [],
            "confidence": 80,
        }
        await streamed(json.dumps(answer))(exchange)

    model.say(cites_the_first_line)
    chain: list[dict[str, Any]] = [{"use": "precedent"}, {"use": "rules"}, {"use": "llm", "prompt_tokens": 2400}]
    log = [f"frobnicator: gizmo {chr(97 + n % 26)}{chr(97 + n // 26)} is turning, as gizmos do" for n in range(300)]
    async with start_worker(**settings(model), reasoning=chain):
        record = await report(event_id="e1", log=log)
    assert record["diagnosis"]["category"] == "config_error", record["notes"]
    code, found = await replay("e1", reasoning=[*chain[:2], {"use": "llm", "prompt_tokens": 1400}])
    assert code == 0, found
    assert "not be the same to the letter" in found["reasons"][-1]
    code, found = await replay("e1", reasoning=[*chain[:2], {"use": "llm", "prompt_tokens": 1100}])
    assert code == 1
    assert found["reasons"][-1].startswith("The model was asked then and would not be today: the model was not asked: ")


async def test_a_recorded_answer_that_is_not_true_of_the_log_today_is_named(
    start_worker: StartWorker, report: Report, model: ScriptedServer, replay: Replay, store: Store, api: FakeApi
) -> None:
    model.say(says())
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a"))
    record = await store.record("e1")
    assert record is not None
    record["model_calls"][0]["raw"] = record["model_calls"][0]["raw"].replace("refused the", "accepted the")
    code, found = await replay("other")
    assert code == 2
    api.pages["/history/other"] = (200, {**record, "event_id": "other"})
    code, found = await replay("other")
    assert code == 1
    assert found["reasons"][-1] == "The recorded answer does not pass today's checks: bad_output"


async def test_what_cannot_be_replayed_ends_with_2(
    start_worker: StartWorker, report: Report, replay: Replay, api: FakeApi, tmp_path: Path
) -> None:
    async with start_worker():
        await report(event_id="e1", status="succeeded")
    code, found = await replay("e1")
    assert code == 2
    assert "nothing was decided about e1" in found["said"]
    assert (await replay("nobody"))[0] == 2
    (tmp_path / "config.yaml").write_text("versoin: 1")
    assert (await replay("e1"))[0] == 2
