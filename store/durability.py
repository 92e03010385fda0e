"""Making sure that an intention survives the server before anything is done about it.

With `appendfsync always` every answer already means that the write is on disk. With `everysec` a power cut may take
back the last second, and a failover may take back what no replica has yet. Forgetting an event's claim only delays
it; forgetting an intention would let the effect happen twice. So an intention is confirmed where the server can.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from redis import exceptions as errors
from redis.asyncio import Redis

from store.calls import is_passing

log = structlog.get_logger()

CONFIRM_MS = 2000
"""Longer than the second between two fsyncs of `everysec`."""


def can_confirm_fsync(server: Mapping[str, Any]) -> bool:
    """Say whether the server must be asked about its append-only file, and has the command for it."""
    numbers = [int(part) for part in str(server.get("version", "0")).split(".")[:2] if part.isdigit()]
    has_waitaof = server.get("server") == "valkey" or numbers >= [7, 2]
    return bool(server.get("append_only")) and server.get("fsync") != "always" and has_waitaof


class Confirmer:
    """Repeats an idempotent script over a connection of its own until its write is safe."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def confirm(self, server: Mapping[str, Any], command: Sequence[str | bytes | float]) -> None:
        """Return when the write of `command` is on disk, and on a replica if there is one."""
        attempt = 0
        while True:
            try:
                missing = await self._try(server, command)
            except (errors.RedisError, OSError) as error:
                if not is_passing(error):
                    raise
                missing = str(error) or type(error).__name__
            if missing is None:
                return
            attempt += 1
            if attempt in (1, 10) or attempt % 100 == 0:
                log.warning("store.not_confirmed", attempt=attempt, missing=missing)
            await asyncio.sleep(min(0.05 * 2 ** min(attempt, 5), 1.0) * random.uniform(0.5, 1.0))  # noqa: S311

    async def _try(self, server: Mapping[str, Any], command: Sequence[str | bytes | float]) -> str | None:
        """Send the command once more; return what did not take its write in time, or None."""
        # Both waits count the writes of their own connection, so the pool must not change it in between.
        async with self._client.client() as connection:
            ask: Any = connection.execute_command
            await ask(*command)
            if can_confirm_fsync(server):
                local, _ = await ask("WAITAOF", 1, 0, CONFIRM_MS)
                if int(local) < 1:
                    return "the append-only file is not on disk"
            replicas = int((await connection.info("replication")).get("connected_slaves", 0))
            if replicas and int(await ask("WAIT", 1, CONFIRM_MS)) < 1:
                return "no replica has the write"
        return None
