"""Lines without what changes from run to run: times, ids, hosts, numbers.

What tells causes apart (HTTP and SQL states, errno, vendor codes) is kept. All patterns are bounded, so that
masking is linear in the length of the line.
"""

from __future__ import annotations

import re

_LONGEST = 600

_PREFIXES = re.compile(
    r"^(?:"
    r"\[?(?:[a-z]+ )?\d{4}[-/.]\d\d[-/.]\d\d[T _]\d\d[:.]\d\d(?:[:.]\d\d)?(?:[.,:]\d+)?(?: ?(?:Z|UTC|[A-Z]{3,4}|[+-]\d\d:?\d\d))?\]?"
    r"|\[?\d\d?/(?:[A-Z][a-z]{2}|\d\d)/\d{2,4}[: ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|[+-]\d{4}))?\]?"
    r"|(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} [ \d]\d(?: \d{4})? \d\d:\d\d:\d\d(?:[.,]\d+)?(?: \d{4})?"
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\]?"
    r"|\d{6} \d{6} \d+"
    r"|\[ *\d+\.\d{3,}\]"
    r"|[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+"
    r"|\d{10,13}(?:\.\d+)?"
    r"|[\w.-]{1,40} {0,20}\| "
    r"|#\d+ (?:\d+\.\d+ )?"
    r"|\d+(?:\.\d+)? ?m?s(?:ec)? \|"
    r")[\s:\-|]*"
)
_MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:[a-z][a-z0-9+.-]{1,20}):/{2,3}[^\s\"'<>)\],;]{1,300}", re.IGNORECASE), "<url>"),
    (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}"), "<address>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?:/\d{1,2})?\b"), "<host>"),
    (re.compile(r"\[?\b(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}\b(?:\]:\d{1,5})?", re.IGNORECASE), "<host>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?:0x)?(?=[a-f]{0,40}\d)[0-9a-f]{8,128}\b|\b0x[0-9a-f]{1,16}\b", re.IGNORECASE), "<id>"),
    (
        re.compile(
            r"\b(?=[a-z0-9-]*[a-z])[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,6}"
            r"(?:\.svc|\.local|\.internal|\.com|\.net|\.org|\.io|\.dev|\.cloud|\.example|\.test|\.de|\.fr|\.eu|\.uk|\.us|\.cn|\.lan|\.corp|\.home|\.intra|\.invalid)"
            r"(?:\.[a-z]{2,10})?(?::\d{1,5})?\b"
            r"|\b[a-z0-9_-]{1,63}\.(?:com|net|org|io|dev|cloud|local|internal|lan|test|example|invalid|corp|svc)(?::\d{1,5})?\b",
            re.IGNORECASE,
        ),
        "<host>",
    ),
    (
        re.compile(
            r"\b(host(?:name)?:?|server|node|machine|resolve|connect(?:ing|ion)? to|lookup|from|peer|agent)"
            r"(?:(?: host(?:name)?)?[ =:]+)[\"'(<\[]?(?:[\w-]{0,60}\d[\w-]{0,60}|[\w-]{1,60}(?=:\d{2,5}\b))",
            re.IGNORECASE,
        ),
        r"\1 <host>",
    ),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?Z?)?"), "<time>"),
    (re.compile(r"\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
)
_CODES = re.compile(
    r"\b(?:[A-Z]{2,10}-\d{3,6}"
    r"|(?:errno|error|err|code|status|status code|exit code|exit status|exitcode|http(?:/\d(?:\.\d)?)?|sqlstate|state|rc|returned|signal)"
    r"[ :=#]{0,3}[\[(\"']?-?\d{1,5}\b"
    r"|(?:TS|CS|E|W|C|LNK|MSB|NU|CA)\d{3,5}\b"
    r"|0[A-Z0-9]{4}\b|[0-9][0-9A-Z]P\d\d\b)",
    re.IGNORECASE,
)
_WITH_DIGIT = re.compile(r"[A-Za-z0-9_#-]*[0-9][A-Za-z0-9_#%-]*")
_SPACES = re.compile(r"\s+")
_DIGITS = {ord(digit): "0" for digit in "123456789"}
_KEPT = "\x01"


def strip_prefixes(line: str) -> str:
    """Return the line without the timestamps and container names that stand before the message."""
    for _ in range(4):
        shorter = _PREFIXES.sub("", line, count=1)
        if shorter == line or not shorter:
            break
        line = shorter
    return line


def shape(line: str) -> str:
    """Return a cheap likeness of a line: the same text with every digit made a zero."""
    return line.translate(_DIGITS)


def mask(line: str) -> str:
    """Return the template of a line."""
    line = strip_prefixes(line[:_LONGEST]).strip()
    for pattern, replacement in _MASKS:
        line = pattern.sub(replacement, line)
    line = _mask_numbers(line)
    return _SPACES.sub(" ", line)


def _mask_numbers(line: str) -> str:
    """Mask every word with a digit in it, except the codes that name a cause."""
    codes = [match[0] for match in _CODES.finditer(line)]
    if not codes:
        return _WITH_DIGIT.sub("<n>", line)
    line = _CODES.sub(_KEPT, line)
    parts = _WITH_DIGIT.sub("<n>", line).split(_KEPT)
    kept = [parts[0]]
    for code, part in zip(codes, parts[1:], strict=False):
        kept += (code, part)
    return "".join(kept)
