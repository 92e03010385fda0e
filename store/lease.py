"""Keeping leases from a thread of its own, so that no slow handler can starve them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import exceptions as errors

from store.base import dumps
from store.calls import Scripts, is_waited_for
from store.connect import SOCKET_TIMEOUT_SECONDS, connect_blocking
from store.keys import Keys


class LeaseKeeper:
    """Renews the leases of one worker over a blocking connection of its own."""

    def __init__(self, url: str, prefix: str, lease_ms: int) -> None:
        keys = Keys(prefix)
        # A beat that hangs must end early enough for the worker to be fenced before its leases end.
        timeout_seconds = min(SOCKET_TIMEOUT_SECONDS, max(0.2, lease_ms / 8000))
        self._client = connect_blocking(url, timeout_seconds=timeout_seconds)
        self.longest_beat_seconds = 2 * timeout_seconds
        """To connect, and to hear the answer."""
        self._scripts = Scripts(keys)
        self._workers, self._worker_info = keys.single("workers"), keys.single("worker-info")
        self._claims = keys.single("claims")
        self._lease_ms = lease_ms

    def beat(self, worker: str, about: Mapping[str, Any], held: Mapping[str, str]) -> set[str] | None:
        """Renew the leases of the incidents in hand (id to fence).

        Returns the ids that are lost, or None when the store did not answer and nothing is known.
        """
        arguments: list[str | bytes | int] = [worker, dumps(about), self._lease_ms]
        arguments += [part for item in held.items() for part in item]
        try:
            try:
                lost = self._evalsha(arguments)
            except errors.NoScriptError:
                self._client.script_load(self._scripts.texts["beat"])
                lost = self._evalsha(arguments)
        except (errors.RedisError, OSError) as error:
            if not is_waited_for(error):
                raise
            return None
        return {event_id.decode() for event_id in lost}

    def _evalsha(self, arguments: list[str | bytes | int]) -> list[bytes]:
        answer: list[bytes] = self._client.execute_command(  # type: ignore[no-untyped-call]
            "EVALSHA", self._scripts.hashes["beat"], 1, self._scripts.route, *arguments
        )
        return answer

    def leave(self, worker: str) -> None:
        """Take a worker that stops off the list that people look at."""
        try:
            self._client.zrem(self._workers, worker)
            self._client.hdel(self._worker_info, worker)
            self._client.hdel(self._claims, worker)
        except (errors.RedisError, OSError):
            return  # it fades from the list by itself

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()
