"""Labelled failures as users write them, and what is said where they cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentic.digest import Redactor
from agentic.reasoning.rules import Rules
from cli.eval.cases import CaseError, cases_of, examples_of, not_kinds, spread

CASE: dict[str, Any] = {
    "id": "c1",
    "job": {"name": "backup", "command": "tar --password hunter2hunter2", "exit_code": 2},
    "log": ["start", "tar: No space left on device", "failed"],
    "category": "disk_full",
    "also_acceptable_categories": ["resource_quota"],
    "evidence": [1],
    "unacceptable_actions": ["retry"],
    "notes": "whatever else is said is passed over",
}


def test_a_case_is_a_line_of_json(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(json.dumps(CASE) + "\n\n" + json.dumps({**CASE, "id": "c2", "log": "a\nb"}))
    first, second = cases_of(tmp_path)
    assert (first.category, first.also, first.evidence) == ("disk_full", {"resource_quota"}, {1})
    assert (first.job, first.exit_code, first.unacceptable) == ("backup", 2, {"retry"})
    assert second.log == ("a", "b")


def test_plain_logs_are_labelled_by_a_file_beside_them(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"\xef\xbb\xbfstart\r\ntar: No space left on device\r\ncaf\xe9\n")
    (tmp_path / "b.log").write_text("Killed\n")
    (tmp_path / "labels.yaml").write_text(
        "a.log: {category: disk_full, evidence: [No space left, 0], job: backup, exit_code: 2, also: resource_quota}\n"
        "b.log: out_of_memory\n"
    )
    first, second = cases_of(tmp_path)
    assert (first.id, first.log[0], first.evidence) == ("a.log", "start", {0, 1})
    assert (first.job, first.exit_code, first.also) == ("backup", 2, {"resource_quota"})
    assert (second.category, second.evidence) == ("out_of_memory", frozenset())


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.jsonl", "{", "x.jsonl:1: not JSON"),
        ("x.jsonl", "[]", "x.jsonl:1: a case is an object with id, log and category"),
        ("x.jsonl", json.dumps({**CASE, "category": "disk_ful"}), "unknown category 'disk_ful'"),
        ("x.jsonl", json.dumps({**CASE, "evidence": [3]}), "evidence 3 is no line of the log, which has 3 from 0 on"),
        ("x.jsonl", json.dumps({**CASE, "log": {"a": 1}}), "log must be a text or a list"),
        ("x.jsonl", f"{json.dumps(CASE)}\n{json.dumps(CASE)}", "the id 'c1' is there twice"),
        ("x.jsonl", json.dumps({**CASE, "job": {"exit_code": "2"}}), "exit_code must be a whole number"),
        ("labels.yaml", "gone.log: disk_full", "gone.log: No such file"),
        ("labels.yaml", "x.log: {category: disk_full, unacceptable_actions: {retry: 1}}", "several as a list"),
        ("labels.yaml", "x.log: {category: disk_full, evidence: elsewhere}", "no line contains the evidence"),
        ("labels.yaml", "x.log: {categori: disk_full}", "write its category"),
        ("labels.yaml", "x.log: {category: disk_full, proof: 1}", "unknown key 'proof'"),
        ("labels.yaml", "- x.log", "write `file.log: category`"),
        ("readme.txt", "", "no case in it"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / "x.log").write_text("failed\n")
    (tmp_path / name).write_text(text)
    with pytest.raises(CaseError) as refused:
        cases_of(tmp_path)
    assert said in str(refused.value)


def test_one_forbidden_action_needs_no_list_and_one_that_cannot_be_is_found(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("failed\n")
    label = "x.log: {category: disk_full, unacceptable_actions: %s}"
    (tmp_path / "labels.yaml").write_text(label % "retry")
    assert cases_of(tmp_path)[0].unacceptable == {"retry"}
    assert not_kinds(cases_of(tmp_path)) == []
    (tmp_path / "labels.yaml").write_text(label % "[retry, rerty]")
    assert not_kinds(cases_of(tmp_path)) == ["rerty"]


def test_a_changed_case_has_another_fingerprint(tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"log": [*CASE["log"], "x"]},
        {"category": "timeout"},
        {"evidence": [0]},
        {"unacceptable_actions": []},
        {"job": {**CASE["job"], "exit_code": 1}},
    ]
    file = tmp_path / "x.jsonl"
    file.write_text("".join(json.dumps({**CASE, **c, "id": f"c{n}"}) + "\n" for n, c in enumerate(changes)))
    assert len({case.fingerprint for case in cases_of(tmp_path)}) == len(changes)


def test_a_case_is_reported_without_its_secrets(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(json.dumps(CASE))
    event = cases_of(tmp_path)[0].event(Redactor())
    assert event.command is not None
    assert "hunter2" not in event.command
    assert event.job_id == "backup"


def test_a_limit_takes_from_the_whole_folder() -> None:
    assert spread(list(range(10)), 3) == [0, 3, 6]  # type: ignore[arg-type, comparison-overlap] # anything has an order
    assert spread(list(range(3)), 10) == [0, 1, 2]  # type: ignore[arg-type, comparison-overlap]


def test_the_shipped_examples_are_of_every_category_but_unknown() -> None:
    found = {case.category for case in examples_of(Rules().signatures)}
    assert len(found) >= 20
