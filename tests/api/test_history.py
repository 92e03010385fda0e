"""History, feedback, incidents, jobs and dead letters out of the service."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from agentic.digest import Redactor
from agentic.intake import parse_json
from agentic.types import Category
from api.routes.dead import shown
from api.words import shortened


@pytest.fixture
def handled(client: Any, backend: Any, report: Any) -> Any:
    """Report an event and let a worker handle it."""

    async def handle(event_id: str, status: str = "suggested", category: str | None = None, **fields: Any) -> None:
        answer = await client.post("/event", json=report(event_id=event_id, **fields))
        assert answer.status_code == 202
        await backend.settle(event_id, status, category)

    return handle


async def ids(client: Any, query: str = "") -> list[str]:
    answer = await client.get(f"/history{query}")
    assert answer.status_code == 200, answer.text
    return [record["event_id"] for record in answer.json()["records"]]


async def test_history_is_newest_first_and_can_be_turned(client: Any, handled: Any) -> None:
    for name in ("a", "b", "c"):
        await handled(name)
    assert await ids(client) == ["c", "b", "a"]
    assert await ids(client, "?order=asc") == ["a", "b", "c"]


async def test_an_empty_history_is_an_empty_page(client: Any) -> None:
    assert (await client.get("/history")).json() == {"records": [], "next_cursor": None}


async def test_pages_neither_skip_nor_repeat_while_records_are_added(client: Any, handled: Any) -> None:
    for number in range(7):
        await handled(f"e{number}")
    seen: list[str] = []
    cursor, added = None, 0
    while True:
        page = (await client.get("/history", params={"limit": 3, **({"cursor": cursor} if cursor else {})})).json()
        seen += [record["event_id"] for record in page["records"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        await handled(f"late{added}")
        added += 1
    assert seen == ["e6", "e5", "e4", "e3", "e2", "e1", "e0"]
    assert added == 2


async def test_history_is_filtered(client: Any, handled: Any) -> None:
    await handled("a", "resolved", "disk_full", job_id="backup")
    await handled("b", "escalated", "auth_failure", job_id="backup")
    await handled("c", "resolved", "auth_failure", job_id="etl")
    assert await ids(client, "?job_id=backup") == ["b", "a"]
    assert await ids(client, "?status=resolved") == ["c", "a"]
    assert await ids(client, "?category=auth_failure") == ["c", "b"]
    assert await ids(client, "?category=auth_failure&status=resolved&job_id=etl") == ["c"]
    assert await ids(client, "?job_id=etl&status=escalated") == []


async def test_history_is_bounded_in_time(client: Any, handled: Any) -> None:
    await handled("a")
    now = datetime.now(UTC)
    past, future = now - timedelta(hours=1), now + timedelta(hours=1)
    assert await ids(client, f"?since={quote(past.isoformat())}&until={quote(future.isoformat())}") == ["a"]
    assert await ids(client, f"?since={past.isoformat()}") == ["a"]  # the plus sign of the offset left as it is
    assert await ids(client, f"?until={past.timestamp():.0f}") == []
    assert await ids(client, f"?since={future.strftime('%Y-%m-%dT%H:%M:%SZ')}") == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=1e1", "limit"),
        ("cursor=made-up", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=" + "x" * 600, "cursor"),
        ("status=exploded", "status"),
        ("category=bad_luck", "category"),
        ("since=yesterday", "since"),
        ("since=2026-11-22T03:00:00", "since"),
        ("until=99999999999999", "until"),
        ("order=sideways", "order"),
        ("job_id=", "job_id"),
        ("stauts=resolved", "stauts"),
        ("limit=1&limit=2", "limit"),
        ("since=2026-11-22T03:00:00Z&until=2026-11-21T03:00:00Z", "until"),
    ],
)
async def test_a_wrong_parameter_is_named(memory_client: Any, query: str, parameter: str) -> None:
    answer = await memory_client.get(f"/history?{query}")
    assert answer.status_code == 422
    assert [error["parameter"] for error in answer.json()["errors"]] == [parameter]


@pytest.mark.parametrize("path", ["/history", "/incidents", "/dead"])
async def test_a_made_up_cursor_is_refused(client: Any, path: str) -> None:
    for cursor in ("made-up", "bm9wZQ==", "AAAA", "-1", "é"):
        answer = await client.get(path, params={"cursor": cursor})
        assert answer.status_code == 422, cursor
        assert answer.json()["errors"][0]["parameter"] == "cursor"


async def test_a_parameter_with_a_typo_gets_a_hint(memory_client: Any) -> None:
    answer = await memory_client.get("/history?catgory=disk_full")
    assert "did you mean 'category'?" in answer.json()["detail"]


async def test_what_is_not_there_is_a_404(client: Any) -> None:
    for path in ("/history/nope", "/incidents/nope", "/jobs/nope", "/history/%00", "/jobs/a%2Fb"):
        answer = await client.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["type"] == "urn:autoremedy:problem:not-found"
    assert (await client.post("/dead/nope/replay")).status_code == 404


FEEDBACK = {"event_id": "e1", "user": "dana", "rating": 2, "verdict": "wrong", "correct_category": "lock_contention"}


async def test_feedback_is_shown_on_its_record(client: Any, handled: Any) -> None:
    await handled("e1", category="disk_full")
    answer = await client.post(
        "/feedback",
        json={**FEEDBACK, "correct_action": "retry_with_backoff", "evidence_lines": [0], "comment": "pw is hunter2"},
    )
    assert answer.status_code == 201
    assert answer.json()["links"]["history"] == "/history/e1"
    [note] = (await client.get("/history/e1")).json()["feedback"]
    assert (note["user"], note["rating"], note["correct_category"]) == ("dana", 2, "lock_contention")
    assert "hunter2" not in note["comment"]
    assert (await client.get("/history")).json()["records"][0]["feedback"] == [note]


async def test_feedback_on_an_unknown_event_is_a_404(client: Any) -> None:
    assert (await client.post("/feedback", json=FEEDBACK)).status_code == 404


async def test_what_does_not_show_is_taken_out_of_a_comment(memory_client: Any, memory: Any, report: Any) -> None:
    await memory_client.post("/event", json=report(event_id="e1"))
    await memory.settle("e1", category="disk_full")
    comment = "see\x1b[2J\x00 this\u202e\u2028:\r\n\tit was \x9bthe vacuum\ufeff"
    answer = await memory_client.post("/feedback", json={**FEEDBACK, "comment": comment})
    assert answer.status_code == 201
    [note] = (await memory_client.get("/history/e1")).json()["feedback"]
    assert note["comment"] == "see[2J this:\n\tit was the vacuum"
    for odd in ("\x9b31m", "a\u202eb", "a\u2028b", "a\x00"):
        assert (await memory_client.post("/feedback", json={**FEEDBACK, "user": odd})).status_code == 422


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"rating": 0}, "/rating"),
        ({"rating": 6}, "/rating"),
        ({"rating": True}, "/rating"),
        ({"rating": "5"}, "/rating"),
        ({"rating": None}, "/rating"),
        ({"user": ""}, "/user"),
        ({"user": "a\nb"}, "/user"),
        ({"event_id": "a b"}, "/event_id"),
        ({"verdict": "maybe"}, "/verdict"),
        ({"correct_category": "bad_luck"}, "/correct_category"),
        ({"correct_action": "rm -rf /"}, "/correct_action"),
        ({"evidence_lines": [0, -1]}, "/evidence_lines/1"),
        ({"evidence_lines": [0, 41]}, "/evidence_lines/1"),
        ({"evidence_lines": "0"}, "/evidence_lines"),
        ({"comment": "x" * 5000}, "/comment"),
        ({"ratign": 5}, "/ratign"),
        ({"verdict": "right"}, "/correct_category"),
    ],
)
async def test_feedback_that_makes_no_sense_is_refused(client: Any, handled: Any, change: Any, pointer: str) -> None:
    await handled("e1", category="disk_full")
    answer = await client.post("/feedback", json={**FEEDBACK, **change})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await client.get("/history/e1")).json()["feedback"] == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"rating":1,"rating":2}', b'{"event_id":"e","user":"\\ud800","rating":1}', b"\xff"]
)
async def test_feedback_that_is_not_json_is_refused(memory_client: Any, body: bytes) -> None:
    answer = await memory_client.post("/feedback", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_incidents_are_listed_while_they_are_open(client: Any, handled: Any, report: Any) -> None:
    await handled("done")
    await client.post("/event", json=report(event_id="open"))

    async def listed(query: str = "") -> list[str]:
        return [i["event_id"] for i in (await client.get(f"/incidents{query}")).json()["incidents"]]

    assert await listed() == ["open"]
    assert await listed("?state=queued") == ["open"]
    assert await listed("?state=done") == ["done"]
    assert await listed("?state=delayed") == []
    assert (await client.get("/incidents?state=lost")).status_code == 422


async def test_an_incident_tells_its_story(client: Any, handled: Any) -> None:
    await handled("e1", category="disk_full")
    incident = (await client.get("/incidents/e1")).json()
    assert incident["record"]["diagnosis"]["category"] == "disk_full"
    assert incident["timeline"][0]["what"] == "received"


async def test_jobs_are_listed_and_may_have_slashes(client: Any, handled: Any) -> None:
    await handled("a", job_id="team/etl nightly")
    assert [job["job_id"] for job in (await client.get("/jobs")).json()["jobs"]] == ["team/etl nightly"]
    for path in ("/jobs/team/etl%20nightly", "/jobs/team%2Fetl%20nightly"):
        assert (await client.get(path)).json()["job_id"] == "team/etl nightly"


async def test_a_dead_letter_is_listed_and_comes_back_once(client: Any, backend: Any) -> None:
    await backend.bury("e1", "its worker died five times")
    [letter] = (await client.get("/dead")).json()["dead"]
    assert (letter["event_id"], letter["reason"]) == ("e1", "its worker died five times")
    assert (await client.post("/dead/e1/replay")).status_code == 202
    assert (await client.get("/dead")).json()["dead"] == []
    assert (await client.post("/dead/e1/replay")).status_code == 404


SECRET = "c0rrect-Horse-9"
LETTERS: dict[str, bytes] = {
    "text": f"POST failed, password={SECRET}".encode(),
    "json": json.dumps({"status": "sleepy", "passwords": [SECRET], "log": f"PGPASSWORD={SECRET} psql"}).encode(),
    "escaped": json.dumps({"log": f"password={SECRET}"}).replace("c0rrect", "\\u00630rrect").encode(),
    "no UTF-8": b"\xff\xfe password=" + SECRET.encode(),
    "cut through": b"x" * 4086 + b" password=" + SECRET.encode() + b" " + b"y" * 9000,
    "long log": json.dumps({"status": "sleepy", "log": ["x" * 100] * 38 + [f"password={SECRET}"] * 9000}).encode(),
}


@pytest.mark.parametrize("name", LETTERS)
def test_dead_letters_show_no_secrets_and_only_the_beginning(name: str) -> None:
    raw = LETTERS[name]
    letter: dict[str, Any] = {"event_id": "e1", "reason": f"not a usable event: password={SECRET}"}
    try:
        letter["payload"] = raw.decode()
    except UnicodeDecodeError:
        letter["payload_base64"] = base64.b64encode(raw).decode()
    answer = shown(letter, Redactor())
    assert "payload_base64" not in answer
    text = json.dumps(answer)
    assert SECRET not in text and SECRET[:6] not in text
    assert "REDACTED:password" in answer["reason"]
    assert answer["payload_bytes"] == len(raw)
    assert len(answer["payload"]) <= 4096
    assert answer["payload_cut"] == (len(raw) > 4096)
    if not answer["payload_cut"]:
        assert "REDACTED:password" in answer["payload"]


async def test_what_is_hidden_in_the_list_is_still_there_for_the_replay(client: Any, backend: Any) -> None:
    payload = b'{"event_id":"e1","job_id":"j","status":"failed","details":{"note":"hunter2"}}'
    if not hasattr(backend.store, "letters"):
        await backend.store.enqueue("e1", payload)
        claimed = await backend._claim("e1")
        letter = {"event_id": "e1", "reason": "tired", "payload": claimed.payload.decode()}
        assert await backend.store.bury("e1", claimed.fence, letter)
    else:
        backend.store.letters.append({"event_id": "e1", "reason": "tired", "payload": payload.decode()})
    [letter] = (await client.get("/dead")).json()["dead"]
    assert parse_json(letter["payload"].encode())["details"] == {"note": "[REDACTED:password:0000]"}
    [kept] = (await backend.store.dead(limit=9, cursor=None)).records
    assert "hunter2" in kept["payload"]
    assert (await client.post("/dead/e1/replay")).status_code == 202


@pytest.mark.parametrize(
    ("field", "value", "near"),
    [
        ("correct_category", "disk_ful", "disk_full"),
        ("correct_category", "Lock_Contention", "lock_contention"),
        ("verdict", "rigth", "right"),
        ("correct_action", "retry_with_backof", "retry_with_backoff"),
    ],
)
async def test_a_choice_that_does_not_exist_is_answered_with_all_and_the_nearest(
    memory_client: Any, memory: Any, report: Any, field: str, value: str, near: str
) -> None:
    await memory_client.post("/event", json=report(event_id="e-1"))
    await memory.settle("e-1", category="disk_full")
    said = {"event_id": "e-1", "user": "dana", "rating": 2, field: value}
    problem = (await memory_client.post("/feedback", json=said)).json()
    [error] = problem["errors"]
    assert error["pointer"] == f"/{field}"
    assert f"{value!r}; did you mean {near!r}? there are: " in error["message"]
    known = error["message"].partition("there are: ")[2].split(", ")
    if field == "correct_category":
        assert known == list(Category)
    assert near in known
    assert error["message"] in problem["detail"]


@pytest.mark.parametrize(("query", "near"), [("category=disk_ful", "disk_full"), ("status=resolvd", "resolved")])
async def test_a_filter_that_does_not_exist_is_answered_with_the_nearest(
    memory_client: Any, query: str, near: str
) -> None:
    problem = (await memory_client.get(f"/history?{query}")).json()
    assert f"did you mean {near!r}? there are: " in problem["detail"]
    assert problem["status"] == 422


def test_a_text_is_cut_between_words() -> None:
    assert shortened("one two three", 13) == "one two three"
    assert shortened("one two three", 12) == "one two …"
    assert len(shortened("x" * 50, 20)) <= 20


async def test_precedents_of_a_signature_are_listed_newest_first(client: Any, handled: Any) -> None:
    for name in ("a", "b"):
        await handled(name, category="disk_full")
    found = (await client.get("/precedents", params={"signature": "5f0c9a1b7d3e2468", "job_id": "x"})).json()
    assert [one["event_id"] for one in found["precedents"]] == ["b", "a"]
    assert {one["category"] for one in found["precedents"]} == {"disk_full"}
    assert (await client.get("/precedents", params={"signature": "0000"})).json() == {"precedents": []}
    for wrong in ({}, {"signature": "a b"}, {"signature": "x" * 65}):
        assert (await client.get("/precedents", params=wrong)).status_code == 422
