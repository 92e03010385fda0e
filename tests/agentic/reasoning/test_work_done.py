"""Whether a run got on with its work after a fault, asked in any order."""

from __future__ import annotations

import random

from agentic.reasoning.context import LineContext


def work_lines(lines: list[str]) -> list[int]:
    """Ask of each line alone whether it reports work."""
    return [number for number, line in enumerate(lines) if LineContext(["", line], ()).went_on(0, 2)]


def test_every_question_gets_the_answer_that_the_lines_one_by_one_give() -> None:
    chance = random.Random(1)
    texts = [
        "ERROR connection refused",
        "waiting",
        "1200 rows loaded",
        "error: nothing was saved",
        "saved",
        "",
        "removed: done",
    ]
    for _ in range(30):
        lines = chance.choices(texts, weights=[9, 60, 1, 9, 1, 9, 3], k=chance.choice([5, 64, 65, 300]))
        work = work_lines(lines)
        context = LineContext(lines, ())
        for _ in range(60):
            line, end = chance.randrange(len(lines)), chance.randrange(len(lines) + 2)
            assert context.went_on(line, end) == any(line < number < end for number in work)


def test_a_line_that_reports_work_is_found_across_many_that_do_not() -> None:
    lines = ["ERROR connection refused", *["waiting"] * 500, "1200 rows loaded", "ERROR stopped"]
    assert LineContext(lines, ()).went_on(0, len(lines))
    assert not LineContext(lines, ()).went_on(501, len(lines))
    assert not LineContext(lines, ()).went_on(0, 501)
