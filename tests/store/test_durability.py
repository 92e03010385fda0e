"""Before an effect its intention is as safe as the server can make it, whatever became of the server meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentic.types import Action, ActionKind, Event, Outcome, OutcomeStatus
from store import Limits, Store, StoredIncident
from tests.servers import Server
from tests.store.test_queue import claim_one, payload

KINDS = pytest.mark.parametrize("kind", ["valkey", "redis"])


async def begun(
    url: str, between: Callable[[], Awaitable[Any]] | None = None, *, lease_seconds: float = 30
) -> tuple[str, str]:
    """Begin a step on a store of its own; something happens between the first answer and its confirmation."""
    store = Store(url, limits=Limits(lease_seconds=lease_seconds))
    await store.open()
    try:
        await store.enqueue("e1", payload("e1"))
        claimed = await claim_one(store)
        confirm = store._confirmer.confirm

        async def after_something(text: str, command: Sequence[str | bytes | float]) -> list[bytes]:
            if between is not None:
                await between()
            return await confirm(text, command)

        store._confirmer.confirm = after_something  # type: ignore[method-assign]
        beginning = store.begin(
            "e1", claimed.fence, "1", "n", idempotent=False, counts=True, job_id="backup", per_job=9, for_all=9,
            confirm=True,
        )  # fmt: skip
        return await asyncio.wait_for(beginning, 10)
    finally:
        await store.close()


@KINDS
async def test_a_server_that_forgot_the_claim_gives_no_go(tmp_path: Path, kind: str) -> None:
    """As after a failover, or a power cut with `everysec`: somebody else will be handed this event."""
    with Server(tmp_path, "--appendonly", "yes", kind=kind) as server:

        async def forget() -> None:
            server.tell("DEL", "agentic:incident:e1", "agentic:fx:e1", "agentic:leases")

        assert (await begun(server.url, forget))[0] == "fenced"
        assert server.tell("EXISTS", "agentic:fx:e1") == 0


async def test_an_intention_that_the_server_forgot_is_stored_again_before_acting(tmp_path: Path) -> None:
    with Server(tmp_path, "--appendonly", "yes") as server:

        async def forget() -> None:
            server.tell("DEL", "agentic:fx:e1")

        assert (await begun(server.url, forget))[0] == "go"
        assert server.tell("HGET", "agentic:fx:e1", "1:state") == b"intent"


async def test_a_result_is_kept_though_the_server_forgot_the_intention(tmp_path: Path) -> None:
    """As with Redis 7.0 and `everysec`, where nothing can confirm an intention: who has acted says so."""
    with Server(tmp_path, "--appendonly", "yes", kind="redis") as server:
        store = Store(server.url)
        await store.open()
        await store.enqueue("e1", payload("e1"))
        claimed = await claim_one(store)
        how: Any = {"idempotent": False, "counts": True, "job_id": "backup", "per_job": 9, "for_all": 9}
        assert (await store.begin("e1", claimed.fence, "1", "a", **how))[0] == "go"
        server.tell("DEL", "agentic:fx:e1")
        done = Outcome(step=1, name="poke", status=OutcomeStatus.DONE)
        assert await store.result("e1", claimed.fence, "1", "a", done, "poke|done")
        assert (await store.begin("e1", claimed.fence, "1", "b", **how))[0] == "done"
        await store.close()


async def test_a_server_that_lost_its_scripts_holds_up_no_intention(tmp_path: Path) -> None:
    with Server(tmp_path, "--appendonly", "yes") as server:

        async def forget() -> None:
            server.tell("SCRIPT", "FLUSH")

        assert (await begun(server.url, forget))[0] == "go"


@pytest.mark.parametrize(("at_start", "later", "asked"), [("yes", "no", False), ("no", "yes", True)])
async def test_what_counts_is_how_the_server_persists_now(
    tmp_path: Path, at_start: str, later: str, asked: bool
) -> None:
    """A failover may lead to a server with other settings, and an operator may change them."""
    with Server(tmp_path, "--appendonly", at_start, "--appendfsync", "everysec") as server:

        async def change() -> None:
            server.tell("CONFIG", "SET", "appendonly", later)
            server.tell("CONFIG", "RESETSTAT")

        assert (await begun(server.url, change))[0] == "go"
        assert ("cmdstat_waitaof" in str(server.tell("INFO", "commandstats"))) == asked


async def test_nothing_is_begun_while_the_intention_is_not_on_disk(tmp_path: Path) -> None:
    with Server(tmp_path, "--appendonly", "yes", "--appendfsync", "no") as server:
        beginning = asyncio.create_task(begun(server.url))
        await asyncio.sleep(3)
        assert not beginning.done()
        server.tell("CONFIG", "SET", "appendfsync", "everysec")
        assert (await beginning)[0] == "go"


async def test_the_intention_of_an_action_is_confirmed_and_that_of_a_message_is_not(tmp_path: Path) -> None:
    with Server(tmp_path, "--appendonly", "yes", "--appendfsync", "everysec") as server:
        store = Store(server.url, limits=Limits(lease_seconds=30))
        await store.open()
        await store.enqueue("e1", payload("e1"))
        claimed = await claim_one(store)
        incident = StoredIncident(store, claimed, Event(event_id="e1", job_id="backup", status="failed"))
        server.tell("CONFIG", "RESETSTAT")
        message = Action(name="tell", kind=ActionKind.NOTIFY, effector="notify")
        assert (await incident.begin("1", message, (9, 9))).answer == "go"
        assert "cmdstat_waitaof" not in str(server.tell("INFO", "commandstats"))
        action = Action(name="act", kind=ActionKind.FREE_DISK_SPACE, effector="command")
        assert (await incident.begin("2", action, (9, 9))).answer == "go"
        assert "cmdstat_waitaof" in str(server.tell("INFO", "commandstats"))
        await store.close()


@KINDS
async def test_a_user_who_may_not_look_at_the_server_can_act(tmp_path: Path, kind: str) -> None:
    with Server(tmp_path, "--appendonly", "yes", kind=kind) as server:
        server.tell("ACL", "SETUSER", "poor", "on", ">hush", "~*", "+@all", "-@dangerous")
        assert (await begun(server.url.replace("redis://", "redis://poor:hush@")))[0] == "go"


async def test_a_user_who_may_not_ask_for_the_file_does_not_act(tmp_path: Path) -> None:
    with Server(tmp_path, "--appendonly", "yes", "--appendfsync", "everysec") as server:
        server.tell("ACL", "SETUSER", "poor", "on", ">hush", "~*", "+@all", "-waitaof")
        url = server.url.replace("redis://", "redis://poor:hush@")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(begun(url), 2)
        server.tell("ACL", "SETUSER", "poor", "+waitaof")
        server.tell("FLUSHALL")
        assert (await begun(url))[0] == "go"
