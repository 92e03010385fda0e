"""What a run prints is told from what it says, by where the line stands and what stands around it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentic.reasoning.printed import Printed, is_name
from agentic.types import Category, Diagnosis

TABLE = ["  app  |   note   ", "-------+----------", " web   | disk full", "(1 row)"]
HUNK = ["--- a", "+++ b", "@@ -1,2 +1,2 @@", "-timeout 30", "+disk full", " end"]
PASSED = ["t.py::test_full ", "ERROR disk full", "PASSED  [ 50%]"]
FAILED = ["t.py::test_full ", "ERROR disk full", "FAILED  [ 50%]"]


@pytest.mark.parametrize(
    ("lines", "line", "is_data"),
    [
        (TABLE, 2, True),
        (TABLE[:3], 2, False),
        ([*TABLE, "psql: error: disk full"], 4, False),
        (HUNK, 4, True),
        (["+ cp a b", "+ disk full"], 1, False),
        (PASSED, 1, True),
        (FAILED, 1, False),
        (["ERROR disk full", "t.py::test_full ", "PASSED"], 0, False),
        (["      9 disk full"], 0, True),
        (["    403 Access Denied"], 0, False),
        (["  3 passing", "  1 failing"], 1, False),
        (["app/web.log:31:ERROR disk full"], 0, True),
        (["load.py:31: disk full"], 0, False),
        (["write failed: disk full"], 0, False),
    ],
)
def test_a_line_is_data_where_what_surrounds_it_says_so(lines: list[str], line: int, is_data: bool) -> None:
    assert (Printed(lines).taken_off(line) > 0) is is_data


@pytest.mark.parametrize(
    ("line", "fault", "named"),
    [
        ("oom-killed.log", "oom-killed", True),
        ("copied in/disk-full.csv.gz", "disk-full", True),
        ("t/test_a.py::test_x[out_of_memory] ", "out_of_memory", True),
        ("copy: a/oom-killed.csv to b/oom-killed.csv", "oom-killed.csv to b/oom-killed", True),
        ("oom-killed: process 4", "oom-killed", False),
        ("state=oom-killed.", "oom-killed", False),
        ("in.csv: No such file or directory", "in.csv: No such file", False),
    ],
)
def test_a_fault_within_the_name_of_a_file_is_a_name(line: str, fault: str, named: bool) -> None:
    start = line.index(fault)
    assert is_name(line.encode(), start, start + len(fault)) is named


@pytest.mark.parametrize(
    ("log", "command", "category"),
    [
        ("curl: (22) error: 503\nloaded 4 rates\nKeyError: 'eur'", "curl --retry 3 x", Category.CODE_ERROR),
        ("attempt 1: 429 Too Many Requests\nattempt 2: 200, 3 rows\nKeyError: 'eur'", "p.py", Category.CODE_ERROR),
        ("attempt 1: 429 Too Many Requests\nattempt 2: 429 Too Many Requests", "p.py", Category.RATE_LIMITED),
        ("curl: (22) The requested URL returned error: 503", "curl --retry 3 x", Category.DEPENDENCY_UNAVAILABLE),
    ],
)
def test_a_passing_fault_that_the_run_got_over_is_not_its_cause(
    log: str, command: str, category: Category, diagnose: Callable[..., Diagnosis | None]
) -> None:
    diagnosis = diagnose(log, exit_code=1, command=command)
    assert diagnosis is not None and diagnosis.category is category, diagnosis
