"""What is wrong with a configuration is said with its place, in our words, before anything starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentic.errors import ConfigError
from config import load_settings
from settings.explain import FORMS
from settings.models import ApiSettings, RedisSettings, Settings
from settings.parts import build_parts

ROOT = Path(__file__).resolve().parents[1]

Write = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Write a config.yaml and return its path."""

    def write(text: str) -> Path:
        file = tmp_path / "config.yaml"
        file.write_text(text)
        return file

    return write


def mistakes(file: Path, environ: dict[str, str] | None = None) -> list[str]:
    """Return every line that a start with this file would end with, without the folder."""
    with pytest.raises(ConfigError) as refused:
        build_parts(load_settings(file, environ or {}), {})
    return [line.removeprefix(f"{file.parent}/") for line in str(refused.value).splitlines()]


PARTS_THAT_CANNOT_BE_BUILT = {
    "notifications: [{use: webhok}]": 'config.yaml:1:18: notifications.0.use: webhok: .*did you mean "webhook"',
    "notifications: [{use: webhook}]": "config.yaml:1:17: notifications.0.url: needs the option 'url'",
    "notifications: [{use: console, colr: 1}]": "config.yaml:1:32: notifications.0.colr: unknown option 'colr'",
    "sensors: [{use: 'no.such:Thing'}]": "config.yaml:1:12: sensors.0.use: no.such:Thing: there is no module 'no'",
    "sensors: [{use: log_file, path: x, pattern: '(', job_id: j}]": "config.yaml:1:36: sensors.0.pattern: ",
    "reasoning: [{use: rulez}]": 'config.yaml:1:14: reasoning.0.use: rulez: .*did you mean "rules"',
    "reasoning: [{use: 'json:Nope'}]": "config.yaml:1:14: reasoning.0.use: json:Nope: there is no class 'Nope'",
    "effectors: {mine: {use: 'json:JSONDecoder'}}": "config.yaml:1:20: effectors.mine.use: .*subclass of Effector",
    "knowledge: [here, no-such-folder]": "config.yaml:1:13: knowledge.0: .*no such folder",
    "redaction: {patterns: {badge: '(?=x)'}}": "config.yaml:1:24: redaction.patterns.badge: .*no look-around",
    "redis: {url: 'mysql://someone:s3cret@db'}": r"config.yaml:1:9: redis.url: write embedded, .*got mysql://…",
    "redis: {url: 'redis://:6379'}": "config.yaml:1:9: redis.url: write a host",
    "redis: {url: 'reddis://h:1'}": 'config.yaml:1:9: redis.url: .*did you mean "redis://"',
    "llm: {base_url: 'localhost:1234'}": "config.yaml:1:7: llm.base_url: write http:// or https:// and a host",
}


@pytest.mark.parametrize(("text", "expected"), PARTS_THAT_CANNOT_BE_BUILT.items())
def test_a_part_that_cannot_be_built_is_named_with_its_place(written: Write, text: str, expected: str) -> None:
    [line] = mistakes(written(text))[:1]
    assert re.match(expected, line), line
    assert "s3cret" not in line


ACTIONS = """\
actions:
  free_disk:
    kind: free_disk_space
    effector: command
    argv: [/bin/true]
    method: POST
    cwd: scratch
  call:
    kind: retry
    effector: http
    url: http://hooks.internal/x
  tell:
    kind: escalate_to_human
    effector: notify
    channels: [pager]
jobs:
  - id: a
    rerun: {argv: [/bin/true], url: "http://127.0.0.1/"}
probes:
  look: {description: Looks, effector: http, url: "http://hooks.internal/x", risk: observe}
notifications: [{use: webhok}]
"""


def test_what_an_effector_cannot_do_is_found_at_every_call(written: Write) -> None:
    lines = mistakes(written(ACTIONS))
    starts = [
        "config.yaml:21:18: notifications.0.use: webhok",
        "config.yaml:6:5: actions.free_disk.method: the command effector does not know this key",
        "config.yaml:11:5: actions.call.url: hooks.internal is not in http.allowed_hosts",
        "config.yaml:20:46: probes.look.url: hooks.internal is not in http.allowed_hosts",
        "config.yaml:18:32: jobs.0.rerun.url: the command effector does not know this key",
    ]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts

    [line] = [line for line in mistakes(written(ACTIONS.replace("webhok", "console"))) if "tell" in line]
    assert line.startswith("config.yaml:15:5: actions.tell.channels: there is no channel 'pager'")


def test_the_pattern_of_a_parameter_has_to_be_one(written: Write) -> None:
    text = "actions: {free_disk_space: {effector: command, argv: [/bin/rm, '{param.p}'], params: {p: '(?=x)'}}}"
    [line] = mistakes(written(text))
    assert line.startswith("config.yaml:1:87: actions.free_disk_space.params.p: '(?=x)' is not valid: ")


def test_a_signature_of_the_operators_that_is_wrong_stops_the_start(written: Write, tmp_path: Path) -> None:
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "own.yaml").write_text("signatures:\n  - name: x\n    categori: disk_full\n")
    [line] = mistakes(written("version: 1\nknowledge: [known]"))
    assert line.startswith("config.yaml:2:13: knowledge.0: own.yaml:3: own.x: unknown key 'categori'")


