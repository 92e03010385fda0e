"""Nothing in a log leads to a wrong remedy: no frame or symptom, no scary word, and nobody who planted a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentic.planning import Planner
from agentic.reasoning.carried import carried, plain
from agentic.reasoning.hearsay import Hearsay
from agentic.reasoning.rules import Rules, unknown
from agentic.types import ActionKind, Category, Decision, Diagnosis, Situation

CASES = [
    (name, case)
    for name in ("behind", "frames", "nights", "printed", "steered")
    for case in yaml.safe_load((Path(__file__).parent / f"cases_{name}.yaml").read_text(encoding="utf-8"))
]
PLANNER = Planner({}, {})

_AGAIN = {ActionKind.RETRY, ActionKind.RETRY_WITH_BACKOFF, ActionKind.RESTART_SERVICE}
_ROOM = {ActionKind.FREE_DISK_SPACE, ActionKind.INCREASE_RESOURCES}
_REST = {ActionKind.NO_OP}
_SECRET = {ActionKind.FIX_CREDENTIALS}
_LASTING = _AGAIN | _ROOM | _REST
HARMFUL: dict[Category, set[ActionKind]] = {
    Category.OUT_OF_MEMORY: _AGAIN | _SECRET | _REST | {ActionKind.FREE_DISK_SPACE},
    Category.DISK_FULL: _AGAIN | _SECRET | _REST,
    Category.NETWORK_ERROR: _ROOM | _SECRET | _REST,
    Category.DNS_FAILURE: _ROOM | _SECRET | _REST,
    Category.DEPENDENCY_UNAVAILABLE: _ROOM | _SECRET | _REST | {ActionKind.FIX_DATA},
    Category.TIMEOUT: _SECRET | _REST | {ActionKind.FREE_DISK_SPACE, ActionKind.FIX_PERMISSIONS},
    Category.AUTH_FAILURE: _LASTING,
    Category.PERMISSION_DENIED: _LASTING,
    Category.RATE_LIMITED: _REST | {ActionKind.RETRY, ActionKind.FREE_DISK_SPACE, ActionKind.FIX_DATA},
    Category.MISSING_FILE_OR_DATA: _ROOM | _SECRET | _REST | {ActionKind.RETRY},
    Category.BAD_DATA_OR_SCHEMA: _LASTING | _SECRET,
    Category.CONFIG_ERROR: _LASTING,
    Category.CODE_ERROR: _LASTING | _SECRET,
    Category.LOCK_CONTENTION: _ROOM | _SECRET | _REST | {ActionKind.FIX_DATA},
    Category.IMAGE_OR_PACKAGE_UNAVAILABLE: _ROOM | _REST | {ActionKind.RETRY},
    Category.CANCELLED_BY_OPERATOR: _AGAIN | _ROOM | _SECRET | {ActionKind.EXTEND_TIMEOUT, ActionKind.FIX_CODE},
    Category.NOT_A_FAILURE: _AGAIN | _ROOM | _SECRET | {ActionKind.FIX_DATA, ActionKind.FIX_PERMISSIONS},
    Category.UNKNOWN: _ROOM | _SECRET | _REST | {ActionKind.FIX_DATA},
}
"""What makes it worse where this is the true cause."""


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{n}-{name}-{c['is']}" for n, (name, c) in enumerate(CASES)])
def test_what_misleads_in_a_log_changes_neither_the_cause_nor_the_remedy(
    name: str, case: dict[str, Any], rules: Rules, situation_of: Callable[..., Situation]
) -> None:
    situation = situation_of(case["log"], exit_code=case["exit"], command=case.get("command"))
    decision = rules.decide(situation) or Decision(diagnosis=unknown(situation))
    assert case.get("wary") or decision.diagnosis.category == case["is"], decision
    planned = {action.kind for action in PLANNER.plan(decision, situation.job)}
    assert not planned & HARMFUL.get(Category(case["is"]), set()), decision
    if case.get("told"):
        assert planned == {ActionKind.ESCALATE_TO_HUMAN}


@pytest.mark.parametrize(
    ("line", "fault", "is_carried"),
    [
        ('title: "disk full"', "disk full", True),
        ('row 4: "disk full"', "disk full", True),
        ('{"level":"info","text":"disk full"}', "disk full", True),
        ("user renamed to 'disk full'", "disk full", True),
        ("cannot parse value 'disk full'", "disk full", True),
        ('sh -c "echo disk full"', "disk full", False),
        ('error: "disk full"', "disk full", False),
        ('level=error text="disk full"', "disk full", False),
        ('{"level":"error","text":"disk full"}', "disk full", False),
        ("reason='disk full'", "disk full", False),
        ("OSError(28, 'disk full')", "disk full", False),
        ('Loader: "disk full"', "disk full", False),
        ("code: 'ECONNRESET'", "ECONNRESET", False),
        ("the disk's full, isn't it", "full", False),
        ('disk full on "sdb"', "disk full", False),
    ],
)
def test_a_text_in_quotes_is_data_or_a_report_by_what_stands_before_it(line: str, fault: str, is_carried: bool) -> None:
    raw = f"before\n{line}\nafter".encode()
    start = raw.index(fault.encode())
    assert carried(raw, start, start + len(fault)) is is_carried


def test_a_line_is_plain_without_what_it_carries() -> None:
    assert "ERROR" not in plain('message 4: "ERROR: the disk is full"')
    assert plain('error: "the disk is full"') == 'error: "the disk is full"'


def test_a_value_of_several_lines_is_data_unless_its_field_tells_what_happened() -> None:
    lines = ["description: |", "  no space left on device", "stderr: |", "  no space left on device"]
    heard = Hearsay(lines)
    assert heard.taken_off(1) > 0
    assert heard.taken_off(3) == 0


@pytest.mark.parametrize(
    "log",
    ["ERROR - Detected zombie job: {'dag': 'a'}", "Lost executor 2 on n4: Executor lost for unknown reasons"],
)
def test_a_worker_that_fell_silent_is_tried_again_and_its_cause_left_open(
    rules: Rules, situation_of: Callable[..., Situation], log: str
) -> None:
    decision = rules.decide(situation_of(log, exit_code=1))
    assert decision is not None and decision.diagnosis.category is Category.UNKNOWN
    assert decision.diagnosis.confidence < 50 and decision.diagnosis.evidence == (0,)
    assert decision.actions == ("retry_with_backoff", "escalate")


def test_a_symptom_without_a_cause_is_told_to_a_person(rules: Rules, situation_of: Callable[..., Situation]) -> None:
    decision = rules.decide(situation_of("step 1\nERROR subprocess ended unexpectedly", exit_code=1))
    assert decision is not None and decision.diagnosis.category is Category.UNKNOWN
    assert decision.actions == ("escalate",) and decision.diagnosis.evidence[0] == 1


def test_an_exit_code_says_more_than_a_symptom(diagnose: Callable[..., Diagnosis | None]) -> None:
    diagnosis = diagnose("ERROR subprocess ended unexpectedly", exit_code=6, command="curl https://x.example")
    assert diagnosis is not None and diagnosis.category is Category.DNS_FAILURE


WORK = tuple(f"2026-05-03 02:00:{n:02} INFO  loader - orders: chunk {n} of 60, 0 errors, 0 rejected" for n in range(60))
NOTES = (
    "2026-05-03 02:01:00 INFO  skipped 4 duplicate rows in orders",
    "2026-05-03 02:01:01 WARN  no rule for country code 525, using the general one",
    "2026-05-03 02:01:02 WARN  deprecated option 'timeout' used, set 'read_timeout' instead",
    "2026-05-03 02:01:03 INFO  no such key in cache, computing",
    "disk full alarms: none",
    "timeout=30 retries=3",
)


@pytest.mark.parametrize(
    ("fault", "category"),
    [
        ("KeyError: 'total'", Category.CODE_ERROR),
        ("ERROR subprocess ended unexpectedly", Category.UNKNOWN),
        (
            "slurmstepd: error: *** JOB 77 ON n1 CANCELLED AT 2024-05-01T04:00:00 DUE TO TIME LIMIT ***",
            Category.TIMEOUT,
        ),
        ("cp: cannot stat '/in/a.csv': No such file or directory", Category.MISSING_FILE_OR_DATA),
    ],
)
def test_the_notes_of_ordinary_work_are_no_faults(
    diagnose: Callable[..., Diagnosis | None], fault: str, category: Category
) -> None:
    diagnosis = diagnose("\n".join((*WORK, *NOTES, fault)), exit_code=1)
    assert diagnosis is not None and diagnosis.category is category
    assert diagnosis.evidence[0] == len(WORK) + len(NOTES)


def test_a_fault_in_a_step_that_went_well_is_not_why_a_later_one_failed(
    diagnose: Callable[..., Diagnosis | None],
) -> None:
    first = (
        "x509: certificate has expired or is not yet valid\nserving with the spare certificate\n3 of 3 drills passed"
    )
    diagnosis = diagnose(f"{first}\nstep 2\nERROR: required environment variable SHOP_DB is not set", exit_code=1)
    assert diagnosis is not None and diagnosis.category is Category.CONFIG_ERROR
