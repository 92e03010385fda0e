"""Placeholders: which values may stand in a command, a URL or a body, and how they get there.

Values come from typed fields of the event or from what the operator wrote for the job, never from a log or a
model. Each is checked against a pattern; one that does not fit is refused, never repaired.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import re2

from agentic.argv import (
    FIELDS,
    PLACEHOLDER,
    argv_problems,
    literal,
    placeholder_problem,
    placeholders_in,
    whole_placeholder,
)
from agentic.contracts import EffectRequest
from agentic.errors import AutoRemedyError, ConfigError
from agentic.patterns import options
from agentic.types import Action, Event, Job
from agentic.unseen import CONTROLS, SURROGATES

FIELD_PATTERN = re.compile(r"[A-Za-z0-9._:@][A-Za-z0-9._:@/-]{0,127}")
FIELD_RULE = (
    "letters, digits and ._:@/- are allowed, at most 128 of them, no '-' or '/' first and no '.' or '..' folder"
)
PARAM_MAX = 1024
UNFIT = re.compile(f"[{CONTROLS}{SURROGATES}]")
KNOWN = re.compile(r"\{(event_id|job_id|run_id|host|param\.[^{}]+)\}")
END_OF_OPTIONS = "--"


class Refusal(AutoRemedyError):
    """A value does not fit where it would have to stand, or a target is not allowed; nothing was done."""


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    try:
        return re2.compile(pattern, options())
    except re2.error as error:
        why = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ConfigError(f"the pattern {pattern!r} is not valid: {why}") from error


def param_values(action: Action, job: Job, event: Event) -> dict[str, str]:
    """Return the value of each declared parameter that has one: the job's, else the event's label."""
    sources = (job.params, event.labels)
    return {
        name: next(source[name] for source in sources if name in source)
        for name in action.params
        if any(name in source for source in sources)
    }


def value_of(name: str, request: EffectRequest) -> str:
    """Return the checked value of a placeholder; raise Refusal with a sentence when it has none that fits."""
    param = name.removeprefix("param.")
    if param != name:
        return _param(param, request)
    value = getattr(request.event, name)
    if not value:
        raise Refusal(f"the event has no {name}, and {{{name}}} needs one")
    pattern = request.action.params.get(name)
    if pattern is not None:  # the operator's own word on what this field may be, such as a path
        return _fitting(value, pattern, name)
    if not FIELD_PATTERN.fullmatch(value) or not {".", ".."}.isdisjoint(value.split("/")):
        raise Refusal(f"the event's {name} {_shown(value)} may not stand in for {{{name}}}: {FIELD_RULE}")
    return str(value)


def _param(name: str, request: EffectRequest) -> str:
    pattern = request.action.params.get(name)
    if pattern is None:
        raise Refusal(f"the action does not declare the parameter {name!r}")
    values = {**param_values(request.action, request.job, request.event), **request.params}
    value = values.get(name)
    if value is None:
        raise Refusal(f"neither the job nor the event's labels have a value for {{param.{name}}}")
    return _fitting(value, pattern, f"param.{name}")


def _fitting(value: str, pattern: str, name: str) -> str:
    if len(value) > PARAM_MAX or UNFIT.search(value):
        raise Refusal(f"the value of {{{name}}} is too long or has control characters")
    if not _compiled(pattern).fullmatch(value):
        raise Refusal(f"the value {_shown(value)} of {{{name}}} does not match its pattern {pattern!r}")
    return value


def _shown(value: str) -> str:
    return repr(value if len(value) <= 60 else f"{value[:59]}…")


def fill_argv(argv: Sequence[str], request: EffectRequest) -> list[str]:
    """Return the command with each placeholder replaced by one whole argument."""
    filled: list[str] = []
    for argument in argv:
        name = whole_placeholder(argument)
        if name is None:
            if placeholders_in(argument):
                raise Refusal(f"{argument!r}: a placeholder must be a whole argument of its own")
            filled.append(literal(argument))
            continue
        value = value_of(_known(name), request)
        # A pattern such as -?[0-9]+ may let a dash through; only after `--` can no program take it for an option.
        if value.startswith("-") and END_OF_OPTIONS not in argv[: len(filled)]:
            raise Refusal(f"{_shown(value)} would be taken for an option; write '--' before {argument} in argv")
        filled.append(value)
    return filled


def _known(name: str) -> str:
    if name in FIELDS or name.startswith("param."):
        return name
    raise Refusal(f"unknown placeholder {{{name}}}; known: {', '.join(FIELDS)}, param.NAME")


def split_url(url: str) -> tuple[str, str]:
    """Split a URL into scheme with host and port, and the rest, where alone placeholders may stand."""
    match = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", url)
    return (match[0], url[match.end() :]) if match else (url, "")


def fill_url(url: str, request: EffectRequest) -> str:
    """Return the URL with each placeholder replaced by its percent-encoded value."""
    origin, rest = split_url(url)
    if PLACEHOLDER.search(origin):
        raise Refusal("a placeholder may stand in the path or the query of a URL, never in its host")

    def encoded(match: re.Match[str]) -> str:
        value = value_of(_known(match[1]), request)
        if not value.strip("."):
            raise Refusal(f"{_shown(value)} may not stand in a URL: it would point to another folder")
        return quote(value, safe="")

    return origin + PLACEHOLDER.sub(encoded, rest)


def fill_json(value: Any, request: EffectRequest) -> Any:
    """Return a JSON body with the known placeholders in its texts replaced; other braces are left alone."""
    if isinstance(value, str):
        return KNOWN.sub(lambda match: value_of(match[1], request), value)
    if isinstance(value, Mapping):
        return {key: fill_json(item, request) for key, item in value.items()}
    if isinstance(value, list):
        return [fill_json(item, request) for item in value]
    return value


def check_params(action: Action) -> None:
    """Raise ConfigError when a declared pattern is not valid."""
    for pattern in action.params.values():
        _compiled(pattern)


def check_argv(argv: Sequence[str], action: Action) -> None:
    """Raise ConfigError when a command can never run, or would let a value reach a shell."""
    for _, problem in argv_problems(argv, action.params):
        raise ConfigError(f"argv: {problem}")


def check_placeholders(text: str, action: Action) -> None:
    """Raise ConfigError when a text has a placeholder that can never get a value."""
    for name in PLACEHOLDER.findall(text):
        if problem := placeholder_problem(name, action.params):
            raise ConfigError(problem)


def check_known(text: str, action: Action) -> None:
    """Raise ConfigError when a text names a parameter that the action does not declare."""
    for name in KNOWN.findall(text):
        param = name.removeprefix("param.")
        if param != name and param not in action.params:
            raise ConfigError(f"{{{name}}} is not declared; add `params: {{{param}: <pattern>}}` to the action")


def lineage_of(event: Event) -> str:
    """Return the event that a chain of reruns began with."""
    first = event.lineage or event.event_id
    # The label comes from outside; what could not be an event's id is not handed on.
    return first if re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", first) else event.event_id


def next_attempt(request: EffectRequest) -> int:
    """Return the number of the run that a rerun starts along its lineage; the first run is 1."""
    return max(request.event.attempt or 1, 1) + request.attempt
