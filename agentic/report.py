"""The fields of a report as anyone may send them: what is taken, what is refused, and its JSON Schema."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from agentic.types import EventStatus
from agentic.unseen import CONTROLS_BUT_WHITE_SPACE, INVISIBLE

T = TypeVar("T")

SYNONYMS: dict[str, EventStatus] = {
    **{status.value: status for status in EventStatus},
    "fail": EventStatus.FAILED,
    "failure": EventStatus.FAILED,
    "error": EventStatus.FAILED,
    "success": EventStatus.SUCCEEDED,
    "ok": EventStatus.SUCCEEDED,
}
KNOWN_STATUSES = ", ".join(
    status.value + (f" (also {', '.join(also)})" if also else "")
    for status in EventStatus
    for also in [[word for word, meaning in SYNONYMS.items() if meaning is status and word != status.value]]
)

MAX_NAME = 256
MAX_COMMAND = 8192
MAX_LABELS = 64
MAX_LABEL_VALUE = 1024
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

_UNSEEN_CHARACTER = re.compile(f"[{INVISIBLE}]")
_UNSEEN_IN_COMMAND = re.compile(f"[{CONTROLS_BUT_WHITE_SPACE}]")
_EVENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,12})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
NAME_PATTERN = f"^[^{INVISIBLE}]*[^{INVISIBLE}\\s][^{INVISIBLE}]*$"


def pointer_part(name: str) -> str:
    """Write a name as one part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name


def _wrong(code: str, message: str, at: str = "") -> PydanticCustomError:
    # pydantic fills {braces} in the template; the sentence is handed over as a value instead.
    return PydanticCustomError(code, "{message}", {"message": message, "at": at})