@pytest.mark.parametrize("program", ["agentic_worker/main.py", "main.py"])
def test_a_worker_refuses_to_start_with_the_same_lines(written: Write, tmp_path: Path, program: str) -> None:
    file = written(ACTIONS)
    keep = {name: value for name, value in os.environ.items() if not name.startswith("AUTOREMEDY_")}
    environ = {**keep, "AUTOREMEDY_CONFIG": str(file), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(ROOT / program)], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 78
    assert [line.removeprefix(f"{tmp_path}/") for line in done.stderr.splitlines()] == mistakes(file)


WRONG_VALUES = {
    "version: 2": "config.yaml:1:1: version: write 1, there is nothing else (got 2)",
    "llm: {enabled: maybe}": 'config.yaml:1:7: llm.enabled: write auto, true or false (got "maybe")',
    "llm: {enabled: no}": 'config.yaml:1:7: llm.enabled: write false (got "no")',
    "llm: {enabled: 'true'}": 'config.yaml:1:7: llm.enabled: write true, without quotes (got "true")',
    "lab: {enabled: off}": 'config.yaml:1:7: lab.enabled: write false (got "off")',
    "jobs: [{id: a, safe_to_rerun: yes}]": 'config.yaml:1:16: jobs.0.safe_to_rerun: write true (got "yes")',
    "llm: {context_tokens: 0}": "config.yaml:1:7: llm.context_tokens: write auto, or a whole number from 1 on (got 0)",
    "llm: {api_key: 12345}": "config.yaml:1:7: llm.api_key: write a text; put it into quotes if it looks like a number",
    "playbooks: {disk_ful: [escalate]}": (
        'config.yaml:1:13: playbooks.disk_ful: unknown category; did you mean "disk_full"?'
    ),
    "queue: {max_length: many}": 'config.yaml:1:9: queue.max_length: write a number, without quotes (got "many")',
    "queue: {max_length: 0}": "config.yaml:1:9: queue.max_length: must be at least 1 (got 0)",
    "queue: {lease_seconds: .5}": "config.yaml:1:9: queue.lease_seconds: must be at least 1 (got 0.5)",
    "queue: {dedup_days: 0}": "config.yaml:1:9: queue.dedup_days: must be more than 0 (got 0)",
    "queue: {max_length: 1.5}": "config.yaml:1:9: queue.max_length: write a whole number (got 1.5)",
    "api: {port: many}": 'config.yaml:1:7: api.port: write a whole number (got "many")',
    "policy: {min_confidence: 101}": "config.yaml:1:10: policy.min_confidence: must be at most 100 (got 101)",
    "jobs: {id: a}": "config.yaml:1:1: jobs: write a list, such as [a, b] (got `key: value` lines)",
    "jobs: [a]": 'config.yaml:1:8: jobs.0: write `key: value` lines (got "a")',
    "jobs: [{mode: auto}]": "config.yaml:1:8: jobs.0.id: is required",
    "jobs: [{id: a, mode: autp}]": (
        "config.yaml:1:16: jobs.0.mode: must be one of observe, suggest, approve, auto "
        '(got "autp"); did you mean "auto"?'
    ),
    "actions:": "config.yaml:1:1: actions: write `key: value` lines; or leave the key out",
    "redis: {key_prefix: a b}": (
        'config.yaml:1:9: redis.key_prefix: write 1 to 64 letters, digits or any of _ . : { } - (got "a b")'
    ),
}


@pytest.mark.parametrize(("text", "expected"), WRONG_VALUES.items())
def test_a_wrong_value_is_answered_by_one_line_that_says_what_to_write(
    written: Write, text: str, expected: str
) -> None:
    assert mistakes(written(text)) == [expected]


def test_every_text_with_a_form_has_a_sentence_for_it() -> None:
    with_form = {
        name
        for section in (RedisSettings, ApiSettings)
        for name, field in section.model_fields.items()
        if any(getattr(one, "pattern", None) for one in field.metadata)
    }
    assert with_form == set(FORMS)


def test_a_wrong_variable_is_named_instead_of_a_line(written: Write) -> None:
    environ = {"REDIS_URL": "mysql://x", "AUTOREMEDY_NOTIFICATIONS": "[{use: webhok}]"}
    [line] = mistakes(written("version: 1"), environ)
    assert line.startswith("environment:REDIS_URL: redis.url: write embedded")
    del environ["REDIS_URL"]
    [line] = mistakes(written("version: 1"), environ)
    assert line.startswith("environment:AUTOREMEDY_NOTIFICATIONS: notifications.0.use: webhok")


def test_an_action_may_have_a_name_that_is_a_type_elsewhere(written: Write) -> None:
    [line] = mistakes(written("actions: {int: {kind: retry, idempotent: maybe}}"))
    assert line == 'config.yaml:1:30: actions.int.idempotent: write true or false (got "maybe")'


def test_settings_made_in_a_program_say_the_path_alone() -> None:
    settings = Settings.model_validate({"notifications": [{"use": "webhok"}]})
    with pytest.raises(ConfigError, match=r"^notifications\.0\.use: webhok: "):
        build_parts(settings, {})
