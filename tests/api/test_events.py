"""Events in: what is stored, what is refused, and how it is said."""

from __future__ import annotations

import gzip
import json
from typing import Any

import httpx
import pytest

JSON = {"content-type": "application/json"}


async def test_an_event_is_stored_and_the_answer_says_where_to_look(client: Any, backend: Any, report: Any) -> None:
    answer = await client.post("/event", json=report(event_id="e1"))
    assert answer.status_code == 202
    assert answer.json() == {
        "status": "submitted",
        "event_id": "e1",
        "links": {"history": "/history/e1", "incident": "/incidents/e1"},
    }
    event = await backend.queued("e1")
    assert event.log == ("No space left on device",)


async def test_the_links_of_an_answer_lead_somewhere(client: Any, backend: Any, report: Any) -> None:
    links = (await client.post("/event", json=report())).json()["links"]
    assert (await client.get(links["incident"])).json()["state"] == "queued"
    assert (await client.get(links["history"])).status_code == 404
    await backend.settle(links["history"].rpartition("/")[2])
    assert (await client.get(links["incident"])).json()["state"] == "done"
    assert (await client.get(links["history"])).status_code == 200


async def test_the_same_id_twice_is_one_event(client: Any, backend: Any, report: Any) -> None:
    await client.post("/event", json=report(event_id="e1", host="first"))
    again = await client.post("/event", json=report(event_id="e1", host="second"))
    assert (again.status_code, again.json()["status"]) == (202, "duplicate")
    assert (await backend.queued("e1")).host == "first"


async def test_secrets_never_reach_the_store(client: Any, backend: Any, report: Any) -> None:
    await client.post("/event", json=report(event_id="e1", log="PGPASSWORD=hunter2", details={"pw": "hunter2"}))
    stored = (await backend.queued("e1")).model_dump_json()
    assert "hunter2" not in stored
    assert stored.count("[REDACTED:") == 2


async def test_a_full_queue_answers_429_with_the_time_to_wait(memory_client: Any, memory: Any, report: Any) -> None:
    memory.store.room = 1
    await memory_client.post("/event", json=report())
    full = await memory_client.post("/event", json=report())
    assert full.status_code == 429
    assert full.headers["retry-after"] == "17"
    assert full.json()["type"] == "urn:autoremedy:problem:queue-full"


async def test_a_store_that_is_away_answers_503_with_the_time_to_wait(
    memory_client: Any, memory: Any, report: Any
) -> None:
    memory.store.away = True
    for answer in (
        await memory_client.post("/event", json=report()),
        await memory_client.post("/events", json=[report()]),
        await memory_client.get("/history"),
        await memory_client.get("/incidents"),
        await memory_client.get("/jobs"),
        await memory_client.get("/dead"),
        await memory_client.post("/pause"),
        await memory_client.get("/status"),
    ):
        assert answer.status_code == 503, answer.url
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        assert answer.headers["content-type"] == "application/problem+json"
        assert "connection refused" not in answer.text
    memory.store.away = False
    assert (await memory_client.post("/event", json=report())).status_code == 202


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({}, "no Content-Type"),
        ({"content-type": "text/plain"}, "text/plain"),
        ({"content-type": "application/x-www-form-urlencoded"}, "x-www-form-urlencoded"),
        ({"content-type": "application/x-ndjson"}, "application/json"),
        ({"content-type": "application/json; charset=iso-8859-1"}, "iso-8859-1"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, "Compressed"),
    ],
)
async def test_another_media_type_is_refused_with_what_to_send(memory_client: Any, headers: Any, word: str) -> None:
    body = b'{"job_id":"a","status":"failed"}'
    if "content-encoding" in headers:
        body = gzip.compress(body)
    answer = await memory_client.post("/event", content=body, headers=headers)
    assert answer.status_code == 415
    assert word in answer.json()["detail"]


@pytest.mark.parametrize(
    "media",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/cloudevents+json",
        'application/json;charset="utf-8"',
    ],
)
async def test_json_by_any_name_is_taken(memory_client: Any, report: Any, media: str) -> None:
    answer = await memory_client.post("/event", content=json.dumps(report()), headers={"content-type": media})
    assert answer.status_code == 202


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"hello",
    "half of it": b'{"job_id":',
    "NaN": b'{"job_id":"a","status":"failed","x":NaN}',
    "a number out of range": b'{"job_id":"a","status":"failed","x":1e999}',
    "half a surrogate": b'{"job_id":"a","status":"failed","log":"\\ud800"}',
    "a key twice": b'{"job_id":"a","status":"failed","status":"ok"}',
    "deep nesting": b"[" * 30_000,
    "deep nesting below": b'{"job_id":"a","status":"failed","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "bad UTF-8": b'{"job_id":"a","status":"failed","log":"\xff\xfe"}',
    "an array": b"[]",
    "null": b"null",
    "an unknown status": b'{"job_id":"a","status":"exploded"}',
    "a huge integer": b'{"job_id":' + b"9" * 4000 + b',"status":"failed"}',
    "a longer integer": b'{"job_id":' + b"9" * 9000 + b',"status":"failed"}',
    "an absurd date": b'{"job_id":"a","status":"failed","started_at":"0000-00-00T00:00:00Z"}',
    "wrong types": b'{"job_id":["a"],"status":{},"log":7,"details":"x","labels":[],"exit_code":"1"}',
    "a NUL in a name": b'{"job_id":"a\\u0000","status":"failed"}',
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_cannot_be_understood_is_a_422_that_stores_nothing(
    memory_client: Any, memory: Any, name: str
) -> None:
    answer = await memory_client.post("/event", content=HOSTILE[name], headers=JSON)
    assert answer.status_code == 422
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["errors"] and all(error["message"] and "pointer" in error for error in problem["errors"])
    assert memory.store.events == {}