def _or_none(check: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Let null stand for an absent field."""
    return lambda value: None if value is None else check(value)


def _whole(value: Any) -> int | None:
    """Return the integer that a JSON number is (1 and 1.0 are the same number), else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return None


def check_name(value: Any, *, integers: bool = False, max_length: int = MAX_NAME) -> str:
    """Accept one line of visible text; an integer becomes text where `integers` says so."""
    if integers and (number := _whole(value)) is not None:
        if number.bit_length() > 256:
            raise _wrong("too_long", "an integer of at most 256 bits")
        value = str(number)
    if not isinstance(value, str):
        raise _wrong("wrong_type", f"a string{' or an integer' if integers else ''} belongs here")
    if not value.strip():
        raise _wrong("empty", "must not be empty")
    if len(value) > max_length:
        raise _wrong("too_long", f"{len(value)} characters; at most {max_length}")
    if _UNSEEN_CHARACTER.search(value):
        raise _wrong("control_character", "control and invisible characters are not allowed")
    return value


def _name_or_integer(value: Any) -> str:
    return check_name(value, integers=True)


def _event_id(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong("wrong_type", "a string belongs here")
    if not _EVENT_ID.fullmatch(value):
        raise _wrong("pattern", "1 to 128 characters of A-Z a-z 0-9 . _ : -")
    return value


def _status(value: Any) -> EventStatus:
    if not isinstance(value, str):
        raise _wrong("wrong_type", f"a string belongs here, one of: {KNOWN_STATUSES}")
    status = SYNONYMS.get(value) or SYNONYMS.get(value.lower())
    if status is None:
        shown = value if len(value) <= 40 else value[:40] + "…"
        raise _wrong("unknown_status", f"unknown status {shown!r}; known are: {KNOWN_STATUSES}")
    return status


def _log(value: Any) -> Sequence[str]:
    if value is None:
        return ()
    if isinstance(value, str):
        lines = value.split("\n")  # only there: splitlines() also cuts at form feeds and Unicode separators
        if not lines[-1]:
            lines.pop()
        return [line.removesuffix("\r") for line in lines] if "\r" in value else lines
    if not isinstance(value, list):
        raise _wrong("wrong_type", "a string or a list of strings belongs here")
    try:
        joined = "\n".join(value)
    except TypeError:
        index = next(index for index, line in enumerate(value) if not isinstance(line, str))
        raise _wrong("wrong_type", "a string belongs here: one line of the log", f"/{index}") from None
    if "\r" not in joined and joined.count("\n") < len(value):
        return value  # no line has an end of its own to be taken off
    return [line.removesuffix("\n").removesuffix("\r") for line in value]


def _details(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong("wrong_type", "an object belongs here")
    return value


def _command(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        value = shlex.join(value)
    if not isinstance(value, str):
        raise _wrong("wrong_type", "a string or a list of strings belongs here")
    if _UNSEEN_IN_COMMAND.search(value):
        raise _wrong("control_character", "control characters are not allowed")
    if len(value) > MAX_COMMAND:
        return f"{value[:MAX_COMMAND]} [autoremedy: {len(value) - MAX_COMMAND} characters cut]"
    return value


def _labels(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong("wrong_type", "an object of strings belongs here")
    if len(value) > MAX_LABELS:
        raise _wrong("too_many", f"{len(value)} labels; at most {MAX_LABELS}")
    return {_label_name(name): _label_value(name, text) for name, text in value.items()}


def _label_name(name: str) -> str:
    if not 0 < len(name) <= MAX_NAME or _UNSEEN_CHARACTER.search(name):
        raise _wrong("label", f"a label's name has 1 to {MAX_NAME} visible characters", f"/{pointer_part(name)}")
    return name


def _label_value(name: str, value: Any) -> str:
    at = f"/{pointer_part(name)}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value) or (isinstance(value, int) and value.bit_length() > 256):
            raise _wrong("out_of_range", "a number beyond the range of numbers", at)
        return str(value)
    if not isinstance(value, str):
        raise _wrong("wrong_type", "a string or a number belongs here", at)
    if len(value) > MAX_LABEL_VALUE or _UNSEEN_IN_COMMAND.search(value):
        raise _wrong("label", f"at most {MAX_LABEL_VALUE} characters, no control characters", at)
    return value


def _integer(low: int, high: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        number = _whole(value)
        if number is None:
            raise _wrong("wrong_type", "an integer belongs here")
        if not low <= number <= high:
            raise _wrong("out_of_range", f"an integer from {low} to {high} belongs here")
        return number

    return check


def _duration(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong("wrong_type", "a number of seconds belongs here")
    if not 0 <= value <= MAX_SECONDS:
        raise _wrong("out_of_range", f"a number of seconds from 0 to {MAX_SECONDS:.0f} belongs here")
    return float(value)


def parse_time(value: Any) -> datetime:
    """Read RFC 3339 (with an offset) or seconds since 1970; raises PydanticCustomError otherwise."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not 0 <= value < LATEST.timestamp():
            raise _wrong("out_of_range", "seconds since 1970 belong here (not milliseconds), before the year 2200")
        return datetime.fromtimestamp(value, UTC)
    if not isinstance(value, str):
        raise _wrong("wrong_type", f"a time belongs here: {TIME_HELP}")
    if not _RFC3339.fullmatch(value):
        raise _wrong("bad_time", f"not a time with an offset; write {TIME_HELP}")
    try:
        when = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong("bad_time", f"no such time; write {TIME_HELP}") from None
    if not EARLIEST <= when < LATEST:
        raise _wrong("out_of_range", "a time from 1970 to 2199 belongs here")
    return when


TIME_HELP = "2026-11-22T03:00:00Z, or seconds since 1970"
MAX_SECONDS = 3.2e9


def _schema(description: str, **keywords: Any) -> WithJsonSchema:
    return WithJsonSchema({"description": description, **keywords})


_TEXT = {"minLength": 1, "maxLength": MAX_NAME, "pattern": NAME_PATTERN}
_TIME_SCHEMA = {
    "anyOf": [
        {"type": "string", "format": "date-time"},
        {"type": "number", "minimum": 0, "exclusiveMaximum": LATEST.timestamp()},
        {"type": "null"},
    ]
}

Name = Annotated[
    str | None, PlainValidator(_or_none(check_name)), _schema("One line", type=["string", "null"], **_TEXT)
]
Time = Annotated[
    datetime | None,
    PlainValidator(_or_none(parse_time)),
    _schema("RFC 3339, or seconds since 1970", **_TIME_SCHEMA),
]


class Report(BaseModel):
    """A report about one run of a job; fields not named here are kept under `details`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    job_id: Annotated[
        str,
        PlainValidator(_name_or_integer),
        _schema("The job; one entry in the configuration may have this id", type=["string", "integer"], **_TEXT),
    ]
    status: Annotated[
        EventStatus,
        PlainValidator(_status),
        _schema(f"What happened: {KNOWN_STATUSES}", type="string", enum=sorted(SYNONYMS)),
    ]
    event_id: Annotated[
        str | None,
        PlainValidator(_or_none(_event_id)),
        _schema(
            "Identity of this report: the same id twice is one event; made when absent",
            type=["string", "null"],
            pattern="^[A-Za-z0-9._:-]{1,128}$",
        ),
    ] = None
    event_type: Name = None
    log: Annotated[
        Sequence[str],
        PlainValidator(_log),
        _schema(
            "The log: text, or a list with one line per item; too long a one keeps its head and tail",
            anyOf=[{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}],
        ),
    ] = ()
    details: Annotated[
        dict[str, Any],
        PlainValidator(_details),
        _schema("Anything else worth keeping", type=["object", "null"], additionalProperties=True),
    ] = Field(default_factory=dict)
    run_id: Annotated[
        str | None,
        PlainValidator(_or_none(_name_or_integer)),
        _schema("The run within the job", type=["string", "integer", "null"], **_TEXT),
    ] = None
    attempt: Annotated[
        int | None,
        PlainValidator(_or_none(_integer(0, 2**31 - 1))),
        _schema("Which try of this run", type=["integer", "null"], minimum=0, maximum=2**31 - 1),
    ] = None
    exit_code: Annotated[
        int | None,
        PlainValidator(_or_none(_integer(-(2**31), 2**32 - 1))),
        _schema("The process' exit code", type=["integer", "null"], minimum=-(2**31), maximum=2**32 - 1),
    ] = None
    command: Annotated[
        str | None,
        PlainValidator(_or_none(_command)),
        _schema(
            "What ran: a command line, or a list of arguments",
            anyOf=[
                {"type": "string", "pattern": f"^[^{CONTROLS_BUT_WHITE_SPACE}]*$"},
                {"type": "array", "items": {"type": "string", "pattern": f"^[^{INVISIBLE}]*$"}, "minItems": 1},
                {"type": "null"},
            ],
        ),
    ] = None
    host: Name = None
    source: Name = None
    labels: Annotated[
        dict[str, str],
        PlainValidator(_labels),
        _schema(
            "Names and values of your own; numbers become strings",
            type=["object", "null"],
            maxProperties=MAX_LABELS,
            propertyNames={"minLength": 1, "maxLength": MAX_NAME, "pattern": f"^[^{INVISIBLE}]+$"},
            additionalProperties={
                "anyOf": [
                    {"type": "string", "maxLength": MAX_LABEL_VALUE, "pattern": f"^[^{INVISIBLE}]*$"},
                    {"type": "number"},
                ]
            },
        ),
    ] = Field(default_factory=dict)
    started_at: Time = None
    finished_at: Time = None
    occurred_at: Time = None
    duration_seconds: Annotated[
        float | None,
        PlainValidator(_or_none(_duration)),
        _schema("How long the run took", type=["number", "null"], minimum=0, maximum=MAX_SECONDS),
    ] = None

    @staticmethod
    def lines_of(value: Any) -> Sequence[str] | None:
        """Return the lines of a text or list of texts, or None for anything else."""
        if isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            return _log(value)
        return None
