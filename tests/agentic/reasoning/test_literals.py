"""Texts that a pattern cannot match without are found whichever way it is written, and none is made up."""

from __future__ import annotations

import pytest
import re2

from agentic.reasoning.literals import needed_literals, scout_pattern
from agentic.reasoning.reading import load
from agentic.reasoning.signatures import BUILT_IN, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        (r"(?:disk|volume) (?:is )?full", {"disk full", "disk is full", "volume full", "volume is full"}),
        (r"(?P<code>A\.one|b-two): gone", {"a.one: gone", "b-two: gone"}),
        (r"(?:first|second)? then third", {" then third", "first then third", "second then third"}),
        (r"[(ab|cd)]xyz", {"xyz"}),
        (r"\((?:left|right)\)", {"(left)", "(right)"}),
        (r"(?:one|two)+ three", {" three"}),
        (r"\d+|[a-z]{2}", None),
    ],
)
def test_a_match_holds_one_of_these_texts(pattern: str, needed: set[str] | None) -> None:
    assert needed_literals(pattern) == needed


def test_every_line_that_a_shipped_signature_knows_is_found_by_its_texts() -> None:
    signatures = load(BUILT_IN)
    pattern, without = scout_pattern(one for signature in signatures for one in signature.patterns)
    latin1 = re2.Options()
    latin1.encoding = re2.Options.Encoding.LATIN1
    latin1.max_mem = 64 << 20
    texts = re2.compile(pattern, latin1)
    rest = [compile_pattern(one) for one in without]
    missed = [
        example
        for signature in signatures
        for example in signature.matches
        if texts.search(example.encode().lower()) is None and not any(one.search(example.encode()) for one in rest)
    ]
    assert missed == []


def test_what_is_shipped_reads_the_same_without_its_patterns_compiled() -> None:
    assert load(BUILT_IN, checked=False) == load(BUILT_IN)
