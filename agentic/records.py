"""From a handled incident to its history record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agentic.contracts import Incident
from agentic.course import Acted
from agentic.types import Diagnosis, HistoryRecord, LogDigest, ModelCall, RecordStatus, utc_now


def write_record(
    incident: Incident,
    status: RecordStatus,
    *,
    worker: str,
    reason: str,
    digest: LogDigest | None = None,
    diagnosis: Diagnosis | None = None,
    acted: Acted | None = None,
    notes: tuple[str, ...] = (),
    diagnose_seconds: float = 0.0,
    model_calls: tuple[ModelCall, ...] = (),
    made_by: Mapping[str, str] | None = None,
) -> HistoryRecord:
    """Build the one record of an event; timings are seconds: waiting, diagnosing, acting, and all in all."""
    now = utc_now()
    event = incident.event
    return _of_parts(
        schema_version=1,
        event_id=event.event_id,
        job_id=event.job_id,
        status=status,
        event=event,
        digest=digest,
        diagnosis=diagnosis,
        actions=acted.plan if acted else (),
        outcomes=acted.outcomes if acted else (),
        verification=acted.verification if acted else None,
        approval=acted.approval if acted else None,
        feedback=(),
        reason=reason,
        deliveries=max(1, incident.deliveries),
        worker=worker,
        received_at=event.received_at,
        finished_at=now,
        timings=_timings(incident, now, acted, diagnose_seconds),
        notes=notes,
        model_calls=model_calls,
        made_by=dict(made_by or {}),
    )


def _of_parts(**parts: Any) -> HistoryRecord:
    """Make a record of parts that were checked when they were made; every field has to be given.

    There is a record for every event, and to check all of it once more takes longer than to gather it.
    """
    made = HistoryRecord.__new__(HistoryRecord)
    for name, value in (
        ("__dict__", parts),
        ("__pydantic_fields_set__", set(parts)),
        ("__pydantic_extra__", None),
        ("__pydantic_private__", None),
    ):
        object.__setattr__(made, name, value)
    return made


def _timings(incident: Incident, now: datetime, acted: Acted | None, diagnose_seconds: float) -> dict[str, float]:
    received, begun = incident.event.received_at, incident.begun_at
    act = sum(outcome.duration_seconds for outcome in acted.outcomes) if acted and acted.outcomes else 0.0
    return {
        "queue": _seconds((begun - received).total_seconds()),
        "diagnose": _seconds(diagnose_seconds),
        "act": _seconds(act),
        "total": _seconds((now - received).total_seconds()),
    }


def _seconds(exact: float) -> float:
    """Round to a tenth of a millisecond, by whole numbers, which is faster; clocks of two machines may differ."""
    return round(exact * 10_000) / 10_000 if exact > 0 else 0.0
