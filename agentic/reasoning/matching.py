"""Finds which signatures occur in a log, and where.

One pass over the whole log names the patterns that may match; only these are then tried. The time is linear in the
size of the log whatever the patterns are.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice
from typing import Any

import re2

from agentic.reasoning.hearsay import only_a_number, without_hints
from agentic.reasoning.signatures import Signature, options, particular

_MOST_HITS = 500
"""Of one pattern in one block."""
_BLOCK = 4 << 10
_KEPT_FIRST, _KEPT_LAST = 24, 8
_MOST_PATTERN_BYTES = 100_000
"""In one filter: RE2 refuses to make one that is much larger."""


@dataclass(slots=True)
class Hit:
    """One place where a signature occurs."""

    line: int
    particulars: Mapping[str, str]


@dataclass(slots=True)
class Found:
    """A signature and the places where it occurs, in order; of very many the first and last are kept."""

    signature: Signature
    hits: list[Hit] = field(default_factory=list)
    _last: list[Hit] = field(default_factory=list)

    def add(self, hit: Hit) -> None:
        """Take one more place."""
        if len(self.hits) < _KEPT_FIRST:
            self.hits.append(hit)
            return
        self._last.append(hit)
        if len(self._last) > _KEPT_LAST * 2:
            del self._last[:_KEPT_LAST]

    def settle(self) -> None:
        """Bring the places of all patterns into the order of the log, each line once."""
        by_line: dict[int, Hit] = {}
        for hit in self.hits + self._last[-_KEPT_LAST:]:
            known = by_line.setdefault(hit.line, hit)
            if known is not hit:
                known.particulars = {**hit.particulars, **known.particulars}
        self.hits = sorted(by_line.values(), key=lambda hit: hit.line)


class Haystack:
    """A log as the patterns see it: one text, quotes alike however they were escaped or typeset."""

    def __init__(self, lines: Sequence[str]) -> None:
        text = "\n".join(lines)
        if "\\" in text:
            text = text.replace('\\"', '"').replace("\\'", "'")
        if not text.isascii():
            text = text.translate(_QUOTES)
        text = without_hints(text)
        self.raw = text.encode("utf-8", "replace")
        self._starts: list[int] | None = None

    def line_of(self, position: int) -> int:
        """Return the number of the line in which a byte lies."""
        if self._starts is None:
            lengths = (len(line) + 1 for line in self.raw.split(b"\n"))
            self._starts = [0, *accumulate(lengths)]
        return bisect.bisect_right(self._starts, position) - 1

    def lines(self, first: int, count: int) -> list[str]:
        """Return some lines as the patterns see them."""
        self.line_of(0)
        starts = self._starts or [0, 0]
        raw = self.raw[starts[first] : starts[min(len(starts) - 1, first + count)]]
        return raw.decode("utf-8", "replace").split("\n")[:count]

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield pieces of some whole lines with where they begin: what one of them holds costs the others nothing."""
        begin = 0
        while begin < len(self.raw):
            end = self.raw.find(b"\n", begin + _BLOCK) + 1 or len(self.raw)
            yield begin, self.raw[begin:end]
            begin = end

    def around(self, line: int) -> bytes:
        """Return a line with the two before and after it."""
        self.line_of(0)
        starts = self._starts or [0]
        return self.raw[starts[max(0, line - 2)] : starts[min(len(starts) - 1, line + 3)]]


_QUOTES = {ord(mark): '"' for mark in "“”„«»「」"} | {ord(mark): "'" for mark in "‘’‚´"} | {0xA0: " ", 0x3000: " "}


