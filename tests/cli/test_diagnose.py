"""`autoremedy diagnose`: a log in, cause and proof out, with no server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agentic.types import ActionKind, Category
from cli.commands import app

pytest.importorskip("agentic.reasoning.rules")
pytest.importorskip("agentic.digest.redaction")

Invoke = Callable[..., Any]
LOG = """starting
copying 3 files
tar: /backup/out.tar: Cannot write: No space left on device
tar: Error is not recoverable: exiting now
"""


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUTOREMEDY_CONFIG", raising=False)
    return lambda *arguments, **options: CliRunner().invoke(app, ["diagnose", *arguments], **options)


def test_a_log_is_diagnosed_for_people(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(LOG)
    done = invoke("log", "--exit-code", "2")
    assert done.exit_code == 0, done.output
    assert "disk_full" in done.stdout
    assert "> 2  tar: /backup/out.tar: Cannot write: No space left on device" in done.stdout
    assert "free_disk_space" in done.stdout
    assert "for a person" in done.stdout


def test_a_log_from_stdin_is_diagnosed_for_programs(invoke: Invoke) -> None:
    done = invoke("-", "--json", input=LOG)
    answer = json.loads(done.stdout)
    assert answer["category"] == "disk_full"
    assert answer["evidence"][0] == 2
    assert answer["actions"][0] == "free_disk_space"
    assert 0 < answer["confidence"] <= 100
    assert answer["redacted"] == LOG.splitlines()


def test_what_no_rule_knows_is_called_unknown(invoke: Invoke) -> None:
    answer = json.loads(invoke("-", "--json", input="the frobnicator wobbled\n").stdout)
    assert (answer["category"], answer["confidence"]) == ("unknown", 0)
    assert answer["actions"] == ["escalate_to_human"]


def test_a_batch_is_answered_line_by_line(invoke: Invoke, tmp_path: Path) -> None:
    token = "ghp_" + "a1B2" * 9
    cases = [
        {"id": "one", "job": {"name": "backup", "command": "tar", "exit_code": 2}, "log": LOG.splitlines()},
        {
            "id": 2,
            "job": {"name": "x", "command": None, "exit_code": None},
            "log": [f"token {token}", "\u2028", ""],
        },
        {"id": "empty", "job": {}, "log": []},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(case) for case in cases) + "\n\nnonsense\n")
    done = invoke("--batch", "in.jsonl", "--out", "out.jsonl")
    assert done.exit_code == 1
    assert "in.jsonl:5" in done.stderr
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [answer["id"] for answer in answers] == ["one", 2, "empty", None]
    assert answers.pop()["line"] == 5
    for case, answer in zip(cases, answers, strict=True):
        assert set(answer) >= {"category", "evidence", "actions", "confidence", "root_cause", "redacted"}
        assert answer["category"] in list(Category)
        assert set(answer["actions"]) <= set(ActionKind)
        assert len(answer["redacted"]) == len(case["log"])  # type: ignore[arg-type]
    assert token not in (tmp_path / "out.jsonl").read_text()


@pytest.mark.parametrize(
    "bad",
    ["nonsense", "[]", "3", '{"id": "x", "log": 5}', '{"id": "x", "job": "backup"}', "[" * 5000, '{"id": "\\ud800"}'],
)
def test_a_line_that_is_no_case_does_not_stop_the_others(invoke: Invoke, tmp_path: Path, bad: str) -> None:
    good = json.dumps({"id": "good", "job": {}, "log": LOG.splitlines()})
    (tmp_path / "in.jsonl").write_text(f"{good}\n{bad}\n{good}\n")
    done = invoke("--batch", "in.jsonl", "--out", "out.jsonl")
    first, wrong, last = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert first == last
    assert first["category"] == "disk_full"
    if "error" in wrong:
        assert done.exit_code == 1
        assert wrong["error"]
        assert wrong["line"] == 2
        assert wrong["id"] == ("x" if '"x"' in bad else None)
        assert done.stderr.splitlines()[-1].startswith("autoremedy: 1 of 3 cases could not be diagnosed")
    else:
        assert "ud800" in bad


def test_a_log_that_is_piped_in_needs_no_argument(invoke: Invoke) -> None:
    assert json.loads(invoke("--json", input=LOG).stdout)["category"] == "disk_full"


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_log_is_called_so(invoke: Invoke, tmp_path: Path, text: str) -> None:
    (tmp_path / "log").write_text(text)
    assert "log is empty: no log to read; nothing to go by" in invoke("log").stderr
    done = invoke("--exit-code", "137", input=text)
    assert "stdin is empty: no log to read; exit code and command to go by" in done.stderr
    assert done.exit_code == 0


def test_the_playbooks_of_the_configuration_are_used(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "version: 1\nplaybooks: {disk_full: [notify]}\njobs: [{id: special, playbooks: {disk_full: [no_op]}}]\n"
    )
    assert json.loads(invoke("-", "--json", input=LOG).stdout)["actions"] == ["notify"]
    assert json.loads(invoke("-", "--json", "--job", "special", input=LOG).stdout)["actions"] == ["no_op"]


def test_a_wrong_configuration_is_exit_code_78(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("version: 2\n")
    done = invoke("-", input=LOG)
    assert (done.exit_code, done.stdout) == (78, "")


def test_a_missing_log_is_wrong_usage(invoke: Invoke) -> None:
    assert invoke("no-such-file").exit_code == 2
    assert invoke("--batch", "no-such-file", "--out", "x").exit_code == 2


@pytest.mark.parametrize("by", ["file", "pipe"])
def test_of_a_large_log_the_lines_that_matter_are_shown_with_their_numbers(
    invoke: Invoke, tmp_path: Path, by: str
) -> None:
    lines = [f"INFO step {number} went on as planned" for number in range(60_000)]
    lines[31_234] = "tar: /backup/out.tar: Cannot write: No space left on device"
    (tmp_path / "log").write_text("\n".join(lines) + "\n")
    source = {"file": ("log", b""), "pipe": ("-", (tmp_path / "log").read_bytes())}[by]
    answer = json.loads(invoke(source[0], "--json", input=source[1]).stdout)
    assert answer["category"] == "disk_full"
    assert answer["evidence"] == [31_234]
    assert answer["total_lines"] == 60_000
    shown = dict(zip(answer["line_numbers"], answer["redacted"], strict=True))
    assert shown[31_234] == lines[31_234]
    assert shown[0] == lines[0] and shown[59_999] == lines[59_999]
    assert len(shown) < 20_000
    assert f"> 31234  {lines[31_234]}" in invoke(source[0], input=source[1]).stdout


def test_a_log_of_windows_is_read(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(LOG.replace("\n", "\r\n").encode("utf-16"))
    assert json.loads(invoke("log", "--json").stdout)["redacted"] == LOG.splitlines()
