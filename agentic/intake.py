"""From bytes that anyone may have sent to an Event that everyone may rely on.

Used by the API for what it is sent and by the worker for what was pushed straight onto the list. Nothing is
guessed and nothing is dropped: a value of a wrong type is a problem with its JSON pointer, an unknown field is
kept under `details`, and what is cut says so. Secrets are redacted here, before anything is stored.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import jiter
from pydantic import ValidationError
from pydantic_core import to_json

from agentic.errors import InvalidEvent, Problem
from agentic.report import Report, pointer_part
from agentic.types import Event

__all__ = [
    "Limits",
    "Redactor",
    "accept_event",
    "accept_events",
    "cap_log",
    "event_from_json",
    "event_from_mapping",
    "event_to_json",
    "parse_event",
    "parse_json",
    "problems_of",
]

STAND_INS = ("log", "message", "description", "error")
"""Entries of `details` that speak for a missing log, in the order in which they are read."""
REDACTED_TEXTS = ("event_type", "run_id", "command", "host", "source")
"""Besides log, details and labels; the ids that other things are found by stay as they are."""
MAX_DETAIL_CHARS = 16 * 1024
MAX_DETAILS_BYTES = 256 * 1024
MAX_DETAILS_DEPTH = 32
"""How deep lists and objects may lie in each other; JSON readers, ours among them, give up at some depth."""
MAX_PROBLEMS = 50
MAX_MESSAGE = 300


class Redactor(Protocol):
    """Replaces secrets; a second pass over its own output changes nothing."""

    def take_key(self, key: bytes, /) -> None:
        """Use this key for the marks, unless one was configured."""

    def text(self, text: str, /) -> str:
        """Redact one text."""

    def lines(self, lines: Sequence[str], /) -> list[str]:
        """Redact the lines of one log; the number of lines stays the same."""

    def value(self, value: Any, /) -> Any:
        """Redact every text inside JSON data."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a report may be."""

    max_body_bytes: int = 4 * 1024 * 1024
    max_log_bytes: int = 1024 * 1024
    max_batch: int = 1000


def parse_event(body: bytes, limits: Limits, redactor: Redactor | None, now: datetime) -> Event:
    """Read one report; raises InvalidEvent naming every field that is wrong."""
    return Event(**_one(body, limits, redactor, now))


def accept_event(body: bytes, limits: Limits, redactor: Redactor | None, now: datetime) -> tuple[str, bytes]:
    """Read one report for the queue: its id, and what `event_to_json` writes of it, without the detour."""
    fields = _one(body, limits, redactor, now)
    return fields["event_id"], to_json(fields)


def accept_events(
    body: bytes,
    media: Literal["json", "ndjson"],
    limits: Limits,
    redactor: Redactor | None,
    now: datetime,
) -> list[tuple[str, bytes] | InvalidEvent]:
    """Read many reports for the queue: a JSON array, or one JSON object per line.

    A report that cannot be understood takes its place in the answer as InvalidEvent, its pointers beginning
    with its index. Raises InvalidEvent only when the whole cannot be taken apart.
    """
    accepted: list[tuple[str, bytes] | InvalidEvent] = []
    items = _items(body, media, limits)
    new_ids, received_at = _new_ids(now, len(items)), _written(now)
    for index, (item, size) in enumerate(items):
        try:
            value = parse_json(item) if isinstance(item, bytes) else item
            fields = _fields(value, size, limits, redactor, received_at, new_ids)
            accepted.append((fields["event_id"], to_json(fields)))
        except InvalidEvent as error:
            accepted.append(
                InvalidEvent(tuple(Problem(f"/{index}{p.pointer}", p.message, p.code) for p in error.problems))
            )
    return accepted


def event_from_json(raw: bytes) -> Event:
    """Read back what `event_to_json` wrote; what anybody may have written goes through parse_event.

    Raises InvalidEvent when somebody has changed it meanwhile.
    """
    try:
        return Event.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise _invalid("/" + "/".join(map(str, first["loc"])), first["msg"], "invalid") from error


def event_from_mapping(fields: Mapping[str, Any], limits: Limits, redactor: Redactor | None, now: datetime) -> Event:
    """Read a report given as Python values (a sensor's); times may be datetimes."""
    try:
        body = json.dumps(dict(fields), allow_nan=False, default=_json_default).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _invalid("", f"cannot be written as JSON: {error}", "not_json") from error
    return parse_event(body, limits, redactor, now)


def event_to_json(event: Event) -> bytes:
    """Write an event for the queue; always begins with `{"event_id":"…"`, which the claim script relies on."""
    return event.__pydantic_serializer__.to_json(event)


