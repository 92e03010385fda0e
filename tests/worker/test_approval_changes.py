"""What was approved is what is run: settings that change in between, the undo that comes along, secrets in a plan."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from store import Store
from tests.worker.test_approvals import approving, record_of, waiting
from tests.worker.test_healing import DISK_FULL, backup_job, free_disk

SECRET = "tr0ub4dor-and-3"


@pytest.mark.parametrize(("mode", "status"), [("suggest", "suggested"), ("observe", "suggested")])
async def test_a_yes_counts_for_nothing_once_the_jobs_mode_forbids_acting(
    start_worker: Any, report: Any, store: Store, tmp_path: Path, mode: str, status: str
) -> None:
    actions = {"free_disk": free_disk(tmp_path)}
    async with start_worker(jobs=[approving(tmp_path)], actions=actions):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        shown = await waiting(store)
    assert (await store.decide("e1", "approved", shown["plan_hash"], "ana"))[0] == "ok"
    async with start_worker(jobs=[backup_job(tmp_path, mode=mode)], actions=actions):
        record = await record_of(store)
    assert record["status"] == status and mode in record["reason"]
    assert record["approval"]["by"] == "ana", "that somebody said yes stays known"
    assert not (tmp_path / "space").exists()


@pytest.mark.parametrize("what", ["undo's parameter", "rerun", "hidden parameter"])
async def test_a_change_of_anything_that_would_be_run_asks_anew(
    start_worker: Any, report: Any, store: Store, tmp_path: Path, what: str
) -> None:
    def settings(value: str) -> Mapping[str, Any]:
        rerun = {"effector": "command", "argv": ["/usr/bin/true"], "env": {"LEVEL": value if what == "rerun" else ""}}
        name = "token" if what == "hidden parameter" else "level"
        touch = ["/usr/bin/touch", "--", f"{{param.{name}}}"]
        undo = {"kind": "fix_config", "argv": touch, "params": {name: ".*"}} if what != "rerun" else {}
        given = {name: value} if what != "rerun" else {}
        job = approving(tmp_path, rerun=rerun, params=given, playbooks={"disk_full": ["free_disk", "again"]})
        actions = {
            "free_disk": free_disk(tmp_path, undo="take_back"),
            "take_back": free_disk(tmp_path, **{"kind": "fix_config", **undo}),
            "again": {"kind": "retry", "effector": "rerun", "risk": "safe"},
        }
        return {"jobs": [job], "actions": actions}

    async with start_worker(**settings(f"{tmp_path}/one-{SECRET}")):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        shown = await waiting(store)
    assert (await store.decide("e1", "approved", shown["plan_hash"], "ana"))[0] == "ok"
    async with start_worker(**settings(f"{tmp_path}/two-{SECRET}")):
        again = await waiting(store)
        assert again["plan_hash"] != shown["plan_hash"]
    assert not (tmp_path / "space").exists()


async def test_the_undo_that_an_approval_covers_is_shown_with_the_plan(
    start_worker: Any, report: Any, store: Store, tmp_path: Path, capfd: Any
) -> None:
    actions = {
        "free_disk": free_disk(tmp_path, undo="take_back"),
        "take_back": free_disk(tmp_path, kind="fix_config", argv=["/usr/bin/rm", "--", f"{tmp_path}/space"]),
    }
    async with start_worker(jobs=[approving(tmp_path)], actions=actions):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        incident = await waiting(store)
    told = capfd.readouterr()
    assert incident["plan"][0]["undo"] == f"/usr/bin/rm -- {tmp_path}/space"
    assert f"should it not help: /usr/bin/rm -- {tmp_path}/space" in told.out + told.err


async def test_an_undo_is_left_to_a_person_once_the_jobs_mode_forbids_acting(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    def settings(mode: str, within_seconds: float) -> Mapping[str, Any]:
        never = {"effector": "command", "argv": ["/usr/bin/false"], "within_seconds": within_seconds}
        job = approving(tmp_path, rerun=None, playbooks={"disk_full": ["free_disk"]}, verify=never)
        undo = free_disk(tmp_path, kind="fix_config", argv=["/usr/bin/rm", "--", f"{tmp_path}/space"])
        return {
            "jobs": [{**job, "mode": mode}],
            "actions": {"free_disk": free_disk(tmp_path, undo="take_back"), "take_back": undo},
        }

    async with start_worker(**settings("approve", 60)):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        await store.decide("e1", "approved", (await waiting(store))["plan_hash"], "ana")
        async with asyncio.timeout(30):
            while (incident := await store.incident("e1")) is None or incident["stage"] != "verifying":
                await asyncio.sleep(0.02)
    async with start_worker(**settings("suggest", 0.1)):
        record = await record_of(store)
    assert [(o["name"], o["status"]) for o in record["outcomes"]] == [("free_disk", "done"), ("take_back", "skipped")]
    assert (tmp_path / "space").exists()


async def test_secrets_of_the_settings_are_in_nothing_that_people_get_to_see(
    start_worker: Any, report: Any, store: Store, tmp_path: Path, capfd: Any
) -> None:
    quoted = "it's 1 secret & more"
    printing = ["/usr/bin/printf", "%s", SECRET, "--", "{param.token}"]
    job = approving(tmp_path, rerun=None, params={"token": quoted}, playbooks={"disk_full": ["free_disk", "poke"]})
    actions = {
        "free_disk": free_disk(tmp_path, argv=printing, params={"token": ".*"}, env={"DB_PASSWORD": SECRET}),
        "poke": {
            "kind": "restart_service", "effector": "http", "url": f"http://127.0.0.1:9/{SECRET}",
            "json": {"api_key": quoted, "who": "{job_id}"},
        },
    }  # fmt: skip
    async with start_worker(jobs=[job], actions=actions, http={"allowed_hosts": ["127.0.0.1"]}):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        incident = await waiting(store)
        await store.decide("e1", "approved", incident["plan_hash"], "ana")
        record = await record_of(store)
    told = capfd.readouterr()
    assert record["outcomes"][0]["status"] == "done"
    for said in (json.dumps(incident), json.dumps(record), told.out, told.err):
        assert SECRET not in said and "1 secret" not in said and "1%20secret" not in said
    assert "[REDACTED:" in record["outcomes"][0]["detail"], "nor what the command said of them"


async def test_a_success_between_the_yes_and_the_plan_spares_the_plan_and_is_told_as_it_was(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    actions = {"free_disk": free_disk(tmp_path)}
    async with start_worker(jobs=[approving(tmp_path)], actions=actions):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        shown = await waiting(store)
    assert (await store.decide("e1", "approved", shown["plan_hash"], "ana"))[0] == "ok"
    timeline = (await store.incident("e1") or {})["timeline"]
    assert "plan approved by ana" in [entry["what"] for entry in timeline]
    [claimed] = await store.claim("w", "w-1", 1)
    await store.defer("e1", claimed.fence, 60, watch_job="backup")  # the worker that took it went away
    async with start_worker(jobs=[approving(tmp_path)], actions=actions):
        await report(event_id="well", status="succeeded")
        record = await record_of(store)
    assert (record["status"], record["approval"]["verdict"]) == ("ignored", "approved")
    assert record["reason"] == "the job succeeded (event well) before the plan was carried out"
    assert not (tmp_path / "space").exists()


async def test_a_plan_that_expired_is_called_so_whoever_comes_late(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    policy = {"approve_within_seconds": 0.2}
    async with start_worker(jobs=[approving(tmp_path)], actions={"free_disk": free_disk(tmp_path)}, policy=policy):
        await report(event_id="e1", log=DISK_FULL)
    assert (await store.decide("e1", "approved", "5f" * 32, "ana"))[0] == "expired"
    assert (await store.decide("e1", "rejected", "", "ana"))[0] == "expired"


async def test_where_nobody_is_asked_in_mode_approve_the_record_says_why(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    await store.pause("ben", None)
    async with start_worker(jobs=[approving(tmp_path)], actions={"free_disk": free_disk(tmp_path)}):
        record = await report(event_id="e1", log=DISK_FULL)
    assert record["status"] == "suggested"
    assert "paused by ben" in record["reason"]


async def test_what_an_effector_of_the_operators_own_previews_is_shown_without_secrets(
    start_worker: Any, report: Any, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(
        "from agentic.contracts import Effector, EffectResult\n\n"
        "class Mine(Effector):\n"
        "    def execute(self, request):\n        return EffectResult.done('ok')\n"
        "    def preview(self, request):\n        return f'curl -u admin:{request.action.settings[\"password\"]}'\n"
    )
    mine = {"kind": "free_disk_space", "effector": "mine", "risk": "safe", "settings": {"password": SECRET}}
    job = approving(tmp_path, playbooks={"disk_full": ["mine"]})
    async with start_worker(jobs=[job], actions={"mine": mine}, effectors={"mine": {"use": "mine:Mine"}}):
        await report(event_id="e1", log=DISK_FULL, wait=False)
        incident = await waiting(store)
    assert incident["plan"][0]["preview"].startswith("curl -u ")
    assert SECRET not in json.dumps(incident)
