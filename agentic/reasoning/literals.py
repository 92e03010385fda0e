"""Texts without which a pattern cannot match.

A search for these is many times faster than trying every pattern, so it comes first where a log is large.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import re2

_SHORTEST = 3
"""Bytes: shorter texts are in too many lines to tell anything."""
_MOST_COMBINED = 60
_MOST = 400
_LONGEST = 40
_PIECE = 10

# The parser of `re` reads all of RE2's syntax that patterns here use; what it cannot read is simply not sped up.
_parser: Any = importlib.import_module("re._parser")
_LITERAL: Any = _parser.LITERAL


@dataclass(frozen=True, slots=True)
class _Needed:
    """What a part of a pattern needs: exactly one of `exact`, or at least one of `some` within more."""

    exact: frozenset[str] | None = None
    some: frozenset[str] | None = None

    def best(self) -> frozenset[str] | None:
        return _better(self.exact, self.some)


def needed_literals(pattern: str) -> frozenset[str] | None:
    """Return texts in lower case of which every match holds one, or None when there are no telling ones."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return None
    found = _sequence(tree).best()
    return None if found is None or min(len(text.encode()) for text in found) < _SHORTEST else found


def _better(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Return the set whose shortest text is longer; a set with an empty text says nothing."""
    usable = [texts for texts in (one, other) if texts and "" not in texts and len(texts) <= _MOST]
    return max(usable, key=lambda texts: (min(len(text.encode()) for text in texts), -len(texts)), default=None)


def _sequence(items: Iterable[Any]) -> _Needed:
    exact: frozenset[str] | None = frozenset({""})
    whole = True
    some: frozenset[str] | None = None
    for operation, argument in items:
        if operation is _LITERAL and exact and len(exact) <= _MOST_COMBINED:
            # The short way for most of a pattern.
            letter = chr(argument).lower()
            longer = frozenset([text + letter for text in exact])
            if max(map(len, longer)) <= _LONGEST:
                exact = longer
                continue
        part = _part(str(operation), argument)
        joined = _joined(exact, part.exact)
        if joined is None:
            whole = False
            some = _better(_better(some, exact), part.some)
            exact = part.exact if part.exact is not None else frozenset({""})
            # A text after an unknown part begins anew.
        else:
            exact = joined
    return _Needed(exact=exact) if whole else _Needed(some=_better(some, exact))


def _joined(first: frozenset[str] | None, second: frozenset[str] | None) -> frozenset[str] | None:
    if first is None or second is None or len(first) * len(second) > _MOST_COMBINED:
        return None
    combined = frozenset(one + other for one in first for other in second)
    return None if max(map(len, combined), default=0) > _LONGEST else combined


def _part(operation: str, argument: Any) -> _Needed:
    if operation == "LITERAL":
        return _Needed(exact=frozenset({chr(argument).lower()}))
    if operation == "AT":
        return _Needed(exact=frozenset({""}))
    if operation == "SUBPATTERN":
        return _sequence(argument[-1])
    if operation == "BRANCH":
        return _branch([_sequence(choice) for choice in argument[1]])
    if operation in ("MAX_REPEAT", "MIN_REPEAT"):
        return _repeat(*argument)
    if operation == "IN":
        return _class(argument)
    return _Needed()


def _branch(choices: Sequence[_Needed]) -> _Needed:
    if all(choice.exact is not None for choice in choices):
        return _Needed(exact=frozenset().union(*(choice.exact or () for choice in choices)))
    best = [choice.best() for choice in choices]
    if any(one is None for one in best):
        return _Needed()
    return _Needed(some=frozenset().union(*(one or () for one in best)))


def _repeat(least: int, most: int, inner: Any) -> _Needed:
    part = _sequence(inner)
    if (least, most) == (1, 1):
        return part
    if (least, most) == (0, 1) and part.exact is not None:
        return _Needed(exact=part.exact | {""})
    return _Needed(some=part.best()) if least else _Needed()


def _class(members: Sequence[Any]) -> _Needed:
    letters = {chr(value).lower() for kind, value in members if str(kind) == "LITERAL"}
    small = len(members) <= 4 and all(str(kind) == "LITERAL" for kind, _ in members)
    return _Needed(exact=frozenset(letters)) if small and letters else _Needed()


def scout_pattern(patterns: Iterable[str]) -> tuple[bytes, tuple[str, ...]]:
    """Return a Latin-1 pattern for texts in lower case that finds every line which one of the patterns may match.

    Those that it cannot speak for come back beside it.
    """
    literals: set[str] = set()
    without: list[str] = []
    for pattern in dict.fromkeys(patterns):
        found = needed_literals(pattern)
        if found is None:
            without.append(pattern)
        else:
            literals |= found
    # Only ASCII is put into lower case where this is used.
    cased = {form for text in literals if not text.isascii() for form in (text.upper(), text.capitalize())}
    pieces = sorted(_pieces(text.encode() for text in literals | cased))
    return b"|".join(re2.escape(piece.decode("latin-1")).encode("latin-1") for piece in pieces), tuple(without)


def _pieces(literals: Iterable[bytes]) -> set[bytes]:
    """Return short pieces of which every literal holds one: many literals share one, so there are few."""
    shortest: set[bytes] = set()
    for literal in sorted(literals, key=len):
        parts = (literal[i:j] for i in range(len(literal)) for j in range(i + _SHORTEST, len(literal) + 1))
        if shortest.isdisjoint(parts):
            shortest.add(literal)
    cuts = {text: [text[i : i + _PIECE] for i in range(max(1, len(text) - _PIECE + 1))] for text in shortest}
    frequent = Counter(piece for pieces in cuts.values() for piece in set(pieces))
    chosen: set[bytes] = set()
    for literal in sorted(shortest, key=lambda text: (len(text), text)):
        if chosen.isdisjoint(cuts[literal]):
            chosen.add(max(cuts[literal], key=lambda piece: (frequent[piece], piece)))
    return chosen
