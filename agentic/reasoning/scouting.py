"""Says which lines of a large log the signatures know, many times faster than trying every pattern on all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import re2

from agentic.reasoning.literals import scout_pattern
from agentic.reasoning.matching import Haystack, Matcher
from agentic.reasoning.signatures import compile_pattern


class Scout:
    """Finds the lines that hold a text which some signature cannot do without, then asks the signatures."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        pattern, without = scout_pattern(one for signature in matcher.signatures for one in signature.patterns)
        options = re2.Options()
        options.log_errors = False
        options.encoding = re2.Options.Encoding.LATIN1
        options.max_mem = 24 << 20
        self._texts = re2.compile(b"(?:" + pattern + b")[^\\n]*", options)
        self._without = [compile_pattern(one) for one in without]

    def places(self, block: bytes) -> Iterator[int]:
        """Return places in a block of text, one at least in each line that a signature may know."""
        for match in self._texts.finditer(block.lower()):
            yield match.start()
        for compiled in self._without:
            for match in compiled.finditer(block):
                yield match.start()

    def names(self, lines: bytes) -> Mapping[str, Sequence[int]]:
        """Return the signatures that occur, each with the numbers of its lines among these."""
        found = self._matcher.find(Haystack([lines.decode("utf-8", "replace")]))
        return {entry.signature.name: [hit.line for hit in entry.hits] for entry in found}
