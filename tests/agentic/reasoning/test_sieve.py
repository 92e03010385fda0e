"""What the matcher leaves out on its quick way loses nothing."""

from __future__ import annotations

import pytest

from agentic.reasoning.matching import Haystack, Matcher
from agentic.reasoning.rules import shipped
from agentic.reasoning.signatures import Signature

SIGNATURES = shipped()


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(SIGNATURES)


LOGS = (
    "ERROR 1205 (HY000): Lock wait timeout exceeded\nexit status 1",
    "Error: HTTP status code 503 returned\nfailed: 3 tests failed\n[ FAILED ] suite.case\nline 4: file not found",
    "java.lang.OutOfMemoryError: heap\nCaused by: java.io.IOException: no space left on device\n^C",
    'GET /a HTTP/1.1" 502 17 "-"\npassword authentication failed for user "x"\nERROR:  53300: too many connections',
    "INFO fine\nINFO 0 errors, done",
)


@pytest.mark.parametrize("log", LOGS)
def test_whatever_matches_alone_passes_the_sieves(matcher: Matcher, log: str) -> None:
    haystack = Haystack(log.split("\n"))
    for sieve in matcher._sieves:
        kept = set(sieve.candidates(haystack.raw))
        every = range(len(sieve.owners))
        assert {number for number in every if any(sieve.compiled(number).find(haystack.raw))} <= kept


def test_patterns_that_need_only_common_words_are_tried_only_where_they_match(matcher: Matcher) -> None:
    raw = Haystack(["ERROR error: failed, status timeout, exception in line 3 of file x"]).raw
    left = sum(len(sieve.candidates(raw)) for sieve in matcher._sieves)
    potential = sum(len(sieve._words.Match(raw, potential=True)) for sieve in matcher._sieves)
    assert left < potential


def test_of_a_thousand_places_the_first_and_the_last_are_kept(matcher: Matcher) -> None:
    lines = [f"write /srv/{number}: No space left on device" for number in range(1_000)]
    (entry,) = [e for e in matcher.find(Haystack(lines)) if e.signature is named_in(matcher, "filesystem.no_space")]
    assert [hit.line for hit in entry.hits] == [*range(24), *range(992, 1_000)]


def named_in(matcher: Matcher, name: str) -> Signature:
    return next(signature for signature in matcher.signatures if signature.name == name)
