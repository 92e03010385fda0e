"""What a log only carries: the title of a product, a comment, a search, in quotes or behind the name of a field.

Such text may be written by anybody, and may look like the fault of any tool. It is no report of the run.
"""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

import re

_LONGEST = 2_000
_LABEL = 60
_A_NAME = 12
"""Length up to which a quoted text is a name rather than a sentence."""
_FAULT = re.compile(
    rb"(?i)error|fail|exception|fatal|panic|crit|cannot|can't|could n[o']t|unable|denied|refused|abort|reject|severe"
)
"""Words around a quoted text which say that it tells of a fault."""

_QUOTED = re.compile(rb"\"[^\"\n]*\"|(?<![\w)])'[^'\n]*'(?!\w)")
_REPORTS = re.compile(
    r"(?i)\w*(?:msg|message|error|err|errors|reason|cause|exception|fault|failure|stderr|stdout|output|logs?|details?|status|stack|trace"
    r"|results?|response|warning|event|summary|state|info|problem|answer|reply|diagnostics?|raw|stream|description|code|code_?name|errno|type|class|kind|syscall|name)s?[\"']?\)? ?(?:[:=]|=>|->) ?[\[({]*[bru]?$"
    r"|\b(?:said|says|saying|got|received|returned|returns|answered|replied|printed|prints|reported|raised|threw|with|by|due to|because(?: of)?|failed|fails|stopped|aborted|ended|exited|terminated|was|is|contains?)[:,]? ?[bru]?$"
    r"|[(\[{,;] ?[bru]?$|^\W*$|^[\d:.,TZ+/ -]*[A-Z]\w*: ?$"
)
"""What stands before a quoted text that tells what happened."""
_FIELD = re.compile(r"[\w)\]\"'] ?(?:[:=]|=>|->) ?[bru]?$")
_DATA = re.compile(
    r"(?i)\b(?:title|subject|caption|headline|comments?|nick(?:name)?|bio|avatar|user[-_ ]?agent|refer?rer|search(?:es)?|query string|q|(?:file|display|full|first|last|user|product|customer|shop)[-_ ]?name|product|author|reviews?|remark|tweet|posts?|signature line|motto|slogan|greeting)(?: #?\d+)?[\"']? ?(?:[:=]|=>) ?$"
    r"|\b(?:message|mail|note|row|line|record|item|entry|document|article|page|letter|event|ticket|issue) #?\d+(?: \w+)?[:=] ?$"
    r"|\b(?:pars\w+|malformed|unexpected|unrecogni[sz]ed|illegal|invalid|bad|for) (?:\w+ ){0,3}(?:value|line|row|record|input|token|text|string|literal|field|syntax|format)s?:? ?$"
)
"""What stands before a quoted text that the run works on, whatever else the line says."""
_WORK = re.compile(
    r"(?i)\b(?:posting|posted|sending|sent|storing|stored|saving|saved|publishing|published|importing|imported|indexing|indexed|rendering|rendered|translating|translated|uploading|uploaded|downloading|downloaded|copying|copied|moving|moved|adding|added|playing|opening|opened|processing|processed|renamed|renaming|named|titled|called|entitled|replying|tagged|labelled)\b[^\"']{0,30}$"
    r"|\b(?:uploads?|downloads?|cop(?:y|ies)|imports?|exports?|articles?|documents?|pages?|files?|mails?|products?|items?|entry|songs?|videos?|books?) (?:of |for |named |called )?$"
    r"|\b(?:tickets?|issues?|bugs?|stor(?:y|ies)|cards?) (?:[\w#-]+ )?$"
)
"""What stands before a quoted text that the run works on, unless the line tells of a fault."""


def carried(raw: bytes, start: int, end: int) -> bool:
    """Say whether a match lies within a quoted text that the run works on, rather than in a report of the run."""
    first = raw.rfind(b"\n", max(0, start - _LONGEST), start) + 1
    last = raw.find(b"\n", end, end + _LONGEST)
    line = raw[first : last if last >= 0 else end + _LONGEST]
    if b'"' not in line and b"'" not in line:
        return False
    low, high = start - first, end - first
    parts = [(match.start(), match.end()) for match in _QUOTED.finditer(line)]
    here = next(((a, b) for a, b in parts if a < low and high < b), None)
    if here is None:
        return False
    before = line[max(0, here[0] - _LABEL) : here[0]].decode("utf-8", "replace")
    if _DATA.search(before):
        return True
    if _WORK.search(before) is None and (_FIELD.search(before) is None or _REPORTS.search(before)):
        return False
    return _FAULT.search(_without(line, parts)) is None


def mentioned(raw: bytes, start: int, end: int) -> bool:
    """Say whether a match is part of a sentence about something, rather than what a program says of itself."""
    first = raw.rfind(b"\n", max(0, start - _LONGEST), start) + 1
    last = raw.find(b"\n", end, end + _LONGEST)
    before, after = raw[first:start], raw[end : last if last >= 0 else end + _LONGEST]
    if _REPORTED.search(before) is not None or _REPORTED.search(after) is not None:
        return False
    return _IN_A_SENTENCE.search(before) is not None and _OWN_WORDS.search(raw, start, end) is None


_REPORTED = re.compile(
    rb"(?i)error|err\b|fail|exception|fatal|panic|crit|warn|cannot|can't|could ?n[o']t|unable|denied|refused|abort|reject|severe|errno|kernel|oom|exit|\bcode\b|status|killed|terminat|reason|caused?\b|trace|\berr|unexpected|invalid|rc=|stopp|cancel|lost|not "
)
_IN_A_SENTENCE = re.compile(rb"[a-z,;] $")
_OWN_WORDS = re.compile(rb"(?i)error|exception|fail|cannot|could not|unable|refused|denied")


def plain(line: str) -> str:
    """Return a line without the quoted texts that the run only works on."""
    if '"' not in line and "'" not in line:
        return line
    raw = line[:_LONGEST].encode("utf-8", "replace")
    kept, place = [], 0
    for match in _QUOTED.finditer(raw):
        if match.end() - match.start() > _A_NAME and carried(raw, match.start() + 1, match.end() - 1):
            kept.append(raw[place : match.start()])
            place = match.end()
    return (b" ".join(kept) + raw[place:]).decode("utf-8", "replace") if kept else line


_LEVEL = re.compile(rb"(?i)(?:level|severity|lvl|status)[\"']?\s*[:=]\s*$")


def _without(line: bytes, parts: list[tuple[int, int]]) -> bytes:
    """Return a line without its quoted texts; what names its level stays."""
    kept, place = [], 0
    for a, b in parts:
        kept.append(line[place:a])
        if _LEVEL.search(line[max(0, a - 24) : a]):
            kept.append(line[a:b])
        place = b
    kept.append(line[place:])
    return b" ".join(kept)
