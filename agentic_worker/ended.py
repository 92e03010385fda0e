"""What is left to do for an event that was handled, or that cannot be: its record, its dead letter, its log line."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

from agentic.pipeline import as_memory
from agentic.types import HistoryRecord, utc_now
from store import Claimed, Ending

CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r")


class Ended(NamedTuple):
    """An event that was handled, on its way into history."""

    claimed: Claimed
    record: HistoryRecord
    as_read: bool
    """The record holds the event just as it was read."""
    begun_at: float

    def ending(self) -> Ending:
        """Return what the store has to know; an event that it accepted is laid into the record as it is."""
        claimed, record = self.claimed, self.record
        event = claimed.payload if self.as_read and claimed.accepted else None
        return Ending(claimed.event_id, claimed.fence, record, as_memory(record), event)

    def summary(self) -> dict[str, Any]:
        """Return what the log says of it."""
        record, diagnosis = self.record, self.record.diagnosis
        return {
            "event_id": record.event_id,
            "job_id": record.job_id,
            "status": record.status.value,  # a plain text is written twice as fast as a member of an enumeration
            "category": diagnosis.category.value if diagnosis else None,
            "source": diagnosis.source if diagnosis else None,
            "reason": record.reason,
        }


def dead_letter(claimed: Claimed, reason: str) -> Mapping[str, Any]:
    """Return what is kept of a payload that cannot be processed; nothing of it is lost."""
    return {
        "event_id": claimed.event_id,
        "reason": reason,
        "at": utc_now(),
        "accepted": claimed.accepted,
        **_payload(claimed.payload),
    }


def _payload(raw: bytes) -> Mapping[str, Any]:
    """Return a payload as JSON holds it without growing sixfold: as text only where it is printable."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or not CONTROLS.isdisjoint(raw):
        return {"payload_base64": base64.b64encode(raw).decode()}
    return {"payload": text}
