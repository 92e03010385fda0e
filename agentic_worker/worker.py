"""The worker's loop: claim, handle, write down; every way an event can go is on this page."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

import structlog

from agentic.contracts import Deferred, Parked
from agentic.errors import Fenced, InvalidEvent
from agentic.pipeline import Pipeline
from agentic.types import Event, EventStatus, HistoryRecord, RecordStatus, utc_now
from agentic_worker.ended import Ended, dead_letter
from agentic_worker.heartbeat import Heartbeat
from store import Claimed, Store, StoredIncident, StoreUnavailable

log = structlog.get_logger()

T = TypeVar("T")
CLAIM_GRACE_SECONDS = 2.0
"""How long a stopping worker waits for the answer to its last claim; what is in it is then drained, not stranded."""
SUSPECT_FROM = 3
"""Delivery from which an incident may be what kills its workers; `claim.lua` says the same."""
PARTS = 3
"""Into how many claims what a worker may have in hand is divided."""
TURNS_TO_SEND = 4
"""Turns of the loop after which a request is on its way: its task, the sender's, the client's, and one to spare."""
WRITE_TOGETHER = 64
"""Most records that go into history in one call."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How much one worker takes on, and when it gives up."""

    concurrency: int = 32
    drain_seconds: float = 20.0
    max_deliveries: int = 5


class _Claim(NamedTuple):
    """A claim on its way."""

    answer: asyncio.Future[list[Claimed]]
    asked_at: float


