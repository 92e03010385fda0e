"""Lines looked at together are judged as each of them alone."""

from __future__ import annotations

from agentic.digest import digest_log
from agentic.digest.masking import mask, shapes
from agentic.digest.severity import severity, telling_lines, weights
from agentic.reasoning.rules import shipped

LINES = [line for signature in shipped() for text in signature.matches for line in text.split("\n")]


def test_no_line_of_any_severity_is_passed_over_among_others() -> None:
    mixed = [line for pair in zip(LINES, ["all went well"] * len(LINES), strict=True) for line in pair]
    telling = set(telling_lines(mixed))
    assert [line for line in LINES if severity(line) and line not in telling] == []
    assert "all went well" not in telling


def test_lines_have_the_same_severity_whether_new_ones_come_alone_or_in_numbers() -> None:
    faults = [f"ERROR part {letter * 3} cannot be written" for letter in "abcdefghijklmnop"]
    together = digest_log(["copied", *faults, "done"])
    alone = [digest_log(["copied", fault, "done"]) for fault in faults]
    assert {template.text for one in alone for template in one.templates} == {t.text for t in together.templates}
    assert together.headline == alone[0].headline


def test_ids_that_differ_make_no_other_template() -> None:
    ids = ("00c0ffee12ab34cd", "deadbeefdeadbee1", "1234567812345678")
    assert {mask(f"job id={one} took 5 ms") for one in ids} == {"job id=<n> took <n>"}
    uuids = ("0b0e7a52-3c0f-4a2f-9d55-16e2b1f3a9c0", "12345678-1234-1234-1234-123456789012")
    assert len({mask(f"request {one} failed") for one in uuids}) == 1


def test_digits_of_other_scripts_stay_in_the_shape() -> None:
    assert shapes("ошибка 42\nエラー ４２ and 0") == ["ошибка 11", "エラー ４２ and 0"]


def test_a_short_log_is_shown_whole_but_for_its_empty_lines() -> None:
    log = [f"step {number} " + "x" * 30 if number % 3 else "" for number in range(99)]
    shown = digest_log(log).excerpt
    assert [line.line for line in shown] == [number for number in range(99) if number % 3]
    long = digest_log(["y" * 1_000, "end"]).excerpt[0].text
    assert len(long) < 500
    assert " … " in long


def test_lines_looked_at_together_are_as_severe_as_each_alone() -> None:
    mixed = ["", *[line for pair in zip(LINES, [""] * len(LINES), strict=True) for line in pair], "no line end"]
    alone = [(number, severity(line)) for number, line in enumerate(mixed) if severity(line)]
    assert list(weights(mixed)) == alone
    assert list(weights(["two\nERROR lines in one", "fine"])) == [(0, severity("two\nERROR lines in one"))]


def test_an_ordinary_line_that_came_once_has_no_template() -> None:
    words = "alder birch cedar maple"
    digest = digest_log(
        [f"copied {word}" for word in words.split()] + ["read part 1", "read part 2", "ERROR disk gone"]
    )
    assert [template.text for template in digest.templates] == ["ERROR disk gone", "read part <n>"]
