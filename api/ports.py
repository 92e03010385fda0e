"""What the API asks of the store; `store.Store` is the real one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from agentic.types import Feedback, Precedent

QUEUED, DUPLICATE, FULL = "queued", "duplicate", "full"
"""What `enqueue` answers; the store's own enumeration has these values."""


class Page(Protocol):
    """One page of a list, and where the next one begins."""

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        """The entries of this page."""

    @property
    def next_cursor(self) -> str | None:
        """Opaque; None when this was the last page."""


class Store(Protocol):
    """All state. Every method raises StoreUnavailable while the server is away."""

    @property
    def mark_key(self) -> bytes:
        """Key of the marks of redacted secrets; known once the store is open."""

    async def open(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Disconnect."""

    async def ping(self) -> bool:
        """Say whether the server answers."""

    async def enqueue(self, event_id: str, raw: bytes) -> str:
        """Queue one event; QUEUED, DUPLICATE or FULL."""

    async def enqueue_many(self, items: Sequence[tuple[str, bytes]]) -> Sequence[str]:
        """Queue many events, each with its own answer."""

    async def retry_after_seconds(self) -> int:
        """Say when a full queue will have room."""

    async def history(
        self,
        *,
        limit: int,
        cursor: str | None,
        job_id: str | None = None,
        status: str | None = None,
        category: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        order: Literal["desc", "asc"] = "desc",
    ) -> Page:
        """List history records; raises BadCursor."""

    async def record(self, event_id: str) -> Mapping[str, Any] | None:
        """Return one history record with its feedback."""

    async def precedents(self, signature: str, job_id: str) -> Sequence[Precedent]:
        """Return incidents with a signature, newest first, as the event of a job would recall them."""

    async def add_feedback(self, feedback: Feedback) -> bool:
        """Keep feedback; False when the event is not known."""

    async def incidents(self, *, state: str | None, limit: int, cursor: str | None) -> Page:
        """List incidents; raises BadCursor."""

    async def incident(self, event_id: str) -> Mapping[str, Any] | None:
        """Return one incident: event_id, job_id, state, deliveries, owner, timeline, event, record."""

    async def decide(
        self, event_id: str, verdict: Literal["approved", "rejected"], plan_hash: str, user: str, reason: str = ""
    ) -> tuple[str, str]:
        """Approve or reject a plan.

        Answers ok, already, changed, expired, not_waiting or unknown, with who decided or the plan's hash.
        """

    async def paused_by(self) -> str | None:
        """Say who paused automatic actions, if anybody did."""

    async def jobs(self) -> Sequence[Mapping[str, Any]]:
        """List every job that was heard of, each with its `job_id`."""

    async def job(self, job_id: str) -> Mapping[str, Any] | None:
        """Return one job."""

    async def dead(self, *, limit: int, cursor: str | None) -> Page:
        """List dead letters; raises BadCursor."""

    async def replay(self, event_id: str) -> bool:
        """Queue a dead letter again; False when there is none of that id."""

    async def pause(self, by: str, reason: str | None) -> None:
        """Let no automatic action begin from now on."""

    async def resume(self) -> None:
        """Take the pause back."""

    async def status(self) -> Mapping[str, Any]:
        """Return what is going on now.

        Counts `queue_depth` (of at most `queue_limit`), `in_flight`, `delayed`, `dead`, `history_length`;
        `oldest_age_seconds`; `paused` {by, reason, at} or None; `workers` [{id, last_seen_at, …}]; `store` {…};
        `llm` {state, …} as a worker last wrote it, with the state up, down, off or unknown.
        """

    async def totals(self) -> Mapping[str, Mapping[str, float]]:
        """Return what all workers counted: metric name to label value to total."""
