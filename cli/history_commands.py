"""Looking at what happened, and saying what one thinks of it."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.state import AsJson, remote_of
from cli.store_facts import keeps_in_words, model_in_words, pause_in_words, server_in_words
from cli.terminal import clean, console, print_json

history = typer.Typer(help="What happened: one record for every event.", invoke_without_command=True)
incidents = typer.Typer(help="What is being handled now.", invoke_without_command=True)
dead = typer.Typer(help="What could not be processed.", invoke_without_command=True)

Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
LOOK_AT_MOST = 5_000
"""Records read while leaving out what was ignored."""
_AGO = re.compile(r"(\d+)(s|m|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _moment(value: str | None) -> str | None:
    """Turn `2h` (ago), a date or a time into what the API reads."""
    if value is None:
        return None
    ago = _AGO.fullmatch(value)
    try:
        if ago:
            moment = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"write 30m, 2h, 3d, or a time such as 2026-11-22T03:00:00Z (got {value})") from None
    return (moment if moment.tzinfo else moment.astimezone()).isoformat()


Moment = Annotated[str | None, typer.Option(help="30m, 2h or 3d ago, or a date or time.")]


@history.callback()
def list_history(
    context: typer.Context,
    limit: Limit = 20,
    job: Annotated[str | None, typer.Option(help="Only of this job.")] = None,
    status: Annotated[str | None, typer.Option(help="Only those that ended so, such as resolved.")] = None,
    category: Annotated[str | None, typer.Option(help="Only with this root cause, such as disk_full.")] = None,
    since: Moment = None,
    until: Moment = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also what was ignored: runs that started or succeeded, and the like.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What happened: one record for every failure, newest first."""
    if context.invoked_subcommand:
        return
    filters = {
        "job_id": job,
        "status": status,
        "category": category,
        "since": _moment(since),
        "until": _moment(until),
    }
    if everything or status is not None:
        records = list(remote_of(context).pages("/history", "records", limit, filters))
    else:
        found = remote_of(context).pages("/history", "records", LOOK_AT_MOST, filters)
        records = list(islice((one for one in found if one["status"] != "ignored"), limit))
    if as_json:
        print_json(records)
        return
    from cli.pages import history_list

    _table_or_nothing(records, history_list, "Nothing was handled yet that fits.")


@history.command("show")
def show_history(
    context: typer.Context,
    event_id: Annotated[str, typer.Argument(help="As `autoremedy history` lists it.")],
    as_json: AsJson = False,
) -> None:
    """Everything known of one event: what, when, why, the proof, and what was done."""
    record = remote_of(context).get(f"/history/{quote(event_id, safe='')}")
    if as_json:
        print_json(record)
        return
    from cli.pages import show_record

    show_record(console(), record)


