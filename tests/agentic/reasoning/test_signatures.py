"""A file of signatures is taken as it is or refused with the place of the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic.errors import ConfigError
from agentic.reasoning.matching import alternatives
from agentic.reasoning.rules import Rules
from agentic.types import Category, Diagnosis, Event, EventStatus

GOOD = """\
signatures:
  - name: feed_late
    category: missing_file_or_data
    confidence: 93
    patterns:
      - 'feed (?P<feed>[A-Z]{3}) has not arrived'
    cause: "The feed {feed} has not arrived"
    matches:
      - "07:00 feed XYZ has not arrived"
    not_matches:
      - "feed XYZ has arrived"
"""


def test_own_signatures_are_added_and_say_where_they_come_from(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(GOOD)
    diagnosis = Rules([tmp_path]).diagnose(
        Event(event_id="e", job_id="j", status=EventStatus.FAILED), ["07:00 feed XYZ has not arrived"]
    )
    assert diagnosis is not None
    assert diagnosis.category is Category.MISSING_FILE_OR_DATA
    assert diagnosis.root_cause == "The feed XYZ has not arrived"
    assert diagnosis.source == "rule:acme.feed_late"
    assert diagnosis.confidence >= 93


TWO = """\
signatures:
  - name: lint
    category: code_error
    confidence: 90
    outranks: [{named}]
    patterns: ['zorp 12']
    cause: "The lint found something"
    matches: ["zorp 12"]
    not_matches: ["none"]
  - name: shape
    category: bad_data_or_schema
    confidence: 90
    outranks: [code_error]
    patterns: ['zorp \\d+']
    cause: "The shape is wrong"
    matches: ["zorp 1"]
    not_matches: ["none"]
"""


@pytest.mark.parametrize(
    ("named", "category"),
    [("acme.shape", Category.CODE_ERROR), ("bad_data_or_schema", Category.BAD_DATA_OR_SCHEMA)],
)
def test_who_names_the_other_goes_before_who_names_its_category(tmp_path: Path, named: str, category: Category) -> None:
    (tmp_path / "acme.yaml").write_text(TWO.format(named=named))
    diagnosis = Rules([tmp_path]).diagnose(
        Event(event_id="e", job_id="j", status=EventStatus.FAILED), ["ERROR zorp 12 at the end"]
    )
    assert diagnosis is not None
    assert diagnosis.category is category


@pytest.mark.parametrize(
    ("old", "new", "place", "word"),
    [
        ("category: missing_file_or_data", "category: lost", "acme.yaml:3", "lost"),
        ("confidence: 93", "confidence: often", "acme.yaml:4", "0 to 100"),
        ("has not arrived'", "has (not arrived'", "acme.yaml:6", "RE2"),
        ("(?P<feed>[A-Z]{3})", "(?=x)", "acme.yaml:6", "RE2"),
        ("'feed (?P<feed>[A-Z]{3}) has not arrived'", "'(?P<feed>x)*'", "acme.yaml:6", "empty text"),
        ("The feed {feed}", "The feed {fed}", "acme.yaml:7", "fed"),
        ("    confidence: 93", "    confidance: 93", "acme.yaml:4", "confidance"),
        ("    cause: ", "    role: guess\n    cause: ", "acme.yaml:7", "guess"),
        ("07:00 feed XYZ has not arrived", "nothing of the kind", "acme.yaml:2", "own example"),
        ("feed XYZ has arrived", "feed XYZ has not arrived", "acme.yaml:2", "must not"),
        ("signatures:", "signatures: [", "acme.yaml:", "YAML"),
        ('    not_matches:\n      - "feed XYZ has arrived"\n', "", "acme.yaml:2", "not_matches"),
    ],
)
def test_a_mistake_is_reported_with_file_and_line(tmp_path: Path, old: str, new: str, place: str, word: str) -> None:
    assert old in GOOD
    (tmp_path / "acme.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        Rules([tmp_path])
    assert place in str(caught.value) and word in str(caught.value)


def test_a_missing_folder_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        Rules([tmp_path / "nowhere"])


def test_an_own_signature_of_the_same_name_replaces_the_shipped_one(tmp_path: Path) -> None:
    own = GOOD.replace("name: feed_late", "name: java_heap")
    (tmp_path / "memory.yaml").write_text(own)
    rules = Rules([tmp_path])
    assert [s.confidence for s in rules.signatures if s.name == "memory.java_heap"] == [93]


TABLE = """\
tables:
  - name: feed
    patterns: ['FEED-(?P<code>\\d+)', 'feed error (?P<code>{codes})']
    example: "FEED-{code}: stopped"
    cause: "{means} ({code})"
    not_matches: ["FEED-9: unknown"]
    rows:
      - category: disk_full
        codes: {17: the spool is full}
      - category: auth_failure
        confidence: 95
        codes:
          18: the ticket has expired
          19: the ticket was revoked
"""


def diagnosed(folder: Path, line: str) -> Diagnosis:
    diagnosis = Rules([folder]).diagnose(Event(event_id="e", job_id="j", status=EventStatus.FAILED), [line])
    assert diagnosis is not None
    return diagnosis


def test_each_code_of_a_table_has_its_own_meaning(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(TABLE)
    full = diagnosed(tmp_path, "FEED-17: stopped")
    assert (full.category, full.root_cause) == (Category.DISK_FULL, "The spool is full (17)")
    revoked = diagnosed(tmp_path, "nightly: feed error 19")
    assert (revoked.category, revoked.confidence, revoked.source) == (Category.AUTH_FAILURE, 95, "rule:acme.feed_19")


def test_a_code_that_no_row_has_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(TABLE)
    run = Event(event_id="e", job_id="j", status=EventStatus.FAILED)
    assert Rules([tmp_path]).diagnose(run, ["FEED-99: stopped"]) is None


@pytest.mark.parametrize(
    ("old", "new", "place", "word"),
    [
        ("{17: the spool is full}", "[17]", "acme.yaml:9", "each code needs a meaning"),
        ("FEED-(?P<code>", "FEED-(?P<number>", "acme.yaml:3", "the group `code`"),
        ("    rows:", "    lines:", "acme.yaml:8", "unknown key 'lines'"),
        ("category: disk_full", "category: full", "acme.yaml:8", "full"),
        ('example: "FEED-', 'example: "FOOD-', "acme.yaml:8", "does not match its own example"),
        ("FEED-9: unknown", "FEED-18: unknown", "acme.yaml:10", "matches 'FEED-18: unknown'"),
        ("19: the", "18: the", "acme.yaml:13", "18 is there twice"),
    ],
)
def test_a_mistake_in_a_table_is_reported_with_its_place(
    tmp_path: Path, old: str, new: str, place: str, word: str
) -> None:
    (tmp_path / "acme.yaml").write_text(TABLE.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        Rules([tmp_path])
    assert place in str(caught.value) and word in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("a|b", ["a", "b"]),
        ("(?:a|b)c|d", ["(?:a|b)c", "d"]),
        (r"[|]x|\||[]|]|[^]|]", ["[|]x", r"\|", "[]|]", "[^]|]"]),
        (r"[\]|]|\(|\)", [r"[\]|]", r"\(", r"\)"]),
        ("(?P<a>x)", ["(?P<a>x)"]),
    ],
)
def test_a_pattern_is_taken_apart_between_its_alternatives_only(pattern: str, parts: list[str]) -> None:
    assert alternatives(pattern) == parts