async def test_every_wrong_field_is_named(memory_client: Any) -> None:
    answer = await memory_client.post("/event", content=HOSTILE["wrong types"], headers=JSON)
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/job_id", "/status", "/log", "/details", "/labels", "/exit_code"}


@pytest.mark.parametrize(
    "log",
    ["", [], "\x00\x01\x02\x7fELF", "x" * 60_000, "y" * 150_000, "\n" * 20_000, "\u202e\ufeff\u2028", ["a\nb", ""]],
)
async def test_odd_logs_are_taken(client: Any, backend: Any, log: Any) -> None:
    answer = await client.post("/event", json={"job_id": "a", "status": "failed", "event_id": "e1", "log": log})
    assert answer.status_code == 202
    assert sum(len(line) + 1 for line in (await backend.queued("e1")).log) < 17_000


async def test_a_body_that_is_too_large_is_refused_whole_or_in_pieces(memory_client: Any, memory: Any) -> None:
    async def pieces() -> Any:
        for _ in range(200):
            yield b"x" * 1000

    whole = await memory_client.post("/event", content=b"x" * 200_000, headers=JSON)
    chunked = await memory_client.post("/event", content=pieces(), headers=JSON)
    assert (whole.status_code, chunked.status_code) == (413, 413)
    assert "163840" in whole.json()["detail"]


async def test_a_body_in_pieces_is_put_together(memory_client: Any, report: Any) -> None:
    async def pieces() -> Any:
        for byte in json.dumps(report(event_id="e1")).encode():
            yield bytes([byte])

    answer = await memory_client.post("/event", content=pieces(), headers=JSON)
    assert answer.json()["event_id"] == "e1"


def test_a_ten_megabyte_body_gets_its_answer_over_a_real_socket(served: str) -> None:
    answer = httpx.post(f"{served}/event", content=b"x" * 10_000_000, headers=JSON)
    assert answer.status_code == 413
    assert httpx.get(f"{served}/healthz").status_code == 200


@pytest.mark.parametrize("media", ["application/json", "application/x-ndjson"])
async def test_many_events_at_once_are_each_answered(client: Any, backend: Any, report: Any, media: str) -> None:
    events = [report(event_id=f"e{n}") for n in range(5)]
    body = json.dumps(events) if media == "application/json" else "\n".join(map(json.dumps, events))
    answer = await client.post("/events", content=body, headers={"content-type": media})
    assert answer.status_code == 202
    assert answer.json()["submitted"] == 5
    assert [result["event_id"] for result in answer.json()["results"]] == ["e0", "e1", "e2", "e3", "e4"]
    assert (await backend.queued("e4")).job_id == "nightly-backup"


async def test_a_batch_with_bad_events_stores_the_good_ones_and_says_207(client: Any, report: Any) -> None:
    await client.post("/event", json=report(event_id="old"))
    events = [report(event_id="new"), report(status="exploded"), report(event_id="old"), 7]
    answer = await client.post("/events", json=events)
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [result["status"] for result in results] == ["submitted", "rejected", "duplicate", "rejected"]
    assert results[1]["errors"][0]["pointer"] == "/1/status"
    assert (await client.get("/incidents/new")).status_code == 200


async def test_a_batch_without_a_good_event_is_a_422(memory_client: Any, report: Any) -> None:
    answer = await memory_client.post("/events", json=[report(status="exploded"), {}])
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/0/status", "/1/job_id", "/1/status"}


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b"[" + b",".join([b"{}"] * 21) + b"]", b"[1,", b""])
async def test_a_batch_that_is_none_is_a_422(memory_client: Any, body: bytes) -> None:
    answer = await memory_client.post("/events", content=body, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_a_batch_that_finds_little_room_says_which_events_are_stored(
    memory_client: Any, memory: Any, report: Any
) -> None:
    memory.store.room = 2
    some = await memory_client.post("/events", json=[report() for _ in range(3)])
    assert some.status_code == 207
    assert some.headers["retry-after"] == "17"
    assert [result["status"] for result in some.json()["results"]] == ["submitted", "submitted", "full"]
    none = await memory_client.post("/events", json=[report() for _ in range(3)])
    assert (none.status_code, none.headers["retry-after"]) == (429, "17")
