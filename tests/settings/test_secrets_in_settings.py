"""Secrets that stand in the settings are known to the redactor, and ordinary values are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic.digest import Redactor
from config import load_settings
from settings.secrets import secret_patterns

TEXT = """\
version: 1
llm: {api_key: lm-studio}
http: {allowed_hosts: [ci.example]}
jobs:
  - {id: etl, mode: suggest, params: {token: "it's (one) token", table: customers}}
actions:
  poke:
    kind: restart_service
    effector: http
    url: "https://ci.example/${CI_TOKEN}/${CI_FOLDER}"
    headers: {Authorization: "Basic ${CI_READER}"}
    params: {token: "[a-z0-9-]+"}
"""
ENVIRON = {"CI_TOKEN": "zq7/plain words", "CI_FOLDER": "nightly-builds", "CI_READER": "dXNlcjpwYXNz"}


@pytest.fixture
def redactor(tmp_path: Path) -> Redactor:
    file = tmp_path / "config.yaml"
    file.write_text(TEXT.replace("/${CI_TOKEN}", "/x?t=${CI_TOKEN}"))
    settings = load_settings(file, {**ENVIRON, "CI_TOKEN": "zq7.plain-words"})
    return Redactor(secret_patterns(settings))


@pytest.mark.parametrize(
    "written",
    [
        "zq7.plain-words",
        "it's (one) token",
        "it%27s%20%28one%29%20token",
        """it'"'"'s (one) token""",
        "Basic dXNlcjpwYXNz",
        "dXNlcjpwYXNz",
    ],
)
def test_a_secret_of_the_settings_is_found_however_it_is_spelled(redactor: Redactor, written: str) -> None:
    assert redactor.text(f"<{written}>").startswith("<[REDACTED:")
    assert redactor.text(f"<{written}>").endswith("]>")


@pytest.mark.parametrize(
    "written", ["customers", "nightly-builds", "lm-studio", "[a-z0-9-]+", "ci.example", "zq7xplain-words"]
)
def test_what_only_stands_beside_a_secret_stays_readable(redactor: Redactor, written: str) -> None:
    assert redactor.text(f"<{written}>") == f"<{written}>"


def test_a_pattern_of_the_operators_of_the_same_kind_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "version: 1\nredaction: {patterns: {setting: 'PIN-[0-9]+'}}\n"
        "jobs: [{id: etl, mode: suggest, params: {password: swordfish}}]\n"
    )
    text = Redactor(secret_patterns(load_settings(file, {}))).text("PIN-1234 swordfish")
    assert "PIN-1234" not in text and "swordfish" not in text
