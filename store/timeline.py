"""What people see of an incident: its state, and its story in order of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentic.contracts import Entry
from agentic.types import Outcome
from store.base import loads, ms_to_time


def fields_of(raw: list[bytes] | dict[bytes, bytes]) -> dict[str, str]:
    """Return a hash as text, however the client handed it over."""
    pairs = raw.items() if isinstance(raw, dict) else zip(raw[::2], raw[1::2], strict=True)
    return {name.decode(): value.decode("utf-8", "replace") for name, value in pairs}


def journal_of(fields: Mapping[str, str]) -> dict[str, Entry]:
    """Return what the effect journal says of each step that was ever begun."""
    found = {}
    for name, state in fields.items():
        step, _, what = name.rpartition(":")
        if what == "state":
            outcome = fields.get(f"{step}:outcome") if state == "done" else None
            found[step] = Entry(state == "done", Outcome.model_validate_json(outcome) if outcome else None)
    return found


def late_results(fields: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the results that came after the incident had gone to another worker: evidence, and nothing else."""
    late = ((name.removeprefix("late:"), value) for name, value in fields.items() if name.startswith("late:"))
    return [{"step": step, "outcome": loads(value.encode())} for step, value in sorted(late)]


def told_late(late: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell late results as entries of a timeline."""
    return [
        {
            "at": entry["outcome"].get("started_at"),
            "what": f"late result of {entry['outcome']['name']}: {entry['outcome']['status']}",
            "detail": "came after the incident had gone to another worker: " + entry["outcome"].get("detail", ""),
        }
        for entry in late
    ]


SHOWN_FIELDS = (
    "state", "p:stage", "deliveries", "owner", "received_ms", "due_ms", "plan_hash", "expires_ms", "p:approval",
    "p:diagnosis", "job_id",
)  # fmt: skip
"""What of an incident's hash is shown; its payload, which may be long, is not."""


def of_hash(event_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """Describe an incident that has no record yet."""
    waits = fields.get("state") == "delayed"
    asked = fields.get("state") == "waiting"
    return {
        "event_id": event_id,
        "job_id": fields.get("job_id") or None,
        "state": fields.get("state", "queued"),
        "stage": loads(fields["p:stage"].encode()) if "p:stage" in fields else None,
        "deliveries": int(fields.get("deliveries", 0)),
        "owner": fields.get("owner") if fields.get("state") == "running" else None,
        "received_at": ms_to_time(fields.get("received_ms")),
        "due_at": ms_to_time(fields.get("due_ms")) if waits else None,
        "plan_hash": fields.get("plan_hash") if asked else None,
        "expires_at": ms_to_time(fields.get("expires_ms")) if asked else None,
        "approval": loads(fields["p:approval"].encode()) if "p:approval" in fields else None,
        "diagnosis": loads(fields["p:diagnosis"].encode()) if "p:diagnosis" in fields else None,
        "plan": loads(fields["p:steps"].encode()) if "p:steps" in fields else None,
        "evidence": loads(fields["p:evidence"].encode()) if "p:evidence" in fields else None,
    }


def of_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a finished incident by its record."""
    proving = (record.get("diagnosis") or {}).get("evidence") or ()
    excerpt = (record.get("digest") or {}).get("excerpt") or ()
    return {
        "event_id": record["event_id"],
        "job_id": record["job_id"],
        "state": "done",
        "stage": record["status"],
        "deliveries": record["deliveries"],
        "owner": record["worker"],
        "received_at": record["received_at"],
        "due_at": None,
        "plan_hash": None,
        "expires_at": None,
        "approval": record.get("approval"),
        "diagnosis": record.get("diagnosis"),
        "plan": record.get("actions"),
        "evidence": [line for line in excerpt if line["line"] in proving],
    }


def live_timeline(fields: Mapping[str, str], journal: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tell what has happened so far, in order of time."""
    entries = [("received_ms", "received", ""), ("claimed_ms", "claimed", f"by {fields.get('owner', '?')}")]
    told = [
        {"at": ms_to_time(fields[key]), "what": what, "detail": detail}
        for key, what, detail in entries
        if key in fields
    ]
    told += told_late(late_results(journal))
    for name, value in journal.items():
        step, _, what = name.rpartition(":")
        if what == "at":
            state = journal.get(f"{step}:state", "intent")
            told.append(
                {
                    "at": ms_to_time(value),
                    "what": "a person was asked" if step.startswith("ask.") else f"step {step}",
                    "detail": "done" if state == "done" else "under way",
                }
            )
    if "p:approval" in fields and (said := loads(fields["p:approval"].encode())).get("by"):
        what = f"plan {said['verdict']} by {said['by']}"
        told.append({"at": ms_to_time(str(said["at_ms"])), "what": what, "detail": said.get("why", "")})
    if fields.get("state") == "delayed":
        told.append({"at": ms_to_time(fields.get("due_ms")), "what": "due", "detail": "goes on then"})
    if fields.get("state") == "waiting":
        expires = ms_to_time(fields.get("expires_ms"))
        told.append({"at": expires, "what": "expires", "detail": "a person is asked until then"})
    return sorted(told, key=lambda entry: entry["at"] or "")


def timeline_of(record: Mapping[str, Any], late: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tell a finished incident's story from its record."""
    told = [{"at": record["received_at"], "what": "received", "detail": ""}]
    diagnosis = record.get("diagnosis")
    if diagnosis:
        told.append(
            {
                "at": record["received_at"],
                "what": f"diagnosed as {diagnosis['category']}",
                "detail": f"{diagnosis['root_cause']} ({diagnosis['source']}, {diagnosis['confidence']} %)",
            }
        )
    said = record.get("approval")
    if said:
        by = f" by {said['by']}" if said["by"] else ""
        told.append({"at": said["at"], "what": f"plan {said['verdict']}{by}", "detail": said["why"]})
    for outcome in record.get("outcomes", []):
        at = outcome.get("started_at") or record["finished_at"]
        told.append({"at": at, "what": f"{outcome['name']}: {outcome['status']}", "detail": outcome["detail"]})
    proof = record.get("verification")
    if proof and proof["status"] in ("verified", "failed"):
        told.append({"at": proof["at"], "what": f"check: {proof['status']}", "detail": proof["how"]})
    for note in record.get("feedback", []):
        told.append({"at": note["at"], "what": f"feedback by {note['user']}", "detail": note.get("comment") or ""})
    told.append({"at": record["finished_at"], "what": record["status"], "detail": record["reason"]})
    told += told_late(late)
    return told
