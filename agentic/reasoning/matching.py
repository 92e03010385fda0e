"""Finds which signatures occur in a log, and where.

One pass of an RE2 set over the whole log names the candidates; only these are then located. The time is linear in
the size of the log whatever the patterns are.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import re2

from agentic.reasoning.signatures import Signature, compile_pattern, options, particular

_MOST_HITS = 2_000
_KEPT_FIRST, _KEPT_LAST = 24, 8


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
    count: int = 0


class Haystack:
    """A log as the patterns see it: one text, quotes alike however they were escaped or typeset."""

    def __init__(self, lines: Sequence[str]) -> None:
        text = "\n".join(lines)
        if "\\" in text:
            text = text.replace('\\"', '"').replace("\\'", "'")
        if not text.isascii():
            text = text.translate(_QUOTES)
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

    def around(self, line: int) -> bytes:
        """Return a line with the two before and after it."""
        self.line_of(0)
        starts = self._starts or [0]
        return self.raw[starts[max(0, line - 2)] : starts[min(len(starts) - 1, line + 3)]]


_QUOTES = {ord(mark): '"' for mark in "“”„«»「」"} | {ord(mark): "'" for mark in "‘’‚´"} | {0xA0: " ", 0x3000: " "}


class Matcher:
    """All patterns of all signatures, ready to be looked for at once."""

    def __init__(self, signatures: Sequence[Signature]) -> None:
        self.signatures = tuple(signatures)
        self._owner: list[int] = []
        self._compiled: list[Any] = []
        self._set = re2.Set.SearchSet(options())
        for index, signature in enumerate(self.signatures):
            for pattern in signature.patterns:
                self._set.Add(b"(?im)" + pattern.encode())
                self._compiled.append(compile_pattern(pattern))
                self._owner.append(index)
        self._set.Compile()

    def find(self, haystack: Haystack) -> list[Found]:
        """Return the signatures that occur, each with its places."""
        found: dict[int, Found] = {}
        for number in sorted(self._set.Match(haystack.raw) or ()):
            owner = self._owner[number]
            entry = found.setdefault(owner, Found(self.signatures[owner]))
            self._locate(self._compiled[number], haystack, entry)
        for entry in found.values():
            entry.hits.sort(key=lambda hit: hit.line)
        return [entry for entry in found.values() if entry.hits]

    def _locate(self, compiled: Any, haystack: Haystack, entry: Found) -> None:
        names = bool(compiled.groupindex)
        last: list[Hit] = []
        seen = 0
        for match in compiled.finditer(haystack.raw):
            start, end = match.span()
            # A pattern may begin with white space that reaches back over line ends.
            while start < end - 1 and haystack.raw[start] in b" \t\r\n":
                start += 1
            line = haystack.line_of(start)
            values = match.groupdict() if names else {}
            hit = Hit(line, {particular(k): v.decode("utf-8", "replace") for k, v in values.items() if v})
            seen += 1
            if seen <= _KEPT_FIRST:
                entry.hits.append(hit)
            else:
                last.append(hit)
                if len(last) > _KEPT_LAST * 2:
                    del last[:_KEPT_LAST]
            if seen >= _MOST_HITS:
                break
        entry.count += seen
        entry.hits.extend(last[-_KEPT_LAST:])
