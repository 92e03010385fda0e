"""Texts without which a pattern cannot match.

A search for these is many times faster than trying every pattern, so it comes first where a log is large.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import re2

_SHORTEST = 3
"""Bytes: shorter texts are in too many lines to tell anything."""
_MOST_COMBINED = 110
_MOST = 800
_LONGEST = 80
_LONGEST_RUN = 20
_PIECE = 14

# The parser of `re` reads all of RE2's syntax that patterns here use; what it cannot read is simply not sped up.
_parser: Any = importlib.import_module("re._parser")
_LITERAL: Any = _parser.LITERAL
_Plain = Sequence[frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Needed:
    """What a part of a pattern needs: exactly one of `exact`, or at least one of `some` within more."""

    exact: frozenset[str] | None = None
    some: frozenset[str] | None = None

    def best(self) -> frozenset[str] | None:
        return _better(self.exact, self.some)


def needed_literals(pattern: str) -> frozenset[str] | None:
    """Return texts in lower case of which every match holds one, or None when there are no telling ones."""
    plain: list[frozenset[str]] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _parser.parse(_PLAIN_CHOICE.sub(lambda match: _stand_in(match, plain), pattern))
    except (re.error, OverflowError, RecursionError):
        return None
    found = _sequence(tree, plain).best()
    return None if found is None or min(len(text.encode()) for text in found) < _SHORTEST else found


_PLAIN = r"(?:[\w ,;:'\"<>/@#%&=!~-]|\\[^\w\s])+"
_PLAIN_CHOICE = re.compile(rf"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?:|\?P<\w+>)?({_PLAIN}(?:\|{_PLAIN})+)\)")
"""A choice of plain texts, as the codes of a table are: most of what there is to read, and the parser is slow.

What is escaped, and what stands in square brackets, is passed over.
"""
_STAND_INS = 0xF0000
"""The first of the letters for private use that stand for such a choice."""


def _stand_in(match: re.Match[str], plain: list[frozenset[str]]) -> str:
    if match[1] is None:
        return match[0]
    plain.append(frozenset(re.sub(r"\\(.)", r"\1", text).lower() for text in re.split(r"(?<!\\)\|", match[1])))
    return chr(_STAND_INS + len(plain) - 1)


def _better(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """Return the set whose shortest text is longer; a set with an empty text says nothing."""
    usable = [texts for texts in (one, other) if texts and "" not in texts and len(texts) <= _MOST]
    return max(usable, key=lambda texts: (min(len(text.encode()) for text in texts), -len(texts)), default=None)


def _sequence(items: Iterable[Any], plain: _Plain) -> _Needed:
    exact: frozenset[str] | None = frozenset({""})
    whole = True
    some: frozenset[str] | None = None
    for part in _parts(items, plain):
        joined = _joined(exact, part.exact)
        if joined is None:
            whole = False
            some = _better(_better(some, exact), part.some)
            exact = part.exact if part.exact is not None else frozenset({""})
            # A text after an unknown part begins anew.
        else:
            exact = joined
    return _Needed(exact=exact) if whole else _Needed(some=_better(some, exact))


def _parts(items: Iterable[Any], plain: _Plain) -> Iterator[_Needed]:
    """Yield what each part needs; letters in a row are one part, which is the short way for most of a pattern."""
    letters = ""
    for operation, argument in items:
        if operation is _LITERAL and argument < _STAND_INS and len(letters) < _LONGEST_RUN:
            letters += chr(argument).lower()
            continue
        if letters:
            yield _Needed(exact=frozenset({letters}))
            letters = ""
        yield _part(str(operation), argument, plain)
    if letters:
        yield _Needed(exact=frozenset({letters}))


def _joined(first: frozenset[str] | None, second: frozenset[str] | None) -> frozenset[str] | None:
    if first is None or second is None or len(first) * len(second) > _MOST_COMBINED:
        return None
    combined = frozenset(one + other for one in first for other in second)
    return None if max(map(len, combined), default=0) > _LONGEST else combined


def _part(operation: str, argument: Any, plain: _Plain) -> _Needed:
    if operation == "LITERAL":
        return _Needed(
            exact=frozenset({chr(argument).lower()}) if argument < _STAND_INS else plain[argument - _STAND_INS]
        )
    if operation == "AT":
        return _Needed(exact=frozenset({""}))
    if operation == "SUBPATTERN":
        return _sequence(argument[-1], plain)
    if operation == "BRANCH":
        return _branch([_sequence(choice, plain) for choice in argument[1]])
    if operation in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, inner = argument
        return _repeat(least, most, inner, plain)
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


def _repeat(least: int, most: int, inner: Any, plain: _Plain) -> _Needed:
    part = _sequence(inner, plain)
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

    Those that it cannot speak for come back beside it; a short word such as `took` says nothing, for it may be in
    every line.
    """
    literals: set[str] = set()
    without: list[str] = []
    for pattern in dict.fromkeys(patterns):
        found = frozenset({pattern.lower()}) if _PLAIN_TEXT(pattern) else needed_literals(pattern)
        if found is None or any(map(_SHORT_WORD, found)):
            without.append(pattern)
        else:
            literals |= found
    # Only ASCII is put into lower case where this is used.
    cased = {form for text in literals if not text.isascii() for form in (text.upper(), text.capitalize())}
    pieces = sorted(_pieces(text.encode() for text in literals | cased))
    return b"|".join(re2.escape(piece.decode("latin-1")).encode("latin-1") for piece in pieces), tuple(without)


def _pieces(literals: Iterable[bytes]) -> set[bytes]:
    """Return short pieces of which every literal holds one: many literals share one, so there are few."""
    shortest: dict[bytes, list[bytes]] = {}
    for literal in sorted(literals, key=len):
        starts = (shortest.get(literal[place : place + _SHORTEST], ()) for place in range(len(literal)))
        if not any(literal.startswith(short, place) for place, some in enumerate(starts) for short in some):
            shortest.setdefault(literal[:_SHORTEST], []).append(literal)
    wanted = [literal for some in shortest.values() for literal in some]
    cuts = {text: [text[i : i + _PIECE] for i in range(max(1, len(text) - _PIECE + 1))] for text in wanted}
    frequent = Counter(piece for pieces in cuts.values() for piece in set(pieces))
    chosen: set[bytes] = set()
    for literal in sorted(wanted, key=lambda text: (len(text), text)):
        if chosen.isdisjoint(cuts[literal]):
            # A word by itself may be in every line of a healthy log; where two meet hardly is.
            chosen.add(max(cuts[literal], key=lambda piece: (bool(_TWO_WORDS(piece)), frequent[piece], piece)))
    return chosen


_SHORT_WORD = re.compile(r" ?[a-z]{1,5} ?").fullmatch
_PLAIN_TEXT = re.compile(r"[\w ,;:'\"<>/@#%&=!~-]{3,}").fullmatch
_TWO_WORDS = re.compile(rb"[a-z][^a-z]+[a-z]").search
