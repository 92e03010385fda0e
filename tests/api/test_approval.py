"""Allowing and forbidding plans over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

PLAN = "5f" * 32
APPROVE = {"plan_hash": PLAN, "user": "dana"}


@pytest.fixture
async def waiting(memory_client: Any, memory: Any, report: Any) -> str:
    """An event that waits with a plan."""
    await memory_client.post("/event", json=report(event_id="e1"))
    memory.store.waiting["e1"] = PLAN
    return "/incidents/e1"


async def test_a_plan_is_approved_as_it_was_shown_and_saying_it_twice_changes_nothing(
    memory_client: Any, waiting: str
) -> None:
    for _ in range(2):
        answer = await memory_client.post(f"{waiting}/approve", json=APPROVE)
        assert (answer.status_code, answer.json()["status"]) == (200, "approved")
        assert answer.json()["links"]["incident"] == waiting


async def test_a_plan_that_changed_since_is_not_approved(memory_client: Any, memory: Any, waiting: str) -> None:
    memory.store.waiting["e1"] = "a0" * 32
    answer = await memory_client.post(f"{waiting}/approve", json=APPROVE)
    assert answer.status_code == 409
    assert "changed" in answer.json()["detail"]
    assert memory.store.words == {}


async def test_whoever_comes_second_hears_who_was_first(memory_client: Any, waiting: str) -> None:
    await memory_client.post(f"{waiting}/reject", json={"user": "ana", "reason": "not tonight"})
    answer = await memory_client.post(f"{waiting}/approve", json=APPROVE)
    assert answer.status_code == 409
    assert "rejected by ana" in answer.json()["detail"]


async def test_nothing_is_approved_during_a_pause_but_may_be_rejected(
    memory_client: Any, memory: Any, waiting: str
) -> None:
    await memory_client.post("/pause", json={"user": "ben"})
    answer = await memory_client.post(f"{waiting}/approve", json=APPROVE)
    assert answer.status_code == 409
    assert "paused by ben" in answer.json()["detail"]
    assert (await memory_client.post(f"{waiting}/reject", json={"user": "ana"})).status_code == 200


@pytest.mark.parametrize("verdict", ["approve", "reject"])
async def test_what_does_not_wait_cannot_be_decided(memory_client: Any, report: Any, verdict: str) -> None:
    await memory_client.post("/event", json=report(event_id="e2"))
    body = APPROVE if verdict == "approve" else {"user": "dana"}
    assert (await memory_client.post(f"/incidents/e2/{verdict}", json=body)).status_code == 409
    assert (await memory_client.post(f"/incidents/nobody/{verdict}", json=body)).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"user": "dana"}, "/plan_hash"),
        ({**APPROVE, "plan_hash": "5F" * 32}, "/plan_hash"),
        ({**APPROVE, "plan_hash": "*"}, "/plan_hash"),
        ({**APPROVE, "user": " "}, "/user"),
        ({**APPROVE, "user": "d\u202ea"}, "/user"),
        ({**APPROVE, "force": True}, "/force"),
        ({"plan_hash": PLAN}, "/user"),
    ],
)
async def test_a_forged_or_half_approval_names_the_field_that_is_wrong(
    memory_client: Any, memory: Any, waiting: str, body: dict[str, Any], pointer: str
) -> None:
    answer = await memory_client.post(f"{waiting}/approve", json=body)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert memory.store.words == {}


async def test_a_page_of_another_site_approves_nothing(memory_client: Any, memory: Any, waiting: str) -> None:
    headers = {"origin": "https://evil.example"}
    assert (await memory_client.post(f"{waiting}/approve", json=APPROVE, headers=headers)).status_code == 403
    text = {"content-type": "text/plain"}
    assert (await memory_client.post(f"{waiting}/approve", content=b"{}", headers=text)).status_code == 415
    assert memory.store.words == {}
