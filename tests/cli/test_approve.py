"""`autoremedy approve` and `reject`: what is shown is what is approved, and nobody is asked blindly."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.commands import app

PLAN = "5f" * 32
STEP = {
    "step": 1, "name": "free_disk", "kind": "free_disk_space", "effector": "command", "params": {}, "risk": "risky",
    "decision": "ask", "reason": "The action is marked risky: a person decides.",
    "preview": "/usr/local/bin/clean-scratch -- backup",
}  # fmt: skip
INCIDENT = {
    "event_id": "e-1", "job_id": "backup", "state": "waiting", "stage": "asking", "deliveries": 1, "owner": None,
    "received_at": "2026-11-22T03:00:00Z", "expires_at": "2026-11-23T03:00:00Z", "plan_hash": PLAN, "plan": [STEP],
    "diagnosis": {"category": "disk_full", "root_cause": "No space is left", "confidence": 96, "source": "rule:x",
                  "evidence": [7]},
    "evidence": [{"line": 7, "text": "cp: write error: No space left on device"}],
    "timeline": [
        {"at": "2026-11-22T03:00:00Z", "what": "received", "detail": ""},
        {"at": "2026-11-23T03:00:00Z", "what": "expires", "detail": "a person is asked until then"},
    ],
    "record": None,
}  # fmt: skip


@pytest.fixture
def say(api: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AUTOREMEDY_URL", api.url)

    def said(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments), catch_exceptions=False)

    api.pages["/incidents/e-1"] = (200, INCIDENT)
    for word in ("approve", "reject"):
        api.pages[f"/incidents/e-1/{word}"] = (200, {"status": word, "event_id": "e-1", "links": {}})
    return said


def test_the_plan_is_shown_with_its_commands_and_approved_by_its_hash(say: Any, api: Any) -> None:
    done = say("approve", "e-1", "--yes", "--user", "ana")
    assert done.exit_code == 0
    for words in (
        "No space is left",
        "/usr/local/bin/clean-scratch -- backup",
        "asks a person",
        "> 7  cp: write error",
        "03:00:00  received",
        "2026-11-23 03:00:00 UTC  expires",
    ):
        assert words in done.stdout
    [(path, body)] = api.posted
    assert (path, json.loads(body)) == ("/incidents/e-1/approve", {"plan_hash": PLAN, "user": "ana"})


def test_without_a_terminal_nothing_is_approved_unless_it_is_said(say: Any, api: Any) -> None:
    done = say("approve", "e-1")
    assert done.exit_code == 2
    assert "--yes" in done.stderr and "clean-scratch" in done.stdout
    assert api.posted == []


def test_all_that_wait_are_listed(say: Any, api: Any) -> None:
    api.pages["/incidents"] = (200, {"incidents": [INCIDENT], "next_cursor": None})
    done = say("approve")
    assert "e-1" in done.stdout and "No space is left" in done.stdout and "2026-11-23 03:00" in done.stdout
    assert json.loads(say("approve", "--json").stdout)[0]["event_id"] == "e-1"
    api.pages["/incidents"] = (200, {"incidents": [], "next_cursor": None})
    assert "Nothing waits for you" in say("approve").stderr
    assert "GET /incidents?state=waiting&limit=100" in api.requests


def test_what_does_not_wait_is_said_with_how_it_stands(say: Any, api: Any) -> None:
    api.pages["/incidents/e-1"] = (
        200,
        {**INCIDENT, "plan_hash": None, "state": "done", "record": {"status": "resolved"}},
    )
    done = say("approve", "e-1", "--yes")
    assert done.exit_code == 1 and "over: resolved" in done.stderr
    assert api.posted == []


def test_a_refusal_of_the_api_is_said_in_its_words(say: Any, api: Any) -> None:
    detail = "The plan has changed since it was shown; look at it again."
    api.pages["/incidents/e-1/approve"] = (409, {"title": "x", "status": 409, "detail": detail})
    done = say("approve", "e-1", "--yes")
    assert done.exit_code == 1 and detail in done.stderr


def test_a_plan_is_rejected_with_a_reason(say: Any, api: Any) -> None:
    done = say("reject", "e-1", "--user", "ben", "--reason", "not tonight")
    assert done.exit_code == 0 and "Rejected" in done.stdout
    assert json.loads(api.posted[0][1]) == {"user": "ben", "reason": "not tonight"}


def test_programs_are_not_asked_blindly(say: Any, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.approval_commands.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    done = say("approve", "e-1", "--json")
    assert done.exit_code == 2 and "--yes" in done.stderr
    assert api.posted == []
