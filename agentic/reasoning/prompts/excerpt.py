"""Chooses which lines of the digest's excerpt a model gets to see when not all of them fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from agentic.reasoning.prompts.untrusted import harmless
from agentic.types import Line, LogDigest

_TELLING = re.compile(
    r"fatal|panic|critical|caused by|error|exception|fail|cannot|can't|could not|couldn't|unable|denied|refused"
    r"|killed|no space|no such|not found|timed? ?out|timeout|expired|exceed|out of memory|oom|abort|deadlock|lock"
    r"|unreachable|unauthori|forbidden|invalid|missing|unknown|evicted|preempt|segfault|core dumped|quota|limit"
    r"|certificate|corrupt|terminated|cancel",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*")
_TELLING_TEMPLATES = 12


def shown_lines(
    digest: LogDigest, must: Iterable[int], room_tokens: int, tokens_of: Callable[[str], int]
) -> tuple[Line, ...]:
    """Return the lines to show, in order, made harmless, within a number of tokens.

    `must` names lines that an earlier module suspects; they go first.
    """
    lines = [Line(line=line.line, text=harmless(line.text)) for line in digest.excerpt]
    lines = [line for line in lines if line.text]
    chosen: set[int] = set()
    left = room_tokens
    for index in _by_worth(lines, digest, frozenset(must)):
        cost = tokens_of(f"{lines[index].line}| {lines[index].text}\n")
        if cost <= left:
            left -= cost
            chosen.add(index)
    return tuple(line for index, line in enumerate(lines) if index in chosen)


def _by_worth(lines: Sequence[Line], digest: LogDigest, must: frozenset[int]) -> list[int]:
    """Return indexes, the most worth its room first; of equals the later line."""
    headline = harmless(digest.headline)
    first_of_template = {t.first_line: rank for rank, t in enumerate(digest.templates[:_TELLING_TEMPLATES])}
    times_seen: Counter[str] = Counter()
    own = []
    for index, line in enumerate(lines):
        shape = _NUMBERS.sub("0", line.text)
        times_seen[shape] += 1
        worth = 60 if headline and headline in line.text else 0
        worth += 30 - rank if (rank := first_of_template.get(line.line)) is not None else 0
        worth += 20 if _TELLING.search(line.text) else 0
        worth //= times_seen[shape]  # a line that says the same again tells little
        from_end = len(lines) - index
        worth += 50 if from_end == 1 else 10 if from_end <= 5 else 0
        worth += 100 if line.line in must else 0
        own.append(worth)
    # What stands around a telling line is worth more than what stands alone.
    worth_of = [
        max(own[index], *(value // 3 for value in own[max(0, index - 2) : index + 3])) for index in range(len(own))
    ]
    return sorted(range(len(lines)), key=lambda index: (-worth_of[index], -index))
