"""From pydantic's findings to sentences with a place and the nearest right spelling."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from settings.models import Settings
from settings.source import Source


def validated(source: Source) -> Settings | None:
    try:
        return Settings.model_validate(source.data)
    except ValidationError as error:
        for problem in error.errors():
            where = tuple(part for part in problem["loc"] if part in ("[key]",) or not _is_union_tag(part))
            source.complain(where, _explained(problem, where))
        return None


def _is_union_tag(part: str | int) -> bool:
    """Pydantic names the branch of a union in the location (`bool`, `literal['auto']`); no one wrote that."""
    return isinstance(part, str) and bool(
        re.fullmatch(r"bool|int|literal\[.*\]|function-before\[.*\]|constrained-.*", part)
    )


def _explained(problem: Any, where: tuple[str | int, ...]) -> str:
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(where[-1]), _keys_at(where[:-1]), n=1, cutoff=0.5)
        return (
            f'unknown key; did you mean "{near[0]}"?'
            if near
            else f"unknown key; known here: {', '.join(_keys_at(where[:-1]))}"
        )
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "missing":
        return "is required"
    if problem["type"].startswith("bool"):
        return f"write true or false (got {problem['input']!r})"
    if problem["type"] in ("enum", "literal_error"):
        options = [option.strip("'") for option in re.findall(r"'[^']*'", str(problem["ctx"]["expected"]))]
        near = difflib.get_close_matches(str(problem["input"]), options, n=1, cutoff=0.5)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        return f"must be one of {', '.join(options)} (got {problem['input']!r}){hint}"
    return f"{message} (got {problem['input']!r})"


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
