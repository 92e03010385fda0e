"""What operators look at and turn: status, totals, dead letters, the pause switch."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Mapping
from typing import Any

from store.base import Page, StoreBase, as_number, dumps, from_cursor, loads, ms_to_time, to_cursor

WORKER_GONE_SECONDS = 60


class OperationsStore(StoreBase):
    """The control room."""

    async def status(self) -> dict[str, Any]:
        """Return the state of the queue, incidents in hand, workers, the store and the model."""
        single = self.keys.single
        waiting, oldest, in_hand, delayed, waits, dead, records, workers, about, paused, llm = await self._read(
            ("LLEN", single("events")),
            ("ZRANGE", single("open"), 0, 0, "WITHSCORES"),
            ("ZCARD", single("leases")),
            ("ZCARD", single("delayed")),
            ("ZCARD", single("waiting")),
            ("LLEN", single("dead")),
            ("LLEN", single("history")),
            ("ZREVRANGE", single("workers"), 0, 99, "WITHSCORES"),
            ("HGETALL", single("worker-info")),
            ("HGETALL", single("paused")),
            ("GET", single("llm")),
        )
        now = time.time()
        age = max(0.0, now - float(oldest[1]) / 1000) if oldest else 0.0
        return {
            "queue_depth": waiting,
            "queue_limit": self.limits.max_waiting,
            "oldest_age_seconds": round(age, 3),
            "in_flight": in_hand,
            "delayed": delayed,
            "waiting": waits,
            "dead": dead,
            "history_length": records,
            "paused": _strings(paused) or None,
            "workers": _workers(workers, _strings(about), now),
            "store": self.server,
            "llm": loads(llm) if llm else {"state": "unknown"},
        }

    async def totals(self) -> dict[str, dict[str, float]]:
        """Return the counters of all workers and API processes: metric -> label -> total."""
        [raw] = await self._read(("HGETALL", self.keys.single("totals")))
        totals: dict[str, dict[str, float]] = {}
        for name, value in _strings(raw).items():
            metric, _, label = name.partition("|")
            totals.setdefault(metric, {})[label] = float(value)
        return totals

    async def note_llm(self, state: Mapping[str, Any]) -> None:
        """Keep what a worker last saw of the model server."""
        await self._read(("SET", self.keys.single("llm"), dumps(state), "EX", 600))

    async def dead(self, *, limit: int = 50, cursor: str | None = None) -> Page:
        """Return dead letters, newest first."""
        offset = as_number(from_cursor(cursor, 1)[0]) if cursor else 0
        [raw] = await self._read(("LRANGE", self.keys.single("dead"), -(offset + limit + 1), -(offset + 1)))
        newest_first = raw[::-1]
        letters = [loads(letter) for letter in newest_first[:limit]]
        return Page(letters, to_cursor(offset + limit) if len(newest_first) > limit else None)

    async def replay(self, event_id: str) -> bool:
        """Bring a dead letter back into the queue once; False when there is none of that id, or it is handled now."""
        [raw] = await self._read(("LRANGE", self.keys.single("dead"), 0, -1))
        for letter in reversed(raw):
            content = loads(letter)
            if content["event_id"] == event_id:
                payload = base64.b64decode(content["payload_base64"]) if "payload_base64" in content else None
                body = payload if payload is not None else content["payload"].encode()
                accepted = int(bool(content.get("accepted")))
                answer = await self._ask("replay", letter, event_id, body, accepted, secrets.token_hex(8))
                return bool(answer == b"ok")
        return False

    async def pause(self, by: str, reason: str | None) -> None:
        """Stop automatic actions everywhere; events are still diagnosed."""
        at = ms_to_time(time.time() * 1000) or ""
        await self._read(("HSET", self.keys.single("paused"), "by", by, "reason", reason or "", "at", at))

    async def paused_by(self) -> str | None:
        """Return who paused automatic actions, or None."""
        [by] = await self._read(("HGET", self.keys.single("paused"), "by"))
        return None if by is None else str(by.decode())

    async def resume(self) -> None:
        """Allow automatic actions again."""
        await self._read(("DEL", self.keys.single("paused")))


def _strings(raw: Any) -> dict[str, str]:
    pairs = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
    return {name.decode(): value.decode() for name, value in pairs}


def _workers(seen: list[bytes], about: Mapping[str, str], now: float) -> list[dict[str, Any]]:
    workers = []
    for name, ms in zip(seen[::2], seen[1::2], strict=True):
        silent = now - float(ms) / 1000
        if silent < WORKER_GONE_SECONDS:
            known = loads(about.get(name.decode(), "{}").encode())
            workers.append({"id": name.decode(), "last_seen": ms_to_time(ms), **known})
    return workers
