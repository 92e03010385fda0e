"""From settings to a running core: every part is found by name and given what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agentic.acting import ActingLimits, Actor
from agentic.contracts import Effector, Memory, ReasoningModule, Sensor
from agentic.digest import Redactor
from agentic.errors import ConfigError
from agentic.intake import Limits, event_from_json, event_from_mapping, parse_event
from agentic.pipeline import Core, Pipeline
from agentic.planning import BUILT_IN, Planner
from agentic.registry import EFFECTORS, load
from agentic.types import Action, Event, utc_now
from agentic.verification import check_as_action
from notifications import Notifier
from settings.models import PartSettings, Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a worker runs, built once."""

    pipeline: Pipeline
    sensors: Mapping[str, Sensor]
    reasoning: Mapping[str, ReasoningModule]
    read: Callable[[bytes, bool], Event]
    read_fields: Callable[[Mapping[str, Any]], Event]


def build(settings: Settings, memory: Memory, worker: str, environ: Mapping[str, str]) -> Parts:
    """Build every part that the settings name; raises ConfigError or PluginError saying what to change."""
    redactor = Redactor(settings.redaction.patterns)
    given: dict[str, Any] = {"redactor": redactor, "environ": environ, "allowed_hosts": settings.http.allowed_hosts}
    given["link_base"] = settings.api.public_url
    given["notifiers"] = _notifiers(settings, given)
    effectors = _effectors(settings, given)
    actions = settings.declared_actions()
    _check_calls(settings, effectors, actions)
    planner = Planner(actions, settings.all_playbooks())
    policy = settings.policy
    limits = ActingLimits(
        per_job_per_hour=policy.max_actions_per_job_per_hour,
        per_hour=policy.max_actions_per_hour,
        reruns_per_failure=policy.max_reruns_per_failure,
        min_confidence=policy.min_confidence,
    )
    reasoning = _reasoning(settings, given)
    job_for = lru_cache(maxsize=4096)(settings.job_for)
    core = Core(
        jobs=job_for,
        planner=planner,
        chain=tuple(reasoning.items()),
        actor=Actor(effectors, actions, limits),
        memory=memory,
        worker=worker,
    )
    sensors = {
        name: load("sensors", part.use, part.options(), settings.base_dir(), given)
        for name, part in _named(settings.sensors).items()
    }
    intake = Limits(settings.api.max_body_bytes, settings.api.max_log_bytes, settings.api.max_batch)
    return Parts(
        pipeline=Pipeline(core),
        sensors=sensors,
        reasoning=reasoning,
        read=lambda raw, accepted: read_payload(raw, accepted, intake, redactor),
        read_fields=lambda fields: event_from_mapping(fields, intake, redactor, utc_now()),
    )


def read_payload(raw: bytes, accepted: bool, limits: Limits, redactor: Redactor) -> Event:
    """Read a payload of the queue; only what the API accepted has been checked and redacted before."""
    return event_from_json(raw) if accepted else parse_event(raw, limits, redactor, utc_now())


def _named(parts: list[PartSettings]) -> dict[str, PartSettings]:
    """Give each part the name it is spoken of by: what it uses, numbered where one is used twice."""
    named: dict[str, PartSettings] = {}
    for part in parts:
        name, number = part.use, 2
        while name in named:
            name, number = f"{part.use}-{number}", number + 1
        named[name] = part
    return named


def _notifiers(settings: Settings, given: Mapping[str, Any]) -> dict[str, Notifier]:
    return {
        name: load("notifiers", part.use, part.options(), settings.base_dir(), given)
        for name, part in _named(settings.notifications).items()
    }


def _effectors(settings: Settings, given: dict[str, Any]) -> dict[str, Effector]:
    """Build the built-in effectors and the operator's own; `rerun` is given them all, to run the job through."""
    effectors: dict[str, Effector] = {}
    given["effectors"] = effectors
    for name in EFFECTORS:
        effectors[name] = load("effectors", name, {}, settings.base_dir(), given)
    for name, part in settings.effectors.items():
        effectors[name] = load("effectors", part.use, part.options(), settings.base_dir(), given)
    return effectors


def _reasoning(settings: Settings, given: Mapping[str, Any]) -> dict[str, ReasoningModule]:
    base = settings.base_dir()
    llm = settings.llm
    folders = tuple(base / folder for folder in settings.knowledge)
    given = {
        **given,
        "extra_folders": folders,
        "enabled": llm.enabled,
        "base_url": llm.base_url,
        "model": llm.model,
        "api_key": llm.api_key,
        "context_tokens": llm.context_tokens,
        "max_output_tokens": llm.max_output_tokens,
        "deadline_seconds": llm.deadline_seconds,
        "concurrency": llm.concurrency,
    }
    chain = {}
    for name, part in _named(settings.reasoning).items():
        if part.use == "llm" and llm.enabled is False:
            continue
        chain[name] = load("reasoning", part.use, part.options(), base, given)
    return chain


def _check_calls(settings: Settings, effectors: Mapping[str, Effector], actions: Mapping[str, Action]) -> None:
    """Let each effector look at what it will be asked to do, while a person is still at the keyboard."""
    calls: list[tuple[str, Action]] = [(f"built-in action {name}", action) for name, action in BUILT_IN.items()]
    for name, action in actions.items():
        calls.append((f"actions.{name}", action))
        if action.verify is not None:
            calls.append((f"actions.{name}.verify", check_as_action(action.verify)))
        if action.probe is not None:
            calls.append((f"actions.{name}.probe", check_as_action(action.probe)))
    for index, entry in enumerate(settings.jobs):
        job = entry.to_job()
        if job.rerun is not None:
            calls.append((f"jobs.{index}.rerun", job.rerun))
            if job.rerun.probe is not None:
                calls.append((f"jobs.{index}.rerun.probe", check_as_action(job.rerun.probe)))
        if job.verify is not None:
            calls.append((f"jobs.{index}.verify", check_as_action(job.verify)))
    problems = []
    for where, action in calls:
        if action.effector is None:
            continue
        try:
            effectors[action.effector].check(action)
        except ConfigError as error:
            problems.append(f"{where}: {error}")
        except KeyError:
            problems.append(f"{where}: no effector is called {action.effector!r}")
    if problems:
        raise ConfigError("\n".join(problems))
