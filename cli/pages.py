"""What a person reads: tables of records, and the page of one incident for three in the morning."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.terminal import clean

STYLES = {
    "resolved": "green",
    "remediated": "green",
    "done": "green",
    "verified": "green",
    "suggested": "yellow",
    "pending": "yellow",
    "skipped": "dim",
    "ignored": "dim",
    "escalated": "bold yellow",
    "unknown": "bold red",
    "failed": "bold red",
    "dead": "bold red",
    "rejected": "red",
    "refused": "red",
}
MEANING = {
    "resolved": "acted, and it was proved that it helped",
    "remediated": "acted; there is no check that could prove that it helped",
    "suggested": "diagnosed; no remedy was run, the plan is below",
    "escalated": "a person was told",
    "rejected": "a person said no, or nobody said yes in time",
    "ignored": "nothing to do",
    "unknown": "an action may or may not have happened: please look",
    "dead": "could not be processed",
}
RAW_SHOWN = 400
CHECK = {
    "verified": "it helped",
    "failed": "it did not help",
    "pending": "not known yet",
    "not_configured": "no check is configured for this job",
}


def when(value: Any, *, with_date: bool = True) -> str:
    """Return a time as people write it, in UTC."""
    if not value:
        return ""
    try:
        moment = datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        return clean(value)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC" if with_date else "%H:%M:%S")


def seconds(value: Any) -> str:
    """Return a duration as people say it."""
    amount = float(value or 0)
    if amount < 1:
        return f"{amount * 1000:.0f} ms" if amount >= 0.001 else "less than 1 ms"
    if amount < 10:
        return f"{amount:.1f} s"
    if amount < 120:
        return f"{amount:.0f} s"
    if amount < 7200:
        return f"{amount / 60:.0f} min"
    return f"{amount / 3600:.1f} h"


def status_text(status: Any) -> Text:
    """Return a status in its colour."""
    return Text(clean(status), style=STYLES.get(str(status), ""))


def table(columns: Sequence[str], rows: Sequence[Sequence[RenderableType]], *, keep: Sequence[int] = ()) -> Table:
    """Make a table; the columns in `keep` are never cut short."""
    made = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for index, column in enumerate(columns):
        if index in keep:
            widest = max(cell_len(str(row[index])) for row in rows) if rows else 0
            made.add_column(column, no_wrap=True, min_width=max(widest, len(column)))
        else:
            made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def history_list(records: Sequence[Mapping[str, Any]]) -> Group:
    """Return records as two lines each, so that nothing has to be cut: what and when, then why and its id."""
    lines: list[RenderableType] = []
    for record in records:
        diagnosis = record.get("diagnosis") or {}
        head = Text(f"{when(record.get('finished_at'))[:19]}  ")
        head.append(f"{clean(record.get('status')):<10}  ", style=STYLES.get(str(record.get("status")), ""))
        head.append(f"{clean(record.get('job_id'))}", style="bold")
        head.append(f"  {clean(diagnosis.get('category', ''))}")
        why = clean(diagnosis.get("root_cause") or record.get("reason"))
        lines += [
            head,
            Padding(Text(why), (0, 0, 0, 21)),
            Padding(Text(clean(record.get("event_id")), "dim"), (0, 0, 0, 21)),
        ]
    return Group(*lines)


def incident_table(incidents: Sequence[Mapping[str, Any]]) -> Table:
    """Return incidents as a table."""
    rows = []
    for incident in incidents:
        diagnosis = incident.get("diagnosis") or {}
        rows.append(
            (
                when(incident.get("received_at"))[:19],
                clean(incident.get("job_id")),
                clean(incident.get("state")),
                clean(incident.get("stage")),
                clean(incident.get("owner")),
                clean(incident.get("event_id")),
                clean(diagnosis.get("root_cause")),
            )
        )
    return table(("received (UTC)", "job", "state", "stage", "worker", "event", "cause"), rows, keep=(0, 2, 5))


class Page:
    """A page of headed paragraphs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, *parts: str | Text | tuple[str, str]) -> None:
        """Write a line over the full width."""
        self._console.print(Text.assemble(*parts))

    def section(self, title: str, lines: Sequence[str | Text]) -> None:
        """Write lines beside their title; nothing at all when there are none."""
        if not lines:
            return
        self._console.print(Text(title, style="bold"))
        for line in lines:
            self._console.print(Padding(line if isinstance(line, Text) else Text(line), (0, 0, 0, 2), expand=False))


