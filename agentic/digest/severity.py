"""How much a line looks like the report of a failure, whatever the tool that wrote it."""

# ruff: noqa: E501  a pattern is read whole

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import re2

from agentic.patterns import options

_SIGNS: tuple[tuple[int, str], ...] = (
    (50, r"\b(?:fatal|critical|crit|emerg|panic|panicked at|severe)\b"),
    (
        45,
        r"(?-i:^[\s|]*(?:\*\* \()?(?:[a-zA-Z_$][\w$]*[.:]{1,2})*[A-Z]\w*(?:Error|Exception|Failure|Fault|Errors|Expired|Exceeded|Denied|NotFound)\b)",
    ),
    (47, r"^\s*(?:caused by:|\[cause\]:|---> )"),
    (
        40,
        r"\berror[\]:=]|\blevel=\"?(?:error|fatal|crit)|\"(?:level|severity|lvl)\":\s*\"(?:error|fatal|critical)|(?-i:\bERROR\b|\bE:|^E\d{4} )",
    ),
    (30, r"\berrors?\b|\bexception\b|\berreur\b|\bfehler\b|\berro\b|ошибка|错误|エラー"),
    (
        26,
        r"\bfail(?:ed|ure|s|ing)?\b|\bcannot\b|\bcan't\b|\bcould ?n[o']t\b|\bunable to\b|\brefused\b|\bdenied\b|\babort(?:ed|ing)?\b|\binvalid\b|\bmissing\b|\bnot found\b|\bunknown\b|\bunreachable\b|\bcrash",
    ),
    (
        26,
        r"\bkilled\b|no space left|timed? ?out|no such file|out of memory|\boom\b|\bexpired\b|\bdeadlock|\block(?:ed)? (?:by|is held)|\bexceed(?:ed|s|ing)?\b|\bsegmentation fault|\bcore dumped|\bunauthori[sz]ed\b|\bforbidden\b|too many|\bevicted\b|\bpreempt|\bterminat(?:ed|ing)\b|\bcancell?ed\b|\bunexpected\b|\bsyntax error\b|\bcorrupt|\bdoes not exist\b|\bundefined\b|\bviolat|\bnot (?:allowed|permitted|defined|set)\b|^\S+: \*\*\* |\bno rule to\b|\bnil value\b",
    ),
    (
        10,
        r"\[errno -?\d+\]|(?-i:\bORA-\d{5}\b|\bE[A-Z]{4,12}\b)|\bsqlstate\b|\bstatus(?: code)?[ :=]+[45]\d\d\b|\bhttp(?:/\d\.\d)? [45]\d\d\b",
    ),
    (10, r"(?-i:[\"'`/\[])"),
    (
        -24,
        r"exit(?:ed)?(?: with)?(?: error)?(?: code| status)[ :=]*-?\d|non-?zero|returned \d+$|\bbuild failure\b|\b(?:job|task|build|step|pipeline|command|script|stage|workflow|run) (?:\"[^\"]*\" |'[^']*' |\S+ )?(?:has )?failed\b|process completed|to rerun|re-run|see (?:above|the)|for more (?:info|details)|stopping at|errors? (?:occurred|encountered)|encountered an error|an error occurred|^[\s|]*(?:base)?exceptiongroup:|unhandled exception\.? *$",
    ),
    (
        -70,
        r"^\s*at [\w$.<>/]+[ (]|^\s*File \"|^\s*\.\.\. \d+ more|^\s*\d+: +0x|\.go:\d+ \+0x|^goroutine \d+|^\s*#\d+ +0x|^\s+from \S+:\d+:in|^created by |^\s*--- end of |^[\s|]*\d+: [\w<>:]+$",
    ),
    (
        -30,
        r"(?-i:\bINFO\b|\bDEBUG\b|\bTRACE\b|\bNOTICE\b)|\blevel=\"?(?:info|debug|trace)|\"(?:level|severity|lvl)\":\s*\"(?:info|debug|trace)|\[(?:info|debug|notice|trace)\]",
    ),
    (-14, r"\bwarn(?:ing)?\b|\bdeprecat"),
    (
        -45,
        r"\b(?:0|no|without|zero) (?:\w+ )?(?:errors?|failures?|failed|warnings?)\b|\berrors?[=:] ?(?:0|null|none|nil|\"\")(?:\W|$)|\bfail(?:ed|ures?)?[=:] ?0(?:\W|$)|\b(?:ok|passed)\b *$|^\s*(?:ok|pass(?:ed)?|✓|✔)\b",
    ),
    (
        -60,
        r"^[\s|+]*(?:exception group )?traceback \(most recent call last\)|^during handling of the above|^the above exception was the direct",
    ),
    (-25, r"^\s*[+$>#] \S"),
    (-12, r"\bretry(?:ing)?\b|\bwill try again\b|\battempt \d+"),
)
_LONGEST = 2_000
_SIDE = 10
"""The weight of signs that say nothing by themselves."""


def _compile() -> re2.Set:
    signs = re2.Set.SearchSet(options(64 << 20))
    for _, pattern in _SIGNS:
        signs.Add("(?i)" + pattern)
    signs.Compile()
    return signs


_SET = _compile()


def _telling() -> Any:
    signs = "|".join(pattern for weight, pattern in _SIGNS if weight > _SIDE)
    return re2.compile(f"(?im)(?:[^\\n]*(?:{signs})[^\\n]*\\n)+".encode(), options(16 << 20))


TELLING = _telling()
"""Finds every run of lines with a sign of a failure in a whole text."""


def telling_lines(lines: Iterable[str]) -> list[str]:
    """Return the lines that can be of any severity, found in one search of all of them."""
    text = "\n".join([*lines, ""]).encode()
    return [line for match in TELLING.finditer(text) for line in match[0].decode().split("\n")]


def weights(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the number and the severity of each line that has one, found in one search of all of them."""
    raw = "\n".join([*lines, ""]).encode("utf-8", "replace")
    if raw.count(b"\n") != len(lines):
        yield from ((number, weight) for number, line in enumerate(lines) if (weight := severity(line)))
        return
    number = place = 0
    for match in TELLING.finditer(raw):
        start, end = match.span()
        number += raw.count(b"\n", place, start)
        upto = number + raw.count(b"\n", start, end)
        yield from ((at, weight) for at in range(number, upto) if (weight := severity(lines[at])))
        number, place = upto, end


_WEIGHTS = tuple(weight for weight, _ in _SIGNS)
_SIDE_SIGNS = frozenset(index for index, (weight, _) in enumerate(_SIGNS) if weight == _SIDE)


def severity(line: str | bytes) -> int:
    """Return 0 for an ordinary line, more the more the line looks like the report of a failure."""
    found: Sequence[int] | None = _SET.Match(line[:_LONGEST])
    return _together(tuple(found)) if found else 0


@lru_cache(maxsize=4096)
def _together(found: tuple[int, ...]) -> int:
    """Return what signs on one line say together."""
    strongest = 0
    rest = 0
    for index in found:
        weight = _WEIGHTS[index]
        if weight < 0 or index in _SIDE_SIGNS:
            rest += weight
        else:
            # Two independent signs say more than one, but never as much as their sum.
            strongest, weight = max(strongest, weight), min(strongest, weight)
            rest += weight // 4
    return max(0, strongest + rest) if strongest else 0
