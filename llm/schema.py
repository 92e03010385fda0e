"""Checks an answer against the small part of JSON Schema that every server can enforce.

Servers turn a schema into a grammar, which promises the shape but not the values, and some ignore it
without a word. So every answer is checked again here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
}
_BOUNDS = frozenset({"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"})
_STRUCTURE = frozenset({"type", "enum", "properties", "required", "additionalProperties", "items", "description"})
MAX_STRING = 500
"""Longer bounded strings make some grammar engines refuse the schema."""
MAX_PROBLEMS = 3


def ensure_portable(schema: Schema, where: str = "schema") -> None:
    """Raise ValueError when a schema uses what some server does not enforce, or leaves something unbounded."""
    unknown = set(schema) - _BOUNDS - _STRUCTURE
    if unknown:
        raise ValueError(f"{where}: {', '.join(sorted(unknown))} is not enforced by every server")
    if schema.get("type") not in _TYPES:
        raise ValueError(f"{where}: type must be one of {', '.join(_TYPES)}")
    if schema["type"] == "string" and "enum" not in schema and not 0 < schema.get("maxLength", 0) <= MAX_STRING:
        raise ValueError(f"{where}: a string needs maxLength of at most {MAX_STRING}")
    if schema["type"] == "array" and "maxItems" not in schema:
        raise ValueError(f"{where}: an array needs maxItems")
    if schema["type"] == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            raise ValueError(f"{where}: an object needs additionalProperties false and every property required")
        for name, part in properties.items():
            ensure_portable(part, f"{where}.{name}")
    if schema["type"] == "array":
        ensure_portable(schema["items"], f"{where}[]")


def problems(value: object, schema: Schema, where: str = "answer") -> list[str]:
    """Return what is wrong with a value, in words a model can act on; empty when nothing is."""
    found: list[str] = []
    _collect(value, schema, where, found)
    return found[:MAX_PROBLEMS]


def _collect(value: Any, schema: Schema, where: str, found: list[str]) -> None:
    kind = schema["type"]
    if not _TYPES[kind](value):
        found.append(f"{where} must be {'an' if kind[0] in 'aeio' else 'a'} {kind}")
        return
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} must be one of {json.dumps(list(schema['enum']))}")
    if kind == "integer":
        _within(value, schema, "minimum", "maximum", where, found)
    elif kind == "string":
        _within(len(value), schema, "minLength", "maxLength", f"the length of {where}", found)
    elif kind == "array":
        _within(len(value), schema, "minItems", "maxItems", f"the number of items of {where}", found)
        for index, item in enumerate(value[: schema["maxItems"]]):
            _collect(item, schema["items"], f"{where}[{index}]", found)
    elif kind == "object":
        _collect_properties(value, schema, where, found)


def _within(size: int, schema: Schema, low: str, high: str, what: str, found: list[str]) -> None:
    if size < schema.get(low, size):
        found.append(f"{what} must be at least {schema[low]}")
    if size > schema.get(high, size):
        found.append(f"{what} must be at most {schema[high]}")


def _collect_properties(value: dict[str, Any], schema: Schema, where: str, found: list[str]) -> None:
    parts = schema["properties"]
    found.extend(f"{where}.{name} is missing" for name in parts if name not in value)
    extra = sorted(set(value) - set(parts))
    if extra:
        found.append(f"{where} must not have the field {extra[0][:40]!r}")
    for name, part in parts.items():
        if name in value:
            _collect(value[name], part, f"{where}.{name}", found)


def flattened(schema: Schema) -> dict[str, Any]:
    """Return the schema without bounds, for servers whose grammar engine refuses them."""
    plain = {key: value for key, value in schema.items() if key not in _BOUNDS}
    if "properties" in plain:
        plain["properties"] = {name: flattened(part) for name, part in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = flattened(plain["items"])
    return plain


def in_words(schema: Schema) -> str:
    """Return the sentence that replaces a schema on servers which support none."""
    text = json.dumps(schema, separators=(",", ":"), ensure_ascii=False)
    return f"Answer with exactly one JSON object and nothing else. It must fit this JSON schema: {text}"
