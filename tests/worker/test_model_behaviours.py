"""Everything a model server may do, before a whole worker: the event ends in time, with its reason, unharmed."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llm import Kind
from llm.breaker import SERVER_IS_ILL
from store import Store
from tests.llm.scripted_server import (
    Behaviour,
    Exchange,
    ScriptedServer,
    chunk,
    document,
    drips,
    endless,
    error_event,
    raw,
    refused,
    streamed,
    whole,
)
from tests.llm.test_client import USELESS
from tests.worker.conftest import Report, StartWorker

DEADLINE_SECONDS = 1.5
MENU = re.compile(r"^(\d+)\. (\w+)", re.MULTILINE)


def form(question: str, **changes: Any) -> dict[str, Any]:
    """A good answer to the question, with changes."""
    line = int(re.findall(r"^(\d+)\| .*handshake", question, re.MULTILINE)[0])
    menu = {name: int(number) for number, name in MENU.findall(question)}
    good = {
        "reading": "One line tells it.",
        "evidence": [{"line": line, "quote": "refused the"}],
        "root_cause": "The gizmo is not calibrated",
        "category": "config_error",
        "actions": [menu["tidy"]],
        "confidence": 95,
    }
    return {**good, **{name: value(menu) if callable(value) else value for name, value in changes.items()}}


def dressed(dress: str, **more: Any) -> Behaviour:
    """A good answer, said in some way."""

    async def behave(exchange: Exchange) -> None:
        text = json.dumps(form(exchange.body["messages"][1]["content"]))
        await streamed(dress.replace("{}", text), **more)(exchange)

    return behave


def says(**changes: Any) -> Behaviour:
    """An answer that is not true, or not allowed."""

    async def behave(exchange: Exchange) -> None:
        await streamed(json.dumps(form(exchange.body["messages"][1]["content"], **changes)))(exchange)

    return behave


def empty_overflow() -> Behaviour:
    """The fifth face of an overflow: nothing at all, with status 200 and all tokens used."""
    choice = {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "length"}
    return document({"choices": [choice], "usage": {"prompt_tokens": 4096, "completion_tokens": 0}})


def huge_answer() -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.head(content_type="text/event-stream")
        await exchange.event(chunk("x" * 900_000))

    return behave


BEYOND_THE_CLIENT: dict[str, tuple[Behaviour, Kind]] = {
    "string error": (refused("'response_format.type' went wrong"), Kind.SCHEMA_UNSUPPORTED),
    "object error": (refused("boom", 422, as_object=True, type="x"), Kind.REJECTED),
    "200 with an error body": (document({"error": {"message": "engine died", "code": 500}}), Kind.UNAVAILABLE),
    "overflow, empty with 200": (empty_overflow(), Kind.EMPTY),
    "overflow, event in the stream": (
        error_event({"message": "Context size has been exceeded."}),
        Kind.CONTEXT_OVERFLOW,
    ),
    "a line that was not shown": (says(evidence=[{"line": 99, "quote": "refused the"}]), Kind.BAD_OUTPUT),
    "a made-up quote": (says(evidence=[{"line": 0, "quote": "No space left on device"}]), Kind.BAD_OUTPUT),
    "an action that is not there": (says(actions=[99]), Kind.BAD_OUTPUT),
    "an action in words": (says(actions=["rm -rf /"], command="rm -rf /"), Kind.BAD_OUTPUT),
    "an answer of a megabyte": (huge_answer(), Kind.BAD_OUTPUT),
    "one byte a second": (drips(1.0), Kind.TIMEOUT),
    "words without end": (endless("la ", pause_seconds=0.05), Kind.TIMEOUT),
    "compressed": (
        raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n\x1f\x8b"),
        Kind.REJECTED,
    ),
}
FAULTS: dict[str, tuple[Behaviour, Kind]] = {
    **{name: (behaviour, kind) for name, (behaviour, kind, _) in USELESS.items()},
    **BEYOND_THE_CLIENT,
}
READABLE = {
    "as it should be": dressed("{}"),
    "fence": dressed("```json\n{}\n```"),
    "thoughts": dressed("<think>Is it {}?</think>{}"),
    "prose": dressed("Here you are: {} Good luck!"),
    "thoughts in their own field": dressed("{}", thoughts="hm"),
    "in one piece": None,
}
ROUND = [letter * 3 + other for letter, other in itertools.product("bcdfghjklmnpqrstvwz", "aeiou")]


def batches() -> list[list[str]]:
    """Put faults of one kind together, so that few workers are needed; an ill server is left alone after three."""
    found = []
    for kind in Kind:
        names = [name for name, (_, one) in FAULTS.items() if one is kind]
        size = 2 if kind in SERVER_IS_ILL else 1 if kind is Kind.SCHEMA_UNSUPPORTED else len(names) or 1
        found += [names[start : start + size] for start in range(0, len(names), size)]
    return found


@pytest.fixture
async def model() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer(lists={"/v1/models": (200, {"data": [{"id": "llama-3-8b"}]})})
    await scripted.start()
    yield scripted
    await scripted.stop()


def settings(model: ScriptedServer, folder: Path) -> dict[str, Any]:
    """A job that may act by itself, with one safe and one risky action that leave a trace."""

    def action(name: str, risk: str) -> dict[str, Any]:
        program = folder / f"{name}.sh"
        program.write_text(f"#!/bin/sh\necho $1 >> {folder / name}\n")
        program.chmod(0o755)
        call = {"effector": "command", "argv": [str(program), "{event_id}"]}
        return {"kind": "free_disk_space", "risk": risk, "idempotent": True, **call}

    return {
        "llm": {"enabled": True, "base_url": model.url, "deadline_seconds": DEADLINE_SECONDS},
        "jobs": [{"id": "*", "mode": "auto"}],
        "actions": {"tidy": action("tidy", "safe"), "drop": action("drop", "risky")},
    }


def log_of(word: str) -> list[str]:
    return ["starting", f"frobnicator: unit refused the {word} handshake"]


@pytest.mark.parametrize("names", batches(), ids=lambda names: names[0])
async def test_whatever_the_server_does_the_event_ends_with_its_reason_and_nothing_is_done(
    start_worker: StartWorker, report: Report, model: ScriptedServer, tmp_path: Path, names: list[str]
) -> None:
    async with start_worker(**settings(model, tmp_path)):
        for word, name in zip(ROUND, names, strict=False):
            behaviour, kind = FAULTS[name]
            model.say(behaviour)
            started = time.monotonic()
            record = await report(event_id=f"e-{word}", log=log_of(word), timeout_seconds=30)
            assert time.monotonic() - started < 3 * DEADLINE_SECONDS + 5, name
            notes = [note for note in record["notes"] if note.startswith("llm: the model was not used: ")]
            assert [note.split(": ")[2] for note in notes] == [kind.value], (name, record["notes"])
            assert record["model_calls"][-1]["error"] == kind.value, name
            assert record["diagnosis"]["category"] == "unknown", name
            assert record["status"] == "escalated", name
            assert [step["kind"] for step in record["actions"]] == ["escalate_to_human"], name
    assert not (tmp_path / "tidy").exists()
    assert not (tmp_path / "drop").exists()


async def test_every_behaviour_is_put_before_a_worker() -> None:
    assert sorted(itertools.chain.from_iterable(batches())) == sorted(FAULTS)
    assert len(FAULTS) > 70
    assert {kind for _, kind in FAULTS.values()} == {*Kind} - {Kind.UNREACHABLE}


async def test_a_good_answer_in_any_dress_is_used_and_only_what_is_safe_is_done(
    start_worker: StartWorker, report: Report, model: ScriptedServer, tmp_path: Path
) -> None:
    async def in_one_piece(exchange: Exchange) -> None:
        await whole(json.dumps(form(exchange.body["messages"][1]["content"])))(exchange)

    greedy = says(actions=lambda menu: [menu["tidy"], menu["drop"]])
    ways = {**{name: way or in_one_piece for name, way in READABLE.items()}, "greedy": greedy}
    async with start_worker(**settings(model, tmp_path), policy={"max_actions_per_job_per_hour": 99}):
        for word, way in zip(ROUND, ways.values(), strict=False):
            model.say(way)
            record = await report(event_id=f"e-{word}", log=log_of(word), timeout_seconds=30)
            assert record["diagnosis"]["source"] == "llm:llama-3-8b"
            assert record["actions"][0]["decision"] == "auto"
    assert (tmp_path / "tidy").read_text().split() == [f"e-{word}" for word in ROUND[: len(ways)]]
    assert not (tmp_path / "drop").exists(), "a risky one waits for a person"


async def test_a_server_that_is_ill_is_left_alone_and_the_events_end_without_it(
    start_worker: StartWorker, report: Report, model: ScriptedServer, store: Store, tmp_path: Path
) -> None:
    model.say(refused("boom", 500))
    async with start_worker(**settings(model, tmp_path)):
        for word in ROUND[:3]:
            await report(event_id=f"e-{word}", log=log_of(word))
        asked = len(model.questions)
        record = await report(event_id="after", log=log_of(ROUND[4]))
        assert any("left alone" in note for note in record["notes"])
        assert (len(model.questions), record["model_calls"]) == (asked, [])
        port = model.port
        await model.stop()
        gone = await report(event_id="gone", log=log_of(ROUND[5]))
        await asyncio.sleep(0)
        await model.start(port)
    assert record["status"] == gone["status"] == "escalated"


async def test_nobody_there_is_unreachable(
    start_worker: StartWorker, report: Report, model: ScriptedServer, tmp_path: Path
) -> None:
    await model.stop()
    async with start_worker(**settings(model, tmp_path)):
        record = await report(event_id="e1", log=log_of("b"))
    assert record["model_calls"][-1]["error"] == "unreachable"
    assert record["status"] == "escalated"
