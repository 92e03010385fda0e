"""Calling the scripts: one pipeline at a time carries everything that was asked for meanwhile.

Every script is idempotent, so whatever is unanswered is simply asked again with the same arguments.
The client's own retries are off: they would repeat what is not idempotent.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Sequence
from importlib import resources
from typing import Any

import structlog
from redis import exceptions as errors
from redis.asyncio import ConnectionPool

from store.errors import StoreUnavailable
from store.keys import Keys
from store.server import what_to_change
from store.wire import exchange

log = structlog.get_logger()

SCRIPT_NAMES = (
    "enqueue", "claim", "beat", "save", "begin", "result", "defer", "park", "approve", "release", "recovered", "finish",
    "replay", "feedback", "page", "recall", "usage", "ask", "answered",
)  # fmt: skip
GROUPED = frozenset({"recall", "usage"})
"""Scripts that take many questions and answer each in order.

Calls of these that wait together become one: a command costs more, here and in the server, than what it does. The
same question asked twice at once is asked once.
"""
GROUP_LIMIT = 64
PASSING = (
    errors.ConnectionError,
    errors.TimeoutError,
    errors.ReadOnlyError,
    errors.OutOfMemoryError,
    errors.NoScriptError,
    errors.MasterDownError,
    OSError,
)
PASSING_CODES = (
    "MISCONF",
    "NOREPLICAS",
    "BUSY",
    "MASTERDOWN",
    "LOADING",
    "READONLY",
    "OOM",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "UNBLOCKED",  # a blocking read, when the server became a replica
)
PIPELINE_LIMIT = 256
REFUSALS = (errors.AuthenticationError, errors.AuthorizationError, errors.NoPermissionError)
# A long command without the password that is needed by now is a protocol error to the server.
REFUSAL_CODES = ("NOPERM", "NOAUTH", "WRONGTYPE", "Protocol error: unauthenticated")
COMPLAIN_EVERY_SECONDS = 5.0


def is_passing(error: BaseException) -> bool:
    """Say whether the same call may succeed later without anybody changing it."""
    if isinstance(error, errors.AuthenticationError | errors.AuthorizationError):
        return False
    if isinstance(error, PASSING):
        return True
    return isinstance(error, errors.ResponseError) and str(error).startswith(PASSING_CODES)


def is_refusal(error: BaseException) -> bool:
    """Say whether somebody took the rights of this user away, or put something else under a key of ours."""
    return isinstance(error, REFUSALS) or (
        isinstance(error, errors.ResponseError) and str(error).startswith(REFUSAL_CODES)
    )


def is_waited_for(error: BaseException) -> bool:
    """Say whether a program that ran well before repeats the call: an end of it would mend nothing."""
    return is_passing(error) or is_refusal(error)


class Scripts:
    """The texts of the scripts for one key prefix, with their hashes."""

    def __init__(self, keys: Keys) -> None:
        folder = resources.files("store") / "scripts"
        common = (folder / "_common.lua").read_text("utf-8")
        self.prefix = keys.prefix
        self.route = keys.single("events")
        """Declared key of every call; all keys share its slot."""
        self.texts: dict[str, str] = {}
        self.hashes: dict[str, str] = {}
        for name in SCRIPT_NAMES:
            first, _, rest = (folder / f"{name}.lua").read_text("utf-8").partition("\n")
            self.texts[name] = f"{first}\n{keys.lua_prelude()}\n{common}\n{rest}"
            self.hashes[name] = hashlib.sha1(self.texts[name].encode(), usedforsecurity=False).hexdigest()


class Calls:
    """Sends script calls, sharing round trips, until each is answered or its deadline has passed."""

    def __init__(self, pool: ConnectionPool, scripts: Scripts) -> None:
        self._pool = pool
        self.scripts = scripts
        self._waiting: list[_Call] = []
        self._sent: list[_Call] = []
        self._complained_at = -COMPLAIN_EVERY_SECONDS
        self._sender: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Put every script into the server's cache."""
        for answer in await exchange(self._pool, [("SCRIPT", "LOAD", text) for text in self.scripts.texts.values()]):
            if isinstance(answer, Exception):
                raise answer

    async def __call__(self, name: str, *args: str | bytes | float, deadline_seconds: float | None = None) -> Any:
        """Run a script; None as deadline waits for as long as it takes.

        Raises StoreUnavailable at the deadline. What the server refuses for good is raised as it came.
        """
        ends = None if deadline_seconds is None else time.monotonic() + deadline_seconds
        call = _Call(name, args, asyncio.get_running_loop().create_future(), ends)
        self._put(call)
        if deadline_seconds is None:
            return await call.answer
        try:
            async with asyncio.timeout(deadline_seconds):
                return await call.answer
        except TimeoutError:
            raise StoreUnavailable(f"the store does not answer: {call.why}") from None

    def command(self, name: str, *args: str | bytes | float) -> tuple[str | bytes | float, ...]:
        """Return a script call as the plain command it is."""
        return ("EVALSHA", self.scripts.hashes[name], 1, self.scripts.route, *args)

    def _put(self, *calls: _Call) -> None:
        self._waiting += calls
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        attempt = 0
        while self._waiting:
            batch, self._waiting = self._waiting[:PIPELINE_LIMIT], self._waiting[PIPELINE_LIMIT:]
            self._sent = [call for call in batch if not call.answer.done()]
            if not self._sent:
                continue
            failure = await self._try(self._sent)
            if failure is None:
                attempt = 0
                continue
            attempt += 1
            self._complain(failure)
            self._waiting = [call for call in self._sent if not call.expire(failure)] + self._waiting
            await asyncio.sleep(pause(attempt))

    async def _try(self, batch: list[_Call]) -> Exception | None:
        """Send a batch; settle what was answered, and return the error for which all of it is to be repeated."""
        commands = _grouped(batch)
        try:
            answers = await self._send_all(commands)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            if is_waited_for(error):
                return error
            for call in batch:
                call.settle(error)
            return None
        if any(isinstance(answer, errors.NoScriptError) for answer in answers):
            await self._reload()
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, Exception) and is_waited_for(answer):
                for call in command.calls:
                    self._later(call, answer)
            elif isinstance(answer, Exception) and len(command.calls) > 1:
                # One of them is at fault; apart, the others are answered and it gets its own error.
                for call in command.calls:
                    call.alone = True
                self._waiting = command.calls + self._waiting
            else:
                command.settle(answer)
        return None

    async def _send_all(self, commands: list[_Command]) -> list[Any]:
        lines = [self.command(command.name, *command.arguments()) for command in commands]
        return await exchange(self._pool, lines)

    def _later(self, call: _Call, failure: Exception) -> None:
        """Repeat one call that was refused, without holding up those that pass (a full store still finishes)."""
        call.refusals += 1
        if isinstance(failure, errors.NoScriptError) and call.refusals == 1:
            self._waiting.append(call)
            return
        self._complain(failure)
        if not call.expire(failure):
            asyncio.get_running_loop().call_later(pause(call.refusals), self._put, call)

    async def _reload(self) -> None:
        try:
            await self.load()
        except (errors.RedisError, OSError) as error:
            self._complain(error)  # the calls are repeated, and with them this

    def _complain(self, failure: Exception) -> None:
        """Say that something is wrong, though not for every call of every second of it."""
        if time.monotonic() - self._complained_at > COMPLAIN_EVERY_SECONDS:
            self._complained_at = time.monotonic()
            if is_refusal(failure):
                log.error("store.refuses", error=what_to_change(failure, self.scripts.prefix))
            else:
                log.warning("store.unreachable", error=str(failure) or type(failure).__name__)

    async def close(self) -> None:
        """Give up on whatever is still unanswered."""
        if self._sender is not None and not self._sender.done():
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        for call in (*self._sent, *self._waiting):
            call.settle(StoreUnavailable("the program is stopping"))


