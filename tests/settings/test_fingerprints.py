"""The fingerprints on a record: each changes with what it is of, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import load_settings
from settings.fingerprints import made_by
from settings.parts import build_parts

ACT = {"kind": "free_disk_space", "effector": "command", "argv": ["/bin/true"]}
OWN = """
signatures:
  - name: gizmo
    category: config_error
    confidence: 90
    patterns: ["gizmo refused"]
    cause: The gizmo is not calibrated
    matches: ["gizmo refused"]
    not_matches: ["gizmo is well"]
"""
Prints = Callable[..., dict[str, str]]


@pytest.fixture
def prints(tmp_path: Path) -> Prints:
    """Return the fingerprints of settings as an operator would write them."""
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "own.yaml").write_text(OWN)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "system.md").write_text("Be brief.\n{{categories}}")

    def of(**written: Any) -> dict[str, str]:
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(written))
        settings = load_settings(file, environ={})
        return made_by(settings, build_parts(settings, {}))

    return of


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def test_the_same_settings_have_the_same_fingerprints(prints: Prints) -> None:
    found = prints(actions={"a": ACT})
    assert found == prints(actions={"a": ACT})
    assert set(found) == {"version", "rules", "prompts", "settings"}
    assert all(len(found[name]) == 8 for name in ("rules", "prompts", "settings"))


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ({"knowledge": ["known"]}, {"rules"}),
        ({"reasoning": [{"use": "precedent"}, {"use": "rules"}, {"use": "llm", "prompts": "mine"}]}, {"prompts"}),
        ({"reasoning": [{"use": "rules"}, {"use": "precedent"}, {"use": "llm"}]}, {"settings"}),
        ({"actions": {"a": {**ACT, "risk": "safe"}}}, {"settings"}),
        ({"playbooks": {"disk_full": ["notify"]}}, {"settings"}),
        ({"jobs": [{"id": "a", "mode": "auto"}]}, {"settings"}),
        ({"policy": {"min_confidence": 71}}, {"settings"}),
        ({"llm": {"enabled": False}}, {"settings", "prompts"}),
        ({"queue": {"lease_seconds": 5}, "worker": {"concurrency": 3}, "history": {"max_length": 5}}, set()),
    ],
)
def test_each_changes_with_what_it_is_of(prints: Prints, written: dict[str, Any], what: set[str]) -> None:
    assert changed(prints(), prints(**written)) == what


def test_how_an_action_is_carried_out_is_not_part_of_it_so_that_no_secret_is(prints: Prints) -> None:
    one = {**ACT, "env": {"TOKEN": "one"}, "argv": ["/bin/true", "one"]}
    other = {**ACT, "env": {"TOKEN": "two"}, "argv": ["/bin/true", "two"]}
    assert prints(actions={"a": one}, llm={"api_key": "one"}) == prints(actions={"a": other}, llm={"api_key": "two"})
