"""A plan that a person decides: it waits, is carried out exactly once as it was shown, or not at all."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agentic.intake import event_to_json
from agentic.types import Event
from store import Store
from tests.worker.test_healing import DISK_FULL, backup_job, free_disk, script


async def waiting(store: Store, event_id: str = "e1") -> dict[str, Any]:
    """Return the incident once it waits for a person."""
    async with asyncio.timeout(30):
        while True:
            incident = await store.incident(event_id)
            if incident is not None and incident["state"] == "waiting":
                return incident
            assert incident is None or incident["record"] is None, incident
            await asyncio.sleep(0.02)


async def record_of(store: Store, event_id: str = "e1") -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            record = await store.record(event_id)
            if record is not None:
                return dict(record)
            await asyncio.sleep(0.02)


def approving(folder: Path, **more: Any) -> dict[str, Any]:
    return backup_job(folder, mode="approve", **more)


async def test_a_plan_waits_with_its_commands_and_is_carried_out_once_approved(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    async with start_worker(jobs=[approving(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        incident = await waiting(store)
        assert [step["decision"] for step in incident["plan"]] == ["ask", "ask", "auto"]
        assert str(tmp_path / "space") in incident["plan"][0]["preview"], "the exact command is shown"
        assert not (tmp_path / "space").exists()
        assert incident["expires_at"] is not None and incident["owner"] is None
        assert [line["text"] for line in incident["evidence"]] == [DISK_FULL[1]], "and why"
        assert (await store.decide("e1", "approved", incident["plan_hash"], "ana"))[0] == "ok"
        record = await record_of(store)
    assert (record["status"], record["reason"]) == ("resolved", "job succeeded on rerun")
    assert [step["decision"] for step in record["actions"]] == ["approved", "approved", "auto"]
    assert "ana" in record["actions"][0]["reason"]
    assert [o["status"] for o in record["outcomes"]] == ["done", "done", "skipped"]
    assert record["approval"]["verdict"] == "approved" and record["approval"]["by"] == "ana"
    assert record["approval"]["plan_hash"] == incident["plan_hash"]


async def test_a_rejected_plan_is_not_run_and_the_record_says_who_and_why(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    async with start_worker(jobs=[approving(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        await waiting(store)
        assert (await store.decide("e1", "rejected", "", "ben", "the disk is replaced tonight"))[0] == "ok"
        record = await record_of(store)
    assert (record["status"], record["reason"]) == ("rejected", "ben rejected the plan: the disk is replaced tonight")
    assert {o["status"] for o in record["outcomes"]} == {"skipped"}
    assert [step["name"] for step in record["actions"]] == ["free_disk", "rerun", "escalate"]
    assert not (tmp_path / "space").exists()


async def test_a_plan_nobody_answers_is_given_up_and_people_are_told(
    start_worker: Any, report: Any, tmp_path: Path
) -> None:
    policy = {"approve_within_seconds": 0.3}
    job = approving(tmp_path)
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}, policy=policy):
        record = await report(event_id="e1", log=DISK_FULL)
    assert (record["status"], record["reason"]) == ("rejected", "nobody approved the plan in time")
    assert [o["status"] for o in record["outcomes"]] == ["skipped", "skipped", "done"], "escalate tells people"
    assert not (tmp_path / "space").exists()


async def test_a_success_of_the_job_ends_the_wait_and_the_plan_is_not_needed(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    async with start_worker(jobs=[approving(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        incident = await waiting(store)
        await report(event_id="well", status="succeeded")
        record = await record_of(store)
        late = await store.decide("e1", "approved", incident["plan_hash"], "ana")
    assert (record["status"], late[0]) == ("ignored", "not_waiting")
    assert "well" in record["reason"]
    assert {o["status"] for o in record["outcomes"]} == {"skipped"}
    assert not (tmp_path / "space").exists()


async def test_a_plan_that_changes_after_its_approval_is_asked_for_anew(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    job = approving(tmp_path)
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        shown = await waiting(store)
    assert (await store.decide("e1", "approved", shown["plan_hash"], "ana"))[0] == "ok"
    other = free_disk(tmp_path, argv=["/usr/bin/touch", "--", f"{tmp_path}/elsewhere"])
    async with start_worker(jobs=[job], actions={"free_disk": other}):
        again = await waiting(store)
        assert again["plan_hash"] != shown["plan_hash"]
        assert (await store.decide("e1", "approved", shown["plan_hash"], "ana"))[0] == "changed"
        assert (await store.decide("e1", "rejected", "", "ana"))[0] == "ok"
        await record_of(store)
    assert not (tmp_path / "space").exists() and not (tmp_path / "elsewhere").exists()


async def test_fifty_approvals_at_once_run_the_plan_once(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    log = tmp_path / "runs"
    counting = script(tmp_path, "count", f"open({str(log)!r}, 'a').write('x'); open('{tmp_path}/space', 'w')")
    actions = {"free_disk": free_disk(tmp_path, argv=[counting], idempotent=False)}
    async with start_worker(jobs=[approving(tmp_path)], actions=actions):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        plan = (await waiting(store))["plan_hash"]
        said = await asyncio.gather(*(store.decide("e1", "approved", plan, f"user{n}") for n in range(50)))
        record = await record_of(store)
        replayed = await store.decide("e1", "approved", plan, "mallory")
    assert sorted(answer for answer, _ in said) == ["already"] * 49 + ["ok"]
    assert record["status"] == "resolved" and log.read_text() == "x"
    assert replayed[0] == "already"


async def test_an_approved_plan_goes_on_where_a_dead_worker_left_it(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    job = approving(tmp_path, verify={
        "effector": "command", "argv": ["/usr/bin/test", "-e", f"{tmp_path}/well"], "within_seconds": 60,
    })  # fmt: skip
    actions = {"free_disk": free_disk(tmp_path)}
    async with start_worker(jobs=[job], actions=actions):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        plan = (await waiting(store))["plan_hash"]
        await store.decide("e1", "approved", plan, "ana")
        async with asyncio.timeout(30):
            while (incident := await store.incident("e1")) is None or incident["state"] != "delayed":
                await asyncio.sleep(0.02)  # the rerun is done, and its check has not passed yet
    (tmp_path / "well").touch()
    async with start_worker(jobs=[job], actions=actions):
        record = await record_of(store)
    assert record["status"] == "resolved", "it was not asked again"
    assert [step["decision"] for step in record["actions"]][:2] == ["approved", "approved"]


async def test_in_auto_only_what_is_risky_and_proven_waits_for_a_person(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    risky = {"free_disk": free_disk(tmp_path, risk="risky")}
    async with start_worker(jobs=[backup_job(tmp_path)], actions=risky):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        plan = (await waiting(store))["plan_hash"]
        assert (await store.decide("e1", "approved", plan, "ana"))[0] == "ok"
        record = await record_of(store)
        unclear = await report(event_id="e2", log=["the flux capacitor hums a sad tune"])
    assert record["status"] == "resolved"
    assert [step["decision"] for step in record["actions"]] == ["approved", "auto", "auto"]
    assert unclear["status"] == "escalated"


async def test_an_approved_step_needs_no_budget_and_counts_in_it(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    policy = {"max_actions_per_job_per_hour": 0}
    job = approving(tmp_path)
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}, policy=policy):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        await store.decide("e1", "approved", (await waiting(store))["plan_hash"], "ana")
        record = await record_of(store)
        assert (await store.usage("backup")).job_actions == 2
    assert record["status"] == "resolved"


async def test_a_remedy_that_did_not_help_is_undone_by_the_same_approval(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    never = {"effector": "command", "argv": ["/usr/bin/false"], "within_seconds": 0.5}
    job = approving(tmp_path, rerun=None, safe_to_rerun=False, playbooks={"disk_full": ["free_disk"]}, verify=never)
    actions = {
        "free_disk": free_disk(tmp_path, undo="take_back"),
        "take_back": free_disk(tmp_path, kind="fix_config", argv=["/usr/bin/rm", "--", f"{tmp_path}/space"]),
    }
    async with start_worker(jobs=[job], actions=actions):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        await store.decide("e1", "approved", (await waiting(store))["plan_hash"], "ana")
        record = await record_of(store)
    assert [(o["name"], o["status"]) for o in record["outcomes"]] == [("free_disk", "done"), ("take_back", "done")]
    assert not (tmp_path / "space").exists()
    assert record["status"] == "suggested"


@pytest.mark.parametrize("second", [False, True], ids=["once", "after a change"])
async def test_people_are_asked_once_for_each_plan_with_the_commands_and_how_to_answer(
    start_worker: Any, report: Any, store: Store, tmp_path: Path, capfd: Any, second: bool
) -> None:
    job = approving(tmp_path)
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        plan = (await waiting(store))["plan_hash"]
    if second:
        await store.decide("e1", "approved", plan, "ana")
        changed = {"free_disk": free_disk(tmp_path, argv=["/usr/bin/touch", "--", f"{tmp_path}/elsewhere"])}
        async with start_worker(jobs=[job], actions=changed):
            await waiting(store)
    told = capfd.readouterr()
    said = told.out + told.err
    assert said.count("a plan waits for you") == 1 + second
    assert f"/usr/bin/touch -- {tmp_path}/space" in said
    assert "autoremedy approve e1" in said and "autoremedy reject e1" in said
    assert "No space left on device" in said


async def test_a_plan_is_approved_though_everybody_died_meanwhile(
    start_worker: Any, store: Store, tmp_path: Path
) -> None:
    job = approving(tmp_path)
    event = Event(event_id="e1", job_id="backup", status="failed", log=tuple(DISK_FULL))
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        await store.enqueue("e1", event_to_json(event))
        plan = (await waiting(store))["plan_hash"]
    assert (await store.decide("e1", "approved", plan, "ana"))[0] == "ok"
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        record = await record_of(store)
    assert record["status"] == "resolved"
    assert json.dumps(record).count('"approved"') >= 3


async def test_of_a_rejected_plan_not_even_the_harmless_rest_is_run(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    job = backup_job(tmp_path, playbooks={"disk_full": ["free_disk", "also", "escalate"]})
    actions = {
        "free_disk": free_disk(tmp_path, risk="risky"),
        "also": free_disk(tmp_path, kind="fix_config", argv=["/usr/bin/touch", "--", f"{tmp_path}/also"]),
    }
    async with start_worker(jobs=[job], actions=actions):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        await waiting(store)
        await store.decide("e1", "rejected", "", "ana")
        record = await record_of(store)
    assert [o["status"] for o in record["outcomes"]] == ["skipped"] * 3
    assert not (tmp_path / "also").exists()
