"""The form a model fills in: its JSON schema, and the checks that hold it against the log and the menu."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentic.reasoning.prompts.untrusted import same_words
from agentic.types import Category, Line

MAX_EVIDENCE = 3
MAX_ACTIONS = 3
SHORTEST_QUOTE = 4
CATEGORIES = tuple(category.value for category in Category)


def form_schema(lines: Sequence[Line], actions: int, probes: Sequence[int] = ()) -> dict[str, Any]:
    """Return the schema of an answer: enums, bounded integers and short strings only.

    The order is the order of writing: a model that reads before it decides decides better.
    """
    numbers = [line.line for line in lines]
    cited = {
        "line": {"type": "integer", "minimum": min(numbers), "maximum": max(numbers)},
        "quote": {"type": "string", "minLength": 1, "maxLength": 120},
    }
    properties: dict[str, Any] = {
        "reading": {"type": "string", "maxLength": 300},
        **({"need": {"type": "integer", "enum": [0, *probes]}} if probes else {}),
        "evidence": {"type": "array", "minItems": 0, "maxItems": MAX_EVIDENCE, "items": _object(cited)},
        "root_cause": {"type": "string", "maxLength": 240},
        "category": {"type": "string", "enum": list(CATEGORIES)},
        "actions": {
            "type": "array",
            "minItems": 0,
            "maxItems": MAX_ACTIONS,
            "items": {"type": "integer", "minimum": 1, "maximum": max(1, actions)},
        },
        "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
    }
    return _object(properties)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def untrue(answer: Mapping[str, Any], lines: Sequence[Line], actions: int) -> str | None:
    """Say what in an answer is not true of the log or the menu, or None; the answer fits the schema."""
    if answer.get("need") or answer["category"] == Category.UNKNOWN:
        return None
    if any(number > actions for number in answer["actions"]):
        return f"actions may only hold numbers from 1 to {actions}" if actions else "actions must be []"
    if not answer["evidence"]:
        return "evidence must cite at least one line, unless the category is unknown"
    if not answer["root_cause"].strip():
        return "root_cause is blank"
    shown = {line.line: same_words(line.text) for line in lines}
    for cited in answer["evidence"]:
        number, quote = cited["line"], same_words(_without_number(cited["quote"], cited["line"]))
        if number not in shown:
            return f"line {number} was not shown to you"
        if quote not in shown[number]:
            return f"line {number} does not contain the words {cited['quote'][:80]!r}"
        if len(quote) < SHORTEST_QUOTE and quote != shown[number]:
            return f"the quote from line {number} is too short"
    return None


def _without_number(quote: str, number: int) -> str:
    """Return a quote without the number and bar that were printed before the line."""
    return quote.strip().removeprefix(f"{number}|")
