"""Finds which signatures occur in a log, and where.

One pass over the whole log names the patterns that may match; only these are then tried. The time is linear in the
size of the log whatever the patterns are.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice
from typing import Any

import re2

from agentic.reasoning.carried import carried, mentioned
from agentic.reasoning.hearsay import only_a_part, without_hints
from agentic.reasoning.printed import is_name
from agentic.reasoning.signatures import Signature, options, particular

_MOST_HITS = 2_000
_KEPT_FIRST, _KEPT_LAST = 24, 8
_MOST_PATTERN_BYTES = 100_000
"""In one filter: RE2 refuses to make one that is much larger."""


@dataclass(slots=True)
class Hit:
    """One place where a signature occurs."""

    line: int
    particulars: Mapping[str, str]
    carried: bool = False
    """Whether it lies in a text that the run only works on."""
    mentioned: bool = False
    """Whether it is part of a sentence about something."""


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
                known.carried = known.carried and hit.carried
                known.mentioned = known.mentioned and hit.mentioned
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
            self._starts = list(accumulate([len(line) + 1 for line in self.raw.split(b"\n")], initial=0))
        return bisect.bisect_right(self._starts, position) - 1

    def lines(self, first: int, count: int) -> list[str]:
        """Return some lines as the patterns see them."""
        self.line_of(0)
        starts = self._starts or [0, 0]
        raw = self.raw[starts[first] : starts[min(len(starts) - 1, first + count)]]
        return raw.decode("utf-8", "replace").split("\n")[:count]

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
        self._sieves: list[_Sieve] = []
        room = 0
        for owner, patterns in _owners(self.signatures):
            for pattern in chain.from_iterable(map(portions, patterns)):
                if room < len(pattern):
                    self._sieves.append(_Sieve())
                    room = _MOST_PATTERN_BYTES
                room -= len(pattern)
                self._sieves[-1].add(pattern, owner)
        for sieve in self._sieves:
            sieve.compile()

    def find(self, haystack: Haystack, skip: Container[str] = ()) -> list[Found]:
        """Return the signatures that occur, each with its places; those named in `skip` need not be looked for."""
        found: dict[str, Found] = {}
        for sieve in self._sieves:
            for number in sieve.candidates(haystack.raw):
                owner = sieve.owners[number]
                if isinstance(owner, dict):
                    _locate_rows(sieve.compiled(number), owner, haystack, found)
                elif owner.name not in skip:
                    _locate(sieve.compiled(number), owner, haystack, found)
        for entry in found.values():
            entry.settle()
        return list(found.values())


class _Sieve:
    """Some patterns, and what says quickly which of them a log may match."""

    def __init__(self) -> None:
        self.owners: list[_Owner] = []
        self._words = re2.Filter()
        self._compiled: list[_Pattern | None] = []
        self._common: dict[int, int] = {}
        self._common_set = re2.Set.SearchSet(options())

    def add(self, pattern: str, owner: _Owner) -> None:
        """Take one more pattern."""
        self._words.Add(b"(?im)" + pattern.encode(), options())
        self.owners.append(owner)

    def compile(self) -> None:
        """Make it ready once all patterns are there."""
        self._words.Compile()
        self._compiled = [None] * len(self.owners)
        roomy = options()
        roomy.max_mem = 8 << 20
        self._common_set = re2.Set.SearchSet(roomy)
        for number in self._words.Match(_COMMON_WORDS, potential=True) or ():
            pattern = self._words.re(number).pattern
            if not _REACHES_FAR.search(pattern):
                self._common[number] = self._common_set.Add(pattern)
        self._common_set.Compile()

    def compiled(self, number: int) -> _Pattern:
        """Return a pattern, compiled."""
        known = self._compiled[number]
        if known is None:
            known = self._compiled[number] = _Pattern(self._words.re(number))
        return known

    def candidates(self, raw: bytes) -> Sequence[int]:
        """Return the numbers of the patterns that are worth trying, in their order."""
        numbers: Sequence[int] = self._words.Match(raw, potential=True) or ()
        common = self._common
        if sum(number in common for number in numbers) < _WORTH_A_PASS:
            return numbers
        there = set(self._common_set.Match(raw) or ())
        return [number for number in numbers if number not in common or common[number] in there]


_COMMON_WORDS = (
    b"ERROR error: failed: FAIL exception fatal WARNING info timeout timed out status code http response returned exit "
    b'exited [] () "" line file: not found job user log password terminated success'
)
"""Nearly every log of a failure has some of these, so they rule out nothing: patterns that need no other words are
looked for together, in one pass."""
_REACHES_FAR = re.compile(rb"(?<!\\)\.\{")
"""An automaton that counts any characters has a state for each count, in each state of all other patterns."""
_WORTH_A_PASS = 3


class _Pattern:
    """A compiled pattern, with what its groups stand for."""

    __slots__ = ("_groups", "codes", "find")

    def __init__(self, compiled: Any) -> None:
        self.find = compiled.finditer
        # A group `host2` fills what `host` left empty: names come in their order.
        self._groups = [(particular(name), number) for name, number in compiled.groupindex.items()]
        self.codes = [number for name, number in self._groups if name == "code"]

    def values(self, match: Any) -> dict[str, str]:
        """Return what the groups of a match took, by what they stand for."""
        return {name: v.decode("utf-8", "replace") for name, number in self._groups if (v := match[number])}


def _locate(pattern: _Pattern, signature: Signature, haystack: Haystack, found: dict[str, Found]) -> None:
    """Find the places where a pattern matches; of very many only those that are kept are looked at."""
    matches = list(islice(pattern.find(haystack.raw), _MOST_HITS))
    done = 0
    entry = found.get(signature.name)
    while done < len(matches) and (entry is None or len(entry.hits) < _KEPT_FIRST):
        place = _place(matches[done], haystack)
        done += 1
        if place is not None:
            entry = entry or found.setdefault(signature.name, Found(signature))
            entry.add(_hit(place, pattern, matches[done - 1], haystack))
    last: list[Hit] = []
    for match in reversed(matches[done:]):
        place = _place(match, haystack)
        if place is not None:
            last.append(_hit(place, pattern, match, haystack))
            if len(last) == _KEPT_LAST:
                break
    for hit in reversed(last):
        found[signature.name].add(hit)


def _locate_rows(pattern: _Pattern, rows: Mapping[str, Signature], haystack: Haystack, found: dict[str, Found]) -> None:
    """Find the places where a pattern matches the code of a row of its table."""
    for match in islice(pattern.find(haystack.raw), _MOST_HITS):
        # Most of what looks like a code is in no table.
        named = [code for group in pattern.codes if (code := match[group])]
        signature = rows.get(named[-1].decode("utf-8", "replace").lower() if named else "")
        place = _place(match, haystack) if signature is not None else None
        if signature is not None and place is not None:
            found.setdefault(signature.name, Found(signature)).add(_hit(place, pattern, match, haystack))


def _place(match: Any, haystack: Haystack) -> int | None:
    """Return the line on which a match begins, or None when it is nothing but a number of something else."""
    raw = haystack.raw
    start, end = match.span()
    if only_a_part(raw, start, end):
        return None
    # A pattern may begin with white space that reaches back over line ends.
    while start < end - 1 and raw[start] in b" \t\r\n":
        start += 1
    return haystack.line_of(start)


def _hit(place: int, pattern: _Pattern, match: Any, haystack: Haystack) -> Hit:
    span = match.span()
    data = carried(haystack.raw, *span) or is_name(haystack.raw, *span)
    return Hit(place, pattern.values(match), data, mentioned(haystack.raw, *span))


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


_LONGEST_PORTION = 160


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
