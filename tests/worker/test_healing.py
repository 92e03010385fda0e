"""From a report to its record: real commands, a real store, the operator's rules."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from agentic.types import Category, Feedback
from store import Store

DISK_FULL = ["copying /srv/data", "cp: error writing '/backup/2026-01-02.tar': No space left on device"]


def script(folder: Path, name: str, text: str) -> str:
    """Write a small program and return its absolute path."""
    file = folder / name
    file.write_text(f"#!{sys.executable}\n{text}\n")
    file.chmod(0o755)
    return str(file)


def backup_job(folder: Path, **more: Any) -> dict[str, Any]:
    """A job that works again once `space` exists."""
    program = script(folder, "backup", f"import pathlib, sys; sys.exit(not pathlib.Path('{folder}/space').exists())")
    return {
        "id": "backup",
        "mode": "auto",
        "safe_to_rerun": True,
        "rerun": {"effector": "command", "argv": [program]},
        **more,
    }


def free_disk(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "kind": "free_disk_space",
        "effector": "command",
        "argv": ["/usr/bin/touch", "--", f"{folder}/space"],
        "risk": "safe",
        "idempotent": True,
        **more,
    }


async def test_a_full_disk_is_cleaned_and_the_job_succeeds_on_its_rerun(
    start_worker: Any, report: Any, tmp_path: Path
) -> None:
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        record = await report(log=DISK_FULL, exit_code=1)
    assert record["status"] == "resolved"
    assert record["diagnosis"]["category"] == "disk_full"
    assert record["diagnosis"]["evidence"][0] == 1
    assert record["diagnosis"]["source"].startswith("rule:")
    assert [(o["name"], o["status"]) for o in record["outcomes"]] == [
        ("free_disk", "done"),
        ("rerun", "done"),
        ("escalate", "skipped"),
    ]
    assert record["verification"]["status"] == "verified"
    assert record["verification"]["how"] == "job succeeded on rerun"
    assert str(tmp_path / "space") in record["actions"][0]["preview"]


async def test_in_suggest_mode_the_plan_is_shown_and_nothing_is_run(
    start_worker: Any, report: Any, tmp_path: Path
) -> None:
    job = backup_job(tmp_path, mode="suggest")
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        record = await report(log=DISK_FULL)
    assert record["status"] == "suggested"
    assert [step["name"] for step in record["actions"]] == ["free_disk", "rerun", "escalate"]
    assert [o["status"] for o in record["outcomes"]] == ["skipped", "skipped", "done"]
    assert not (tmp_path / "space").exists()


async def test_in_observe_mode_nobody_is_even_told(start_worker: Any, report: Any, tmp_path: Path) -> None:
    job = backup_job(tmp_path, mode="observe")
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        record = await report(log=DISK_FULL)
    assert record["status"] == "suggested"
    assert {o["status"] for o in record["outcomes"]} == {"refused"}


async def test_a_rerun_is_left_out_when_the_remedy_before_it_failed(
    start_worker: Any, report: Any, tmp_path: Path
) -> None:
    broken = free_disk(tmp_path, argv=["/usr/bin/false"])
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": broken}):
        record = await report(log=DISK_FULL)
    assert record["status"] == "escalated"
    assert [o["status"] for o in record["outcomes"]] == ["failed", "skipped", "done"]


async def test_without_the_jobs_word_no_rerun_happens_by_itself(start_worker: Any, report: Any, tmp_path: Path) -> None:
    job = backup_job(tmp_path, safe_to_rerun=False)
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        record = await report(log=DISK_FULL)
    assert [o["status"] for o in record["outcomes"]] == ["done", "skipped", "done"]
    assert "safe_to_rerun" in record["actions"][1]["reason"]


async def test_a_check_decides_whether_the_remedy_helped(start_worker: Any, report: Any, tmp_path: Path) -> None:
    check = {"effector": "command", "argv": ["/usr/bin/test", "-e", f"{tmp_path}/well"], "within_seconds": 8}
    job = backup_job(tmp_path, verify=check)
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        waiting = asyncio.create_task(report(log=DISK_FULL))
        await asyncio.sleep(1.5)
        assert not waiting.done(), "the check has not passed yet"
        (tmp_path / "well").touch()
        record = await waiting
    assert record["status"] == "resolved"
    assert record["verification"]["how"].startswith("the check passed")
    assert record["deliveries"] == 1


async def test_a_check_that_never_passes_ends_in_a_person_being_told(
    start_worker: Any, report: Any, tmp_path: Path
) -> None:
    check = {"effector": "command", "argv": ["/usr/bin/false"], "within_seconds": 1.5}
    job = backup_job(tmp_path, verify=check)
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        record = await report(log=DISK_FULL)
    assert record["status"] == "escalated"
    assert record["verification"]["status"] == "failed"


async def test_a_remedy_that_did_not_help_is_taken_back(start_worker: Any, report: Any, tmp_path: Path) -> None:
    check = {"effector": "command", "argv": ["/usr/bin/false"], "within_seconds": 0.5}
    actions = {
        "free_disk": free_disk(tmp_path, verify=check, undo="give_back"),
        "give_back": free_disk(tmp_path, kind="fix_config", argv=["/usr/bin/rm", "--", f"{tmp_path}/space"]),
    }
    job = backup_job(tmp_path, playbooks={"disk_full": ["free_disk", "escalate"]})
    async with start_worker(jobs=[job], actions=actions):
        record = await report(log=DISK_FULL)
    assert [(o["name"], o["status"]) for o in record["outcomes"]] == [
        ("free_disk", "done"),
        ("give_back", "done"),
        ("escalate", "done"),
    ]
    assert record["status"] == "escalated"
    assert not (tmp_path / "space").exists()


async def test_a_success_reported_meanwhile_proves_the_incident_healed(
    start_worker: Any, report: Any, tmp_path: Path
) -> None:
    check = {"effector": "command", "argv": ["/usr/bin/false"], "within_seconds": 60}
    job = backup_job(tmp_path, verify=check)
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        waiting = asyncio.create_task(report(event_id="bad", log=DISK_FULL))
        await asyncio.sleep(1.0)
        good = await report(event_id="good", status="succeeded")
        record = await waiting
    assert good["status"] == "ignored"
    assert record["status"] == "resolved"
    assert "event good" in record["verification"]["how"]


async def test_a_refused_connection_is_retried_after_a_while(start_worker: Any, report: Any, tmp_path: Path) -> None:
    count = tmp_path / "count"
    flaky = script(
        tmp_path,
        "flaky",
        f"import pathlib, sys; f = pathlib.Path('{count}'); n = int(f.read_text()) if f.exists() else 0; "
        "f.write_text(str(n + 1)); sys.exit(n < 1)",
    )
    job = backup_job(tmp_path, rerun={"effector": "command", "argv": [flaky], "delay_seconds": 0.2})
    async with start_worker(jobs=[job]):
        record = await report(log=["curl: (7) Failed to connect to db port 5432: Connection refused"], exit_code=7)
    assert record["diagnosis"]["category"] == "dependency_unavailable"
    assert record["status"] == "resolved"
    assert count.read_text() == "2", "the first rerun failed, the second did it"


async def test_a_rerun_that_a_success_made_needless_is_not_said_to_be_done(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    program = script(tmp_path, "late", f"import pathlib; pathlib.Path('{tmp_path}/ran').touch()")
    job = backup_job(tmp_path, rerun={"effector": "command", "argv": [program], "delay_seconds": 50})
    refused = ["curl: (7) Failed to connect to db port 5432: Connection refused"]
    async with start_worker(jobs=[job]):
        waiting = asyncio.create_task(report(event_id="bad", log=refused, exit_code=7))
        async with asyncio.timeout(10):  # it waits in the store, where no crash forgets it
            while (status := await store.status())["delayed"] != 1 or status["in_flight"]:
                await asyncio.sleep(0.02)
        await report(event_id="good", status="succeeded")
        record = await waiting
    rerun = record["outcomes"][0]
    assert (rerun["name"], rerun["status"]) == ("wait_for_dependency_then_rerun", "skipped")
    assert "not needed: the job succeeded" in rerun["detail"]
    assert not (tmp_path / "ran").exists()
    assert (record["status"], record["verification"]["status"]) == ("resolved", "verified")


async def test_a_proposal_in_words_is_left_to_a_person(start_worker: Any, report: Any, tmp_path: Path) -> None:
    async with start_worker(jobs=[backup_job(tmp_path)]):
        record = await report(log=['psql: error: FATAL: password authentication failed for user "etl"'])
    assert record["status"] == "escalated"
    assert record["diagnosis"]["category"] == "auth_failure"
    assert (record["actions"][0]["name"], record["actions"][0]["decision"]) == ("fix_credentials", "propose")


async def test_an_unknown_failure_is_said_to_be_unknown_and_a_person_told(start_worker: Any, report: Any) -> None:
    async with start_worker():
        record = await report(log=["the flux capacitor hums a sad tune"])
    assert record["status"] == "escalated"
    assert record["diagnosis"]["category"] == "unknown"
    assert record["diagnosis"]["source"] == "none"


async def test_good_news_is_noted_and_acts_on_nothing(start_worker: Any, report: Any, tmp_path: Path) -> None:
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        record = await report(status="succeeded", log=DISK_FULL)
    assert record["status"] == "ignored"
    assert record["actions"] == []


async def test_while_paused_events_are_diagnosed_and_nothing_is_done(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    await store.pause("ana", "maintenance")
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        record = await report(log=DISK_FULL)
    assert record["diagnosis"]["category"] == "disk_full"
    assert "ana" in record["actions"][0]["reason"]
    assert not (tmp_path / "space").exists()


async def test_a_correction_decides_the_next_failure_with_the_same_signature(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        first = await report(event_id="first", log=DISK_FULL)
        assert first["diagnosis"]["category"] == "disk_full"
        note = Feedback(event_id="first", user="ana", rating=2, correct_category=Category.RESOURCE_QUOTA)
        assert await store.add_feedback(note)
        second = await report(event_id="second", log=[line.replace("2026-01-02", "2026-01-03") for line in DISK_FULL])
    assert second["digest"]["signature"] == first["digest"]["signature"]
    assert second["diagnosis"]["category"] == "resource_quota"
    assert second["diagnosis"]["source"] == "precedent:first"
    assert second["actions"][0]["name"] == "increase_resources"


async def test_an_action_judged_wrong_is_not_done_again_by_itself(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        first = await report(event_id="first", log=DISK_FULL)
        assert first["status"] == "resolved"
        await store.add_feedback(Feedback(event_id="first", user="ana", rating=1, verdict="wrong"))
        second = await report(event_id="second", log=DISK_FULL)
    assert second["actions"][0]["decision"] == "ask"
    assert "ana judged it wrong on first" in second["actions"][0]["reason"]
    assert second["outcomes"][0]["status"] == "skipped"


async def test_feedback_alone_makes_no_job_act(start_worker: Any, report: Any, store: Store, tmp_path: Path) -> None:
    log = ["the flux capacitor hums a sad tune"]
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="first", log=log)
        note = Feedback(event_id="first", user="x", rating=1, correct_category="disk_full", correct_action="free_disk")
        assert await store.add_feedback(note)
        second = await report(event_id="second", log=log)
    assert (second["diagnosis"]["category"], second["diagnosis"]["source"]) == ("disk_full", "precedent:first")
    assert [(s["name"], s["decision"]) for s in second["actions"]] == [("free_disk", "ask"), ("escalate", "auto")]
    assert "feedback" in second["actions"][0]["reason"]
    assert not (tmp_path / "space").exists()


async def test_a_correction_that_the_rules_confirm_keeps_what_may_run(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="first", log=DISK_FULL)
        note = Feedback(event_id="first", user="ana", rating=5, verdict="right", correct_category="disk_full")
        assert await store.add_feedback(note)
        (tmp_path / "space").unlink()
        second = await report(event_id="second", log=DISK_FULL)
    assert second["diagnosis"]["source"] == "precedent:first"
    assert [s["decision"] for s in second["actions"]] == ["auto", "auto", "auto"]
    assert second["status"] == "resolved"


async def test_feedback_cannot_leave_out_the_remedy_before_a_rerun(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="first", log=DISK_FULL)
        note = Feedback(event_id="first", user="x", rating=1, correct_category="disk_full", correct_action="rerun")
        assert await store.add_feedback(note)
        second = await report(event_id="second", log=DISK_FULL)
    assert [(s["name"], s["decision"]) for s in second["actions"]] == [("rerun", "ask"), ("escalate", "auto")]


@pytest.mark.parametrize("category", [Category.NOT_A_FAILURE, Category.CANCELLED_BY_OPERATOR])
@pytest.mark.parametrize("action", [None, "no_op"])
async def test_feedback_silences_no_failure(
    start_worker: Any, report: Any, store: Store, tmp_path: Path, category: Category, action: str | None
) -> None:
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="first", log=DISK_FULL)
        note = Feedback(event_id="first", user="x", rating=1, correct_category=category, correct_action=action)
        assert await store.add_feedback(note)
        (tmp_path / "space").unlink()
        second = await report(event_id="second", log=DISK_FULL)
    assert second["diagnosis"]["category"] == category
    assert second["diagnosis"]["root_cause"].startswith("x called the same failure harmless")
    assert second["diagnosis"]["root_cause"].endswith("on first")
    assert [(o["name"], o["status"]) for o in second["outcomes"]] == [("notify", "done")]
    assert not (tmp_path / "space").exists()


@pytest.mark.parametrize("plan", [["free_disk", "rerun"], ["no_op"]])
async def test_feedback_leads_to_no_plan_that_tells_nobody(
    start_worker: Any, report: Any, store: Store, tmp_path: Path, plan: list[str]
) -> None:
    job = backup_job(tmp_path, playbooks={"timeout": plan})
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="first", log=["the flux capacitor hums a sad tune"])
        await store.add_feedback(Feedback(event_id="first", user="x", rating=1, correct_category="timeout"))
        second = await report(event_id="second", log=["the flux capacitor hums a sad tune"])
    assert [step["name"] for step in second["actions"]] == [*plan, "notify"]
    assert second["outcomes"][-1]["status"] == "done"


async def test_a_judgement_of_wrong_is_not_lifted_by_feedback(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        await report(event_id="first", log=DISK_FULL)
        await store.add_feedback(Feedback(event_id="first", user="ana", rating=1, verdict="wrong"))
        await store.add_feedback(Feedback(event_id="first", user="x", rating=5, verdict="right"))
        second = await report(event_id="second", log=DISK_FULL)
    assert second["actions"][0]["decision"] == "ask"


async def test_the_run_that_a_remedy_started_is_not_healed_on_its_own(
    start_worker: Any, report: Any, tmp_path: Path
) -> None:
    slow = script(tmp_path, "slow", "import time; time.sleep(2)")
    job = backup_job(tmp_path, rerun={"effector": "command", "argv": [slow]})
    async with start_worker(jobs=[job], actions={"free_disk": free_disk(tmp_path)}):
        waiting = asyncio.create_task(report(event_id="root", log=DISK_FULL))
        await asyncio.sleep(0.8)
        child = await report(event_id="child", labels={"autoremedy.lineage": "root"}, attempt=2, log=DISK_FULL)
        record = await waiting
    assert child["status"] == "ignored"
    assert "root" in child["reason"]
    assert record["status"] == "resolved"


@pytest.mark.parametrize("count", [200])
async def test_garbage_becomes_dead_letters_while_its_neighbours_are_handled(
    start_worker: Any, report: Any, store: Store, store_url: str, prefix: str, count: int
) -> None:
    import redis.asyncio as redis

    client = redis.Redis.from_url(store_url)
    garbage = [b"nonsense %d" % n if n % 2 else b'{"event_id":"g%d","status":"sleepy"}' % n for n in range(count)]
    async with start_worker():
        await client.rpush(f"{prefix}:events", *garbage)
        record = await report(log=["fine"], event_id="good")
        async with asyncio.timeout(15):
            while (await store.status())["dead"] < count:
                await asyncio.sleep(0.05)
    assert record["event_id"] == "good"
    letters = (await store.dead(limit=count)).records
    assert all(letter["reason"] for letter in letters)
    assert any("sleepy" in letter["reason"] and "failed" in letter["reason"] for letter in letters)
    status = await store.status()
    assert (status["in_flight"], status["queue_depth"], status["history_length"]) == (0, 0, 1)
    await client.aclose()


async def test_a_label_alone_mutes_no_failure(start_worker: Any, report: Any, tmp_path: Path) -> None:
    async with start_worker(jobs=[backup_job(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        own = await report(event_id="me", labels={"autoremedy.lineage": "me"}, log=["?"])
        waiting = await report(event_id="x", wait=False)
        other = await report(event_id="y", job_id="payroll", labels={"autoremedy.lineage": "x"}, log=["?"])
    assert waiting == {}
    assert own["status"] == "escalated"
    assert other["status"] == "escalated"


async def test_a_payload_beyond_all_bounds_is_kept_as_its_head_and_stops_nobody(
    start_worker: Any, report: Any, store: Store, store_url: str, prefix: str
) -> None:
    import redis.asyncio as redis

    client = redis.Redis.from_url(store_url)
    async with start_worker(api={"max_body_bytes": 100_000}):
        await client.rpush(f"{prefix}:events", b"\0" * 5_000_000, b"a" * 3_000_000)
        record = await report(event_id="good", log=["?"])
        async with asyncio.timeout(10):
            while (await store.status())["dead"] < 2:
                await asyncio.sleep(0.05)
    assert record["event_id"] == "good"
    letters = (await store.dead()).records
    assert [letter["reason"].split()[0] for letter in letters] == ["3000000", "5000000"]
    assert all(len(str(letter)) < 20_000 for letter in letters)
    await client.aclose()


async def test_a_dead_letter_without_an_id_leaves_nothing_behind_when_it_is_replayed(
    start_worker: Any, store: Store, store_url: str, prefix: str
) -> None:
    import redis.asyncio as redis

    client = redis.Redis.from_url(store_url)
    async with start_worker():
        await client.rpush(f"{prefix}:events", b'{"job_id":"x","status":"exploded"}')
        async with asyncio.timeout(10):
            while not (letters := (await store.dead()).records):
                await asyncio.sleep(0.05)
            assert await store.replay(letters[0]["event_id"])
            while not (again := (await store.dead()).records) or again[0]["event_id"] == letters[0]["event_id"]:
                await asyncio.sleep(0.05)
    assert (await store.incidents()).records == []
    assert len((await store.dead()).records) == 1
    await client.aclose()


async def test_a_remedy_that_fails_after_an_unchecked_one_is_told_to_people(
    start_worker: Any, report: Any, tmp_path: Path
) -> None:
    playbooks = {"disk_full": ["free_disk", "poke", "escalate"]}
    actions = {
        "free_disk": free_disk(tmp_path),
        "poke": free_disk(tmp_path, kind="restart_service", argv=["/usr/bin/false"]),
    }
    async with start_worker(jobs=[backup_job(tmp_path, playbooks=playbooks)], actions=actions):
        record = await report(log=DISK_FULL)
        job = backup_job(tmp_path, playbooks={"disk_full": ["poke", "free_disk", "escalate"]})
    async with start_worker(jobs=[job], actions=actions):
        other = await report(event_id="e2", log=DISK_FULL)
    assert [o["status"] for o in record["outcomes"]] == ["done", "failed", "done"]
    assert record["status"] == "escalated" and record["reason"].startswith("poke failed")
    assert other["status"] == "remediated", "the next action of the plan took its place"
