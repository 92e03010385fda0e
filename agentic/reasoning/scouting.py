"""Says which lines of a large log the signatures know, many times faster than trying every pattern on all of it."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import re2

from agentic.patterns import options
from agentic.reasoning.literals import scout_pattern
from agentic.reasoning.matching import Haystack, Matcher, alternatives


class Scout:
    """Finds the lines that hold a text which some signature cannot do without, then asks the signatures."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        every = (one for signature in matcher.signatures for one in signature.patterns)
        pattern, without = scout_pattern(part for one in dict.fromkeys(every) for part in alternatives(one))
        latin1 = options(48 << 20)
        latin1.encoding = re2.Options.Encoding.LATIN1
        # The line's beginning is looked up afterwards: with it the automaton has many times as many states to learn.
        self._texts = re2.compile(b"(?:" + pattern + b")[^\\n]*\\n", latin1)
        rest = "|".join(f"(?:{one})" for one in without)
        self._rest = re2.compile(f"(?im)(?:{rest})".encode(), options(8 << 20)) if rest else None

    def runs(self, text: bytes) -> list[tuple[int, int]]:
        """Return where the lines stand that a signature may know, neighbours together."""
        runs: list[tuple[int, int]] = []
        for match in self._texts.finditer(text.lower()):
            start, end = match.span()
            start = text.rfind(b"\n", 0, start) + 1
            if runs and runs[-1][1] == start:
                start = runs.pop()[0]
            runs.append((start, end))
        for match in self._rest.finditer(text) if self._rest else ():
            start, end = match.span()
            runs.append((text.rfind(b"\n", 0, start) + 1, text.find(b"\n", end) + 1 or len(text)))
        return runs

    def names(self, lines: bytes, known: Container[str]) -> Mapping[str, Sequence[int]]:
        """Return the signatures that occur, each with the numbers of its lines among these."""
        found = self._matcher.find(Haystack([lines.decode("utf-8", "replace")]), skip=known)
        return {entry.signature.name: [hit.line for hit in entry.hits] for entry in found}
