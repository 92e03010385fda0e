"""Tells what a run prints from what it says: rows of a result, a difference, counts, what a passed test wrote, names.

A fault in such a line is data the run worked on. It was neither met by the run nor can anything be remedied for it.
"""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_ROW, _CHANGE, _COUNT, _TEST, _FOUND = 60, 60, 60, 60, 45
"""What each kind of printed line takes off a finding."""
_LOOKED_AT = 400
_TALLEST_TABLE = 400
_LONGEST_HUNK = 120
_LONGEST_TEST = 60
_LEAST_COUNTS = 2

_RULE = re.compile(r"\s*[-=]{3,}(?:[+ |-]+[-=]+)*\s*$|\s*\+(?:-+\+)+\s*$|\s*\|(?: ?:?-+:? ?\|)+\s*$")
"""The line between the names of the columns and the rows."""
_ROWS_COUNTED = re.compile(r"\(?\d+ rows?\)?(?: (?:in set|affected|selected|fetched)\b.*)?\W*$", re.IGNORECASE)
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@|\d+(?:,\d+)?[acd]\d+(?:,\d+)?$")
_CHANGED = re.compile(r"[-+ \\<>]")
_SUMMARY = "pass|fail|error|warn|test|problem|pending|skip|issue"
_COUNTED = re.compile(rf"\s{{2,}}\d+ (?!(?:{_SUMMARY})\w*\b)\S*[A-Za-z]")
_ALONE = re.compile(r"\s{4,}(?![1-5]\d\d )\d+ ")
"""A count in a column of its own; three digits may be the status of an answer."""
_FOUND_IN = re.compile(r"(?:\./|/)?[\w@%+-][\w./@%+-]*\.(?:log|txt|out|err|csv|json|md|gz)(?:\.\d+)?:(?:\d+[:-])\S?")
_BEGINS = re.compile(
    r"-+ live log (?:call|setup|teardown) -+|-+ captured (?:log|std(?:out|err))|=== RUN\s|\S+::\S+ *$|\[ RUN +\]"
    r"|test_\w+ \([\w.]+\) \.\.\.|(?:\[INFO\] )?Running [\w.$]+Tests?\b|test \S+ \.\.\.",
    re.IGNORECASE,
)
_PASSED = re.compile(
    r"PASSED\b|(?:\.\.\. )?ok$|\s*--- PASS: |\[ +OK +\]|✓|✔|(?:\[INFO\] )?Tests run: \d+, Failures: 0, Errors: 0"
)
_NOT_PASSED = re.compile(
    r"FAILED\b|(?:\.\.\. )?(?:FAIL|ERROR)$|\s*--- FAIL: |\[ +FAILED +\]|✗|✘|.*(?:Failures|Errors): [1-9]"
)
_FILE = re.compile(
    rb"(?:\w+:/)?(?:[\w.@%+~-]*/)*[\w@%+~.-]*[\w@%+~-]\.(?:log|txt|out|csv|tsv|json|jsonl|md|rst|html?|xml|ya?ml|sql|pdf|png|jpe?g"
    rb"|svg|docx?|xlsx?|parquet|avro|eml|bak|dump|tar|tgz|zip|gz|bz2|xz|zst|rpm|deb|whl|py|js|ts|go|rb|java|php|sh|c|h)"
    rb"(?:\.(?:\d+|gz|bz2|xz|zst))*(?:::[\w.:-]+(?:\[[^\]\s]*\]?)?)?"
)
_OF_A_NAME = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@%+~:[]-"
_SENTENCE = re.compile(rb"[\s:=]")

_REPORT = re.compile(
    r"(?:[\W\d]|\b(?:\d+[TZ]\S*|[A-Z][a-z]{2} +\d+ [\d:]+ \S+|UTC)\b)*"
    r"(?:[A-Za-z_][\w./@+-]*(?:\[[\w-]+\]|\(\w+\))?: "
    r"|(?:ERROR|FATAL|CRITICAL|CRIT|SEVERE|ALERT|EMERG|PANIC|WARN|WARNING|ERR|Error|Fatal|error|fatal|level=\"?(?:err|fatal|crit|warn))\b"
    r"|(?:[\w$]+[.:]{1,2})*[A-Z]\w*(?:Error|Exception|Failure)\b)"
    r"|(?=[^#\d{])(?i:.*\b(?:failed|failure|errors?|cannot|can't|could not|couldn't|unable|giving up|gave up)\b)"
)
_ENTRY = re.compile(r"\s*#\d+ |\s*\d+\s{2,6}[A-Za-z]|\s*\d+/\d+ [A-Z]|\s*[{\[]\"(?!level|severity|time|ts|@)")


