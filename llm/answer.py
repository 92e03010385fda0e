"""Finds the one JSON object in what a model said; nothing is ever repaired.

An answer decides an action, so whatever could be read in two ways is refused: a cut-off document, two
objects, the same key twice, numbers that JSON does not have.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

from llm.errors import Kind, LlmError
from llm.schema import Schema, problems

Check = Callable[[dict[str, Any]], str | None]
"""Says in words what is wrong with an answer that fits the schema, or None; the model gets to read it."""

_FENCE = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\r?\n(.*?)```", re.DOTALL)


def usable_object(text: str, schema: Schema, check: Check | None = None) -> dict[str, Any]:
    """Return the only JSON object in a text if it fits the schema and passes the check, else raise `bad_output`."""
    answer = read_object(text)
    wrong = "; ".join(problems(answer, schema)) or (check(answer) if check else None)
    if wrong:
        raise _bad(wrong)
    return answer


def read_object(text: str) -> dict[str, Any]:
    """Return the only JSON object in a model's text, or raise LlmError `bad_output` saying what is wrong."""
    body = _inside_fence(_after_thoughts(text)).strip().removeprefix("\ufeff")
    start = body.find("{")
    if start < 0:
        raise _bad("there is no JSON object in it")
    try:
        value, end = _DECODER.raw_decode(body, start)
    except (ValueError, RecursionError) as error:
        raise _bad(f"it is not valid JSON: {_short(error)}") from None
    before, after = body[:start].rstrip(), body[end:].lstrip()
    if "{" in after or before.endswith(("[", ",")) or after.startswith(("]", ",")):
        raise _bad("there is more than one JSON object in it")
    if not isinstance(value, dict):  # cannot happen after a brace; tells the type checker
        raise _bad("it is not a JSON object")
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise _bad("it contains characters that cannot be stored") from None
    return value


def _after_thoughts(text: str) -> str:
    _, mark, answer = text.rpartition("</think>")
    if not mark and "<think>" in text:
        raise _bad("it stopped in the middle of its thoughts")
    return answer


def _inside_fence(text: str) -> str:
    blocks = _FENCE.findall(text)
    if len(blocks) > 1:
        raise _bad("there is more than one code block in it")
    return str(blocks[0]) if blocks else text


def _bad(what: str) -> LlmError:
    return LlmError(Kind.BAD_OUTPUT, f"The answer cannot be used: {what}")


def _short(error: BaseException) -> str:
    return str(error)[:120] if isinstance(error, ValueError) else "it is nested too deeply"


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite)