class _Call:
    """One script call on its way."""

    __slots__ = ("alone", "answer", "args", "ends", "name", "refusals", "why")

    def __init__(
        self, name: str, args: tuple[str | bytes | float, ...], answer: asyncio.Future[Any], ends: float | None
    ) -> None:
        self.name, self.args, self.answer, self.ends = name, args, answer, ends
        self.refusals = 0
        self.alone = False
        """Sent with others it met an error, so it is now sent by itself."""
        self.why = "nothing came within the time"

    def settle(self, answer: Any) -> None:
        if self.answer.done():  # whoever asked has gone away
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)

    def expire(self, failure: Exception) -> bool:
        """Settle a call whose time is over; say whether nobody waits for it any more."""
        if self.answer.done():
            return True
        self.why = str(failure) or type(failure).__name__
        if self.ends is None or time.monotonic() < self.ends:
            return False
        self.settle(StoreUnavailable(f"the store does not answer: {self.why}"))
        return True


def pause(attempt: int) -> float:
    """Return how long to wait before a repeat: longer each time, with jitter."""
    return float(min(0.02 * 2 ** min(attempt, 6), 1.0)) * random.uniform(0.5, 1.0)  # noqa: S311


class _Command:
    """One script call on the wire: that of one caller, or those of many who wait together."""

    __slots__ = ("_asked", "calls", "name")

    def __init__(self, first: _Call) -> None:
        self.name = first.name
        self.calls = [first]
        self._asked: dict[tuple[str | bytes | float, ...], int] = {}

    def add(self, call: _Call) -> bool:
        """Take one more caller along, if there is room."""
        if len(self.calls) >= GROUP_LIMIT:
            return False
        self.calls.append(call)
        return True

    def arguments(self) -> Sequence[str | bytes | float]:
        """Return the arguments of the script."""
        if self.name not in GROUPED:
            return self.calls[0].args
        for call in self.calls:
            self._asked.setdefault(call.args, len(self._asked))
        return [part for args in self._asked for part in args]

    def settle(self, answer: Any) -> None:
        """Give each caller its answer."""
        for call in self.calls:
            alike = isinstance(answer, Exception) or self.name not in GROUPED
            call.settle(answer if alike else answer[self._asked[call.args]])


def _grouped(batch: list[_Call]) -> list[_Command]:
    """Lay calls of one script together where it answers many; apart from that their order stays."""
    commands: list[_Command] = []
    open_groups: dict[str, _Command] = {}
    for call in batch:
        group = open_groups.get(call.name)
        if group is not None and not call.alone and group.add(call):
            continue
        commands.append(_Command(call))
        if call.name in GROUPED and not call.alone:
            open_groups[call.name] = commands[-1]
    return commands
