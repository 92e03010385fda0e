"""Calling the scripts: one pipeline at a time carries everything that was asked for meanwhile.

Every script is idempotent, so whatever is unanswered is simply asked again with the same arguments.
The client's own retries are off: they would repeat what is not idempotent.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from importlib import resources
from typing import Any

import structlog
from redis import exceptions as errors
from redis.asyncio import Redis

from store.errors import StoreUnavailable
from store.keys import Keys

log = structlog.get_logger()

SCRIPT_NAMES = (
    "enqueue", "claim", "beat", "save", "begin", "result", "defer", "recovered", "finish", "replay", "feedback", "page",
)  # fmt: skip
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
)
PIPELINE_LIMIT = 256


def is_passing(error: BaseException) -> bool:
    """Say whether the same call may succeed later without anybody changing it."""
    if isinstance(error, errors.AuthenticationError | errors.AuthorizationError):
        return False
    if isinstance(error, PASSING):
        return True
    return isinstance(error, errors.ResponseError) and str(error).startswith(PASSING_CODES)


class Scripts:
    """The texts of the scripts for one key prefix, with their hashes."""

    def __init__(self, keys: Keys) -> None:
        folder = resources.files("store") / "scripts"
        common = (folder / "_common.lua").read_text("utf-8")
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

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self.scripts = Scripts(keys)
        self._waiting: list[_Call] = []
        self._sender: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Put every script into the server's cache."""
        for text in self.scripts.texts.values():
            await self._client.script_load(text)

    async def __call__(self, name: str, *args: str | bytes | float, deadline_seconds: float | None = None) -> Any:
        """Run a script; None as deadline waits for as long as it takes.

        Raises StoreUnavailable at the deadline. What the server refuses for good is raised as it came.
        """
        loop = asyncio.get_running_loop()
        ends = None if deadline_seconds is None else time.monotonic() + deadline_seconds
        call = _Call(name, args, loop.create_future(), ends)
        self._waiting.append(call)
        if self._sender is None or self._sender.done():
            self._sender = loop.create_task(self._send())
        return await call.answer

    async def _send(self) -> None:
        attempt = 0
        while self._waiting:
            batch, self._waiting = self._waiting[:PIPELINE_LIMIT], self._waiting[PIPELINE_LIMIT:]
            batch = [call for call in batch if not call.answer.done()]
            if not batch:
                continue
            failure = await self._try(batch)
            if failure is None:
                attempt = 0
                continue
            unanswered = [call for call in batch if not call.answer.done()]
            if isinstance(failure, errors.NoScriptError):
                failure = await self._reload()
            self._waiting = [call for call in unanswered if not call.expire(failure)] + self._waiting
            if failure is not None:
                attempt += 1
                if attempt in (1, 10) or attempt % 100 == 0:
                    log.warning("store.unreachable", attempt=attempt, error=str(failure) or type(failure).__name__)
                await asyncio.sleep(min(0.02 * 2 ** min(attempt, 6), 1.0) * random.uniform(0.5, 1.0))  # noqa: S311

    async def _try(self, batch: list[_Call]) -> Exception | None:
        """Send a batch; settle what was answered, and return the error for which the rest is to be repeated."""
        pipeline = self._client.pipeline(transaction=False)
        for call in batch:
            pipeline.execute_command("EVALSHA", self.scripts.hashes[call.name], 1, self.scripts.route, *call.args)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except (errors.RedisError, OSError) as error:
            if is_passing(error):
                return error
            for call in batch:
                call.settle(error)
            return None
        failure: Exception | None = None
        for call, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception) and is_passing(answer):
                failure = answer
            else:
                call.settle(answer)
        return failure

    async def _reload(self) -> Exception | None:
        try:
            await self.load()
        except (errors.RedisError, OSError) as error:
            return error
        return None

    async def close(self) -> None:
        """Give up on whatever is still unanswered."""
        if self._sender is not None and not self._sender.done():
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        for call in self._waiting:
            call.settle(StoreUnavailable("the program is stopping"))


class _Call:
    """One script call on its way."""

    __slots__ = ("answer", "args", "ends", "name")

    def __init__(
        self, name: str, args: tuple[str | bytes | float, ...], answer: asyncio.Future[Any], ends: float | None
    ) -> None:
        self.name, self.args, self.answer, self.ends = name, args, answer, ends

    def settle(self, answer: Any) -> None:
        if self.answer.done():  # whoever asked has gone away
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)

    def expire(self, failure: Exception | None) -> bool:
        """Settle a call whose time is over; say whether it was."""
        if self.answer.done():
            return True
        if failure is None or self.ends is None or time.monotonic() < self.ends:
            return False
        self.settle(StoreUnavailable(f"the store does not answer: {failure or type(failure).__name__}"))
        return True
