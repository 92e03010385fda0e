"""From a cause's template to the sentence a person reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from agentic.reasoning.particulars import find_particular, is_particular
from agentic.reasoning.signatures import OPTIONAL, PLACEHOLDER

_LONGEST_PARTICULAR = 100
_BELOW = frozenset({"place", "value"})
_NO_BLANK_BEFORE = re.compile(r" +([.,;:)])")


def render(template: str, particulars: Mapping[str, str]) -> str:
    """Put the particulars into a cause; an optional part whose particular is missing is left out."""

    def optional(match: re.Match[str]) -> str:
        named = [one[1] for one in PLACEHOLDER.finditer(match[1])]
        return match[1] if all(particulars.get(name) for name in named) else ""

    def value(match: re.Match[str]) -> str:
        fallback = match[2] or ""
        text = " ".join(particulars.get(match[1], "").replace("`", "").split()).strip("\"',;").rstrip(":.")
        if len(text) > _LONGEST_PARTICULAR:
            text = text[:_LONGEST_PARTICULAR] + "…"
        return (" " if fallback.startswith(" ") else "") + text if text else fallback

    sentence = PLACEHOLDER.sub(value, OPTIONAL.sub(optional, template))
    return _NO_BLANK_BEFORE.sub(r"\1", " ".join(sentence.split()))


@cache
def names_in(template: str) -> frozenset[str]:
    """Return the names of the particulars that a cause has room for."""
    return frozenset(match[1] for match in PLACEHOLDER.finditer(template))


def particulars_for(template: str, matched: Mapping[str, str], lines: Sequence[str]) -> dict[str, str]:
    """Return what a cause needs: what its patterns captured, else what the line names of that kind."""
    needed: dict[str, str] = {}
    for name in names_in(template):
        text = matched.get(name, "")
        if not is_particular(text):
            # Compilers and databases tell the place on a line of its own below the message.
            below = lines if name in _BELOW else lines[:1]
            text = next((found for line in below if (found := find_particular(name, line))), "")
        if text:
            needed[name] = text
    return needed
