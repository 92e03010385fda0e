"""`autoremedy doctor` on the model: what is there, what it can do, and what to do about the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.commands import app
from tests.llm.scripted_server import Behaviour, Exchange, ScriptedServer, chunk, page, refused, silent, streamed, whole

GOOD = json.dumps({"line": 17, "why": "No space left"})
LOADED = {
    "models": [{"key": "m", "type": "llm", "loaded_instances": [{"id": "m", "config": {"context_length": 8192}}]}]
}
Doctor = Callable[..., Awaitable[dict[str, str]]]


def paced(seconds: float, pause: float) -> Behaviour:
    """A good answer of ten words, the first after a while, the others a pause apart."""

    async def behave(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream")
        await asyncio.sleep(seconds)
        for start in range(0, len(GOOD), 4):
            await exchange.event(chunk(GOOD[start : start + 4]))
            await asyncio.sleep(pause)
        await exchange.event(chunk(finish="stop"))
        usage = {"prompt_tokens": 600, "completion_tokens": 10}
        await exchange.event({"model": "m", "choices": [], "usage": usage})
        await exchange.event("[DONE]")

    return behave


@pytest.fixture
async def model() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer(lists={"/v1/models": (200, {"data": [{"id": "m"}]}), "/api/v1/models": (200, LOADED)})
    scripted.say(streamed(GOOD, usage={"prompt_tokens": 600, "completion_tokens": 20}))
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest.fixture
def doctor(model: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Run the doctor with no API there; returns what it says of the model by the name of each line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    async def run(*options: str, **llm: Any) -> dict[str, str]:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump({"llm": {"base_url": model.url, **llm}}))
        arguments = ["--url", "http://127.0.0.1:1", "doctor", "--json", *options]
        done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert done.exit_code == 1, "no API answers"
        found = [one for one in json.loads(done.stdout) if one["name"] in ("model", "context", "schema", "speed")]
        return {one["name"]: " ".join((one["state"], one["detail"], one["advice"])).strip() for one in found}

    return run


async def test_a_model_that_is_well_is_described_in_four_lines(doctor: Doctor, model: ScriptedServer) -> None:
    found = await doctor()
    assert found["model"] == f"ok lm-studio at {model.url} has m."
    assert found["context"] == "ok 8192 tokens of context; 2700 are needed."
    assert found["schema"] == "ok It takes a JSON schema and kept to it."
    assert found["speed"].startswith("ok Reads ")
    [asked] = model.questions
    assert "json" not in json.dumps(asked["messages"]).lower(), "only the schema says what an answer looks like"


async def test_too_little_context_is_told_with_what_to_do(doctor: Doctor, model: ScriptedServer) -> None:
    loaded = json.loads(json.dumps(LOADED).replace("8192", "2048"))
    model.lists["/api/v1/models"] = (200, loaded)
    found = await doctor()
    assert found["context"].startswith("warning 2048 tokens of context; a question and its answer may need 2700")
    assert found["context"].endswith("lms load MODEL --context-length 8192")
    del model.lists["/api/v1/models"]
    assert "llm.context_tokens" in (await doctor())["context"]
    assert (await doctor(context_tokens=4096))["context"].startswith("ok 4096")


async def test_the_version_is_told_where_the_server_tells_it(doctor: Doctor, model: ScriptedServer) -> None:
    del model.lists["/api/v1/models"]
    model.lists["/props?autoload=false"] = (
        200,
        {"default_generation_settings": {"n_ctx": 4096}, "build_info": "b4711-abc\x1b[2J"},
    )
    assert (await doctor("--no-ask"))["model"] == f"ok llama.cpp b4711-abc [2J at {model.url} has m."


async def test_speed_is_measured_and_held_against_the_deadline(doctor: Doctor, model: ScriptedServer) -> None:
    model.say(paced(0.5, 0.05))
    found = await doctor(deadline_seconds=6)
    words = found["speed"].split()
    assert words[0] == "warning"
    assert 60 < float(words[2].replace(",", "")) <= 1250, "600 tokens in half a second and some"
    assert 0.2 < float(words[6]) < 26, "ten tokens in ten pauses and some"
    assert "more than llm.deadline_seconds (6)" in found["speed"]


async def test_a_server_without_schemas_is_told(doctor: Doctor, model: ScriptedServer) -> None:
    model.say(refused("response_format is not supported"), refused("response_format is not supported"), streamed(GOOD))
    assert (await doctor())["schema"].startswith("warning It takes no JSON schema")
    model.say(refused("failed to parse grammar"), streamed(GOOD))
    assert (await doctor())["schema"].startswith("warning It takes a JSON schema only without bounds")
    model.say(streamed("Line 17, obviously."))
    assert (await doctor())["schema"].startswith("warning It does not keep to a JSON schema")
    model.say(streamed("Line 17."), streamed(GOOD))
    assert "only at the second try" in (await doctor())["schema"]


async def test_a_slow_model_is_waited_for_only_when_asked_to(
    doctor: Doctor, model: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.model_check.BRIEF_SECONDS", 0.3)
    model.say(silent())
    found = await doctor()
    assert found["schema"].startswith("warning No answer to a small question within 0.3 s. Try --ask")
    model.say(paced(0.6, 0.0))
    assert (await doctor("--ask"))["schema"].startswith("ok")


async def test_no_question_loads_a_model_unasked(doctor: Doctor, model: ScriptedServer) -> None:
    model.lists["/api/v1/models"] = (200, {"models": [{"key": "m", "type": "llm", "loaded_instances": []}]})
    found = await doctor(model="m")
    assert "it is not loaded yet" in found["model"]
    assert "a question would load the model" in found["schema"]
    assert not model.questions
    assert (await doctor("--ask", model="m"))["schema"].startswith("ok")
    assert "no_model" in (await doctor())["model"]


async def test_what_keeps_the_model_from_being_asked_is_one_line(doctor: Doctor, model: ScriptedServer) -> None:
    assert (await doctor(enabled=False))["model"].startswith("ok Switched off")
    model.say(refused("An API token is required", 401))
    assert "llm.api_key" in (await doctor())["schema"]
    model.say(whole(GOOD))
    assert "does not stream" in (await doctor())["speed"]
    model.say(page())
    assert "not_an_llm" in (await doctor())["schema"]
    await model.stop()
    found = await doctor()
    assert set(found) == {"model"}
    assert "(unreachable). Start the model server" in found["model"]
