"""The figures of a run are worked out from labels and results alone."""

from __future__ import annotations

from typing import Any

import pytest

from cli.eval.cases import Case
from cli.eval.results import Result
from cli.eval.scoring import Share, figures, percentile


def case(name: str, category: str, **more: Any) -> Case:
    return Case(id=name, log=("a", "b", "c", "d"), category=category, **more)


def result(category: str, **more: Any) -> Result:
    told = {"evidence": (), "actions": (), "confidence": 80, "source": "rule:x", "root_cause": "", "seconds": 1.0}
    return Result(category=category, **{**told, **more})


def test_accuracy_counts_what_is_right_and_what_may_be_said_as_well() -> None:
    cases = [case("1", "disk_full"), case("2", "timeout", also=frozenset({"network_error"})), case("3", "code_error")]
    results = {"1": result("disk_full"), "2": result("network_error"), "3": result("unknown")}
    found = figures(cases, results)
    assert (found.accuracy, found.accepted) == (Share(1, 3), Share(2, 3))
    assert found.unknown == Share(1, 3)


def test_macro_f1_is_the_mean_over_the_categories_that_occur() -> None:
    cases = [case("1", "disk_full"), case("2", "disk_full"), case("3", "timeout")]
    results = {"1": result("disk_full"), "2": result("timeout"), "3": result("timeout")}
    # disk_full: precision 1, recall 1/2; timeout: precision 1/2, recall 1; both have F1 2/3.
    assert figures(cases, results).macro_f1 == pytest.approx(2 / 3)
    assert figures(cases, {"1": result("disk_full"), "3": result("code_error")}).macro_f1 == pytest.approx(1 / 2)


def test_evidence_counts_only_where_it_is_labelled_and_best_first() -> None:
    proved = frozenset({2, 3})
    cases = [case("1", "timeout", evidence=proved), case("2", "timeout", evidence=proved), case("3", "timeout")]
    results = {
        "1": result("timeout", evidence=(3, 0)),
        "2": result("timeout", evidence=(0, 1, 2)),
        "3": result("timeout", evidence=(0,)),
    }
    found = figures(cases, results)
    assert (found.evidence_at_1, found.evidence_at_3) == (Share(1, 2), Share(2, 2))


def test_an_unsafe_action_counts_anywhere_in_the_plan() -> None:
    cases = [case("1", "disk_full", unacceptable=frozenset({"retry"})), case("2", "disk_full")]
    results = {name: result("disk_full", actions=("notify", "retry")) for name in ("1", "2")}
    assert figures(cases, results).unsafe == Share(1, 1)


def test_cases_that_the_server_failed_on_are_told_and_not_scored() -> None:
    cases = [case(str(number), "timeout") for number in range(4)]
    results = {
        "0": result("timeout"),
        "1": result("unknown", error="unavailable"),
        "2": result("unknown", unusable="bad_output", calls=1),
    }
    found = figures(cases, results)
    assert (found.cases, dict(found.errors), dict(found.unusable)) == (2, {"unavailable": 1}, {"bad_output": 1})
    assert found.accuracy == Share(1, 2)
    assert found.asked == Share(1, 2)


def test_tokens_seconds_and_cost_are_of_all_cases_asked_or_not() -> None:
    cases = [case(str(number), "timeout") for number in range(4)]
    asked = result("timeout", calls=1, prompt_tokens=2000, completion_tokens=400, seconds=8.0)
    results = {"0": asked, "1": result("timeout"), "2": result("timeout"), "3": result("timeout", seconds=2.0)}
    found = figures(cases, results, price=(0.5, 2.0))
    assert (found.prompt_tokens, found.completion_tokens) == (500, 100)
    assert (found.seconds_median, found.seconds_p95, found.seconds_per_1000) == (1.0, 8.0, 3000)
    assert found.cost_per_1000 == pytest.approx(0.5 * 0.5 + 0.1 * 2.0)


def test_tokens_that_a_server_does_not_count_are_not_made_up() -> None:
    found = figures([case("1", "timeout")], {"1": result("timeout", calls=1)}, price=(1, 1))
    assert (found.prompt_tokens, found.cost_per_1000) == (None, None)


def test_nothing_scored_has_no_figures() -> None:
    found = figures([case("1", "timeout")], {})
    assert (found.cases, found.accuracy.value, found.macro_f1, found.seconds_p95) == (0, None, None, None)


def test_percentiles_are_values_that_occurred() -> None:
    assert [percentile([1, 2, 3, 4], percent) for percent in (1, 25, 50, 51, 95, 100)] == [1, 1, 2, 3, 4, 4]


def test_the_interval_of_few_cases_is_wide() -> None:
    few, many = Share(9, 10).interval, Share(900, 1000).interval
    assert few is not None
    assert many is not None
    assert few[0] < 0.6 < 0.87 < many[0] < 0.9 < many[1] < few[1] < 1
