"""What stops the start, with its place and what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from agentic.errors import ConfigError
from config import load_settings

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
        ({"queue": {"lease_seconds": float("inf")}}, "queue.lease_seconds", "finite"),
        ({"queue": {"drain_seconds": float("nan")}}, "queue.drain_seconds", "Input should be"),
        ({"queue": {"max_length": float("inf")}}, "queue.max_length", "finite"),
        ({"llm": {"deadline_seconds": float("inf")}}, "llm.deadline_seconds", "finite"),
        ({"api": {"allowed_hosts": ["*"]}}, "api.allowed_hosts", "pattern"),
        ({"api": {"allowed_hosts": ["http://api"]}}, "api.allowed_hosts", "pattern"),
        ({"api": {"public_url": "http://[::1"}}, "api.public_url", "is not an address"),
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
