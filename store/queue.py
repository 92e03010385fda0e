"""The event queue: accept, claim, keep, put aside, finish."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic_core import to_json
from redis import exceptions as errors

from agentic.types import HistoryRecord
from store.base import BLOCK_SECONDS, StoreBase, dumps, loads
from store.calls import is_waited_for

GATHER_LIMIT = 256
CALL_LIMIT = 1000
"""Most events in one call. A script cannot lay out some 8,000 values in one command, and would stop half way."""


class Enqueued(StrEnum):
    """What became of an event on its way into the queue."""

    QUEUED = "queued"
    DUPLICATE = "duplicate"
    FULL = "full"


_ENQUEUED = {answer.value.encode(): answer for answer in Enqueued}


class Claimed(NamedTuple):
    """An incident in this worker's hand: payload, fence and what was worked out before."""

    event_id: str
    fence: str
    payload: bytes
    deliveries: int
    received_ms: int
    accepted: bool
    """It came through `enqueue`, so it was checked and redacted before; else anybody may have pushed it."""
    progress: Mapping[str, Any] = MappingProxyType({})
    whole_bytes: int = 0
    """Size of the payload as it was pushed; one that is too long is handed out as its head only."""

    @property
    def is_cut(self) -> bool:
        """Whether only the head of the payload was kept."""
        return self.whole_bytes > len(self.payload)


class Ending(NamedTuple):
    """How an incident ended, as it goes into history."""

    event_id: str
    fence: str
    record: HistoryRecord
    memory: Mapping[str, Any] | None = None
    event: bytes | None = None
    """The event of the record as JSON, where that is at hand."""
    letter: Mapping[str, Any] | None = None


