"""Checks that the operator lets the model ask for, on a whole worker: run as declared, and kept on the record."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.llm.scripted_server import Behaviour, Exchange, ScriptedServer, streamed
from tests.worker.conftest import Report, StartWorker
from tests.worker.test_questions import log_of, model, settings

__all__ = ["model"]  # a fixture


def asks_then_answers(named: str) -> Behaviour:
    """A model that asks for the check of a name, if it is offered, and answers from the log then."""

    async def behave(exchange: Exchange) -> None:
        first, *later = [message["content"] for message in exchange.body["messages"] if message["role"] == "user"]
        number = re.search(rf"^(\d+)\. {named}:", first, re.MULTILINE)
        line = int(re.findall(r"^(\d+)\| .*handshake", first, re.MULTILINE)[0])
        need = {"need": int(number[1])} if number and not later else {}
        answer = {
            "reading": "One line tells it.",
            **need,
            "evidence": [{"line": line, "quote": "refused the"}],
            "root_cause": "The gizmo is not calibrated",
            "category": "config_error",
            "actions": [],
            "confidence": 80,
        }
        await streamed(json.dumps(answer), usage={"prompt_tokens": 900, "completion_tokens": 90})(exchange)

    return behave


def command(folder: Path, **more: Any) -> dict[str, Any]:
    """A check that says which job it was run for."""
    program = folder / "look.sh"
    program.write_text('#!/bin/sh\necho "gizmo of $1: password=hunter2hunter2 drift 7"\nexit 3\n')
    program.chmod(0o755)
    return {
        "description": "How far the gizmo has drifted",
        "effector": "command",
        "argv": [str(program), "{job_id}"],
        "risk": "observe",
        **more,
    }


async def test_a_check_that_the_model_asks_for_is_run_and_kept_on_the_record(
    start_worker: StartWorker, report: Report, model: ScriptedServer, tmp_path: Path
) -> None:
    model.say(asks_then_answers("drift"))
    async with start_worker(**settings(model), probes={"drift": command(tmp_path)}):
        record = await report(event_id="e1", log=log_of("a"))
    assert record["diagnosis"]["source"] == "llm:llama-3-8b"
    first, second = record["model_calls"]
    assert first["probe"]["name"] == "drift"
    assert "gizmo of backup:" in first["probe"]["text"]
    assert "failed: exit code 3" in first["probe"]["text"], "that it fails is a finding"
    assert second["probe"] is None
    shown = model.questions[1]["messages"][-1]["content"]
    assert "drift 7" in shown
    assert "hunter2" not in shown + json.dumps(record), "its secrets are taken out"


async def test_a_check_is_only_for_the_jobs_it_names(
    start_worker: StartWorker, report: Report, model: ScriptedServer, tmp_path: Path
) -> None:
    model.say(asks_then_answers("drift"))
    async with start_worker(**settings(model), probes={"drift": command(tmp_path, jobs=["another"])}):
        record = await report(event_id="e1", log=log_of("a"))
    [call] = record["model_calls"]
    assert call["probe"] is None
    assert "drift" not in json.dumps(model.questions)


async def test_a_check_over_http_is_a_get(start_worker: StartWorker, report: Report, model: ScriptedServer) -> None:
    model.lists["/drift/backup"] = (200, {"drift": 7})
    model.say(asks_then_answers("drift"))
    look = {"description": "Drift", "effector": "http", "url": model.url[:-2] + "drift/{job_id}", "risk": "observe"}
    async with start_worker(**settings(model), probes={"drift": look}):
        record = await report(event_id="e1", log=log_of("a"))
    assert 'HTTP 200: {"drift": 7}' in record["model_calls"][0]["probe"]["text"]


@pytest.mark.parametrize("host", ["{job_id}; rm -rf /", "-rf"])
async def test_a_value_that_may_not_stand_in_a_check_refuses_it(
    start_worker: StartWorker, report: Report, model: ScriptedServer, tmp_path: Path, host: str
) -> None:
    model.say(asks_then_answers("drift"))
    probe = command(tmp_path)
    probe["argv"][1] = "{host}"
    async with start_worker(**settings(model), probes={"drift": probe}):
        record = await report(event_id="e1", host=host, log=log_of("a"))
    assert record["model_calls"][0]["probe"]["text"].startswith("c1| refused: ")
    assert "drift 7" not in json.dumps(record)
