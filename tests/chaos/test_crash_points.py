"""The crash points of docs/reliability.md, each visited once on purpose: what the worker's death, a lost
reply, a late request or a standstill leaves behind, and how the event ends all the same."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chaos.crew import crew_of
from tests.chaos.effects import EffectFault
from tests.chaos.ground import KINDS, Field, Ground
from tests.chaos.points import How, Visit, first, visit
from tests.chaos.proxy import Fault, Plan, Proxy
from tests.chaos.server import free_port
from tests.chaos.workers import ROOT

MORTAL = """\
import os, pathlib, signal
from agentic.contracts import ReasoningModule

class Mortal(ReasoningModule):
    def decide(self, situation):
        once = pathlib.Path(__file__).with_suffix(".died")
        if not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
"""
PATIENT = How(settings={"queue": {"lease_seconds": 15}})
"""For points where the worker lives on: its lease must not end because the machine is busy."""
ONCE, IDEMPOTENT, CHECKED, LATER = KINDS["once"], KINDS["idempotent"], KINDS["checked"], KINDS["later"]


async def well(ground: Ground, *args: Any, **options: Any) -> Visit:
    """Visit a crash point; every promise that holds everywhere is checked here."""
    seen = await visit(ground, *args, **options)
    assert not seen.problems, str(seen)
    assert seen.struck, f"there was no such request among {seen.requests}"
    return seen


# -- 1, 2: the HTTP service ---------------------------------------------------------------------------


@asynccontextmanager
async def api(place: Field, port: int) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """Run the HTTP service through a port of the store."""
    folder, listens = place.ground.folder / f"api-{port}", free_port()
    folder.mkdir()
    settings = {"version": 1, "redis": {"url": f"redis://127.0.0.1:{port}", "key_prefix": place.prefix}}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    command = ["-m", "uvicorn", "api.main:app", "--port", str(listens), "--app-dir", str(ROOT), "--log-level", "error"]
    with Path(folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=folder, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(20):
            while (await asyncio.to_thread(ask, listens, "GET", "/readyz"))[0] != 200:
                await asyncio.sleep(0.05)
        yield listens, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def ask(port: int, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Ask the service; status 0 when it is gone."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        content = json.dumps(body) if body else None
        connection.request(method, path, content, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("status")
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()


async def report_and_repeat(ground: Ground, plan: Plan) -> str:
    """Report to a service that dies at it, repeat at the next one; return what that one answers."""
    event = {"event_id": "e1", "job_id": "once", "status": "failed", "log": ONCE.fields["log"]}
    async with ground.field() as place:
        proxy = Proxy(ground.server.port, place.names, plan)
        await proxy.start()
        async with api(place, proxy.port) as (port, process):

            async def strike(fault: Fault) -> None:
                process.kill()
                await process.wait()

            proxy.strike = strike
            assert (await asyncio.to_thread(ask, port, "POST", "/event", event))[0] == 0
        await proxy.stop()
        assert proxy.struck.is_set()
        async with api(place, ground.server.port) as (port, _):
            status, answer = await asyncio.to_thread(ask, port, "POST", "/event", event)
            assert status == 202
        worker = await place.start_worker("w1")
        record = await place.record("e1")
        assert await worker.drain() == 0
        assert (record["status"], record["deliveries"]) == ("remediated", 1)
        assert len(await place.records()) == 1
        assert ground.effects.of("e1") == {"poke": 1}
        assert await place.left_over() == {}
        return str(answer)


async def test_point_01_the_service_dies_before_the_event_is_stored_and_the_sender_repeats(ground: Ground) -> None:
    assert await report_and_repeat(ground, first("enqueue", Fault.KILL_BEFORE)) == "submitted"


async def test_point_02_the_service_dies_after_the_event_is_stored_and_the_repeat_is_a_duplicate(
    ground: Ground,
) -> None:
    assert await report_and_repeat(ground, first("enqueue", Fault.KILL_AFTER)) == "duplicate"


# -- 3 to 6: claim and diagnosis ----------------------------------------------------------------------


async def test_point_03_a_lost_reply_to_a_claim_is_asked_for_again_and_nothing_is_delivered_twice(
    ground: Ground,
) -> None:
    seen = await well(ground, ONCE, Fault.CUT_AFTER, plan=first("claim", Fault.CUT_AFTER), how=PATIENT)
    assert (seen.status, seen.deliveries, seen.done) == ("remediated", 1, {"poke": 1})


async def test_point_04_a_worker_dies_with_its_claim_and_another_takes_over(ground: Ground) -> None:
    seen = await well(ground, ONCE, Fault.KILL_AFTER, plan=first("claim", Fault.KILL_AFTER))
    assert (seen.status, seen.worker) == ("remediated", "successor")
    assert seen.deliveries >= 2


async def test_point_05_a_dead_workers_claim_arrives_late_and_costs_only_a_lease(ground: Ground) -> None:
    how = How(hold_seconds=0.5, gap_seconds=0.7)  # the successor comes when the event is leased to nobody
    seen = await well(ground, ONCE, Fault.LATE_DEAD, plan=first("claim", Fault.LATE_DEAD), how=how)
    assert (seen.status, seen.done) == ("remediated", {"poke": 1})
    assert seen.deliveries >= 2


async def test_point_06_a_worker_dies_during_diagnosis_and_the_next_one_diagnoses_again(ground: Ground) -> None:
    (ground.folder / "mortal.py").write_text(MORTAL)
    settings: dict[str, Any] = {"reasoning": [{"use": "mortal:Mortal"}, {"use": "rules"}]}
    async with ground.field() as place:
        await place.report(ONCE, "e1")
        async with crew_of(place, 1, **settings) as crew:
            record = await place.record("e1")
        assert len(crew.exits) == 1, "one died"
        assert record["status"] == "remediated"
        assert record["deliveries"] >= 2
        assert ground.effects.of("e1") == {"poke": 1}
        assert await place.left_over() == {}


# -- 8 to 12: the intention and the effect ------------------------------------------------------------


async def test_point_08_a_lost_reply_to_an_intention_is_asked_for_again_and_acted_on_once(ground: Ground) -> None:
    seen = await well(ground, ONCE, Fault.CUT_AFTER, plan=first("begin", Fault.CUT_AFTER), how=PATIENT)
    assert (seen.status, seen.deliveries, seen.done) == ("remediated", 1, {"poke": 1})


async def test_point_09_dead_between_intention_and_act_is_unknown_and_never_acted_on(ground: Ground) -> None:
    seen = await well(ground, ONCE, Fault.KILL_AFTER, plan=first("begin", Fault.KILL_AFTER))
    assert (seen.status, seen.done) == ("unknown", {})


async def test_point_09_dead_on_the_way_to_the_target_is_unknown_and_never_acted_on(ground: Ground) -> None:
    seen = await well(ground, ONCE, EffectFault.KILL_BEFORE)
    assert (seen.status, seen.done) == ("unknown", {})


async def test_point_09_an_idempotent_action_is_carried_out_by_the_successor(ground: Ground) -> None:
    seen = await well(ground, IDEMPOTENT, EffectFault.KILL_BEFORE)
    assert (seen.status, seen.done, seen.worker) == ("remediated", {"tidy": 1}, "successor")


async def test_point_10_dead_after_the_act_is_unknown_and_not_done_again(ground: Ground) -> None:
    seen = await well(ground, ONCE, EffectFault.KILL_AFTER)
    assert (seen.status, seen.done) == ("unknown", {"poke": 1})


async def test_point_10_an_idempotent_action_is_repeated_with_the_same_key(ground: Ground) -> None:
    seen = await well(ground, IDEMPOTENT, EffectFault.KILL_AFTER)
    assert (seen.status, seen.done) == ("remediated", {"tidy": 2})
    [keys] = [keys for step, keys in ground.effects.keys.items() if step.endswith("/tidy")]
    assert len(keys) == 1


async def test_point_11_a_lost_answer_of_the_target_is_unknown_and_not_repeated(ground: Ground) -> None:
    seen = await well(ground, ONCE, EffectFault.CUT_AFTER, how=PATIENT)
    assert (seen.status, seen.deliveries, seen.done) == ("unknown", 1, {"poke": 1})


async def test_point_11_an_idempotent_action_without_an_answer_is_repeated_with_the_same_key(ground: Ground) -> None:
    seen = await well(ground, IDEMPOTENT, EffectFault.CUT_AFTER, how=PATIENT)
    assert (seen.status, seen.deliveries, seen.done) == ("remediated", 1, {"tidy": 2})
    [keys] = [keys for step, keys in ground.effects.keys.items() if step.endswith("/tidy")]
    assert len(keys) == 1


async def test_point_12_stopped_between_intention_and_act_somebody_else_ends_it_as_unknown(ground: Ground) -> None:
    seen = await well(ground, ONCE, Fault.STOP, plan=first("begin", Fault.STOP))
    assert (seen.status, seen.worker) == ("unknown", "successor")
    assert seen.done in ({}, {"poke": 1})


async def test_point_12_stopped_during_the_act_it_is_unknown_and_not_done_again(ground: Ground) -> None:
    seen = await well(ground, ONCE, EffectFault.STOP_AFTER)
    assert (seen.status, seen.worker, seen.done) == ("unknown", "successor", {"poke": 1})


# -- 13 to 18: the result and the record --------------------------------------------------------------


async def test_point_13_a_lost_reply_to_a_result_changes_nothing(ground: Ground) -> None:
    seen = await well(ground, ONCE, Fault.CUT_AFTER, plan=first("result", Fault.CUT_AFTER), how=PATIENT)
    assert (seen.status, seen.deliveries, seen.done) == ("remediated", 1, {"poke": 1})


async def test_point_14_dead_after_the_result_the_successor_knows_it_is_done(ground: Ground) -> None:
    seen = await well(ground, ONCE, Fault.KILL_AFTER, plan=first("result", Fault.KILL_AFTER))
    assert (seen.status, seen.done) == ("remediated", {"poke": 1})
    assert seen.deliveries >= 2


async def test_point_14_what_was_done_counts_though_the_budget_is_used_up_by_it(ground: Ground) -> None:
    how = How(settings={"policy": {"max_actions_per_job_per_hour": 1}})
    seen = await well(ground, ONCE, Fault.KILL_AFTER, plan=first("result", Fault.KILL_AFTER), how=how)
    assert (seen.status, seen.done) == ("remediated", {"poke": 1})


async def test_point_15_stopped_after_the_result_the_one_who_comes_back_is_fenced(ground: Ground) -> None:
    seen = await well(ground, ONCE, Fault.STOP, plan=first("result", Fault.STOP))
    assert (seen.status, seen.worker, seen.done) == ("remediated", "successor", {"poke": 1})


async def test_point_16_a_lost_reply_to_the_record_does_not_write_it_twice(ground: Ground) -> None:
    seen = await well(ground, ONCE, Fault.CUT_AFTER, plan=first("finish", Fault.CUT_AFTER), how=PATIENT)
    assert (seen.status, seen.deliveries, seen.worker) == ("remediated", 1, "victim")


async def test_point_17_dead_after_the_record_there_is_nothing_to_do(ground: Ground) -> None:
    seen = await well(ground, ONCE, Fault.KILL_AFTER, plan=first("finish", Fault.KILL_AFTER))
    assert (seen.status, seen.deliveries, seen.worker) == ("remediated", 1, "victim")


async def test_point_18_a_record_that_comes_after_the_lease_is_not_written(ground: Ground) -> None:
    seen = await well(ground, ONCE, Fault.LATE, plan=first("finish", Fault.LATE))
    assert (seen.status, seen.worker) == ("remediated", "successor")
    assert seen.deliveries >= 2


@pytest.mark.parametrize(("fault", "at"), [(Fault.STOP, "result"), (Fault.LATE, "finish"), (Fault.LATE, "result")])
async def test_points_12_15_and_18_who_comes_back_while_the_successor_is_at_it_changes_nothing(
    ground: Ground, fault: Fault, at: str
) -> None:
    seen = await well(ground, ONCE, fault, plan=first(at, fault), how=How(meet_before="finish"))
    assert (seen.worker, seen.done) == ("successor", {"poke": 1})
    if (fault, at) == (Fault.LATE, "result"):
        assert seen.status == "unknown"
        assert "HTTP 200" in seen.journal["late:1"], "a result that comes too late is kept as evidence"
    else:
        assert seen.status == "remediated"


# -- 19: put aside ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [CHECKED, LATER], ids=["check", "retry"])
async def test_point_19_what_was_put_aside_goes_on_with_any_worker_when_it_is_due(ground: Ground, kind: Any) -> None:
    how = How(gap_seconds=0.5)  # nobody lives meanwhile
    seen = await well(ground, kind, Fault.KILL_AFTER, plan=first("defer", Fault.KILL_AFTER), how=how)
    assert (seen.status, seen.deliveries, seen.worker, len(seen.done)) == ("resolved", 1, "successor", 1)


# -- 7: waiting for a person --------------------------------------------------------------------------


async def park(place: Field, within_seconds: float) -> None:
    """Let an event wait for a person; then every worker and the store itself die."""
    await place.report(ONCE, "e1")
    [claimed] = await place.store.claim("gone", "boot-1", 1)
    assert await place.store.park("e1", claimed.fence, "the-plan", within_seconds) == "ok"
    place.ground.server.kill()
    await asyncio.to_thread(place.ground.server.start)
    assert await place.left_over() == {"waiting": 1, "open": 1}


async def test_point_07_an_approval_moves_what_waited_though_everybody_had_died(ground: Ground) -> None:
    async with ground.field() as place:
        await park(place, 60)
        assert (await place.store.decide("e1", "approved", "another-plan", "ana"))[0] == "changed"
        assert (await place.store.decide("e1", "approved", "the-plan", "ana"))[0] == "ok"
        assert (await place.store.decide("e1", "approved", "the-plan", "ana"))[0] == "ok"
        assert (await place.store.decide("e1", "rejected", "the-plan", "ben"))[0] == "already"
        worker = await place.start_worker("w1")
        record = await place.record("e1")
        assert await worker.drain() == 0
        assert (record["status"], record["deliveries"], record["worker"]) == ("remediated", 1, "w1")
        assert ground.effects.of("e1") == {"poke": 1}
        assert await place.left_over() == {}


async def test_point_07_without_a_word_it_comes_back_by_itself_when_the_question_expires(ground: Ground) -> None:
    async with ground.field() as place:
        await park(place, 0.3)
        worker = await place.start_worker("w1")
        record = await place.record("e1")
        assert await worker.drain() == 0
        assert len(await place.records()) == 1
        assert (record["status"], record["worker"], ground.effects.of("e1")) == ("rejected", "w1", {})
        assert await place.left_over() == {}