class QueueStore(StoreBase):
    """The way of an event from the producer to its record."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._entering: list[tuple[str, bytes, asyncio.Future[Enqueued]]] = []
        self._doorman: asyncio.Task[None] | None = None
        self._saves = itertools.count(1)

    async def enqueue(self, event_id: str, raw: bytes) -> Enqueued:
        """Put an event on the queue; requests in flight together share one round trip."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Enqueued] = loop.create_future()
        self._entering.append((event_id, raw, answer))
        if self._doorman is None or self._doorman.done():
            self._doorman = loop.create_task(self._let_in())
        return await answer

    async def _let_in(self) -> None:
        while self._entering:
            group, self._entering = self._entering[:GATHER_LIMIT], self._entering[GATHER_LIMIT:]
            try:
                answers = await self.enqueue_many([(event_id, raw) for event_id, raw, _ in group])
            except Exception as error:  # noqa: BLE001 - handed on to every request that waits for it
                for _, _, waiting in group:
                    if not waiting.done():
                        waiting.set_exception(error)
                continue
            for (_, _, waiting), answer in zip(group, answers, strict=True):
                if not waiting.done():
                    waiting.set_result(answer)

    async def enqueue_many(self, items: Sequence[tuple[str, bytes]]) -> list[Enqueued]:
        """Put several events on the queue, in order; raises StoreUnavailable, and then all may be sent again."""
        answers: list[bytes] = []
        for start in range(0, len(items), CALL_LIMIT):
            flat = [part for item in items[start : start + CALL_LIMIT] for part in item]
            answers += await self._ask("enqueue", self.limits.max_waiting, secrets.token_hex(8), *flat)
        return [_ENQUEUED[answer] for answer in answers]

    async def retry_after_seconds(self) -> int:
        """Say when a refused producer should come back: a tenth of the time the backlog takes, 1 s to 5 min."""
        waiting: int
        [waiting, newest] = await self._read(
            ("LLEN", self.keys.single("events")), ("ZREVRANGE", self.keys.single("history:ids"), 0, 99)
        )
        ends = [self.keys.of("incident", newest[at].decode()) for at in (-1, 0)] if newest else []
        times = await self._read(*(("HGET", key, "finished_ms") for key in ends)) if ends else []
        took = (int(times[1]) - int(times[0])) / 1000 if len(times) == 2 and all(times) else 0.0
        seconds_per_record = max(took, 0.001) / len(newest) if took else 0.02
        seconds = round(waiting * seconds_per_record * 0.1 * random.uniform(0.8, 1.2))  # noqa: S311
        return max(1, min(300, seconds))

    async def claim(self, worker: str, nonce: str, most: int, *, suspects: int = 1) -> list[Claimed]:
        """Take up to `most` incidents: due ones, abandoned ones, then waiting events.

        The same nonce is answered with the same incidents, so a lost reply loses nothing. Nonces that end in a
        number after a dash count up: one that arrives after its successor takes nothing. At most `suspects` of
        the incidents were lost by two workers before.
        """
        longest = self.limits.max_payload_bytes
        most = min(most, CALL_LIMIT)
        answer = await self._claiming("claim", worker, nonce, self.limits.lease_ms, most, suspects, longest)
        fence = answer[0].decode()
        return [_claimed(incident, fence) for incident in answer[1:]]

    async def wait_for_work(self) -> None:
        """Return when an event waits, and after half a second in any case.

        Moving the head of the list to where it stands changes nothing, yet blocks while the list is empty
        and wakes for anybody's RPUSH.
        """
        events = self.keys.single("events")
        try:
            await self._blocking.blmove(events, events, BLOCK_SECONDS, "LEFT", "LEFT")  # type: ignore[arg-type]
        except (errors.RedisError, OSError) as error:
            if not is_waited_for(error):
                raise
            await asyncio.sleep(BLOCK_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311

    async def save(self, event_id: str, fence: str, progress: Mapping[str, Any]) -> bool:
        """Store what has been worked out; False when another worker holds the incident."""
        flat = [part for name, value in progress.items() for part in (name, dumps(value))]
        return bool(await self._calls("save", event_id, fence, next(self._saves), *flat) == b"ok")

    async def defer(
        self, event_id: str, fence: str, wait_seconds: float, *, watch_job: str = "", watch_answer: str = ""
    ) -> bool:
        """Put an incident aside, at most until the job is well or the signature answered; False when fenced."""
        wait_ms = max(0, int(wait_seconds * 1000))
        answer = await self._calls("defer", event_id, fence, wait_ms, watch_job, watch_answer)
        return bool(answer == b"ok")

    async def release(self, event_id: str, fence: str) -> bool:
        """Give an incident back unfinished, as if it had not been delivered; False when another worker holds it.

        Raises StoreUnavailable: a worker that stops does not wait for ever, and the lease ends by itself.
        """
        return bool(await self._ask("release", event_id, fence) == b"ok")

    async def finish(
        self,
        event_id: str,
        fence: str,
        record: HistoryRecord,
        *,
        memory: Mapping[str, Any] | None = None,
        letter: Mapping[str, Any] | None = None,
    ) -> bool:
        """Write the record, drop the lease and close the incident at once; False when another worker holds it."""
        return (await self.finish_many([Ending(event_id, fence, record, memory, letter=letter)]))[0]

    async def finish_many(self, endings: Sequence[Ending]) -> list[bool]:
        """Finish some incidents in one go, a few hundred at most; raises when one of them is at fault."""
        return await self._finish([part for ending in endings for part in _parts_of(ending)])

    async def bury(self, event_id: str, fence: str, letter: Mapping[str, Any]) -> bool:
        """Close an incident whose payload is no event: it becomes a dead letter without a record."""
        [ended] = await self._finish([f"{event_id} {fence} dead - - - ", b"", b"", dumps(letter)])
        return ended

    async def _finish(self, parts: Sequence[str | bytes]) -> list[bool]:
        limits = self.limits
        answers = await self._calls(
            "finish", limits.max_history, int(limits.dedup_days * 86_400_000), limits.max_dead, *parts
        )
        return [answer in (b"ok", b"already") for answer in answers]

    async def recovered(self, job_id: str, event_id: str, fence: str) -> list[str]:
        """Tell the incidents that wait for the job to be well; return their ids.

        Only the worker that holds the success may tell it.
        """
        return [told.decode() for told in await self._calls("recovered", job_id, event_id, fence)]


def _parts_of(ending: Ending) -> tuple[str, bytes, bytes, bytes]:
    """Return what `finish.lua` reads of an ending: its head, record, memory and dead letter."""
    record = ending.record
    diagnosis, digest, event = record.diagnosis, record.digest, record.event
    # Plain texts: a member of an enumeration takes longer to write.
    category = diagnosis.category.value if diagnosis else "-"
    reported = event.status.value if event else "-"
    signature = (digest.signature if digest else "") or "-"
    return (
        f"{ending.event_id} {ending.fence} {record.status.value} {category} {reported} {signature} {record.job_id}",
        dumps(record) if ending.event is None else _around(ending.event, record),
        dumps(ending.memory) if ending.memory else b"",
        dumps(ending.letter) if ending.letter else b"",
    )


def _around(event: bytes, record: HistoryRecord) -> bytes:
    """Write a record around its event, which is there already; it is most of a record."""
    rest = to_json(record, by_alias=True, inf_nan_mode="null", exclude={"event"})
    return b'%b,"event":%b}' % (rest[:-1], event)


def _claimed(answer: list[bytes], fence: str) -> Claimed:
    event_id, deliveries, received_ms, accepted, size = answer[0].decode().split()
    saved = {name.decode(): loads(value) for name, value in zip(answer[2::2], answer[3::2], strict=True)}
    return Claimed(event_id, fence, answer[1], int(deliveries), int(received_ms), accepted == "1", saved, int(size))