def is_entry(line: str) -> bool:
    """Say whether a line looks like an entry of a list: a ticket, a numbered row, a record without a level."""
    return _ENTRY.match(line[:_LOOKED_AT]) is not None


def reports(line: str) -> bool:
    """Say whether a line has the form in which a program tells of a fault of its own, not that of an entry in a list."""
    text = line[:_LOOKED_AT]
    return not is_entry(text) and _REPORT.match(text) is not None


class Printed:
    """Tells which lines of one log are data, on demand; only their surroundings are looked at."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._known: dict[int, int] = {}

    def taken_off(self, line: int) -> int:
        """Return how much less a finding on this line says because the line is data."""
        known = self._known.get(line)
        if known is None:
            known = self._known[line] = max(self._judged(line), default=0)
        return known

    def _judged(self, line: int) -> Iterator[int]:
        text = self._text(line)
        if self._is_row(line):
            yield _ROW
        if _CHANGED.match(text) and self._in_a_hunk(line):
            yield _CHANGE
        if _COUNTED.match(text) and self._counts_around(line) >= _LEAST_COUNTS:
            yield _COUNT
        if _FOUND_IN.match(text):
            yield _FOUND
        if self._in_a_passed_test(line):
            yield _TEST

    def _is_row(self, line: int) -> bool:
        """Say whether a line stands between the rule of a table and the count of its rows."""
        for below in range(line + 1, min(len(self._lines), line + _TALLEST_TABLE)):
            text = self._text(below)
            if _ROWS_COUNTED.match(text.strip()):
                break
            if not text.strip():
                return False
        else:
            return False
        for above in range(line - 1, max(-1, line - _TALLEST_TABLE), -1):
            text = self._text(above)
            if _RULE.match(text):
                return True
            if not text.strip():
                return False
        return False

    def _in_a_hunk(self, line: int) -> bool:
        """Say whether a line lies below the head of a difference, with nothing but changes between."""
        for above in range(line - 1, max(-1, line - _LONGEST_HUNK), -1):
            text = self._text(above)
            if _HUNK.match(text):
                return True
            if not _CHANGED.match(text):
                return False
        return False

    def _counts_around(self, line: int) -> int:
        """Return how many lines on end count something, this one among them."""
        last = len(self._lines)
        around = [n for n in (line - 1, line, line + 1) if 0 <= n < last]
        text = self._text(line)
        alone = _ALONE.match(text) is not None
        return alone + sum(_COUNTED.match(self._text(n)) is not None for n in around)

    def _in_a_passed_test(self, line: int) -> bool:
        """Say whether a test that passed wrote a line: it had begun before, and nothing failed until it passed."""
        for below in range(line, min(len(self._lines), line + _LONGEST_TEST)):
            text = self._text(below)
            if _NOT_PASSED.match(text) or (below > line and _BEGINS.match(text)):
                return False
            if _PASSED.match(text):
                break
        else:
            return False
        for above in range(line, max(-1, line - _LONGEST_TEST), -1):
            text = self._text(above)
            if _BEGINS.match(text):
                return True
            if above < line and (_PASSED.match(text) or _NOT_PASSED.match(text)):
                return False
        return False

    def _text(self, line: int) -> str:
        return self._lines[line][:_LOOKED_AT]


def is_name(raw: bytes, start: int, end: int) -> bool:
    """Say whether a match lies within the name of a file or of a test: names are chosen, not reported."""
    first, last = _word(raw, start, end)
    if _SENTENCE.search(raw, start, end) is None or b"::" in raw[start:end]:
        return first <= start and end < last and _FILE.fullmatch(raw, first, last) is not None
    # From the midst of one name to the midst of another, as in a list of copies.
    word, (other, other_end) = _word(raw, start, start), _word(raw, end, end)
    within = word[0] < start < word[1] and other < end < other_end
    return within and all(_FILE.fullmatch(raw, *one) is not None for one in (word, (other, other_end)))


def _word(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where the word around a place begins and ends; a mark of the sentence at its end is none of it."""
    first = start
    while first > 0 and start - first < _LOOKED_AT and raw[first - 1 : first] in _OF_A_NAME:
        first -= 1
    last = end
    while last < len(raw) and last - end < _LOOKED_AT and raw[last : last + 1] in _OF_A_NAME:
        last += 1
    while last > end and raw[last - 1 : last] in b".:,":
        last -= 1
    return first, last
