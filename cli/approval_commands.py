"""Allowing or forbidding what AutoRemedy asks about."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.state import AsJson, remote_of
from cli.terminal import clean, complain, console, print_json

EventId = Annotated[str, typer.Argument(help="As `autoremedy approve` without one lists it.")]
User = Annotated[str | None, typer.Option(help="Who says so (default: the name you are logged in with).")]


def approve(
    context: typer.Context,
    event_id: Annotated[str | None, typer.Argument(help="Whose plan; without it, all that wait are listed.")] = None,
    user: User = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again after showing the plan.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the plan an incident waits with, exactly as it would be run, and allow it."""
    remote = remote_of(context)
    if event_id is None:
        _list(list(remote.pages("/incidents", "incidents", 200, {"state": "waiting"})), as_json)
        return
    incident = remote.get(_path(event_id))
    if not incident.get("plan_hash"):
        complain(f"nothing of {event_id} waits for a word; it is {_as_it_stands(incident)}")
        raise typer.Exit(1)
    if not as_json:
        from cli.pages import show_incident

        show_incident(console(), incident)
    if not yes:
        if as_json or not sys.stdin.isatty():
            complain("nobody can be asked here; look at the plan, then say it with --yes")
            raise typer.Exit(2)
        typer.confirm("Run this plan?", abort=True, err=True)
    said = {"plan_hash": incident["plan_hash"], "user": user or getpass.getuser()}
    answer = remote.post(f"{_path(event_id)}/approve", said)
    if as_json:
        print_json(answer)
    else:
        print(f"Approved. It is carried out now; `autoremedy history show {clean(event_id)}` tells how it went.")


def reject(
    context: typer.Context,
    event_id: EventId,
    user: User = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    as_json: AsJson = False,
) -> None:
    """Forbid the plan an incident waits with; nothing more is done about it."""
    said = {"user": user or getpass.getuser()} | ({"reason": reason} if reason else {})
    answer = remote_of(context).post(f"{_path(event_id)}/reject", said)
    if as_json:
        print_json(answer)
    else:
        print(f"Rejected. Nothing of the plan of {clean(event_id)} is run.")


def _path(event_id: str) -> str:
    return f"/incidents/{quote(event_id, safe='')}"


def _list(waiting: list[Any], as_json: bool) -> None:
    if as_json:
        print_json(waiting)
        return
    if not waiting:
        print("Nothing waits for you.", file=sys.stderr)
        return
    from cli.pages import table, when

    rows = []
    for one in waiting:
        cause = (one.get("diagnosis") or {}).get("root_cause")
        row = (when(one.get("expires_at"))[:19], one.get("job_id"), one["event_id"], cause)
        rows.append([clean(part) for part in row])
    console().print(table(("until (UTC)", "job", "event", "cause"), rows, keep=(0, 2)))
    print("autoremedy approve EVENT shows the plan and asks you.", file=sys.stderr)


def _as_it_stands(incident: Mapping[str, Any]) -> str:
    record = incident.get("record")
    return f"over: {clean(record['status'])}" if record else f"{clean(incident.get('state'))} now"
