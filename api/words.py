"""What is wrong with a choice, said with the nearest right one; and texts cut short between words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

CHOICES = ("enum", "literal_error")
"""Pydantic's names for a value that is none of a closed list."""


def unknown(value: object, choices: Iterable[str], what: str = "value") -> str:
    """Return a sentence for a value that is none of the choices."""
    known = list(choices)
    if not isinstance(value, str):
        return f"a string belongs here, one of: {', '.join(known)}"
    near = difflib.get_close_matches(value.lower(), known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"unknown {what} {shortened(value, 40)!r}{hint} there are: {', '.join(known)}"


def choice(problem: Mapping[str, Any]) -> str | None:
    """Return the sentence for one of pydantic's findings, or None when it is not about a choice."""
    if problem["type"] not in CHOICES:
        return None
    return unknown(problem.get("input"), re.findall(r"'([^']*)'", str(problem["ctx"]["expected"])))


def shortened(text: str, most: int) -> str:
    """Return the text, cut between two words when it is longer than `most`."""
    if len(text) <= most:
        return text
    head = text[: most - 2]
    return f"{head.rpartition(' ')[0] or head} …"
