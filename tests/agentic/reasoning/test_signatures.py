"""A file of signatures is taken as it is or refused with the place of the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic.errors import ConfigError
from agentic.reasoning.rules import Rules
from agentic.types import Category, Event, EventStatus

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
    assert diagnosis.confidence == 93


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
