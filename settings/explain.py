"""From pydantic's findings to sentences with a place, what to write, and the nearest right spelling."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from settings.models import Settings
from settings.source import Source

WORDS: Mapping[str, str] = {
    "string_type": "write a text; put it into quotes if it looks like a number",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
    "finite_number": "write a number that has an end",
    "list_type": "write a list, such as [a, b]",
    "dict_type": "write `key: value` lines",
    "model_type": "write `key: value` lines",
    "model_attributes_type": "write `key: value` lines",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "write at least {min_length} character",
    "string_too_long": "write at most {max_length} characters",
}
"""What pydantic finds, by its name for it, in our words."""
FORMS: Mapping[str, str] = {
    "key_prefix": "write 1 to 64 letters, digits or any of _ . : { } -",
    "public_url": "write http:// or https:// and a host, such as https://autoremedy.example.org",
}
"""What a text that has to have a form looks like, by its key."""
SECRET_KEYS = frozenset({"api_key", "secret", "password", "token"})


def validated(source: Source) -> Settings | None:
    """Return the settings, or None after complaining of everything that is not well formed."""
    try:
        return Settings.model_validate(source.data)
    except ValidationError as error:
        for problem in error.errors():
            path: tuple[str | int, ...] = problem["loc"]
            if path[-1] == "[key]":
                source.complain(path[:-1], _unknown("category", str(path[-2]), _options(problem)))
            else:
                source.complain(path, _explained(problem, path))
        return None


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return `; did you mean "…"?`, or nothing when no choice looks like the word."""
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else ""


def _unknown(what: str, word: str, choices: list[str]) -> str:
    return f"unknown {what}" + (nearest(word, choices) or f"; known here: {', '.join(choices)}")


def _explained(problem: Any, path: tuple[str | int, ...]) -> str:
    kind, value = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        return _unknown("key", str(path[-1]), _keys_at(path[:-1]))
    if kind == "missing":
        return "is required"
    got = "" if path[-1] in SECRET_KEYS else f" (got {shown(value)})"
    if kind in ("enum", "literal_error"):
        options = _options(problem)
        if len(options) == 1:
            return f"write {options[0]}, there is nothing else{got}"
        return f"must be one of {', '.join(options)}{got}{nearest(str(value), options)}"
    if kind == "value_error":
        return str(problem["msg"]).removeprefix("Value error, ") + got
    if kind == "string_pattern_mismatch":
        return FORMS.get(str(path[-1]), f"must match {problem['ctx']['pattern']}") + got
    words = WORDS.get(kind)
    if words is None:
        return f"cannot be used here{got}"
    return words.format(**_plain(problem.get("ctx") or {})) + (got if value is not None else "; or leave the key out")


def _plain(limits: Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in limits.items()}


def _options(problem: Any) -> list[str]:
    """Return what pydantic would have taken; it writes them as `'a', 'b' or 'c'`."""
    return [text or number for text, number in re.findall(r"'([^']*)'|(\d+)", str(problem["ctx"]["expected"]))]


def shown(value: object) -> str:
    """Return a value as one would write it in the file; of long ones only what they are."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "`key: value` lines"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) else str(value)


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that the section at this path knows."""
    model: Any = Settings
    for part in path:
        fields = getattr(model, "model_fields", {})
        by_alias = {(field.alias or name): field for name, field in fields.items()}
        if part in by_alias:
            model = next(_models_in(by_alias[str(part)].annotation), None)
    return sorted((field.alias or name) for name, field in getattr(model, "model_fields", {}).items())


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)
