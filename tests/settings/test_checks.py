"""What stops the start, with its place and what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from agentic.errors import ConfigError
from config import load_settings

LOOK: dict[str, Any] = {
    "description": "Free space", "effector": "command", "argv": ["/bin/df"], "risk": "observe",
}  # fmt: skip
ACT = {"kind": "fix_config", "effector": "command", "argv": ["/bin/true"]}


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Load settings as an operator would write them."""

    def written(settings: dict[str, Any]) -> Any:
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(settings))
        return load_settings(file, environ={})

    return written


@pytest.mark.parametrize(
    ("settings", "place", "words"),
    [
        ({"actions": {"a": {**ACT, "undo": "a"}}}, "actions.a.undo", "cannot take itself back"),
        ({"actions": {"a": {**ACT, "undo": "b"}}}, "actions.a.undo", 'no action is called "b"'),
        ({"actions": {"a": {**ACT, "jobs": [""]}}}, "actions.a.jobs", "no event can have the job id"),
        ({"actions": {"a": {**ACT, "jobs": ["etl*"]}}}, "actions.a.jobs", "is no pattern"),
        ({"jobs": [{"id": ""}]}, "jobs.0.id", "no event can have the job id"),
        ({"jobs": [{"id": " "}]}, "jobs.0.id", "no event can have the job id"),
        ({"jobs": [{"id": "a*"}]}, "jobs.0.id", "is no pattern"),
        ({"jobs": [{"id": "a\x07"}]}, "jobs.0.id", "control and invisible"),
        ({"queue": {"lease_seconds": float("inf")}}, "queue.lease_seconds", "has an end"),
        ({"queue": {"drain_seconds": float("nan")}}, "queue.drain_seconds", "more than 0"),
        ({"queue": {"max_length": float("inf")}}, "queue.max_length", "has an end"),
        ({"llm": {"deadline_seconds": float("inf")}}, "llm.deadline_seconds", "has an end"),
        ({"api": {"allowed_hosts": ["*"]}}, "api.allowed_hosts", "must match"),
        ({"api": {"allowed_hosts": ["http://api"]}}, "api.allowed_hosts", "must match"),
        ({"api": {"public_url": "http://[::1"}}, "api.public_url", "is not an address"),
        ({"probes": {"p": {**LOOK, "risk": "safe"}}}, "probes.p.risk", "observe"),
        ({"probes": {"p": {k: v for k, v in LOOK.items() if k != "risk"}}}, "probes.p.risk", "is required"),
        ({"probes": {"p": {**LOOK, "effector": "rerun"}}}, "probes.p.effector", "command, http"),
        ({"probes": {"p": {**LOOK, "description": ""}}}, "probes.p.description", "at least 1 character"),
        ({"probes": {"p": {**LOOK, "description": "x" * 101}}}, "probes.p.description", "at most 100 characters"),
        ({"probes": {"p": {**LOOK, "argv": None}}}, "probes.p", "needs `argv:`"),
        ({"probes": {"p": {**LOOK, "argv": ["/bin/sh", "-c", "{job_id}"]}}}, "probes.p.argv", "reach a shell"),
        ({"probes": {"p": {**LOOK, "argv": ["/bin/df", "{log}"]}}}, "probes.p.argv", "unknown placeholder"),
        ({"probes": {"p": {**LOOK, "argv": ["/bin/df", "{param.x}"]}}}, "probes.p.argv", "param.x"),
        ({"probes": {"p": {**LOOK, "jobs": ["etl*"]}}}, "probes.p.jobs", "is no pattern"),
        ({"probes": {"p": {**LOOK, "timeout_seconds": 600}}}, "probes.p.timeout_seconds", "at most 60"),
        (
            {"probes": {"p": {**LOOK, "effector": "http", "url": "http://127.0.0.1/", "method": "POST"}}},
            "probes.p.method",
            "only looks",
        ),
        ({"probes": {f"p{n}": {**LOOK, "jobs": ["a"] if n else []} for n in range(11)}}, "probes", "at most 10"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(
    load: Any, settings: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(settings)
    assert place in str(refused.value)
    assert words in str(refused.value)


def test_the_star_alone_is_every_other_job(load: Any) -> None:
    assert load({"jobs": [{"id": "*", "mode": "auto"}]}).job_for("etl").mode == "auto"
