"""Questions to a model: asked once per kind of failure, answered for all, holding nobody up."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentic.contracts import Turn
from agentic.errors import Fenced
from agentic.intake import event_to_json
from agentic.types import Event, EventStatus, Feedback
from agentic_worker.service import WorkerService
from config import load_settings
from llm import ChatClient
from store import Store
from tests.llm.scripted_server import Behaviour, Exchange, ScriptedServer, silent, streamed
from tests.servers import Server
from tests.store.test_deployments import event
from tests.worker.conftest import Report, StartWorker

PARTS = {"a": "widget", "b": "sprocket", "c": "flange"}
"""Failures that no rule knows, told apart by a word."""


def log_of(kind: str, number: int = 1, noise: int = 0) -> list[str]:
    return [
        *(f"step {n} took {n * 7} ms" for n in range(noise)),
        f"frobnicator: gizmo g-{number} refused the {PARTS[kind]} handshake",
    ]


def says(seconds: float = 0.0, **changes: Any) -> Behaviour:
    """A model that reads the last line of the log, after a while."""

    async def behave(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        asked = exchange.body["messages"][1]["content"]
        found = next(line for line in asked.splitlines() if "handshake" in line)
        number = int("".join(itertools.takewhile(str.isdigit, found.lstrip())))
        gizmo = found.partition("gizmo ")[2].partition(" ")[0]
        answer = {
            "reading": "One line tells it.",
            "evidence": [{"line": number, "quote": "refused the"}],
            "root_cause": f"The gizmo {gizmo} is not calibrated",
            "category": "config_error",
            "actions": [1],
            "confidence": 80,
            **changes,
        }
        await streamed(json.dumps(answer), usage={"prompt_tokens": 900, "completion_tokens": 90})(exchange)

    return behave


@pytest.fixture
async def model() -> AsyncIterator[ScriptedServer]:
    scripted = ScriptedServer(lists={"/v1/models": (200, {"data": [{"id": "llama-3-8b"}]})})
    await scripted.start()
    yield scripted
    await scripted.stop()


def settings(server: ScriptedServer, **more: Any) -> dict[str, Any]:
    llm = {"enabled": True, "base_url": server.url, **more}
    return {"llm": llm, "worker": {"concurrency": 2}, "jobs": [{"id": "*", "mode": "suggest"}], "notifications": []}


async def test_a_storm_of_equal_failures_asks_once_per_kind_and_holds_nobody_up(
    start_worker: StartWorker, report: Report, model: ScriptedServer, store: Store
) -> None:
    model.say(says(2.0))
    storm = [f"{kind}-{number}" for number in range(20) for kind in PARTS]
    async with start_worker(**settings(model)):
        for name in storm:
            await report(event_id=name, log=log_of(name[0], int(name[2:])), wait=False)
        known = await report(event_id="known", log=["tar: /dev/full: Cannot write: No space left on device"])
        async with asyncio.timeout(60):
            while (await store.status())["history_length"] < len(storm) + 1:
                await asyncio.sleep(0.05)
    assert known["diagnosis"]["source"].startswith("rule:")
    records = {name: await store.record(name) for name in storm}
    assert len(model.questions) == len(PARTS)
    assert model.most_in_hand == 1
    for name, record in records.items():
        assert record is not None
        assert record["diagnosis"]["source"] == "llm:llama-3-8b"
        assert record["diagnosis"]["evidence"] == [0]
        assert record["diagnosis"]["root_cause"] == f"The gizmo g-{name[2:]} is not calibrated", "told of this log"
    # Two slots and three questions of two seconds: whoever had waited in a slot would have held this up.
    answered_last = max(record["finished_at"] for record in records.values() if record)
    assert known["finished_at"] < answered_last
    asked = [record for record in records.values() if record and record["model_calls"]]
    assert len(asked) == len(PARTS)
    assert {call["model"] for record in asked for call in record["model_calls"]} == {"llama-3-8b"}
    assert (asked[0]["model_calls"][0]["prompt_tokens"], asked[0]["model_calls"][0]["completion_tokens"]) == (900, 90)
    totals = await store.totals()
    assert totals["gen_ai_tokens"]["llama-3-8b|input|sum"] == 900 * len(PARTS)
    assert sum(n for name, n in totals["gen_ai_seconds"].items() if not name.endswith("sum")) == len(PARTS)


async def test_an_answer_is_found_again_where_it_stands_in_another_log(
    start_worker: StartWorker, report: Report, model: ScriptedServer
) -> None:
    model.say(says())
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a", 1))
        second = await report(event_id="e2", job_id="other", log=log_of("a", 22, noise=5))
    assert len(model.questions) == 1
    assert second["diagnosis"]["evidence"] == [5]
    assert second["diagnosis"]["root_cause"] == "The gizmo g-22 is not calibrated"
    assert any("answered on e1" in note for note in second["notes"])
    assert second["model_calls"] == []


@pytest.mark.parametrize("said", [{"verdict": "wrong"}, {"verdict": "partly"}])
async def test_what_people_find_wrong_is_asked_again(
    start_worker: StartWorker, report: Report, model: ScriptedServer, store: Store, said: dict[str, Any]
) -> None:
    model.say(says())
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a"))
        await store.add_feedback(Feedback(event_id="e1", user="ana", rating=1, **said))
        await report(event_id="e2", log=log_of("a"))
    assert len(model.questions) == 2


async def test_what_people_find_right_stays_answered(
    start_worker: StartWorker, report: Report, model: ScriptedServer, store: Store
) -> None:
    model.say(says())
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a"))
        await store.add_feedback(Feedback(event_id="e1", user="ana", rating=5, verdict="right"))
        await report(event_id="e2", log=log_of("a"))
    assert len(model.questions) == 1


async def test_another_model_is_asked_anew(start_worker: StartWorker, report: Report, model: ScriptedServer) -> None:
    model.say(says())
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a"))
    model.lists["/v1/models"] = (200, {"data": [{"id": "llama-3-70b"}]})
    async with start_worker(**settings(model, model="llama-3-70b")):
        await report(event_id="e2", log=log_of("a"))
    assert len(model.questions) == 2


async def test_an_answer_outlives_the_model(start_worker: StartWorker, report: Report, model: ScriptedServer) -> None:
    model.say(says())
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a"))
    await model.stop()
    async with start_worker(**settings(model)):
        record = await report(event_id="e2", log=log_of("a", 7))
    assert record["diagnosis"]["source"] == "llm:llama-3-8b"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [(says(category="unknown", actions=[], evidence=[]), "could not tell"), (streamed("I think"), "bad_output")],
)
async def test_what_the_model_cannot_answer_is_not_asked_again_at_once(
    start_worker: StartWorker, report: Report, model: ScriptedServer, behaviour: Behaviour, reason: str
) -> None:
    model.say(behaviour)
    async with start_worker(**settings(model)):
        first = await report(event_id="e1", log=log_of("a"))
        asked = len(model.questions)
        second = await report(event_id="e2", log=log_of("a"))
    assert len(model.questions) == asked
    for record in (first, second):
        assert record["diagnosis"]["category"] == "unknown"
        assert any(reason in note for note in record["notes"])
    assert first["model_calls"]
    assert not second["model_calls"]


async def test_nobody_waits_for_a_busy_model_longer_than_the_settings_say(
    start_worker: StartWorker, report: Report, model: ScriptedServer
) -> None:
    model.say(silent())
    limits = {"deadline_seconds": 6, "max_wait_seconds": 1}
    async with start_worker(**settings(model, **limits)):
        await report(event_id="hung", log=log_of("a"), wait=False)
        while not model.in_hand:
            await asyncio.sleep(0.02)
        record = await report(event_id="e2", log=log_of("b"))
        assert noted(record, "it was busy with other questions")
        hung = await report(event_id="hung", log=log_of("a"))
    assert noted(hung, "timeout")


def noted(record: dict[str, Any], words: str) -> bool:
    return any(words in note for note in record["notes"])


async def test_a_worker_stops_in_time_in_the_middle_of_a_question_without_its_store(
    tmp_path: Path, model: ScriptedServer
) -> None:
    model.say(silent())
    with Server(tmp_path) as server:
        file = tmp_path / "config.yaml"
        written = {"version": 1, "redis": {"url": server.url}, "queue": {"drain_seconds": 0.5}, **settings(model)}
        file.write_text(yaml.safe_dump(written))
        store = Store(server.url)
        service = WorkerService(load_settings(file, environ={}), store, server.url, {"PATH": "/usr/bin:/bin"})
        running = asyncio.create_task(service.run())
        fields = Event(event_id="e1", job_id="backup", status=EventStatus.FAILED, log=tuple(log_of("a")))
        async with asyncio.timeout(20):
            while not (store.server and await store.enqueue("e1", event_to_json(fields)) and model.in_hand):
                await asyncio.sleep(0.05)
        server.kill()
        service.stop()
        await asyncio.wait_for(running, 15)
        await store.close()


async def test_a_worker_that_stops_closes_its_connections_to_the_model(
    start_worker: StartWorker, report: Report, model: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[ChatClient] = []
    close = ChatClient.aclose

    async def noted_close(client: ChatClient) -> None:
        await close(client)
        closed.append(client)

    monkeypatch.setattr(ChatClient, "aclose", noted_close)
    model.say(says())
    async with start_worker(**settings(model)):
        await report(event_id="e1", log=log_of("a"))
        assert not closed
    assert len(closed) == 1


async def test_whoever_takes_the_asking_event_over_asks_in_its_place(store: Store) -> None:
    for name in ("e1", "e2"):
        await store.enqueue(name, event(name))
    [first, other] = await store.claim("w1", "n-1", 2)
    assert (await store.ask("e1", first.fence, "s", "m", "go", 60)).turn is Turn.GO
    waits = await store.ask("e2", other.fence, "s", "m", "go", 60)
    assert (waits.turn, waits.asker) == (Turn.WAIT, "e1")
    assert (await store.ask("e2", other.fence, "other", "m", "wait", 60)).turn is Turn.BUSY
    assert await store.defer("e2", other.fence, 60, watch_answer="s")
    assert await store.release("e1", first.fence)
    [again] = await store.claim("w2", "n-1", 2)
    with pytest.raises(Fenced):
        await store.ask("e1", first.fence, "s", "m", "go", 60)
    assert (await store.ask("e1", again.fence, "s", "m", "go", 60)).turn is Turn.GO
    assert not await store.answered("e1", first.fence, "s", "m", {"old": 1}, 60, {})
    assert await store.answered("e1", again.fence, "s", "m", {"new": 1}, 60, {"gen_ai_seconds|m||sum": 0.5})
    assert not await store.answered("e1", again.fence, "s", "m", {"new": 2}, 60, {"gen_ai_seconds|m||sum": 0.5})
    assert (await store.totals())["gen_ai_seconds"]["m||sum"] == 0.5, "a repeated call counts once"
    [woken] = await store.claim("w2", "n-2", 2)
    assert woken.event_id == "e2", "the answer ends its wait"
    found = await store.ask("e2", woken.fence, "s", "m", "go", 60)
    assert (found.turn, found.answer) == (Turn.ANSWERED, {"new": 1})
    assert (await store.ask("e2", woken.fence, "s", "another", "look", 60)).turn is Turn.NONE
    assert (await store.ask("e2", woken.fence, "s", "", "look", 60)).turn is Turn.ANSWERED


async def test_an_answer_that_comes_before_the_wait_for_it_is_not_missed(store: Store) -> None:
    for name in ("e1", "e2"):
        await store.enqueue(name, event(name))
    [first, other] = await store.claim("w1", "n-1", 2)
    assert (await store.ask("e1", first.fence, "s", "m", "go", 60)).turn is Turn.GO
    assert (await store.ask("e2", other.fence, "s", "m", "go", 60)).turn is Turn.WAIT
    assert await store.answered("e1", first.fence, "s", "m", None, 0, {})
    assert await store.defer("e2", other.fence, 60, watch_answer="s")
    assert [one.event_id for one in await store.claim("w1", "n-2", 2)] == ["e2"]