class Worker:
    """Handles events until it is told to stop."""

    def __init__(
        self,
        name: str,
        store: Store,
        pipeline: Pipeline,
        heartbeat: Heartbeat,
        read: Callable[[bytes, bool], Event],
        limits: WorkerLimits,
    ) -> None:
        self._name = name
        self._store = store
        self._pipeline = pipeline
        self._heartbeat = heartbeat
        self._read = read
        self._limits = limits
        self._in_hand: dict[str, tuple[Claimed, asyncio.Task[None]]] = {}
        self._ended: list[Ended] = []
        """Handled in this turn of the loop; written down together after it."""
        self._writers: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._told_to_stop: asyncio.Future[Any] | None = None
        self._room = asyncio.Event()
        self._boot = secrets.token_hex(8)
        self._claims = itertools.count(1)
        self._log = structlog.get_logger().bind()  # looked up once: this one speaks for every event

    def stop(self) -> None:
        """Claim no more; `run` returns when what is in hand is finished or given back."""
        self._stopping.set()
        self._room.set()

    async def run(self) -> None:
        """Claim and handle until stopped, then drain."""
        log.info("worker.started", worker=self._name, concurrency=self._limits.concurrency)
        claim = await self._ask_when_free()
        while claim is not None:
            claimed = await self._answer(claim)
            following = None
            if claimed and not self._stopping.is_set():
                following = self._ask(claimed)
                for _ in range(TURNS_TO_SEND):  # the store works on the next claim while this one is worked on here
                    await asyncio.sleep(0)
            for one in claimed:
                self._take(one, claim.asked_at)
            if not claimed and not self._stopping.is_set():
                await self._unless_stopped(self._store.wait_for_work())
            claim = following or await self._ask_when_free()
        await self._drain()
        log.info("worker.stopped", worker=self._name)

    @property
    def stopping(self) -> bool:
        """Whether the worker was told to stop."""
        return self._stopping.is_set()

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than until the worker is told to stop."""
        await self._unless_stopped(asyncio.sleep(seconds))

    def fence(self, fences: Mapping[str, str]) -> None:
        """Stop working on incidents that another worker holds by now (id to the fence that is lost)."""
        for event_id, fence in fences.items():
            claimed, task = self._in_hand.get(event_id, (None, None))
            if claimed is not None and task is not None and claimed.fence == fence and self._cancel(claimed, task):
                log.warning("incident.fenced", event_id=event_id)

    def _ask(self, arrived: Sequence[Claimed] = ()) -> _Claim | None:
        """Send for as many incidents as there is room for beside those that have just arrived; None without room.

        At most one claim is under way, and at most one suspect in hand: whatever kills a worker takes no other
        suspect with it.
        """
        room = self._limits.concurrency - len(self._in_hand) - len(arrived)
        if room <= 0:
            return None
        # In parts: one is on its way here, one is worked on, and one is on its way into history.
        most = min(room, -(-self._limits.concurrency // PARTS))
        in_hand = (*arrived, *(claimed for claimed, _ in self._in_hand.values()))
        suspects = sum(claimed.deliveries >= SUSPECT_FROM for claimed in in_hand)
        nonce = f"{self._boot}-{next(self._claims)}"
        asked = self._store.claim(self._name, nonce, most, suspects=max(0, 1 - suspects))
        return _Claim(asyncio.ensure_future(asked), time.monotonic())

    async def _ask_when_free(self) -> _Claim | None:
        """Ask as soon as there is room; None when the worker was told to stop."""
        while not self._stopping.is_set():
            claim = self._ask()
            if claim is not None:
                return claim
            self._room.clear()
            await self._room.wait()
        return None

    async def _answer(self, claim: _Claim) -> Sequence[Claimed]:
        """Wait for what is claimed; once told to stop, only for the time that an answer on its way may take."""
        return await self._unless_stopped(claim.answer, grace_seconds=CLAIM_GRACE_SECONDS) or ()

    async def _unless_stopped(self, waited_for: Awaitable[T], grace_seconds: float = 0.0) -> T | None:
        """Wait for something, or for the word to stop and the grace time after it."""
        work = asyncio.ensure_future(waited_for)
        if self._told_to_stop is None:
            self._told_to_stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({work, self._told_to_stop}, return_when=asyncio.FIRST_COMPLETED)
            if grace_seconds and not work.done():
                await asyncio.wait({work}, timeout=grace_seconds)
            return work.result() if work.done() else None
        finally:
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

    def _take(self, claimed: Claimed, asked_at: float) -> None:
        former = self._in_hand.get(claimed.event_id)
        self._heartbeat.hold(claimed.event_id, claimed.fence, asked_at)
        handling = self._handle if former is None else partial(self._handle_after, former)
        self._in_hand[claimed.event_id] = (claimed, asyncio.create_task(self._guarded(claimed, handling)))

    def _let_go(self, claimed: Claimed) -> None:
        if self._in_hand.get(claimed.event_id, (None, None))[0] is claimed:
            del self._in_hand[claimed.event_id]
        self._heartbeat.drop(claimed.event_id, claimed.fence)
        self._room.set()

    def _cancel(self, claimed: Claimed, task: asyncio.Task[None]) -> bool:
        """Cancel a handling, once: a second time would cut short how it ends its command or takes its intention back.

        One that has not begun has no other way to let go.
        """
        if task.cancelling() or not task.cancel():
            return False
        task.add_done_callback(lambda _: self._let_go(claimed))
        return True

    async def _guarded(self, claimed: Claimed, handling: Callable[[Claimed], Awaitable[bool]]) -> None:
        """Own one event: whatever happens in its handling, its fate is written down here."""
        handed_over = False
        try:
            handed_over = await handling(claimed)
        except Fenced:
            log.warning("incident.fenced", event_id=claimed.event_id)
        except asyncio.CancelledError:
            if self._stopping.is_set():
                await self._give_back(claimed)
            raise
        except StoreUnavailable:
            await self._give_back(claimed)  # the store's trouble is not the event's fault
        except Exception as error:
            log.exception("incident.crashed", event_id=claimed.event_id)
            await self._try_again(claimed, error)
        finally:
            if not handed_over:
                self._let_go(claimed)

    async def _handle_after(self, former: tuple[Claimed, asyncio.Task[None]], claimed: Claimed) -> bool:
        """Handle what this worker has in hand already, under a lease that it has lost: the old handling ends first."""
        self._cancel(*former)
        await asyncio.wait({former[1]})
        return await self._handle(claimed)

    async def _handle(self, claimed: Claimed) -> bool:
        """Handle one event; True when its record has been handed over to be written with others."""
        if claimed.deliveries > self._limits.max_deliveries:
            reason = f"{claimed.deliveries - 1} workers took it in hand and none finished it"
            # Should reading the payload be what kills, the next one no longer reads it.
            await self._bury(claimed, reason, read=claimed.deliveries == self._limits.max_deliveries + 1)
            return False
        if claimed.is_cut:
            reason = f"{claimed.whole_bytes} bytes are too long to read; only the head was kept"
            await self._bury(claimed, reason, read=False)
            return False
        try:
            event = self._read(claimed.payload, claimed.accepted)
        except InvalidEvent as error:
            await self._bury(claimed, f"not a usable event: {error}", read=False)
            return False
        if event.event_id != claimed.event_id:
            event = event.model_copy(update={"event_id": claimed.event_id})
        return await self._run(claimed, event)

    async def _run(self, claimed: Claimed, event: Event) -> bool:
        clock = time.monotonic()
        self._log.debug("event.claimed", event_id=event.event_id, job_id=event.job_id, reported=event.status)
        incident = StoredIncident(self._store, claimed, event)
        ending = await self._pipeline.handle(incident)
        if not isinstance(ending, HistoryRecord):
            await self._put_aside(claimed, event, ending)
            return False
        if event.status is EventStatus.SUCCEEDED:
            await self._store.recovered(event.job_id, event.event_id, claimed.fence)
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._write_down)
        self._ended.append(Ended(claimed, ending, ending.event is event, clock))
        return True

    def _write_down(self) -> None:
        """Send the records of this turn of the loop into history."""
        ended, self._ended = self._ended, []
        for start in range(0, len(ended), WRITE_TOGETHER):
            writer = asyncio.create_task(self._write(ended[start : start + WRITE_TOGETHER]))
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)

    async def _write(self, ended: Sequence[Ended]) -> None:
        """Own some records until the store has them; should one be at fault, each is written by itself."""
        try:
            written = await self._store.finish_many([one.ending() for one in ended])
        except StoreUnavailable:
            await asyncio.gather(*(self._give_back(one.claimed) for one in ended))
        except Exception:
            log.exception("worker.write_failed", records=len(ended))
            await asyncio.gather(
                *(self._guarded(one.claimed, partial(self._write_alone, one)) for one in ended), return_exceptions=True
            )
        else:
            for one, is_written in zip(ended, written, strict=True):
                self._say(one, is_written)
        for one in ended:
            self._let_go(one.claimed)

    async def _write_alone(self, one: Ended, claimed: Claimed) -> bool:
        [is_written] = await self._store.finish_many([one.ending()])
        self._say(one, is_written)
        return False

    def _say(self, one: Ended, is_written: bool) -> None:
        if is_written:
            self._log.info("incident.finished", **one.summary(), seconds=round(time.monotonic() - one.begun_at, 4))
        else:
            log.warning("incident.fenced", event_id=one.claimed.event_id)

    async def _put_aside(self, claimed: Claimed, event: Event, why: Deferred | Parked) -> None:
        if isinstance(why, Parked):
            answer = await self._store.park(
                claimed.event_id, claimed.fence, why.plan_hash, why.within_seconds, event.job_id
            )
            done = answer == "ok"
            if answer == "approved":  # the word came for this very plan, in an earlier round
                done = await self._store.defer(claimed.event_id, claimed.fence, 0)
            told = {"waits_for": "approval", "wait_seconds": round(why.within_seconds, 1)}
        else:
            watch = event.job_id if why.watch_job else ""
            done = await self._store.defer(
                claimed.event_id, claimed.fence, why.wait_seconds, watch_job=watch, watch_answer=why.watch_answer
            )
            told = {"wait_seconds": round(why.wait_seconds, 1)}
        if not done:
            raise Fenced(claimed.event_id)
        log.info("incident.deferred", event_id=event.event_id, **told)

    async def _bury(self, claimed: Claimed, reason: str, *, read: bool = True) -> None:
        """Make a dead letter of a payload that cannot be processed; nothing of it is lost."""
        letter = dead_letter(claimed, reason)
        log.error("event.dead", event_id=claimed.event_id, reason=reason)
        record = self._dead_record(claimed, reason) if read else None
        if record is None:
            await self._store.bury(claimed.event_id, claimed.fence, letter)
        else:
            await self._store.finish(claimed.event_id, claimed.fence, record, letter=letter)

    def _dead_record(self, claimed: Claimed, reason: str) -> HistoryRecord | None:
        """Return the record of an event that was understood but not finished, None for what is no event."""
        try:
            event = self._read(claimed.payload, claimed.accepted)
        except InvalidEvent:
            return None
        return HistoryRecord(
            event_id=claimed.event_id, job_id=event.job_id, status=RecordStatus.DEAD,
            event=event.model_copy(update={"event_id": claimed.event_id}), reason=reason,
            deliveries=claimed.deliveries, worker=self._name, received_at=event.received_at, finished_at=utc_now(),
        )  # fmt: skip

    async def _try_again(self, claimed: Claimed, error: Exception) -> None:
        """Put a crashed incident aside for a while; after too many crashes it becomes a dead letter."""
        crashes = int(claimed.progress.get("crashes", 0)) + 1
        if crashes >= self._limits.max_deliveries:
            await self._bury(
                claimed, f"its handling broke {crashes} times, last: {type(error).__name__}: {error}"[:500]
            )
            return
        if await self._store.save(claimed.event_id, claimed.fence, {"crashes": crashes}):
            await self._store.defer(claimed.event_id, claimed.fence, 2.0**crashes)

    async def _give_back(self, claimed: Claimed) -> None:
        try:
            given = await self._store.release(claimed.event_id, claimed.fence)
        except StoreUnavailable:
            given = False  # its lease ends by itself
        log.info("incident.given_back" if given else "incident.left", event_id=claimed.event_id)

    async def _drain(self) -> None:
        """Finish what is in hand within the drain time; give the rest back to other workers."""
        if not self._in_hand:
            return
        log.info("worker.draining", worker=self._name, in_hand=len(self._in_hand))
        ends = time.monotonic() + self._limits.drain_seconds
        while self._in_hand and (left := ends - time.monotonic()) > 0:
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), left)
        pending = list(self._in_hand.values())
        for claimed, task in pending:
            self._cancel(claimed, task)
        for writer in self._writers:
            writer.cancel()
        await asyncio.gather(*(task for _, task in pending), *self._writers, return_exceptions=True)
        await asyncio.gather(*(self._give_back(claimed) for claimed, _ in self._in_hand.values()))  # not yet written