def parse_json(body: bytes) -> Any:
    """Parse strict JSON; raises InvalidEvent for duplicate keys, NaN, half surrogates, bad UTF-8 and the rest."""
    data = body.removeprefix(b"\xef\xbb\xbf")
    if not data or data.isspace():
        raise _invalid("", "the body is empty; send a JSON document", "not_json")
    try:
        return jiter.from_json(data, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        raise _invalid("", _why_not_json(data, str(error)), "not_json") from error


def cap_log(lines: Sequence[str], max_bytes: int) -> tuple[str, ...]:
    """Keep head and tail of a log that is too long, and say in a line of its own what was cut.

    The tail gets three quarters of the room: what ended a job stands at the end.
    """
    if sum(map(len, lines)) * 4 + len(lines) <= max_bytes:  # cannot be longer, however it is encoded
        return tuple(lines)
    sizes = [len(line.encode()) + 1 for line in lines]
    if sum(sizes) <= max_bytes:
        return tuple(lines)
    head, head_room = _take(lines, sizes, max_bytes // 4, 1)
    tail, tail_room = _take(lines, sizes, max_bytes - max_bytes // 4, -1)
    first, last = len(head), len(lines) - 1 - len(tail)
    # A line that alone fills the room is cut inside; ordinary lines are kept whole or not at all.
    if first < len(lines) and sizes[first] > 4096:
        head.append(lines[first].encode()[:head_room].decode(errors="ignore"))
    if last >= 0 and sizes[last] > 4096 and tail_room > 0:
        tail.append(lines[last].encode()[-tail_room:].decode(errors="ignore"))
    kept = sum(len(line.encode()) + 1 for line in (*head, *tail))
    cut = (
        f"[autoremedy: {sum(sizes) - kept} bytes cut here, lines {first} to {last} of {len(lines)}; "
        f"at most {max_bytes} bytes of a log are kept]"
    )
    return (*head, cut, *reversed(tail))


def _take(lines: Sequence[str], sizes: Sequence[int], room: int, step: Literal[1, -1]) -> tuple[list[str], int]:
    """Take whole lines from one end while there is room; returns them and the room that is left."""
    taken: list[str] = []
    for line, size in zip(lines[::step], sizes[::step], strict=True):
        if size > room:
            break
        taken.append(line)
        room -= size
    return taken, room


def _items(body: bytes, media: Literal["json", "ndjson"], limits: Limits) -> list[tuple[Any, int]]:
    """Take a batch apart into its reports (bytes where still to be parsed), each with its size in bytes."""
    items: list[tuple[Any, int]]
    if media == "ndjson":
        rows = body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        items = [(row, len(row)) for row in rows if row.strip()]
    else:
        array = parse_json(body)
        if not isinstance(array, list):
            raise _invalid("", "a JSON array of events belongs here; one event goes to POST /event", "wrong_type")
        items = [(item, len(body)) for item in array]
    if not items:
        raise _invalid("", "no events in it", "empty")
    if len(items) > limits.max_batch:
        raise _invalid("", f"{len(items)} events; at most {limits.max_batch} fit into one request", "too_many")
    return items


def _one(body: bytes, limits: Limits, redactor: Redactor | None, now: datetime) -> dict[str, Any]:
    if len(body) > limits.max_body_bytes:
        raise _invalid("", f"{len(body)} bytes; at most {limits.max_body_bytes} are taken", "too_large")
    return _fields(parse_json(body), len(body), limits, redactor, _written(now), _new_ids(now, 1))


def _written(now: datetime) -> str:
    """Return a time as it is written in JSON: once for all events of a batch."""
    return to_json(now)[1:-1].decode()


def _fields(
    value: Any, size: int, limits: Limits, redactor: Redactor | None, received_at: str, new_ids: Iterator[str]
) -> dict[str, Any]:
    """Check a report and return the fields of its Event, all of them and in their order."""
    if not isinstance(value, dict):
        raise _invalid("", "an event is a JSON object", "wrong_type")
    try:
        report = Report.model_validate(value)
    except ValidationError as error:
        raise InvalidEvent(problems_of(error)) from None
    said = report.__dict__
    details = _details(report)
    log = said["log"] or _stand_in(details)
    problems: list[Problem] = []
    if details:
        details = {key: _tidy(item, key, report, problems) for key, item in details.items()}
    labels = said["labels"]
    texts = {name: said[name] for name in REDACTED_TEXTS if said[name] is not None}
    if redactor is not None:
        # Before the cut: half of a key would no longer look like one.
        log = redactor.lines(log)
        details = redactor.value(details) if details else details
        labels = redactor.value(labels) if labels else labels
        texts = {name: redactor.text(text) for name, text in texts.items()}
    if size > MAX_DETAILS_BYTES and len(to_json(details)) > MAX_DETAILS_BYTES:
        problems.append(Problem("/details", f"more than {MAX_DETAILS_BYTES} bytes as JSON", "too_large"))
    if problems:
        raise InvalidEvent(tuple(problems[:MAX_PROBLEMS]))
    return {
        "event_id": said["event_id"] or next(new_ids),
        "job_id": said["job_id"],
        "status": said["status"].value,  # a plain text is written faster than a member of an enumeration
        "event_type": texts.get("event_type", "job_issue"),
        "log": cap_log(log, limits.max_log_bytes),
        "details": details,
        "run_id": texts.get("run_id"),
        "attempt": said["attempt"],
        "exit_code": said["exit_code"],
        "command": texts.get("command"),
        "host": texts.get("host"),
        "source": texts.get("source"),
        "labels": labels,
        "started_at": said["started_at"],
        "finished_at": said["finished_at"],
        "occurred_at": said["occurred_at"],
        "duration_seconds": said["duration_seconds"],
        "received_at": received_at,
    }


def _new_ids(now: datetime, most: int) -> Iterator[str]:
    """Make ids that nobody else makes and that sort by time; all their chance is drawn when the first is asked for."""
    head = f"ev_{int(now.timestamp() * 1000):012x}"
    drawn = os.urandom(8 * most).hex()
    for start in range(0, len(drawn), 16):
        yield head + drawn[start : start + 16]


def _details(report: Report) -> dict[str, Any]:
    """Return `details` with every unknown field of the report beside it; neither hides the other."""
    details = dict(report.details)
    for key, value in (report.model_extra or {}).items():
        name = key
        while name in details and details[name] != value:
            name = f"event.{name}"
        details[name] = value
    return details


def _stand_in(details: dict[str, Any]) -> Sequence[str]:
    """Return what speaks for a missing log; `details.log` is moved, shorter texts stay where they are too."""
    lines: list[str] = []
    for name in STAND_INS:
        found = Report.lines_of(details.get(name))
        if found is None:
            continue
        lines.extend(found)
        if name == "log":
            del details[name]
    return lines


def _tidy(value: Any, key: str, report: Report, problems: list[Problem]) -> Any:
    below = f"/details/{pointer_part(key)}" if key in report.details else f"/{pointer_part(key)}"
    return _tidy_value(value, below, problems)


def _tidy_value(value: Any, pointer: str, problems: list[Problem], depth: int = 1) -> Any:
    """Return JSON data with texts of bounded length; what lies too deep or beyond a float's range is a problem."""
    if isinstance(value, str):
        return value if len(value) <= MAX_DETAIL_CHARS else _cut_text(value)
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        problems.append(Problem(pointer, "a number beyond the range of numbers", "out_of_range"))
    if isinstance(value, (dict, list)) and depth == MAX_DETAILS_DEPTH:
        problems.append(Problem(pointer, f"nested too deeply; at most {MAX_DETAILS_DEPTH} levels", "too_deep"))
        return None
    if isinstance(value, dict):
        return {k: _tidy_value(v, f"{pointer}/{pointer_part(k)}", problems, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_tidy_value(v, f"{pointer}/{index}", problems, depth + 1) for index, v in enumerate(value)]
    return value


def _cut_text(text: str) -> str:
    half = MAX_DETAIL_CHARS // 2
    return f"{text[:half]}\n[autoremedy: {len(text) - 2 * half} characters cut here]\n{text[-half:]}"


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """Turn pydantic's errors into problems: one per field, with pointer, sentence and code."""
    problems = []
    for item in error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]:
        pointer = "".join(f"/{pointer_part(str(part))}" for part in item["loc"])
        pointer += str(item.get("ctx", {}).get("at", ""))
        message = "required" if item["type"] == "missing" else item["msg"]
        problems.append(Problem(pointer, message[:MAX_MESSAGE], item["type"]))
    return tuple(problems)


def _why_not_json(data: bytes, reason: str) -> str:
    """Say in plain words why a body is not JSON."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return (
            f"not valid UTF-8 at byte {error.start}; send text as UTF-8, undecodable bytes of a log replaced "
            "(Python: errors='replace')"
        )
    if "surrogate" in reason or "hex escape" in reason:
        reason = f"a \\u escape is half of a surrogate pair, which is no character ({reason})"
    return f"not valid JSON: {reason}"[:MAX_MESSAGE]


def _json_default(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _invalid(pointer: str, message: str, code: str) -> InvalidEvent:
    return InvalidEvent((Problem(pointer, message, code),))
