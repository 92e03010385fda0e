"""Lines taken out of what a logger, a container runtime or a journal wrapped around them.

A JSON record becomes `LEVEL message: error`, so that patterns see what the program said. Lines stay where they are:
a record of many lines becomes one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

_LONGEST = 64 << 10
_LONGEST_PART = 4_000
_DEEPEST = 3
_JOINED = 300

_CRI = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:\d\d) std(?:out|err) ([FP])(?: |$)")
_MESSAGES = (
    "message",
    "msg",
    "MESSAGE",
    "log",
    "event",
    "textPayload",
    "short_message",
    "text",
    "body",
    "@message",
    "@m",
)
_INNER = ("jsonPayload", "protoPayload", "fields", "data", "record", "log", "attributes")
_ERRORS = ("error", "err", "exception", "exc_info", "error.message", "exception.message", "cause", "full_message")
_STACKS = (
    "stack_trace",
    "error.stack_trace",
    "stack",
    "stacktrace",
    "error.stack",
    "exception.stacktrace",
    "traceback",
)
_LEVELS = (
    "level",
    "severity",
    "lvl",
    "log.level",
    "log_level",
    "levelname",
    "loglevel",
    "@l",
    "PRIORITY",
    "severity_text",
)
_FAULTS, _TRACES, _INSIDE = frozenset(_ERRORS + _STACKS), frozenset(_STACKS), frozenset(_INNER)
_SYSLOG = ("EMERG", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG")
_BUNYAN = ((60, "FATAL"), (50, "ERROR"), (40, "WARNING"), (30, "INFO"), (20, "DEBUG"), (10, "TRACE"))


def unwrap_lines(lines: Sequence[str]) -> list[str]:
    """Return the lines without their envelopes; as many as came in."""
    found = [_unwrapped(line, 0) if line[:1] in "{0123456789" else line for line in lines]
    whole = "\n".join(lines)
    if "stdout P" not in whole and "stderr P" not in whole:
        return found
    for number, line in enumerate(lines[:-1]):
        partial = _CRI.match(line) if line[:1].isdigit() else None
        if partial is not None and partial[1] == "P" and _CRI.match(lines[number + 1]):
            # A runtime cuts long lines anywhere, in the middle of the proving words too.
            found[number] += found[number + 1][:_JOINED]
    return found


def are_wrapped(text: str) -> bool:
    """Say whether any line of a text can have an envelope."""
    if text.startswith("{") or "\n{" in text:
        return True
    return " std" in text and (" stderr " in text or " stdout " in text)


def _unwrapped(line: str, depth: int) -> str:
    if line[:1] == "{":
        record = _record(line)
        said = _said(record, depth) if record is not None else ""
        return said or line
    runtime = _CRI.match(line)
    if runtime is not None and depth < _DEEPEST:
        return _unwrapped(line[runtime.end() :], depth + 1)
    return line


def _record(line: str) -> Mapping[str, Any] | None:
    text = line.strip()
    if len(text) > _LONGEST or not text.endswith("}"):
        return None
    try:
        record = from_json(text)
    except ValueError:
        record = _read_slowly(text)
    return record if isinstance(record, dict) else None


def _read_slowly(text: str) -> Any:
    """Return a record that has half a character, as of a message that was cut: the fast reader takes none."""
    if "\\u" not in text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _said(record: Mapping[str, Any], depth: int) -> str:
    """Return what a record says, or the empty text when it has no message."""
    inside = () if _INSIDE.isdisjoint(record) else [key for key in _INNER if isinstance(record.get(key), dict)]
    both = {**record[inside[0]], **record} if inside else record
    message = _first_text(both, _MESSAGES)
    fault = _fault(both)
    if message is None and not fault:
        return ""
    message = (message or "").strip()
    if depth < _DEEPEST and message[:1] == "{":
        message = _unwrapped(message, depth + 1)
    parts = [part for part in (message, fault) if part]
    if fault and len(parts) == 2 and fault in message:
        parts.pop()
    level = _level(both)
    said = ": ".join(parts).strip()
    if not said.isprintable() or "  " in said:
        said = " ".join(said.split())
    said = said[: 2 * _LONGEST_PART]
    return f"{level} {said}" if level and not said.upper().startswith(level) else said


def _first_text(record: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    for key in keys:
        if key in record and isinstance(value := record[key], str) and value and not value.isspace():
            return value[:_LONGEST_PART]
    return None


def _fault(record: Mapping[str, Any]) -> str:
    """Return the error of a record: its text, else the last line of its stack trace, which names it."""
    if _FAULTS.isdisjoint(record):
        return ""
    said = ""
    stack = None if _TRACES.isdisjoint(record) else _first_text(record, _STACKS)
    for key in _ERRORS:
        if key not in record:
            continue
        value = record[key]
        if isinstance(value, str) and value.strip():
            said = value
        elif isinstance(value, dict):
            kind = _first_text(value, ("type", "kind", "name", "class", "code"))
            text = _first_text(value, ("message", "msg", "reason", "description", "detail"))
            said = f"{kind}: {text}" if kind and text else kind or text or ""
            stack = stack or _first_text(value, _STACKS)
        if said:
            break
    if "\n" in said:
        return _last_words(said)
    named = _last_words(stack) if stack else ""
    return said if not named or named in said else f"{said}: {named}" if said and said not in named else named


def _last_words(stack: str) -> str:
    """Return the line of a stack trace that names the fault: Python writes it last, the others first."""
    stack = stack.strip()
    lines = [line.strip() for line in stack.split("\n")] if "\n" in stack else [stack]
    first, last = lines[0], lines[-1]
    if not first.startswith("Traceback"):
        if ": " not in first and not first.endswith(("Error", "Exception")):
            return ""  # Go begins with the function it was in
        causes = [line for line in lines if line.startswith("Caused by:")] if "Caused by:" in stack else []
        return f"{first}: {causes[-1]}" if causes else first
    return last


def _level(record: Mapping[str, Any]) -> str:
    for key in _LEVELS:
        if key not in record:
            continue
        value = record[key]
        text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
        if text.isdigit():
            number = int(text)
            if number < len(_SYSLOG):
                return _SYSLOG[number]
            return next((name for least, name in _BUNYAN if number >= least), "")
        if text.isalpha():
            return text.upper()
    return ""
