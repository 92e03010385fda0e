"""`autoremedy eval` against a model server that answers, errs and dies; what is done is never done again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.commands import app
from tests.llm.scripted_server import Behaviour, Exchange, ScriptedServer, document, resets, silent, streamed

ROOT = Path(__file__).parents[3]
WORDS = ("widget", "sprocket", "flange", "gasket", "rotor", "piston", "bolt", "valve")
Eval = Callable[..., Awaitable[tuple[int, dict[str, Any], str]]]


def answers(**changes: Any) -> Behaviour:
    """A model that blames the settings for whatever a frobnicator says."""

    async def behave(exchange: Exchange) -> None:
        question = exchange.body["messages"][1]["content"]
        [line, *_] = [*map(int, re.findall(r"^(\d+)\| .*frobnicator", question, re.MULTILINE)), 0]
        answer = {
            "reading": "One line tells it.",
            "evidence": [{"line": line, "quote": "refused the"}],
            "root_cause": "It is not calibrated",
            "category": "config_error",
            "actions": [],
            "confidence": 80,
            **changes,
        }
        await streamed(json.dumps(answer), usage={"prompt_tokens": 900, "completion_tokens": 100})(exchange)

    return behave


@pytest.fixture
async def model() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer(lists={"/v1/models": (200, {"data": [{"id": "llama-3-8b"}]})})
    scripted.say(answers())
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Eight failures that no rule knows, and one that the rules do."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    cases = [
        {
            "id": word,
            "log": ["starting", f"frobnicator: unit 7 refused the {word} handshake"],
            "category": "config_error",
            "evidence": [1],
            "unacceptable_actions": ["retry"],
        }
        for word in WORDS
    ]
    known = {"id": "disk", "log": ["tar: out.tar: Cannot write: No space left on device"], "category": "disk_full"}
    (folder / "failures_own.jsonl").write_text("".join(json.dumps(one) + "\n" for one in [*cases, known]))
    return folder


@pytest.fixture
def evaluate(model: ScriptedServer, corpus: Path, tmp_path: Path) -> Eval:
    """Run `autoremedy eval` on the corpus; returns exit code, the JSON, and what was said on stderr."""
    file = tmp_path / "config.yaml"
    llm = {"enabled": False, "base_url": model.url, "deadline_seconds": 5}
    file.write_text(yaml.safe_dump({"version": 1, "llm": llm}))

    async def run(*options: str) -> tuple[int, dict[str, Any], str]:
        where = ["--corpus", str(corpus), "--out", str(tmp_path / "out.jsonl"), "--config", str(file)]
        done = await asyncio.to_thread(CliRunner().invoke, app, ["eval", *where, *options])
        answer = json.loads(done.stdout) if "--json" in options and done.stdout.strip() else {"text": done.stdout}
        return done.exit_code, answer, done.stderr

    return run


async def test_rules_model_and_both_stand_side_by_side(evaluate: Eval, model: ScriptedServer) -> None:
    code, found, _ = await evaluate("--json", "--price-per-million-tokens", "1,10")
    assert code == 0
    rules, alone, both = found["runs"]
    assert [run["mode"] for run in found["runs"]] == ["rules", "model", "both"]
    assert (rules["accuracy"]["hits"], rules["unknown"]["hits"], rules["asked"]["hits"]) == (1, 8, 0)
    assert rules["cost_per_1000"] == 0
    # The ninth log does not hold what it always quotes.
    assert (alone["accuracy"]["hits"], alone["asked"]["hits"]) == (8, 9)
    assert (alone["unusable"], alone["unknown"]["hits"]) == ({"bad_output": 1}, 1)
    assert (both["accuracy"]["hits"], both["asked"]["hits"], both["unsafe"]["hits"]) == (9, 8, 0)
    assert (both["evidence_at_1"]["hits"], both["model"], both["context_tokens"]) == (8, "llama-3-8b", None)
    assert both["prompt_tokens"] == pytest.approx(8 * 900 / 9)
    assert both["cost_per_1000"] == pytest.approx(1000 * (8 * 900 * 1 + 8 * 100 * 10) / 9 / 1_000_000)


async def test_a_second_run_asks_nothing_again_and_another_model_everything(
    evaluate: Eval, model: ScriptedServer, tmp_path: Path
) -> None:
    _, first, _ = await evaluate("--both", "--json")
    asked = len(model.questions)
    _, second, _ = await evaluate("--both", "--json")
    assert (second, len(model.questions)) == (first, asked)
    with (tmp_path / "out.jsonl").open("a") as file:
        file.write('{"run": "cut o')
    _, third, said = await evaluate("--both", "--json")
    assert (third, len(model.questions)) == (first, asked)
    assert "1 lines" in said
    model.lists["/v1/models"] = (200, {"data": [{"id": "llama-3-70b"}]})
    _, other, _ = await evaluate("--both", "--json")
    assert other["runs"][0]["run"] != first["runs"][0]["run"]
    assert len(model.questions) == 2 * asked


async def test_a_changed_case_is_put_again(evaluate: Eval, model: ScriptedServer, corpus: Path) -> None:
    await evaluate("--both")
    asked = len(model.questions)
    file = corpus / "failures_own.jsonl"
    file.write_text(file.read_text().replace("unit 7 refused the rotor", "unit 8 refused the rotor"))
    await evaluate("--both")
    assert len(model.questions) == asked + 1


async def test_a_server_that_dies_in_the_middle_is_told_and_the_rest_asked_later(
    evaluate: Eval, model: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.say(answers(), answers(), resets('{"rea'))
    code, found, said = await evaluate("--model-only", "--json")
    assert code == 1
    [run] = found["runs"]
    assert (run["cases"], run["errors"]) == (2, {"unavailable": 3})
    assert run["accuracy"] == {"value": 1.0, "hits": 2, "of": 2, "interval_95": run["accuracy"]["interval_95"]}
    assert "stopped after three errors in a row (unavailable): Look at the server's own log" in said
    assert "3 of 9 cases ended with an error of the server and 4 were not put" in said
    model.say(answers())
    before = len(model.questions)
    code, found, said = await evaluate("--model-only", "--json")
    assert (code, found["runs"][0]["cases"], found["runs"][0]["errors"]) == (0, 9, {})
    assert len(model.questions) - before <= 7 + 1, "what was answered is not asked again"


async def test_answers_that_cannot_be_used_count_against_the_model(evaluate: Eval, model: ScriptedServer) -> None:
    model.say(answers(category="whatever"))
    code, found, _ = await evaluate("--both", "--json")
    [run] = found["runs"]
    assert (code, run["cases"], run["unusable"]) == (0, 9, {"bad_output": 8})
    assert (run["accuracy"]["hits"], run["unknown"]["hits"]) == (1, 8)


async def test_without_a_server_only_the_rules_are_measured_and_that_is_said(
    evaluate: Eval, model: ScriptedServer
) -> None:
    await model.stop()
    code, found, said = await evaluate("--json")
    assert (code, [run["mode"] for run in found["runs"]]) == (1, ["rules"])
    assert "model: the model cannot be asked: unreachable" in said
    assert (await evaluate("--rules-only"))[0] == 0


async def test_the_table_says_each_figure_on_a_line(evaluate: Eval, model: ScriptedServer) -> None:
    code, found, _ = await evaluate("--limit", "3")
    text = found["text"]
    assert code == 0
    assert re.search(r"3 cases +rules +model +both", text)
    for name in ("category right", "macro F1", "evidence hit@3", "unsafe actions", "needless unknowns", "cost"):
        assert re.search(rf"^{re.escape(name)}", text, re.MULTILINE), name
    assert "both: llama-3-8b on openai-compatible" in text


async def test_an_overflow_is_the_models_fault_and_a_wrong_key_is_not(evaluate: Eval, model: ScriptedServer) -> None:
    model.say(document({"error": "Context size has been exceeded."}, 400))
    _, found, _ = await evaluate("--both", "--json")
    assert found["runs"][0]["unusable"] == {"context_overflow": 8}
    model.say(document({"error": {"code": "invalid_api_key", "message": "A token is required"}}, 401))
    code, found, said = await evaluate("--model-only", "--json")
    assert (code, found["runs"][0]["errors"]) == (1, {"auth": 3})
    assert "llm.api_key" in said


async def test_what_cannot_be_measured_ends_with_2(evaluate: Eval, corpus: Path) -> None:
    for options in (["--price-per-million-tokens", "cheap"], ["--price-per-million-tokens", "-1,1"], ["--limit", "0"]):
        assert (await evaluate(*options))[0] == 2
    (corpus / "failures_own.jsonl").write_text("{")
    code, _, said = await evaluate()
    assert code == 2
    assert "failures_own.jsonl:1: not JSON" in said


async def test_the_shipped_examples_serve_where_no_folder_is_named(tmp_path: Path) -> None:
    options = ["--rules-only", "--limit", "40", "--json", "--out", str(tmp_path / "out.jsonl")]
    done = await asyncio.to_thread(CliRunner().invoke, app, ["eval", *options])
    [run] = json.loads(done.stdout)["runs"]
    assert (done.exit_code, run["cases"]) == (0, 40)
    assert run["accuracy"]["value"] > 0.8


async def test_a_run_that_is_interrupted_goes_on_where_it_stopped(
    evaluate: Eval, model: ScriptedServer, corpus: Path, tmp_path: Path
) -> None:
    await evaluate("--rules-only")  # writes the configuration
    model.say(answers(), answers(), silent())
    where = ["--corpus", str(corpus), "--out", str(tmp_path / "out.jsonl"), "--config", str(tmp_path / "config.yaml")]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "cli", "eval", "--model-only", *where]
    running = await asyncio.create_subprocess_exec(*argv, env=environ, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        while len(model.questions) < 3:
            await asyncio.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = await running.communicate()
    assert running.returncode == 130
    assert b"the same command goes on from there" in said
    model.say(answers())
    code, found, _ = await evaluate("--model-only", "--json")
    assert (code, found["runs"][0]["cases"]) == (0, 9)
    assert len(model.questions) == 3 + 7 + 1, "two were answered before, and one is asked twice as it answers wrong"
