"""Every signature is proved by its own examples, and every case of a known tool gets its cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentic.reasoning.causes import render
from agentic.reasoning.reading import check_examples
from agentic.reasoning.rules import Rules, shipped, unknown
from agentic.reasoning.signatures import PLACEHOLDER, Role, Signature, compile_pattern
from agentic.types import Category, Diagnosis, Situation

SIGNATURES = shipped()
DECISIVE = (Role.CAUSE, Role.GENERIC, Role.SUCCESS)
TABLES: dict[str, list[Signature]] = {}
for _one in SIGNATURES:
    TABLES.setdefault(_one.table or _one.name, []).append(_one)
"""A table is proved in one test, row by row."""
CASES = [
    case
    for name in ("cases.yaml", "cases_more.yaml", "cases_said.yaml", "cases_tools.yaml")
    for case in yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8"))
]


LINES: list[tuple[str, list[str]]] = [
    (category, lines)
    for name in ("lines.yaml", "lines_tools.yaml")
    for category, lines in yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8")).items()
]


@pytest.mark.parametrize(("category", "lines"), LINES, ids=[f"{n}-{category}" for n, (category, _) in enumerate(LINES)])
def test_what_a_program_prints_is_enough_to_name_the_cause(
    category: str, lines: list[str], diagnose: Callable[..., Diagnosis | None]
) -> None:
    exit_code = 0 if category == Category.NOT_A_FAILURE else 1
    wrong = {}
    for line in lines:
        diagnosis = diagnose(line, exit_code=exit_code)
        if diagnosis is None or diagnosis.category != category:
            wrong[line] = diagnosis and (diagnosis.category, diagnosis.source)
    assert not wrong


@pytest.mark.parametrize("name", TABLES)
def test_a_signature_agrees_with_its_examples(name: str) -> None:
    for signature in TABLES[name]:
        check_examples(signature)


@pytest.mark.parametrize("name", TABLES)
def test_the_rules_decide_each_example_as_its_signature_says(
    name: str, diagnose: Callable[..., Diagnosis | None]
) -> None:
    for signature in TABLES[name]:
        if signature.role not in DECISIVE:
            continue
        ends_well = signature.role is Role.SUCCESS
        exit_code = 0 if ends_well else next(iter(signature.exit_codes), 1)
        for example in signature.matches:
            diagnosis = diagnose(example, exit_code=exit_code)
            assert diagnosis is not None and diagnosis.category is signature.category, (example, diagnosis)


@pytest.mark.parametrize("case", CASES, ids=[f"{n}-{c['is']}" for n, c in enumerate(CASES)])
def test_the_cause_of_a_real_failure_is_named_and_proved(
    case: dict[str, Any], rules: Rules, situation_of: Callable[..., Situation]
) -> None:
    situation = situation_of(case["log"], command=str(case["command"]), exit_code=case["exit"])
    decision = rules.decide(situation)
    diagnosis = decision.diagnosis if decision else unknown(situation)
    assert diagnosis.category == case["is"], diagnosis
    assert case["line"] in diagnosis.evidence[:3], diagnosis
    assert case.get("says", "") in diagnosis.root_cause, diagnosis


def test_no_shipped_pattern_matches_the_empty_text() -> None:
    """It would match every log; `reading` leaves this and RE2's grammar of what is shipped to the tests."""
    for pattern in {pattern for signature in SIGNATURES for pattern in signature.patterns}:
        assert compile_pattern(pattern).search(b"") is None, pattern


def test_every_category_can_be_reached() -> None:
    named = {signature.category for signature in SIGNATURES}
    assert named | {Category.UNKNOWN} == set(Category)


def test_names_are_unique() -> None:
    assert len({signature.name for signature in SIGNATURES}) == len(SIGNATURES)


def test_what_is_outranked_exists() -> None:
    known = {name for s in SIGNATURES for name in (s.name, s.table)} | set(Category)
    assert {name for s in SIGNATURES for name in s.outranks} <= known


@pytest.mark.parametrize("name", TABLES)
def test_a_particular_is_never_half_a_word(name: str) -> None:
    signature = TABLES[name][0]
    for pattern in signature.patterns:
        compiled = compile_pattern(pattern)
        for example in signature.matches:
            for raw in (example.encode(), re.sub("[\"'`]", "", example).encode()):
                for match in compiled.finditer(raw):
                    for group in compiled.groupindex.values():
                        start, end = match.span(group)
                        # A linker's option and its value, the number of a vendor's code.
                        if start < 0 or raw[:start].endswith(b" -l") or signature.code:
                            continue
                        around = raw[max(0, start - 1) : start + 1], raw[end - 1 : end + 1]
                        assert not any(re.fullmatch(rb"[A-Za-z0-9]{2}", pair) for pair in around), (raw, match[group])


@pytest.mark.parametrize("name", TABLES)
def test_a_cause_is_a_sentence_with_its_particulars_and_without(name: str) -> None:
    for signature in TABLES[name]:
        reads_as_a_sentence(signature)


def reads_as_a_sentence(signature: Signature) -> None:
    names = sorted({match[1] for match in PLACEHOLDER.finditer(signature.cause)})
    for chosen in ((), names, *([name] for name in names)):
        # A name with no fallback outside an optional part is always there.
        given = {name: f"</{name}>" for name in chosen} | ({"code": signature.code} if signature.code else {})
        sentence = render(signature.cause, given)
        assert not re.search(r"\w<|>\w|  |\(\)|[{}\[\]]| [.,;:)]|^[,:; ]|[:,; ]$", sentence), sentence
        assert all(given[name] in sentence for name in chosen), sentence


def test_capitals_that_matter_are_asked_for() -> None:
    """Patterns ignore case, so a class of capitals alone means nothing unless its group says that case counts."""
    for signature in SIGNATURES:
        for pattern in signature.patterns:
            inexact = re.sub(r"\(\?-i:(?:[^()\\]|\\.|\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\))*\)", "", pattern)
            for chars in re.findall(r"\[[^\]]*A-Z[^\]]*\]", inexact):
                assert "a-z" in chars, (signature.name, chars)