def show_incident(console: Console, incident: Mapping[str, Any]) -> None:
    """Write everything known of an incident that may still be under way."""
    record = incident.get("record")
    if record:
        show_record(console, record, incident.get("timeline") or ())
        return
    page = Page(console)
    page.line((clean(incident.get("job_id") or "unknown job"), "bold"), f"  event {clean(incident['event_id'])}")
    owner = incident.get("owner")
    stage = incident.get("stage")
    page.line(
        f"under way: {clean(incident.get('state'))}",
        f", {clean(stage)}" if stage else "",
        f", in the hands of {clean(owner)}" if owner else "",
        f", due {when(incident['due_at'])}" if incident.get("due_at") else "",
    )
    diagnosis = incident.get("diagnosis")
    if diagnosis:
        page.section("Cause", cause_lines(diagnosis))
    told = {line["line"]: line["text"] for line in incident.get("evidence") or ()}
    page.section("Evidence", evidence_lines(diagnosis or {}, (), told))
    page.section("Plan", [line for step in incident.get("plan") or () for line in _step(step)])
    if incident.get("plan_hash"):
        page.line(f"It waits for a person until {when(incident.get('expires_at'))}.")
    page.section("Timeline", _timeline(incident.get("timeline") or ()))


def show_record(console: Console, record: Mapping[str, Any], timeline: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write what happened, why, how that is known, and what was done."""
    page = Page(console)
    event = record.get("event") or {}
    page.line(*_headline(record, event))
    status = str(record.get("status"))
    page.line(
        "event ", clean(record.get("event_id")), "  ", status_text(status.upper()), f": {MEANING.get(status, '')}"
    )
    reason = _unsaid(record)
    if reason:
        page.line(reason)
    page.section("Command", [clean(event["command"])] if event.get("command") else [])
    diagnosis = record.get("diagnosis")
    page.section("Cause", cause_lines(diagnosis) if diagnosis else [])
    page.section("Evidence", evidence_lines(diagnosis or {}, event.get("log") or (), _excerpt(record)))
    page.section("Plan", [line for step in record.get("actions") or () for line in _step(step)])
    reasons = {step.get("step"): clean(step.get("reason")) for step in record.get("actions") or ()}
    page.section("Outcome", [_outcome(one, reasons.get(one.get("step"), "")) for one in record.get("outcomes") or ()])
    page.section("Approval", _approval(record.get("approval")))
    page.section("Check", _verification(record.get("verification")))
    page.section("Model", [line for call in record.get("model_calls") or () for line in _model_call(call)])
    page.section("Notes", [clean(note) for note in record.get("notes") or ()])
    page.section("Timeline", _timeline(timeline))
    page.section("Feedback", [_feedback(said) for said in record.get("feedback") or ()])
    if diagnosis and not record.get("feedback"):
        name = shlex.quote(clean(record.get("event_id")))
        page.line(("Was this right? ", "dim"), f"autoremedy feedback {name} --rating 5 --verdict right --user YOU")


def _unsaid(record: Mapping[str, Any]) -> str:
    """Return the parts of the record's reason that no other line of its page says."""
    said = [MEANING.get(str(record.get("status")), ""), (record.get("verification") or {}).get("how")]
    said += [(record.get("diagnosis") or {}).get("root_cause")]
    said += [step.get("reason") for step in record.get("actions") or ()]
    said += [f"{one.get('name')}: {one.get('detail')}" for one in record.get("outcomes") or ()]
    elsewhere = "\n".join(clean(text).casefold() for text in said if text)
    parts = clean(record.get("reason")).split("; ")
    return "; ".join(part for part in parts if part and part.rstrip(".").casefold() not in elsewhere)


def _headline(record: Mapping[str, Any], event: Mapping[str, Any]) -> list[str | tuple[str, str]]:
    parts: list[str | tuple[str, str]] = [(clean(record.get("job_id")), "bold"), f" {clean(event.get('status'))}"]
    if event.get("host"):
        parts.append(f" on {clean(event['host'])}")
    parts.append(f" at {when(event.get('finished_at') or event.get('occurred_at') or record.get('received_at'))}")
    about = []
    if event.get("exit_code") is not None:
        about.append(f"exit code {clean(event['exit_code'])}")
    if event.get("duration_seconds") is not None:
        about.append(f"after {seconds(event['duration_seconds'])}")
    if about:
        parts.append(f" ({', '.join(about)})")
    return parts


def cause_lines(diagnosis: Mapping[str, Any]) -> list[str | Text]:
    """Return the category, how sure it is, and the cause in words."""
    about = f"  {clean(diagnosis.get('confidence'))} % sure, by {clean(diagnosis.get('source'))}"
    head = Text.assemble((clean(diagnosis.get("category")), "bold"), (about, "dim"))
    ruled_out = [f"not {clean(other)}" for other in diagnosis.get("ruled_out") or ()]
    return [head, clean(diagnosis.get("root_cause")), *ruled_out]


def _excerpt(record: Mapping[str, Any]) -> dict[int, str]:
    return {line["line"]: line["text"] for line in (record.get("digest") or {}).get("excerpt") or ()}


def evidence_lines(
    diagnosis: Mapping[str, Any], log: Sequence[str], excerpt: Mapping[int, str], around: int = 1
) -> list[str | Text]:
    """Return the proving lines with their numbers, each with its neighbours; the proving ones stand out."""
    proving = set(diagnosis.get("evidence") or ())
    texts = {**dict(enumerate(log)), **excerpt}
    wanted = sorted({n for line in proving for n in range(line - around, line + around + 1) if n in texts})
    width = len(str(max(wanted, default=0)))
    lines: list[str | Text] = []
    previous: int | None = None
    for number in wanted:
        if previous is not None and number > previous + 1:
            lines.append(Text(f"{'':>{width}}   …", style="dim"))
        mark, style = (">", "bold") if number in proving else (" ", "dim")
        lines.append(Text(f"{mark} {number:>{width}}  {clean(texts[number])}", style=style))
        previous = number
    return lines


def _step(step: Mapping[str, Any]) -> list[str | Text]:
    about = f"  {clean(step.get('kind'))}, {clean(step.get('risk'))}"
    lines: list[str | Text] = [
        Text.assemble(f"{clean(step.get('step'))}. ", (clean(step.get("name")), "bold"), (about, "dim"))
    ]
    verdicts = {
        "auto": "by itself",
        "ask": "asks a person",
        "approved": "by a person's word",
        "propose": "a proposal",
        "refuse": "refused",
    }
    said = str(step.get("decision"))
    lines.append(f"   {verdicts.get(said, clean(said))}: {clean(step.get('reason'))}")
    if step.get("preview"):
        lines.append(f"   {clean(step['preview'])}")
    if step.get("undo"):
        lines.append(f"   should it not help: {clean(step['undo'])}")
    return lines


def _outcome(outcome: Mapping[str, Any], reason: str) -> Text:
    """Write how a step ended; the reason for its decision stands in the plan already."""
    took = outcome.get("duration_seconds")
    detail = clean(outcome.get("detail"))
    if reason and reason in detail:
        detail = detail.replace(reason, "").strip(" :;,.")
    return Text.assemble(
        f"{clean(outcome.get('step'))}. {clean(outcome.get('name'))} ",
        status_text(outcome.get("status")),
        f" in {seconds(took)}" if took else "",
        f": {detail}" if detail else "",
    )


def _model_call(call: Mapping[str, Any]) -> list[str | Text]:
    """Write one question: who was asked, what it cost, what came back, and the check it asked for."""
    about = f", {clean(call.get('prompt_tokens'))} + {clean(call.get('completion_tokens') or 0)} tokens"
    head = Text(f"{clean(call.get('model')) or 'nobody'} in {seconds(call.get('duration_seconds'))}")
    head.append(about if call.get("prompt_tokens") else "")
    head.append(f", no answer: {clean(call['error'])}" if call.get("error") else "", "bold red")
    lines: list[str | Text] = [head]
    if call.get("raw"):
        lines.append(Text(f"  {' '.join(clean(call['raw']).split())[:RAW_SHOWN]}", "dim"))
    if probe := call.get("probe"):
        lines.append(f"  it asked for the check {clean(probe.get('name'))}:")
        lines += [f"    {clean(line)}" for line in str(probe.get("text", "")).splitlines()]
    return lines


def _verification(verification: Mapping[str, Any] | None) -> list[str | Text]:
    if not verification:
        return []
    status = str(verification.get("status"))
    how = f": {clean(verification['how'])}" if verification.get("how") else ""
    at = f" ({when(verification['at'])})" if verification.get("at") else ""
    return [Text.assemble(status_text(status), f", {CHECK.get(status, '')}{how}{at}")]


def _approval(approval: Mapping[str, Any] | None) -> list[str | Text]:
    if not approval:
        return []
    by = f" by {clean(approval['by'])}" if approval.get("by") else ""
    at = f" ({when(approval['at'])})" if approval.get("at") else ""
    why = f": {clean(approval['why'])}" if approval.get("why") else ""
    return [f"{clean(approval.get('verdict'))}{by}{at}{why}"]


def _timeline(timeline: Sequence[Mapping[str, Any]]) -> list[str | Text]:
    day = when(timeline[0].get("at"))[:10] if timeline else ""
    lines: list[str | Text] = []
    for entry in timeline:
        at = when(entry.get("at"), with_date=when(entry.get("at"))[:10] != day) or "--:--:--"
        detail = f"  {clean(entry['detail'])}" if entry.get("detail") else ""
        lines.append(f"{at}  {clean(entry.get('what'))}{detail}")
    return lines


def _feedback(said: Mapping[str, Any]) -> str:
    parts = [f"{clean(said.get('user'))}: {clean(said.get('rating'))} of 5"]
    if said.get("verdict"):
        parts.append(clean(said["verdict"]))
    if said.get("correct_category"):
        parts.append(f"it was {clean(said['correct_category'])}")
    if said.get("correct_action"):
        parts.append(f"{clean(said['correct_action'])} would have been right")
    if said.get("comment"):
        parts.append(clean(said["comment"]))
    return ", ".join(parts)
