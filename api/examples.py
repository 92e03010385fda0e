"""What the docs page shows as answers: one story, told by every route. FastAPI leaves every None out of examples."""

from __future__ import annotations

from typing import Any

EVENT_ID = "ev_019a1b2c3d4ef0a1b2c3d4e5f607"
AT, DONE_AT = "2026-11-22T02:15:10Z", "2026-11-22T02:15:52Z"
LOG = ["starting backup of 3 databases", "tar: /var/backups/db.tar: Cannot write: No space left on device"]
CAUSE = "The volume of /var/backups/db.tar is full."

LINKS = {"history": f"/history/{EVENT_ID}", "incident": f"/incidents/{EVENT_ID}"}
ACCEPTED: dict[str, Any] = {"status": "submitted", "event_id": EVENT_ID, "links": LINKS}
UNKNOWN_STATUS = {
    "pointer": "/status",
    "code": "unknown_status",
    "message": (
        "unknown status 'exploded'; known are: failed, timeout, stuck, late, overrun, killed, started, succeeded"
    ),
}
BATCH: dict[str, Any] = {
    "submitted": 1,
    "duplicate": 1,
    "full": 0,
    "rejected": 0,
    "results": [ACCEPTED, {**ACCEPTED, "status": "duplicate"}],
}
BATCH_IN_PART: dict[str, Any] = {
    **BATCH,
    "duplicate": 0,
    "rejected": 1,
    "results": [ACCEPTED, {"status": "rejected", "errors": [UNKNOWN_STATUS]}],
}
DIAGNOSIS: dict[str, Any] = {
    "category": "disk_full",
    "root_cause": CAUSE,
    "confidence": 95,
    "evidence": [1],
    "source": "rule:filesystem.no_space",
    "ruled_out": [],
}
RECORD: dict[str, Any] = {
    "schema": 1,
    "event_id": EVENT_ID,
    "job_id": "nightly-backup",
    "status": "resolved",
    "event": {
        "event_id": EVENT_ID,
        "job_id": "nightly-backup",
        "status": "failed",
        "event_type": "job_issue",
        "log": LOG,
        "exit_code": 1,
        "host": "db-3",
        "command": "/usr/local/bin/backup.sh",
        "received_at": AT,
    },
    "digest": {
        "signature": "5f0c9a1b7d3e2468",
        "headline": LOG[1],
        "excerpt": [{"line": number, "text": text} for number, text in enumerate(LOG)],
        "total_lines": 2,
    },
    "diagnosis": DIAGNOSIS,
    "actions": [
        {
            "step": 1,
            "name": "free_disk",
            "kind": "free_disk_space",
            "effector": "command",
            "params": {},
            "risk": "safe",
            "decision": "auto",
            "reason": "The action is marked safe, the cause is certain enough, and the job's mode is auto.",
            "preview": "/usr/local/bin/clean-scratch -- nightly-backup",
        }
    ],
    "outcomes": [
        {
            "step": 1,
            "name": "free_disk",
            "status": "done",
            "detail": "exit code 0",
            "started_at": "2026-11-22T02:15:11Z",
            "duration_seconds": 0.8,
        }
    ],
    "verification": {"status": "verified", "how": "the job's check passed", "at": DONE_AT},
    "feedback": [],
    "reason": "the job's check passed",
    "deliveries": 1,
    "worker": "db-3-4711",
    "received_at": AT,
    "finished_at": DONE_AT,
    "timings": {"decide": 0.004, "act": 41.2},
    "notes": [],
}
HISTORY: dict[str, Any] = {"records": [RECORD], "next_cursor": "WzMwXQ"}
DECIDED: dict[str, Any] = {"status": "approved", "event_id": EVENT_ID, "links": LINKS}
PRECEDENTS: dict[str, Any] = {
    "precedents": [
        {
            "event_id": EVENT_ID,
            "job_id": "nightly-backup",
            "category": "disk_full",
            "root_cause": DIAGNOSIS["root_cause"],
            "tried": ["free_disk"],
            "status": "resolved",
            "verified": True,
            "feedback": [],
            "at": DONE_AT,
        }
    ]
}
STORED: dict[str, Any] = {"status": "stored", "event_id": EVENT_ID, "links": LINKS}
INCIDENT: dict[str, Any] = {
    "event_id": EVENT_ID,
    "job_id": "nightly-backup",
    "state": "running",
    "stage": "acting",
    "deliveries": 1,
    "owner": "db-3-4711",
    "received_at": AT,
    "diagnosis": DIAGNOSIS,
}
INCIDENTS: dict[str, Any] = {"incidents": [INCIDENT], "next_cursor": "WzMwXQ"}
TIMELINE = [
    {"at": AT, "what": "received", "detail": ""},
    {"at": "2026-11-22T02:15:11Z", "what": "begun: free_disk", "detail": ""},
]
INCIDENT_DETAIL: dict[str, Any] = {
    **INCIDENT,
    "state": "done",
    "stage": "done",
    "timeline": TIMELINE,
    "plan": RECORD["actions"],
    "evidence": [{"line": 1, "text": LOG[1]}],
    "record": RECORD,
}
JOB: dict[str, Any] = {
    "job_id": "nightly-backup",
    "last_event_id": EVENT_ID,
    "last_reported": "failed",
    "last_status": "resolved",
    "last_category": "disk_full",
    "last_at": DONE_AT,
    "last_success_at": "2026-11-21T02:22:02Z",
    "reports": {"failed": 1, "succeeded": 30},
    "records": {"resolved": 1, "ignored": 30},
}
JOBS: dict[str, Any] = {"jobs": [JOB]}
JOB_DETAIL: dict[str, Any] = {
    **JOB,
    "recent": [{"event_id": EVENT_ID, "status": "resolved", "finished_at": DONE_AT}],
}
DEAD: dict[str, Any] = {
    "dead": [{"event_id": "raw-6f1d", "reason": "not valid JSON", "at": AT, "payload": "job=backup"}],
    "next_cursor": "WzMwXQ",
}
CHECKS: dict[str, Any] = {
    "store": {"ok": True, "detail": "The store answers."},
    "queue": {"ok": True, "detail": "0 events waiting."},
    "workers": {"ok": True, "detail": "1 worker at work."},
    "llm": {"ok": True, "detail": "The model answers."},
}
STORE_AWAY: dict[str, Any] = {"store": {"ok": False, "detail": "The store does not answer."}}
HEALTH: dict[str, Any] = {
    "status": "ok",
    "summary": "The store answers. 0 events waiting. 1 worker at work. The model answers.",
    "checks": CHECKS,
}
DOWN: dict[str, Any] = {
    "status": "down",
    "summary": "The store does not answer: events are refused until it is back.",
    "checks": STORE_AWAY,
}
READY: dict[str, Any] = {"status": "ready", "checks": CHECKS}
NOT_READY: dict[str, Any] = {"status": "unavailable", "checks": STORE_AWAY}
STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "uptime_seconds": 86400.0,
    "queue_depth": 0,
    "queue_limit": 100000,
    "oldest_age_seconds": 41.2,
    "in_flight": 1,
    "delayed": 0,
    "dead": 0,
    "history_length": 31,
    "paused": {"by": "dana", "reason": "database upgrade until 04:00", "at": "2026-11-22T01:55:00Z"},
    "workers": [{"id": "db-3-4711", "last_seen": DONE_AT, "host": "db-3", "pid": 4711}],
    "store": {"server": "valkey", "version": "9.1.2", "append_only": True, "fsync": "always", "eviction": "noeviction"},
    "llm": {"state": "up", "model": "qwen3-8b", "base_url": "http://localhost:1234/v1"},
}
METRICS = """\
# HELP autoremedy_queue_depth Events waiting
# TYPE autoremedy_queue_depth gauge
autoremedy_queue_depth 0.0
"""
PROBLEM_DETAILS: dict[str, str] = {
    "cross-site": "A page of another site may not change anything here.",
    "not-found": "No record of that event: it is unknown, or still being handled (see /incidents).",
    "conflict": "The plan has changed since it was shown; look at it again.",
    "too-large": "The body may have at most 4194304 bytes.",
    "unsupported-media-type": "The request has no Content-Type; send application/json.",
    "invalid": f"/status: {UNKNOWN_STATUS['message']}",
    "queue-full": "The queue is full; nothing was stored. Send it again later.",
    "internal": "Something went wrong here; the log has it under this request id.",
    "store-unavailable": "The store does not answer. Send it again later; the same event_id is never counted twice.",
}


def problem(code: str, status: int, title: str, kind: str) -> dict[str, Any]:
    """Return the problem document of a code."""
    shown: dict[str, Any] = {
        "type": kind,
        "title": title,
        "status": status,
        "detail": PROBLEM_DETAILS[code],
        "instance": "/event",
        "request_id": "9f2c61d07b5e4a38",
    }
    return {**shown, "errors": [UNKNOWN_STATUS]} if code == "invalid" else shown