class Matcher:
    """All patterns of all signatures, ready to be looked for at once.

    A filter of the words that each pattern cannot match without goes over the log first, and only what may match is
    tried. One automaton for all patterns at once is no alternative: it grows with every log that differs.
    """

    def __init__(self, signatures: Sequence[Signature]) -> None:
        self.signatures = tuple(signatures)
        self._filters: list[tuple[Any, list[_Owner]]] = []
        room = 0
        for owner, patterns in _owners(self.signatures):
            for pattern in chain.from_iterable(map(portions, patterns)):
                if room < len(pattern):
                    self._filters.append((re2.Filter(), []))
                    room = _MOST_PATTERN_BYTES
                room -= len(pattern)
                words, owners = self._filters[-1]
                words.Add(b"(?im)" + pattern.encode(), options())
                owners.append(owner)
        for words, _ in self._filters:
            words.Compile()
        self._used: dict[tuple[int, int], _Compiled] = {}

    def find(self, haystack: Haystack, skip: Container[str] = ()) -> list[Found]:
        """Return the signatures that occur, each with its places; those named in `skip` need not be looked for."""
        found: dict[str, Found] = {}
        for begin, block in haystack.blocks():
            for words, owners in self._filters:
                for number in words.Match(block, potential=True) or ():
                    owner = owners[number]
                    if isinstance(owner, dict) or owner.name not in skip:
                        for start, signature, values in _matches(self._pattern(words, number), owner, block):
                            hit = Hit(haystack.line_of(begin + start), values)
                            found.setdefault(signature.name, Found(signature)).add(hit)
        for entry in found.values():
            entry.settle()
        return list(found.values())

    def _pattern(self, words: Any, number: int) -> _Compiled:
        """Return the search for a pattern of a filter, and whether it has groups."""
        key = (id(words), number)
        used = self._used.get(key)
        if used is None:
            compiled = words.re(number)
            used = self._used[key] = (compiled.finditer, bool(compiled.groupindex))
        return used


_Compiled = tuple[Callable[[bytes], Iterator[Any]], bool]


def _matches(compiled: _Compiled, owner: _Owner, block: bytes) -> Iterator[tuple[int, Signature, dict[str, str]]]:
    """Yield where a pattern matches, whose match that is, and what it names."""
    find, names = compiled
    for match in islice(find(block), _MOST_HITS):
        values = _values(match) if names else {}
        signature = owner.get(values.get("code", "").lower()) if isinstance(owner, dict) else owner
        start, end = match.span()
        if signature is None or only_a_number(block, start, end):
            continue
        # A pattern may begin with white space that reaches back over line ends.
        while start < end - 1 and block[start] in b" \t\r\n":
            start += 1
        yield start, signature, values


def _values(match: Any) -> dict[str, str]:
    """Return what the groups of a match took, by what they stand for."""
    return {particular(k): v.decode("utf-8", "replace") for k, v in match.groupdict().items() if v}


def portions(pattern: str) -> Iterator[str]:
    """Cut a pattern with many alternatives into some with a few: they are tried less often than the whole one."""
    portion = ""
    for part in alternatives(pattern):
        # One by one they would be tried even less, but take twice the memory.
        if len(portion) + len(part) > _LONGEST_PORTION and portion:
            yield portion
            portion = ""
        portion = f"{portion}|{part}" if portion else part
    yield portion


_LONGEST_PORTION = 300


def alternatives(pattern: str) -> list[str]:
    """Return the parts of `one|other|...`."""
    found, depth, start = [], 0, 0
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        depth += (text == "(") - (text == ")")
        if text == "|" and depth == 0:
            found.append(pattern[start : token.start()])
            start = token.end()
    return [*found, pattern[start:]]


_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()|]", re.DOTALL)
"""An escaped character, a class of characters, or one that groups or parts."""

_Owner = Signature | dict[str, Signature]
"""Whose pattern it is: a signature, or the rows of a table by their codes."""


def _owners(signatures: Sequence[Signature]) -> Iterator[tuple[_Owner, tuple[str, ...]]]:
    tables: dict[tuple[str, ...], dict[str, Signature]] = {}
    for signature in signatures:
        if signature.code:
            tables.setdefault(signature.patterns, {})[signature.code] = signature
        else:
            yield signature, signature.patterns
    for patterns, rows in tables.items():
        yield rows, patterns
