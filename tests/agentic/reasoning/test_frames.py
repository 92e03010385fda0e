"""What a carrier writes before each line of a program does not hide what the program says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentic.reasoning.frames import unframed
from agentic.types import Category, Diagnosis

Diagnose = Callable[..., Diagnosis | None]

FRAMES = [
    "2025-06-11T02:00:05.225144304Z stderr F ",
    "2025-06-11T02:00:05.225144Z 01O ",
    "[2025-06-11, 02:00:05 UTC] {subprocess.py:93} INFO - ",
    "[2025-06-11T02:00:05.225Z] ",
    "2025-06-11T02:00:05.1234567Z ",
    "#9 41.02 ",
    "loader-1  | ",
    "[pod/loader-x2v/main] ",
    "2025-06-11T02:00:05Z loader-1  | ",
]


@pytest.mark.parametrize("frame", FRAMES)
def test_the_frame_of_a_carrier_is_taken_off(frame: str) -> None:
    said = ["reading part 1", "  indented", "Killed"]
    assert list(unframed([frame + line for line in said])) == said


def test_lines_without_a_frame_stay_as_they_are() -> None:
    lines = ["reading part 1 | 2", "#9 is the number", "[2025] a report"]
    assert unframed(lines) is lines
    assert unframed([]) == []


def test_one_time_among_many_lines_is_no_frame() -> None:
    lines = ["loading"] * 20 + ["2025-06-11 02:00:05 was the last good run"]
    assert unframed(lines)[-1] == lines[-1]


@pytest.mark.parametrize("frame", FRAMES)
def test_a_fault_in_a_frame_is_found_on_its_line_whatever_level_the_carrier_gives_it(
    diagnose: Diagnose, frame: str
) -> None:
    log = "\n".join(frame + line for line in ("loading", "cat: /in/a.csv: No such file or directory", "done: 1"))
    diagnosis = diagnose(log, exit_code=1)
    assert diagnosis is not None and diagnosis.category is Category.MISSING_FILE_OR_DATA
    assert diagnosis.confidence >= 75 and diagnosis.evidence[0] == 1
    assert "/in/a.csv" in diagnosis.root_cause
