"""Keeping the leases of what is in hand, from a thread that no slow handler can starve."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from agentic_worker.health import touch
from store.lease import LeaseKeeper

log = structlog.get_logger()

STUCK_SECONDS = 120.0
"""How long the event loop may stand still before its leases are let go; far beyond whatever is slow."""


class Heartbeat:
    """Beats each third of the lease; says at once which incidents are lost (id to the fence that is lost).

    A worker that cannot reach the store is fenced by its own monotonic clock before its leases end, since
    the server's clock may run on while nobody answers. So a beat may take only a part of the lease, and is
    repeated soon when it fails.
    """

    def __init__(
        self,
        keeper: LeaseKeeper,
        worker: str,
        lease_seconds: float,
        lost: Callable[[Mapping[str, str]], None],
        health_file: Path | None = None,
    ) -> None:
        self._keeper = keeper
        self._worker = worker
        self._lease = lease_seconds
        self._lost = lost
        self._health_file = health_file
        self._held: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._pause_after_failure = min(lease_seconds / 10, 1.0)
        self.about: Mapping[str, Any] = {}
        self._loop_seen_at: float | None = None
        self._said_stuck = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more, wait for the thread, leave the list of workers."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=10)
        self._keeper.leave(self._worker)
        self._keeper.close()

    def loop_runs(self) -> None:
        """Note that the event loop goes round; once it has said so, it is missed when it falls silent."""
        self._loop_seen_at = time.monotonic()

    def hold(self, event_id: str, fence: str, claimed_at: float) -> None:
        """Keep a lease that was given at `claimed_at` (monotonic, taken before the claim was sent)."""
        with self._lock:
            self._held[event_id] = (fence, claimed_at + self._lease)
        if time.monotonic() - claimed_at > self._lease / 3:
            self._wake.set()  # the answer took long, so the next beat is due already

    def drop(self, event_id: str, fence: str) -> None:
        """Keep it no longer, unless it was claimed anew meanwhile."""
        with self._lock:
            if event_id in self._held and self._held[event_id][0] == fence:
                del self._held[event_id]

    def held(self) -> int:
        """Return how many leases are kept."""
        with self._lock:
            return len(self._held)

    def soon_over(self, within_seconds: float) -> dict[str, str]:
        """Return what will be lost by then unless it is renewed; the loop looks too, should this thread be held up.

        Looking up the store's address, for one, knows no time limit.
        """
        return self._over(time.monotonic() + within_seconds)

    def _run(self) -> None:
        while not self._stopping:
            try:
                answered = self._beat()
            except Exception:  # a thread that dies silently would lose every lease
                log.exception("heartbeat.failed")
                answered = False
            self._wake.wait(min(self._lease / 3, 10.0) if answered else self._pause_after_failure)
            self._wake.clear()

    def _beat(self) -> bool:
        sent = time.monotonic()
        with self._lock:
            held = {event_id: fence for event_id, (fence, _) in self._held.items()}
        try:
            answer = None if self._stuck(sent) else self._keeper.beat(self._worker, self._about(held), held)
        except Exception:
            log.exception("heartbeat.failed")
            answer = None
        if answer is None:
            # What will be over when the next beat has failed, too: nobody looks in between.
            lost = self._over(time.monotonic() + self._pause_after_failure + self._keeper.longest_beat_seconds + 0.05)
        else:
            lost = {event_id: held[event_id] for event_id in answer}
            self._renew(held, answer, sent)
            self._note_health()
        if lost:
            self._lost(lost)
        return answer is not None

    def _about(self, held: Mapping[str, str]) -> Mapping[str, Any]:
        return {**self.about, "in_hand": len(held)}

    def _stuck(self, now: float) -> bool:
        """Say whether the event loop stands still: nobody works on what is in hand, so others should have it."""
        seen = self._loop_seen_at
        stuck = seen is not None and now - seen > STUCK_SECONDS
        if stuck and not self._said_stuck:
            log.error("worker.stuck", seconds=round(now - (seen or now)), in_hand=self.held())
        self._said_stuck = stuck
        return stuck

    def _renew(self, held: Mapping[str, str], lost: set[str], sent: float) -> None:
        with self._lock:
            for event_id, fence in held.items():
                if event_id not in lost and self._held.get(event_id, ("",))[0] == fence:
                    self._held[event_id] = (fence, sent + self._lease)

    def _over(self, moment: float) -> dict[str, str]:
        """Return the incidents whose lease may have ended by `moment`."""
        with self._lock:
            return {event_id: fence for event_id, (fence, ends) in self._held.items() if ends <= moment}

    def _note_health(self) -> None:
        if self._health_file is not None:
            try:
                touch(self._health_file)
            except OSError as error:
                log.warning("heartbeat.health_file", file=str(self._health_file), error=error.strerror)
                self._health_file = None
