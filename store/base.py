"""What every part of the store shares: the connections, the key names, the script calls."""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json, to_json
from redis import exceptions as errors

from store.calls import Calls, Scripts, is_passing, is_waited_for, pause
from store.connect import connect, disconnect
from store.durability import Confirmer
from store.errors import BadCursor, StoreMisconfigured, StoreUnavailable
from store.keys import Keys
from store.server import inspect_server, what_to_change

BLOCK_SECONDS = 0.5
"""Longest time an idle worker waits before it looks for due and abandoned incidents."""
ASK_SECONDS = 2.0
"""How long a request of the HTTP service may wait for the store."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of the store, from the settings."""

    lease_seconds: float = 30.0
    max_waiting: int = 100_000
    max_deliveries: int = 5
    max_dead: int = 10_000
    max_history: int = 100_000
    dedup_days: float = 7.0
    max_payload_bytes: int = 16 * 1024 * 1024
    """Longest payload that a worker reads; of a longer one only the head is kept."""

    @property
    def lease_ms(self) -> int:
        """The lease in milliseconds."""
        return int(self.lease_seconds * 1000)


@dataclass(frozen=True, slots=True)
class Page:
    """Some records, and the cursor to the ones after them (None at the end)."""

    records: list[dict[str, Any]] = field(default_factory=list)
    next_cursor: str | None = None


class StoreBase:
    """Connections and helpers; the parts of the store build on it."""

    def __init__(self, url: str, *, prefix: str = "agentic", limits: Limits | None = None) -> None:
        self.keys = Keys(prefix)
        self.limits = limits or Limits()
        self._client = connect(url)
        self._blocking = connect(url, socket_timeout=BLOCK_SECONDS + 5)
        self._calling = connect(url, socket_timeout=None)
        scripts = Scripts(self.keys)
        self._calls = Calls(self._calling.connection_pool, scripts)
        self._claiming = Calls(self._calling.connection_pool, scripts)
        """A way of its own for claims: they need not wait for the answers to what was sent before them."""
        self._confirmer = Confirmer(self._client)
        self.server: dict[str, Any] = {}
        self.mark_key = b""
        """What makes the marks of redacted secrets this installation's own; known once the store is open."""

    async def open(self) -> None:
        """Load the scripts and look at the server; raises StoreUnavailable or StoreMisconfigured."""
        try:
            self.server = await inspect_server(self._client, self.keys.prefix)
            await self._calls.load()
            # Changes nothing; shows whether scripts may be run and our keys be read.
            await self._client.execute_command(*self._calls.command("usage"))  # type: ignore[no-untyped-call]
            self.mark_key = await self._find_mark_key()
        except (errors.RedisError, OSError) as error:
            if is_passing(error):
                raise StoreUnavailable(f"the store does not answer: {error or type(error).__name__}") from error
            raise StoreMisconfigured(what_to_change(error, self.keys.prefix)) from error

    async def _find_mark_key(self) -> bytes:
        """Return the key that all processes on this store share; whoever comes first makes it.

        A store that takes nothing for now leaves this process with one of its own: marks that nobody can compare
        are better than marks that everybody can.
        """
        key, own = self.keys.single("mark-key"), secrets.token_hex(32)
        found = await self._client.get(key)
        if found is None:
            try:
                await self._client.set(key, own, nx=True)
            except errors.ResponseError as error:
                if not is_passing(error):
                    raise
                return own.encode()
            found = await self._client.get(key)
        return found if isinstance(found, bytes) else own.encode()

    async def close(self) -> None:
        """Drop the connections."""
        await self._calls.close()
        await self._claiming.close()
        await disconnect(self._blocking)
        await disconnect(self._calling)
        await disconnect(self._client)

    async def ping(self) -> bool:
        """Say whether the store answers now."""
        try:
            return bool(await self._client.ping())
        except (errors.RedisError, OSError):
            return False

    async def _read(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send plain reading commands in one go; raises StoreUnavailable."""
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
            for answer in answers:
                if isinstance(answer, Exception):  # as it came: the client would put words before the error's code
                    raise answer
        except (errors.RedisError, OSError) as error:
            if is_waited_for(error):
                raise StoreUnavailable(f"the store does not answer: {error or type(error).__name__}") from error
            raise
        return answers

    async def _read_patiently(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Read for a worker, which waits for as long as it takes."""
        attempt = 0
        while True:
            try:
                return await self._read(*commands)
            except StoreUnavailable:
                attempt += 1
                await asyncio.sleep(pause(attempt))

    async def _ask(self, script: str, *args: str | bytes | float) -> Any:
        """Call a script for somebody who waits: raises StoreUnavailable after a short while."""
        return await self._calls(script, *args, deadline_seconds=ASK_SECONDS)


def dumps(value: Any) -> bytes:
    """Write JSON; models by their aliases."""
    return to_json(value, by_alias=True, inf_nan_mode="null")


def loads(raw: bytes) -> Any:
    """Read JSON that the project wrote itself."""
    return from_json(raw)


def to_cursor(*parts: int | str) -> str:
    """Make an opaque cursor."""
    return base64.urlsafe_b64encode(":".join(map(str, parts)).encode()).decode().rstrip("=")


def from_cursor(cursor: str, parts: int) -> list[str]:
    """Take a cursor apart; raises BadCursor."""
    try:
        found = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode().split(":")
    except (binascii.Error, ValueError) as error:
        raise BadCursor("this cursor was not given out here; leave it away to begin at the start") from error
    if len(found) != parts:
        raise BadCursor("this cursor was not given out here; leave it away to begin at the start")
    return found


def as_number(text: str) -> int:
    """Read a number out of a cursor; raises BadCursor."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadCursor("this cursor was not given out here; leave it away to begin at the start")
    return int(text)


def ms_to_time(ms: str | bytes | float | None) -> str | None:
    """Write milliseconds since 1970 as RFC 3339 in UTC."""
    if not ms:
        return None
    return datetime.fromtimestamp(int(float(ms)) / 1000, UTC).isoformat().replace("+00:00", "Z")
