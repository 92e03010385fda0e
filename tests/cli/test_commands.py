"""The commands for people and scripts, against a small API over real HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.commands import app
from cli.config_commands import schema_text

ROOT = Path(__file__).parents[2]
Invoke = Callable[..., Any]

RECORD: dict[str, Any] = {
    "schema": 1,
    "event_id": "e-1",
    "job_id": "nightly-backup",
    "status": "resolved",
    "event": {
        "event_id": "e-1",
        "job_id": "nightly-backup",
        "status": "failed",
        "host": "db-3",
        "exit_code": 2,
        "duration_seconds": 412.0,
        "command": "/usr/local/bin/backup.sh --full",
        "log": ["start", "copying", "tar: out.tar: Cannot write: No space left on device", "\x1b]0;evil\x07bye"],
        "finished_at": "2026-11-22T02:15:09Z",
    },
    "digest": {"signature": "s", "headline": "h", "excerpt": [], "dropped_lines": 0},
    "diagnosis": {
        "category": "disk_full",
        "root_cause": "The volume of out.tar is full.",
        "confidence": 95,
        "evidence": [2],
        "source": "rule:disk_full.enospc",
    },
    "actions": [
        {
            "step": 1,
            "name": "free_disk",
            "kind": "free_disk_space",
            "effector": "command",
            "params": {},
            "risk": "safe",
            "decision": "auto",
            "reason": "safe, and the job's mode is auto",
            "preview": "/usr/local/bin/clean-scratch -- nightly-backup",
        }
    ],
    "outcomes": [{"step": 1, "name": "free_disk", "status": "done", "detail": "exit code 0", "duration_seconds": 0.4}],
    "verification": {"status": "verified", "how": "job succeeded on rerun", "at": "2026-11-22T02:20:00Z"},
    "feedback": [],
    "reason": "acted and proved",
    "deliveries": 1,
    "worker": "w1",
    "received_at": "2026-11-22T02:15:10Z",
    "finished_at": "2026-11-22T02:20:01Z",
    "timings": {},
}
HEALTH = {
    "status": "ok",
    "summary": "",
    "checks": {
        "store": {"ok": True, "detail": "The store answers."},
        "workers": {"ok": True, "detail": "1 worker at work."},
        "llm": {"ok": False, "detail": "The model does not answer."},
    },
}


@pytest.fixture
def invoke(api: Any, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Invoke:
    for name in ("AUTOREMEDY_URL", "AUTOREMEDY_SPOOL", "HOME"):
        monkeypatch.setenv(name, environ[name])
    runner = CliRunner()

    def run(*arguments: str, input: str | None = None) -> Any:
        return runner.invoke(app, list(arguments), input=input)

    return run


def test_history_shows_what_when_and_why_of_each_failure(invoke: Invoke, api: Any) -> None:
    started = {**RECORD, "event_id": "e-0", "status": "ignored"}
    api.pages["/history"] = (200, {"records": [started, RECORD], "next_cursor": None})
    done = invoke("history")
    assert done.exit_code == 0
    head, why, event_id = done.stdout.splitlines()
    for word in ("2026-11-22 02:20:01", "nightly-backup", "resolved", "disk_full"):
        assert word in head
    assert "The volume of out.tar" in why
    assert event_id.strip() == "e-1"
    assert "e-0" in invoke("history", "--all").stdout
    assert [line for line in done.stdout.splitlines() if line != line.rstrip()] == [], "fit for a mail or a diff"


def test_history_reads_page_by_page_and_hands_filters_on(invoke: Invoke, api: Any) -> None:
    filters = "job_id=a+b&category=disk_full"
    api.pages[f"/history?{filters}&limit=100"] = (200, {"records": [RECORD] * 100, "next_cursor": "c1"})
    api.pages[f"/history?{filters}&limit=100&cursor=c1"] = (200, {"records": [RECORD] * 100, "next_cursor": "c2"})
    done = invoke("history", "--limit", "150", "--job", "a b", "--category", "disk_full", "--json")
    assert done.exit_code == 0, done.stderr
    assert len(json.loads(done.stdout)) == 150


def test_since_may_be_said_as_people_do(invoke: Invoke, api: Any) -> None:
    api.pages["/history"] = (200, {"records": [], "next_cursor": None})
    assert invoke("history", "--since", "2h").exit_code == 0
    assert "since=20" in api.requests[-1]
    assert invoke("history", "--since", "yesterday-ish").exit_code == 2


def test_status_says_each_thing_on_one_line(invoke: Invoke, api: Any) -> None:
    long = "the server answers, but none of its models is loaded, and it will not load one by itself\n" * 3
    model = {"state": "down", "model": "qwen", "base_url": "http://m/v1", "detail": long, "advice": "Load one."}
    api.pages["/status"] = (200, {"workers": [], "store": {}, "llm": model})
    lines = invoke("status").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["queue", "history", "workers", "store", "model", "api"]
    assert lines[4].startswith("model    down, qwen at http://m/v1. the server answers")
    assert lines[4].endswith("by itself. Load one")


def test_an_empty_history_is_said_on_stderr(invoke: Invoke, api: Any) -> None:
    api.pages["/history"] = (200, {"records": [], "next_cursor": None})
    done = invoke("history")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "Nothing" in done.stderr


@pytest.mark.parametrize("command", ["history", "incidents"])
def test_a_record_is_shown_with_its_proof_and_what_was_done(invoke: Invoke, api: Any, command: str) -> None:
    timeline = [{"at": "2026-11-22T02:15:10Z", "what": "received", "detail": ""}]
    incident = {"event_id": "e-1", "job_id": "x", "state": "done", "timeline": timeline, "record": RECORD}
    api.pages["/history/e-1"] = (200, RECORD)
    api.pages["/incidents/e-1"] = (200, incident)
    done = invoke(command, "show", "e-1")
    assert done.exit_code == 0, done.stderr
    for words in (
        "nightly-backup failed on db-3 at 2026-11-22 02:15:09 UTC (exit code 2, after 7 min)",
        "RESOLVED",
        "/usr/local/bin/backup.sh --full",
        "disk_full  95 % sure, by rule:disk_full.enospc",
        "> 2  tar: out.tar: Cannot write: No space left on device",
        "1. free_disk  free_disk_space, safe",
        "by itself: safe, and the job's mode is auto",
        "/usr/local/bin/clean-scratch -- nightly-backup",
        "1. free_disk done in 400 ms: exit code 0",
        "verified, it helped: job succeeded on rerun",
    ):
        assert words in done.stdout
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert ("02:15:10  received" in done.stdout) == (command == "incidents")


PROPOSAL = "Nothing is configured that could do this; it is a proposal for a person"


def _recorded(status: str, reason: str, decision: str, why: str, outcome: dict[str, Any]) -> dict[str, Any]:
    step = {**RECORD["actions"][0], "decision": decision, "reason": why}
    outcomes = [{"step": 1, "name": "free_disk", **outcome}]
    outcomes.append(
        {"step": 2, "name": "escalate", "status": "done", "detail": "told console", "duration_seconds": 0.0021}
    )
    made = {**RECORD, "status": status, "reason": reason, "actions": [step], "outcomes": outcomes}
    return {**made, "verification": None}


@pytest.mark.parametrize(
    "record",
    [
        _recorded(
            "suggested",
            f"free_disk: for a person to do: {PROPOSAL}",
            "propose",
            PROPOSAL,
            {"status": "skipped", "detail": f"for a person to do: {PROPOSAL}"},
        ),
        _recorded(
            "escalated",
            "a person was told; free_disk: needs a person: The action is marked risky: a person decides.",
            "ask",
            "The action is marked risky: a person decides.",
            {"status": "skipped", "detail": "needs a person: The action is marked risky: a person decides."},
        ),
        _recorded("escalated", "a person was told", "refuse", "paused", {"status": "refused", "detail": "paused"}),
    ],
)
def test_a_page_says_no_sentence_twice(invoke: Invoke, api: Any, record: dict[str, Any]) -> None:
    api.pages["/history/e-1"] = (200, record)
    shown = invoke("history", "show", "e-1").stdout
    reason = record["actions"][0]["reason"]
    assert shown.count(reason) == 1
    assert shown.count("a person was told") == (record["status"] == "escalated")
    assert "nothing was done" not in shown
    assert "1. free_disk " + record["outcomes"][0]["status"] in shown
    assert "2. escalate done in 2 ms: told console" in shown


def test_a_page_keeps_a_reason_that_stands_nowhere_else(invoke: Invoke, api: Any) -> None:
    record = {**RECORD, "status": "unknown", "reason": "nobody can tell whether free_disk happened"}
    api.pages["/history/e-1"] = (200, record)
    assert "nobody can tell whether free_disk happened\n" in invoke("history", "show", "e-1").stdout


def test_a_page_shows_what_the_model_was_asked_and_what_it_looked_at(invoke: Invoke, api: Any) -> None:
    call = {"model": "llama-3-8b", "prompt_tokens": 900, "completion_tokens": 90, "duration_seconds": 2.14}
    probe = {"name": "space", "text": "c1| done: exit code 0\nc2| 100%"}
    asked = {**call, "raw": '{"need":\n1}\x1b[2J', "probe": probe}
    failed = {**call, "raw": "", "error": "timeout", "prompt_tokens": None}
    api.pages["/history/e-1"] = (200, {**RECORD, "model_calls": [asked, failed]})
    shown = invoke("history", "show", "e-1").stdout
    assert "llama-3-8b in 2.1 s, 900 + 90 tokens" in shown
    assert '{"need": 1}\ufffd[2J' in shown
    assert "it asked for the check space:\n    c1| done: exit code 0\n" in shown.replace("      ", "    ")
    assert "llama-3-8b in 2.1 s, no answer: timeout" in shown


def test_an_incident_under_way_says_where_it_stands(invoke: Invoke, api: Any) -> None:
    incident = {
        "event_id": "e-2",
        "job_id": "etl",
        "state": "delayed",
        "stage": "acting",
        "deliveries": 1,
        "owner": "w1",
        "due_at": "2026-11-22T03:00:00Z",
        "diagnosis": RECORD["diagnosis"],
    }
    api.pages["/incidents"] = (200, {"incidents": [incident], "next_cursor": None})
    api.pages["/incidents/e-2"] = (200, {**incident, "timeline": [], "record": None})
    assert "e-2" in invoke("incidents").stdout
    shown = invoke("incidents", "show", "e-2").stdout
    assert "under way: delayed, acting, in the hands of w1, due 2026-11-22 03:00:00 UTC" in shown


def test_every_reading_command_has_json(invoke: Invoke, api: Any) -> None:
    answers = {
        "/history": {"records": [RECORD], "next_cursor": None},
        "/history/e-1": RECORD,
        "/incidents": {"incidents": [], "next_cursor": None},
        "/incidents/e-1": {"event_id": "e-1", "record": None},
        "/dead": {"dead": [{"event_id": "d", "reason": "no JSON", "at": None}], "next_cursor": None},
        "/status": {"queue_depth": 3, "workers": []},
        "/jobs": {"jobs": [{"job_id": "a"}]},
    }
    for path, answer in answers.items():
        api.pages[path] = (200, answer)
    for words in ("history", "history show e-1", "incidents", "incidents show e-1", "dead", "status", "jobs"):
        as_json = invoke(*words.split(), "--json")
        assert as_json.exit_code == 0, as_json.stderr
        json.loads(as_json.stdout)
        assert invoke(*words.split()).exit_code == 0, words


def test_status_says_how_things_are(invoke: Invoke, api: Any) -> None:
    now = {
        "version": "0.1.0",
        "uptime_seconds": 7300,
        "queue_depth": 4,
        "oldest_age_seconds": 3.2,
        "in_flight": 1,
        "delayed": 2,
        "dead": 5,
        "history_length": 99,
        "paused": {"by": "dana", "reason": "upgrade", "at": "2026-11-22T03:00:00Z"},
        "workers": [],
        "store": {"server": "valkey", "version": "9.1", "append_only": True, "fsync": "always"},
        "llm": {"state": "down"},
    }
    api.pages["/status"] = (200, now)
    shown = invoke("status").stdout
    for words in (
        "PAUSED   by dana since 2026-11-22 03:00 UTC: upgrade\n",
        "store    valkey 9.1, every write synced\n",
        "4 waiting, 1 in hand, 2 later",
        "5 dead letters",
        "none",
        "model    down",
    ):
        assert words in shown


def test_feedback_goes_to_the_record(invoke: Invoke, api: Any) -> None:
    api.pages["/feedback"] = (201, {"status": "stored", "event_id": "e-1"})
    said = "--rating 2 --user dana --verdict wrong --category lock_contention --action retry --line 4 --line 5"
    done = invoke("feedback", "e-1", *said.split(), "--comment", "it was the vacuum")
    assert done.exit_code == 0, done.stderr
    assert json.loads(api.posted[-1][1]) == {
        "event_id": "e-1",
        "user": "dana",
        "rating": 2,
        "verdict": "wrong",
        "correct_category": "lock_contention",
        "correct_action": "retry",
        "comment": "it was the vacuum",
        "evidence_lines": [4, 5],
    }


@pytest.mark.parametrize(
    ("said", "promise"),
    [
        ("--category lock_contention", "The correction holds from now on for every failure with the same signature"),
        ("--verdict wrong", "asks a person first, for every failure with the same signature"),
        ("--verdict right", "It holds for every failure with the same signature"),
        ("--comment hm", "It decides nothing by itself"),
    ],
)
def test_feedback_says_how_far_it_reaches_and_how_to_take_it_back(
    invoke: Invoke, api: Any, said: str, promise: str
) -> None:
    api.pages["/feedback"] = (201, {"status": "stored", "event_id": "e-1"})
    answer = invoke("feedback", "e-1", "--rating", "3", "--user", "dana", *said.split()).stdout
    assert promise in answer
    assert ("whichever job it is of" in answer) == ("comment" not in said)
    assert ("autoremedy feedback e-1 --rating N" in answer) == ("category" in said or "wrong" in said)


def test_what_the_api_refuses_is_said_with_the_field(invoke: Invoke, api: Any) -> None:
    problem = {
        "title": "Invalid",
        "status": 422,
        "detail": "The feedback cannot be taken.",
        "errors": [{"pointer": "/correct_category", "message": "no such category"}],
    }
    api.pages["/feedback"] = (422, problem)
    done = invoke("feedback", "e-1", "--rating", "2", "--user", "dana", "--category", "nonsense")
    assert done.exit_code == 1
    assert "The feedback cannot be taken." in done.stderr
    assert "/correct_category: no such category" in done.stderr


@pytest.mark.parametrize("words", ["history", "history show x", "status", "incidents", "dead", "jobs", "resume"])
def test_an_absent_api_is_one_clear_sentence(invoke: Invoke, words: str) -> None:
    done = invoke("--url", "http://127.0.0.1:1", *words.split())
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "does not answer at http://127.0.0.1:1" in done.stderr


@pytest.mark.parametrize(
    "words", ["nonsense", "feedback e-1 --rating 9 --user a", "history --limit 0", "diagnose a --out b"]
)
def test_wrong_usage_is_exit_code_2(invoke: Invoke, words: str) -> None:
    assert invoke(*words.split()).exit_code == 2


def test_pause_and_replay_do_what_they_say(invoke: Invoke, api: Any) -> None:
    api.pages["/pause"] = api.pages["/resume"] = (200, {"paused": True})
    api.pages["/dead/d-1/replay"] = (202, {"status": "submitted", "event_id": "d-1"})
    assert invoke("pause", "--user", "dana", "--reason", "upgrade").exit_code == 0
    assert api.posted[-1] == ("/pause", '{"user":"dana","reason":"upgrade"}')
    assert invoke("resume").exit_code == 0
    assert invoke("dead", "replay", "d-1").exit_code == 0
    assert [path for path, _ in api.posted] == ["/pause", "/resume", "/dead/d-1/replay"]


def test_an_event_is_sent_from_options(invoke: Invoke, api: Any, tmp_path: Path) -> None:
    (tmp_path / "job.log").write_text("one\ntwo\n")
    api.answer = {"status": "submitted", "event_id": "made-up"}
    options = "--job etl --exit-code 3 --host h --run-id r --label a=b --event-id x.1"
    done = invoke("events", "send", *options.split(), "--log", str(tmp_path / "job.log"))
    assert (done.exit_code, done.stdout) == (0, "submitted made-up\n")
    assert api.last == {
        "job_id": "etl",
        "status": "failed",
        "event_id": "x.1",
        "run_id": "r",
        "exit_code": 3,
        "host": "h",
        "source": "cli",
        "labels": {"a": "b"},
        "log": "one\ntwo\n",
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"job_id": "a",\n "status": "failed"}',
        '[{"job_id": "a", "status": "failed"}]',
        '{"job_id": "a", "status": "failed"}\n\n',
    ],
)
def test_events_are_sent_from_stdin_in_any_form(invoke: Invoke, api: Any, text: str) -> None:
    api.pages["/events"] = (202, {"results": [{"status": "submitted", "event_id": "e"}]})
    done = invoke("events", "send", input=text)
    assert (done.exit_code, done.stdout) == (0, "1 submitted\n"), done.stderr
    (path, body) = api.posted[-1]
    assert path == "/events"
    assert [json.loads(line) for line in body.splitlines()] == [{"job_id": "a", "status": "failed"}]


def test_what_is_wrong_with_an_event_of_a_file_is_said(invoke: Invoke, api: Any, tmp_path: Path) -> None:
    results = [
        {"status": "submitted", "event_id": "e"},
        {"status": "rejected", "errors": [{"pointer": "/status", "message": "write failed or succeeded"}]},
    ]
    api.pages["/events"] = (207, {"results": results})
    (tmp_path / "in").write_text('{"job_id": "a", "status": "failed"}\n{"job_id": "a", "status": "odd"}\n')
    done = invoke("events", "send", "--file", str(tmp_path / "in"))
    assert (done.exit_code, done.stdout) == (1, "1 submitted, 1 rejected\n")
    assert "event 2: /status: write failed or succeeded" in done.stderr


def test_a_file_with_nothing_right_in_it_names_each_event_once(invoke: Invoke, api: Any, tmp_path: Path) -> None:
    errors = [{"pointer": f"/{n}/status", "message": "unknown"} for n in range(2)]
    api.pages["/events"] = (422, {"detail": "None of the events can be understood.", "errors": errors})
    (tmp_path / "in").write_text('{"job_id": "a", "status": "odd"}\n{"job_id": "b", "status": "odd"}\n')
    done = invoke("events", "send", "--file", str(tmp_path / "in"))
    assert (done.exit_code, done.stdout) == (1, "2 rejected\n")
    assert done.stderr.splitlines() == [f"autoremedy: event {n}: /status: unknown" for n in (1, 2)]


def test_a_large_file_is_sent_in_batches(invoke: Invoke, api: Any, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("".join(f'{{"job_id": "{n}", "status": "failed"}}\n' for n in range(1200)))
    api.pages["/events"] = (202, {"results": [{"status": "submitted"}]})
    assert invoke("events", "send", "--file", str(tmp_path / "in")).exit_code == 0
    assert [len(body.splitlines()) for _, body in api.posted] == [500, 500, 200]


def test_flush_sends_what_waited(invoke: Invoke, api: Any, run_exec: Invoke, spool: Path) -> None:
    api.status = 503
    run_exec("--job", "a", "--", "false")
    waiting = invoke("events", "flush")
    assert waiting.exit_code == 1
    assert "2 events still wait" in waiting.stderr
    api.status = 202
    done = invoke("events", "flush")
    assert (done.exit_code, done.stdout) == (0, "2 sent, 0 refused\n")
    assert api.statuses() == ["started", "failed"]


def test_refused_events_can_be_sent_again(invoke: Invoke, api: Any, run_exec: Invoke, spool: Path) -> None:
    api.status = 404
    run_exec("--job", "a", "--", "false")
    assert not api.events
    api.status = 202
    assert invoke("events", "flush").stdout == "0 sent, 0 refused\n"
    assert invoke("events", "flush", "--retry-rejected").stdout == "2 sent, 0 refused\n"
    assert not list((spool / "rejected").iterdir())


def test_doctor_says_what_to_do(invoke: Invoke, api: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    api.pages["/health"] = (200, HEALTH)
    done = invoke("doctor")
    assert done.exit_code == 0, done.stdout
    lines = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert lines["api"].startswith("ok")
    assert lines["llm"].startswith("warning")
    assert "llm.enabled: false" in lines["llm"]
    broken = {**HEALTH["checks"], "workers": {"ok": False, "detail": "No worker was heard of lately."}}  # type: ignore[dict-item]
    api.pages["/health"] = (503, {**HEALTH, "checks": broken})
    done = invoke("doctor", "--json")
    assert done.exit_code == 1
    workers = next(finding for finding in json.loads(done.stdout) if finding["name"] == "workers")
    assert workers["state"] == "bad"
    assert "agentic_worker" in workers["advice"]


DURABLE = {"server": "valkey", "version": "9.1.2", "append_only": True, "fsync": "always", "eviction": "noeviction"}


@pytest.mark.parametrize(
    ("settings", "state", "words"),
    [
        ({}, "ok", ["valkey 9.1.2 answers; every write synced."]),
        ({"append_only": False}, "warning", ["valkey 9.1.2 answers; appendonly is off", "set appendonly to yes"]),
        ({"fsync": None}, "warning", ["may not be read", "Set appendfsync to always."]),
        ({"fsync": "everysec"}, "warning", ["can lose the last second", "Set appendfsync to always."]),
        ({"fsync": "no"}, "warning", ["can lose the last half minute", "Set appendfsync to always."]),
        ({"eviction": "allkeys-lru"}, "warning", ["maxmemory-policy is allkeys-lru", "Set it to noeviction."]),
        ({"eviction": "volatile-ttl"}, "warning", ["maxmemory-policy is volatile-ttl", "Set it to noeviction."]),
    ],
)
def test_doctor_warns_of_a_store_that_can_lose_events(
    invoke: Invoke, api: Any, settings: dict[str, Any], state: str, words: list[str]
) -> None:
    from store.server import risks

    found = {**DURABLE, **settings}
    api.pages["/health"] = (200, HEALTH)
    api.pages["/status"] = (200, {"store": {**found, "risks": risks(found)}, "paused": None})
    done = invoke("doctor")
    assert done.exit_code == 0, done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.split()[1] == "store"]
    assert line.startswith(state)
    for word in words:
        assert word in line


def test_doctor_warns_of_a_pause(invoke: Invoke, api: Any) -> None:
    checks = {**HEALTH["checks"], "actions": {"ok": True, "detail": "paused"}}  # type: ignore[dict-item]
    api.pages["/health"] = (200, {**HEALTH, "checks": checks})
    paused = {"by": "dana", "reason": "upgrade", "at": "2026-11-22T03:00:00Z"}
    api.pages["/status"] = (200, {"store": DURABLE, "paused": paused})
    lines = [line for line in invoke("doctor").stdout.splitlines() if line.split()[1] == "actions"]
    assert lines == [
        "warning actions  Automatic actions are paused by dana since 2026-11-22 03:00 UTC: upgrade. "
        "autoremedy resume allows them again."
    ]


def test_doctor_finds_what_a_worker_would_refuse(
    invoke: Invoke, api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("notifications: [{use: webhok}]")
    api.pages["/health"] = (200, HEALTH)
    done = invoke("doctor")
    assert done.exit_code == 1
    assert "config.yaml:1:18: notifications.0.use" in done.stdout


def test_the_version_is_an_option_too(invoke: Invoke) -> None:
    done = invoke("--version")
    assert (done.exit_code, done.stdout) == (0, invoke("version").stdout)


def test_doctor_says_where_the_settings_have_the_api_listen(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text("version: 1\napi: {port: 8765}\nllm: {enabled: false}\n")
    monkeypatch.setenv("AUTOREMEDY_CONFIG", str(tmp_path / "config.yaml"))
    done = invoke("--url", "http://127.0.0.1:1", "doctor")
    assert "The settings say port 8765: --url http://127.0.0.1:8765" in done.stdout


def test_doctor_without_an_api_says_how_to_start_it(invoke: Invoke) -> None:
    done = invoke("--url", "http://127.0.0.1:1", "doctor")
    assert done.exit_code == 1
    assert "python main.py" in done.stdout


def test_config_check_is_ok_or_names_each_mistake(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("config", "check", str(ROOT / "config.yaml")).stdout == f"ok: {ROOT / 'config.yaml'}\n"
    wrong = tmp_path / "c.yaml"
    wrong.write_text("version: 1\nquue: {}\nworker:\n  concurrency: many\n")
    done = invoke("config", "check", str(wrong))
    assert (done.exit_code, done.stdout) == (78, "")
    assert f'{wrong}:2:1: quue: unknown key; did you mean "queue"?' in done.stderr
    assert f"{wrong}:4:3: worker.concurrency" in done.stderr


def test_config_check_builds_every_part_as_a_worker_does(invoke: Invoke, tmp_path: Path) -> None:
    wrong = tmp_path / "c.yaml"
    wrong.write_text("version: 1\nnotifications:\n  - use: webhok\n")
    done = invoke("config", "check", str(wrong))
    assert (done.exit_code, done.stdout) == (78, "")
    assert done.stderr.startswith(f"{wrong}:3:5: notifications.0.use: webhok: ")


def test_config_check_says_which_file_it_looked_at(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("config", "check")
    assert (done.exit_code, done.stdout) == (0, "ok: no config.yaml here; the built-in settings hold\n")
    (tmp_path / "config.yaml").write_text("version: 1\n")
    assert invoke("config", "check").stdout == "ok: config.yaml\n"


def test_config_check_warns_of_a_program_that_is_not_on_this_machine(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "actions:\n  free_disk_space:\n    effector: command\n    argv: [/no/such/clean, --all]\n"
        "jobs:\n  - id: a\n    rerun: {argv: [/bin/sh]}\n    verify: {argv: [/etc/passwd]}\n"
    )
    done = invoke("config", "check", str(file))
    assert (done.exit_code, done.stdout) == (0, f"ok: {file} (2 warnings)\n")
    absent, no_program = done.stderr.splitlines()
    assert absent.startswith(f"{file}:4:12: actions.free_disk_space.argv.0: warning: /no/such/clean does not exist")
    assert no_program.startswith(f"{file}:8:21: jobs.0.verify.argv.0: warning: /etc/passwd may not be run")


def test_the_committed_schema_is_fresh(invoke: Invoke) -> None:
    committed = (ROOT / "schema" / "config.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "run: autoremedy config schema > schema/config.schema.json"
    assert invoke("config", "schema").stdout == committed


def test_the_schema_accepts_the_shipped_configuration_and_refuses_typos() -> None:
    import jsonschema_rs
    import yaml

    validator = jsonschema_rs.validator_for(json.loads(schema_text()))
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert validator.is_valid(shipped)
    assert not validator.is_valid({**shipped, "quue": {}})


def test_config_show_hides_secrets(invoke: Invoke, tmp_path: Path) -> None:
    pytest.importorskip("agentic.digest.redaction")
    secret = "s3cr3t-Value-9"
    file = tmp_path / "c.yaml"
    file.write_text(
        f"version: 1\nredis: {{url: 'redis://user:{secret}@h:6379/0'}}\nllm: {{api_key: {secret}}}\n"
        f"notifications: [{{use: webhook, url: 'https://h/x', secret: {secret}}}]\n"
    )
    for options in ((), ("--json",)):
        done = invoke("config", "show", str(file), *options)
        assert done.exit_code == 0, done.stderr
        assert secret not in done.stdout
        assert "api_key" in done.stdout
        assert "concurrency" in done.stdout


def test_help_needs_nothing_slow() -> None:
    script = "import sys; from cli.commands import app; print([m for m in sys.modules if m in %r])"
    slow = ["httpx", "pydantic", "rich", "yaml", "agentic.types", "config"]
    done = subprocess.run([sys.executable, "-c", script % slow], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_exec_imports_only_the_standard_library() -> None:
    script = (
        "import sys\nimport cli.exec.wrapper, cli.exec.report, cli.exec.relay, cli.exec.process\n"
        "ours = {n.partition('.')[0] for n in sys.modules} - sys.stdlib_module_names\n"
        "print(sorted(n for n in ours if not n.startswith('_') and n != 'sitecustomize'))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "['cli']\n"


def test_exec_after_a_global_option_is_the_same(autoremedy: Invoke, api: Any) -> None:
    done = autoremedy("--url", api.url, "exec", "--job", "j", "--", "sh", "-c", "exit 4", env={"AUTOREMEDY_URL": ""})
    assert done.returncode == 4
    assert api.last["job_id"] == "j"
