"""Sending events by hand or from a file, and what waits on disk because the API was away."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.state import AsJson, remote_of
from cli.terminal import clean, complain, print_json

events = typer.Typer(help="Send events.", no_args_is_help=True)

BATCH_EVENTS = 500
BATCH_BYTES = 2_000_000


@events.command()
def send(
    context: typer.Context,
    job: Annotated[str | None, typer.Option(help="Name of the job.")] = None,
    status: Annotated[str, typer.Option(help="failed, timeout, stuck, late, succeeded ...")] = "failed",
    file: Annotated[
        str | None, typer.Option(help="Events as JSON (one object, or an array) or one a line; - is stdin.")
    ] = None,
    log: Annotated[str | None, typer.Option(help="File with the log; - is stdin.")] = None,
    message: Annotated[str | None, typer.Option(help="What happened, where there is no log.")] = None,
    exit_code: Annotated[int | None, typer.Option(help="The exit code of the run.")] = None,
    command: Annotated[str | None, typer.Option(help="The command of the run.")] = None,
    host: Annotated[str | None, typer.Option(help="Where it ran.")] = None,
    run_id: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    event_id: Annotated[str | None, typer.Option(help="Id of the event: the same one twice is one event.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="K=V; repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send one event made of options, or events from a file or stdin."""
    if job is None:
        if file is None and (sys.stdin is None or sys.stdin.isatty()):
            raise typer.BadParameter("give --job for one event, or --file for events written elsewhere")
        _send_file(context, file or "-", as_json)
        return
    if file is not None:
        raise typer.BadParameter("--job and --file do not go together")
    event: dict[str, Any] = {
        "job_id": job,
        "status": status,
        "event_id": event_id,
        "run_id": run_id,
        "exit_code": exit_code,
        "command": command,
        "host": host,
        "source": "cli",
        "labels": _labels(label or []) or None,
        "log": _read(log) if log else None,
        "details": {"message": message} if message else None,
    }
    answer = remote_of(context).post("/event", {name: value for name, value in event.items() if value is not None})
    if as_json:
        print_json(answer)
    else:
        print(f"{clean(answer['status'])} {clean(answer['event_id'])}")


def _labels(pairs: list[str]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise typer.BadParameter(f"--label wants K=V (got {pair})")
        labels[key] = value
    return labels


def _read(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None
    return raw.decode("utf-8", "replace")


def _send_file(context: typer.Context, file: str, as_json: bool) -> None:
    remote = remote_of(context, 60.0)
    results: list[dict[str, Any]] = []
    for batch in _batches(_lines_of(_read(file))):
        body = "\n".join(batch).encode()
        response = remote.request("POST", "/events", content=body, headers={"content-type": "application/x-ndjson"})
        if response.is_success:
            results += response.json()["results"]
        elif response.status_code == 422:  # none of them can be understood
            results += _all_rejected(response.json().get("errors") or (), len(batch))
        else:
            _summary(results, as_json)
            remote.refuse(response)
    if not results:
        raise typer.BadParameter(f"{'stdin' if file == '-' else file} has no event in it")
    if not _summary(results, as_json):
        raise typer.Exit(1)


def _lines_of(text: str) -> Iterator[str]:
    """Yield each event as one line of JSON; what is no JSON is left for the API to complain about."""
    try:
        whole = json.loads(text)
    except ValueError:
        yield from (line for line in text.split("\n") if line.strip())
        return
    for event in whole if isinstance(whole, list) else [whole]:
        yield json.dumps(event)


def _batches(lines: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == BATCH_EVENTS or size + len(line) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


def _all_rejected(errors: Iterable[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Sort the errors of a batch, whose pointers begin with the number of the event, to their events."""
    results: list[dict[str, Any]] = [{"status": "rejected", "errors": []} for _ in range(count)]
    for error in errors:
        number, _, rest = str(error.get("pointer") or "").removeprefix("/").partition("/")
        at = int(number) if number.isdigit() and int(number) < count else 0
        results[at]["errors"].append({**error, "pointer": f"/{rest}"})
    return results


def _summary(results: list[dict[str, Any]], as_json: bool) -> bool:
    """Say what became of the events; False when not all are stored."""
    counts: dict[str, int] = {}
    for number, result in enumerate(results, 1):
        counts[result["status"]] = counts.get(result["status"], 0) + 1
        for error in result.get("errors") or ():
            complain(f"event {number}: {error.get('pointer') or '/'}: {error.get('message')}")
    if as_json:
        print_json(results)
    elif results:
        print(", ".join(f"{count} {clean(status)}" for status, count in counts.items()))
    return set(counts) <= {"submitted", "duplicate"}


@events.command()
def flush(
    context: typer.Context,
    retry_rejected: Annotated[
        bool, typer.Option(help="Also send what the API refused before, for example while its address was wrong.")
    ] = False,
) -> None:
    """Send what `autoremedy exec` kept on disk while the API was away."""
    from cli.exec.client import Api, Unreachable
    from cli.exec.config import read_config
    from cli.exec.spool import Spool, SpoolBusy

    config = read_config()
    spool = Spool(config.spool_folders)
    api = Api(context.find_root().obj.url or config.url)
    try:
        if retry_rejected:
            spool.retry_rejected()
        flushed = spool.flush(api, lock_seconds=30.0)
    except Unreachable as error:
        complain(f"{api.url} cannot be reached ({error}); {len(spool.waiting())} events still wait")
        raise typer.Exit(1) from None
    except (SpoolBusy, OSError) as error:
        complain(str(error))
        raise typer.Exit(1) from None
    for reason in flushed.rejected:
        complain(f"refused: {reason}")
    print(f"{flushed.sent} sent, {len(flushed.rejected)} refused")
    if flushed.rejected:
        raise typer.Exit(1)
