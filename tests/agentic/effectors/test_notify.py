"""One message to every channel, and one broken channel does not keep the others from being told."""

import asyncio
import time

import pytest

from agentic.effectors.notify import Notify, message_for
from agentic.errors import ConfigError
from agentic.types import ActionKind, Diagnosis, Line, Outcome, OutcomeStatus
from notifications import Message, Notifier, NotifyError, Severity


class Box(Notifier):
    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        self.messages.append(message)


class AsyncBox(Box):
    async def send(self, message: Message) -> None:
        self.messages.append(message)


class Broken(Notifier):
    def send(self, message: Message) -> None:
        raise NotifyError("the mailbox is gone", permanent=True)


class Buggy(Notifier):
    async def send(self, message: Message) -> None:
        raise KeyError("oops")


class Hanging(Notifier):
    async def send(self, message: Message) -> None:
        await asyncio.sleep(1000)


async def test_every_channel_is_told_whether_its_send_is_a_coroutine_or_not(order):
    plain, coroutine = Box(), AsyncBox()
    result = await Notify(notifiers={"a": plain, "b": coroutine}).execute(order({}, effector="notify"))
    assert (result.status, result.detail) == (OutcomeStatus.DONE, "told a, b")
    assert plain.messages == coroutine.messages
    assert plain.messages[0].id == "ev-1:2"


async def test_a_broken_channel_is_said_and_the_others_are_told(order):
    box = Box()
    channels = {"mail": Broken(), "chat": Buggy(), "slow": Hanging(), "box": box}
    began = time.monotonic()
    result = await Notify(notifiers=channels).execute(order({}, effector="notify", timeout=0.3))
    assert time.monotonic() - began < 2
    assert result.status is OutcomeStatus.DONE
    assert result.detail == (
        "told box; mail: the mailbox is gone; chat: KeyError: 'oops'; slow: took longer than 0.3 s"
    )
    assert len(box.messages) == 1


async def test_nobody_reached_is_a_failure(order):
    failed = await Notify(notifiers={"mail": Broken()}).execute(order({}, effector="notify"))
    assert (failed.status, failed.detail) == (OutcomeStatus.FAILED, "mail: the mailbox is gone")
    nobody = await Notify(notifiers={}).execute(order({}, effector="notify"))
    assert nobody.status is OutcomeStatus.FAILED
    assert "add one under `notifications:`" in nobody.detail


async def test_only_the_named_channels_are_told(order):
    a, b = Box(), Box()
    await Notify(notifiers={"a": a, "b": b}).execute(order({"channels": ["b"]}, effector="notify"))
    assert (len(a.messages), len(b.messages)) == (0, 1)


async def test_a_dry_run_tells_nobody(order):
    box = Box()
    result = await Notify(notifiers={"a": box}).execute(order({}, effector="notify", dry_run=True))
    assert (result.status, result.detail) == (OutcomeStatus.DRY_RUN, "would tell a: nightly: failed")
    assert box.messages == []


def test_a_message_says_the_cause_with_its_proof_what_was_done_and_what_is_asked(order):
    request = order(
        {},
        effector="notify",
        kind=ActionKind.ESCALATE_TO_HUMAN,
        exit_code=28,
        host="db1",
        request={
            "diagnosis": Diagnosis(
                category="disk_full", root_cause="/var is full", confidence=95, source="rule:disk_full.enospc"
            ),
            "evidence": (Line(line=41, text="\x1b[31mwrite error: No space left on device"),),
            "outcomes": (Outcome(step=1, name="free_disk", status="failed", detail="exit code 1\nnothing to do"),),
        },
    )
    message = message_for(request, "https://heal.example")
    assert message.title == "nightly: failed, disk full"
    assert message.severity is Severity.ERROR
    assert message.body.splitlines() == [
        "/var is full (95 % sure, rule:disk_full.enospc)",
        "Line 41: write error: No space left on device",
        "free_disk: failed. exit code 1 nothing to do",
        "Please look at it: nothing more happens by itself.",
    ]
    assert message.links == {"incident": "https://heal.example/incidents/ev-1"}
    assert message.fields == {"host": "db1", "exit code": "28"}


def test_a_channel_that_does_not_exist_stops_the_start(order):
    with pytest.raises(ConfigError, match="there is no channel 'pager' under `notifications`; known: a"):
        Notify(notifiers={"a": Box()}).check(order({"channels": ["pager"]}, effector="notify").action)
