"""Making sure that an intention survives the server before anything is done about it.

With `appendfsync always` every answer already means that the write is on disk. With `everysec` a power cut may take
back the last second, and a failover may take back what no replica has yet. Forgetting an event's claim only delays
it; forgetting an intention would let the effect happen twice. So an intention is confirmed where the server can.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import structlog
from redis import exceptions as errors
from redis.asyncio import Redis

from store.calls import is_waited_for
from store.server import can_confirm_fsync, look

log = structlog.get_logger()

CONFIRM_MS = 2000
"""Longer than the second between two fsyncs of `everysec`."""
GO = b"go"


class _NotYet(Exception):
    """The write is not as safe as it can be made; it is asked for again."""


class Confirmer:
    """Repeats an idempotent script over a connection of its own until its write is safe."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def confirm(self, text: str, command: Sequence[str | bytes | float]) -> list[bytes]:
        """Return the answer to `command`: a go only once its write is on disk, and on a replica if there is one.

        The answer may be another than the one before: a server that came back, or took over, may have forgotten
        that this worker holds the incident.
        """
        attempt = 0
        while True:
            try:
                return await self._try(text, command)
            except _NotYet as problem:
                missing = str(problem)
            except (errors.RedisError, OSError) as error:
                if not is_waited_for(error):
                    raise
                missing = str(error) or type(error).__name__
            attempt += 1
            if attempt in (1, 10) or attempt % 100 == 0:
                log.warning("store.not_confirmed", attempt=attempt, missing=missing)
            await asyncio.sleep(min(0.05 * 2 ** min(attempt, 5), 1.0) * random.uniform(0.5, 1.0))  # noqa: S311

    async def _try(self, text: str, command: Sequence[str | bytes | float]) -> list[bytes]:
        """Send the command once more; raises _NotYet when its write is not safe in time."""
        # Both waits count the writes of their own connection, so the pool must not change it in between.
        async with self._client.client() as connection:
            ask: Any = connection.execute_command
            try:
                answer: list[bytes] = await ask(*command)
            except errors.NoScriptError:  # restarted meanwhile
                await connection.script_load(text)
                answer = await ask(*command)
            if answer[0] == GO:
                await _make_safe(connection)
        return answer


async def _make_safe(connection: Redis) -> None:
    """Wait until what this connection wrote is as safe as this server can make it.

    The server is looked at anew: after a failover, or a change of its settings, it is not the one that was found
    at start.
    """
    server = await look(connection)
    if can_confirm_fsync(server):
        local, _ = await _wait(connection, "WAITAOF", 1, 0, CONFIRM_MS)
        if int(local) < 1:
            raise _NotYet("the append-only file is not on disk")
    if server["replicas"] and int(await _wait(connection, "WAIT", 1, CONFIRM_MS)) < 1:
        raise _NotYet("no replica has the write")


async def _wait(connection: Redis, *command: str | int) -> Any:
    try:
        return await connection.execute_command(*command)  # type: ignore[no-untyped-call]
    except errors.ResponseError as error:
        # It became a replica a moment ago, its append-only file was turned off, or this user may not ask.
        raise _NotYet(str(error)) from error