@incidents.callback()
def list_incidents(
    context: typer.Context,
    limit: Limit = 50,
    state: Annotated[
        str | None, typer.Option(help="queued, running, delayed, waiting or done; default: all that are not done.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What is being handled now, oldest first."""
    if context.invoked_subcommand:
        return
    found = list(remote_of(context).pages("/incidents", "incidents", limit, {"state": state}))
    if as_json:
        print_json(found)
        return
    from cli.pages import incident_table

    _table_or_nothing(found, incident_table, "Nothing is being handled.")


@incidents.command("show")
def show_incident(
    context: typer.Context,
    event_id: Annotated[str, typer.Argument(help="As `autoremedy incidents` lists it.")],
    as_json: AsJson = False,
) -> None:
    """One incident as it stands, with its timeline."""
    incident = remote_of(context).get(f"/incidents/{quote(event_id, safe='')}")
    if as_json:
        print_json(incident)
        return
    from cli.pages import show_incident as show

    show(console(), incident)


@dead.callback()
def list_dead(context: typer.Context, limit: Limit = 50, as_json: AsJson = False) -> None:
    """What could not be processed, and why; newest first."""
    if context.invoked_subcommand:
        return
    letters = list(remote_of(context).pages("/dead", "dead", limit, {}))
    if as_json:
        print_json(letters)
        return
    from cli.pages import table, when

    def as_table(found: list[Any]) -> Any:
        rows = [(when(one.get("at"))[:19], clean(one["event_id"]), clean(one["reason"])) for one in found]
        return table(("since (UTC)", "event", "reason"), rows, keep=(0, 1))

    _table_or_nothing(letters, as_table, "Nothing: every event could be processed.")


@dead.command("replay")
def replay(
    context: typer.Context, event_id: Annotated[str, typer.Argument(help="As `autoremedy dead` lists it.")]
) -> None:
    """Put a dead letter back into the queue, once."""
    answer = remote_of(context).post(f"/dead/{quote(event_id, safe='')}/replay", None)
    print(f"{clean(answer['event_id'])} is in the queue again")


def jobs(context: typer.Context, as_json: AsJson = False) -> None:
    """Every job that was heard of."""
    found = remote_of(context).get("/jobs")["jobs"]
    if as_json:
        print_json(found)
        return
    from cli.pages import table, when

    def as_table(entries: list[dict[str, Any]]) -> Any:
        names = [name for name, value in entries[0].items() if not isinstance(value, (dict, list))]
        rows = [
            [when(entry.get(name))[:19] if name.endswith("_at") else clean(entry.get(name)) for name in names]
            for entry in entries
        ]
        return table([name.replace("_", " ") for name in names], rows, keep=(0,))

    _table_or_nothing(found, as_table, "No job was heard of yet.")


def _table_or_nothing(found: list[Any], as_table: Any, nothing: str) -> None:
    if found:
        console().print(as_table(found))
    else:
        typer.echo(nothing, err=True)


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Queue, workers, store and model, as they stand now."""
    now = remote_of(context).get("/status")
    if as_json:
        print_json(now)
        return
    from cli.pages import seconds, when

    out = console()

    def line(name: str, said: str, style: str = "") -> None:
        out.print(f"{name:<9}{said}", style=style, soft_wrap=True)

    paused = now.get("paused")
    if paused:
        line("PAUSED", pause_in_words(paused), "bold yellow")
    waiting, age = now.get("queue_depth", 0), now.get("oldest_age_seconds")
    oldest = f", the oldest open for {seconds(age)}" if age else ""
    line("queue", f"{waiting} waiting, {now.get('in_flight', 0)} in hand, {now.get('delayed', 0)} later{oldest}")
    records, dead_letters = now.get("history_length", 0), now.get("dead", 0)
    line("history", f"{_many(records, 'record')}, {_many(dead_letters, 'dead letter')}")
    workers = now.get("workers") or []
    line("workers", str(len(workers)) if workers else "none", "" if workers else "bold red")
    for worker in workers:
        line("", f"{clean(worker.get('id'))}, last heard of {when(worker.get('last_seen'))}")
    store = now.get("store") or {}
    line("store", f"{server_in_words(store)}, {keeps_in_words(store)}" if store else "not asked yet")
    line("model", model_in_words(now.get("llm") or {}))
    line("api", f"version {clean(now.get('version'))}, up {seconds(now.get('uptime_seconds'))}")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def feedback(
    context: typer.Context,
    event_id: Annotated[str, typer.Argument(help="The event whose record it is about.")],
    rating: Annotated[int, typer.Option(min=1, max=5, help="1 = harmful ... 5 = just right.")],
    user: Annotated[str, typer.Option(help="Who says so.")],
    verdict: Annotated[str | None, typer.Option(help="Was the diagnosis right, wrong or partly right?")] = None,
    category: Annotated[str | None, typer.Option(help="The root cause it really was.")] = None,
    action: Annotated[str | None, typer.Option(help="The action that would have been right.")] = None,
    comment: Annotated[str | None, typer.Option(help="In your words.")] = None,
    line: Annotated[list[int] | None, typer.Option(help="Number of a log line that proves it; repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a record was right; later decisions take it into account."""
    said = {
        "event_id": event_id,
        "user": user,
        "rating": rating,
        "verdict": verdict,
        "correct_category": category,
        "correct_action": action,
        "comment": comment,
        "evidence_lines": line or None,
    }
    answer = remote_of(context).post("/feedback", {name: value for name, value in said.items() if value is not None})
    if as_json:
        print_json(answer)
    else:
        print(f"Thank you. It is kept with {clean(event_id)}. {_what_follows(event_id, verdict, category, action)}")


def _what_follows(event_id: str, verdict: str | None, category: str | None, action: str | None) -> str:
    """Say what the feedback changes from now on, and how to change that again."""
    again = f"autoremedy feedback {shlex.quote(clean(event_id))} --rating N --user YOU"
    if category or action:
        return (
            "The correction holds from now on for every failure with the same signature, whichever job it is of. "
            f"It cannot be deleted, but the latest one counts: {again} {'--category' if category else '--action'} "
            "RIGHT_ONE replaces it."
        )
    if verdict == "wrong":
        return (
            "From now on what was tried here asks a person first, for every failure with the same signature, "
            f"whichever job it is of. To take it back: {again} --verdict right"
        )
    if verdict == "right":
        return "It holds for every failure with the same signature, whichever job it is of."
    return "It decides nothing by itself: --verdict, --category or --action does."


def pause(
    context: typer.Context,
    user: Annotated[str, typer.Option(help="Who pauses.")],
    reason: Annotated[str | None, typer.Option(help="Why, for the others.")] = None,
) -> None:
    """Let no automatic action begin; events are still taken and diagnosed."""
    said = {"user": user, "reason": reason}
    remote_of(context).post("/pause", {name: value for name, value in said.items() if value is not None})
    print("Paused: no automatic action begins until `autoremedy resume`.")


def resume(context: typer.Context) -> None:
    """Allow automatic actions again."""
    remote_of(context).post("/resume", None)
    print("Automatic actions are allowed again.")
