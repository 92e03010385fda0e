"""From settings to a running core: every part is found by name and given what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agentic.acting import ActingLimits, Actor, Untaught, Unteach
from agentic.contracts import Memory, ReasoningModule, Sensor
from agentic.digest import Redactor
from agentic.intake import Limits, event_from_json, event_from_mapping, parse_event
from agentic.pipeline import CONFIDENT, Core, Pipeline
from agentic.planning import Planner
from agentic.questions import Questions
from agentic.reasoning.precedent import PrecedentModule
from agentic.reasoning.rules import Rules
from agentic.types import Event, Job, LogDigest, Situation, utc_now
from settings.fingerprints import made_by
from settings.models import Settings
from settings.parts import build_parts

ANSWER_GRACE_SECONDS = 15.0
"""Beyond the deadline of a question, for looking at the server and for writing down what it said."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a worker runs, built once."""

    pipeline: Pipeline
    redactor: Redactor
    sensors: Mapping[str, Sensor]
    reasoning: Mapping[str, ReasoningModule]
    read: Callable[[bytes, bool], Event]
    read_fields: Callable[[Mapping[str, Any]], Event]


def build(settings: Settings, memory: Memory, worker: str, environ: Mapping[str, str]) -> Parts:
    """Build every part that the settings name; raises ConfigError saying what to change and where."""
    parts = build_parts(settings, environ)
    redactor = parts.redactor
    actions = settings.declared_actions()
    planner = Planner(actions, settings.all_playbooks())
    policy = settings.policy
    limits = ActingLimits(
        per_job_per_hour=policy.max_actions_per_job_per_hour,
        per_hour=policy.max_actions_per_hour,
        reruns_per_failure=policy.max_reruns_per_failure,
        min_confidence=policy.min_confidence,
        approve_within_seconds=policy.approve_within_seconds,
    )
    job_for = lru_cache(maxsize=4096)(settings.job_for)
    core = Core(
        jobs=job_for,
        planner=planner,
        chain=tuple(parts.reasoning.items()),
        actor=Actor(parts.effectors, actions, limits, _unteach(parts.reasoning, planner), redactor.value),
        memory=memory,
        worker=worker,
        questions=Questions(settings.llm.deadline_seconds + ANSWER_GRACE_SECONDS, settings.llm.max_wait_seconds),
        made_by=made_by(settings, parts),
    )
    intake = Limits(settings.api.max_body_bytes, settings.api.max_log_bytes, settings.api.max_batch)
    return Parts(
        pipeline=Pipeline(core),
        redactor=redactor,
        sensors=parts.sensors,
        reasoning=parts.reasoning,
        read=lambda raw, accepted: read_payload(raw, accepted, intake, redactor),
        read_fields=lambda fields: event_from_mapping(fields, intake, redactor, utc_now()),
    )


def read_payload(raw: bytes, accepted: bool, limits: Limits, redactor: Redactor) -> Event:
    """Read a payload of the queue; only what the API accepted has been checked and redacted before."""
    return event_from_json(raw) if accepted else parse_event(raw, limits, redactor, utc_now())


def _unteach(reasoning: Mapping[str, ReasoningModule], planner: Planner) -> Unteach | None:
    """Return how to ask what the rules alone would have led to, or None where another module is asked first."""
    rules = next((module for module in reasoning.values() if not isinstance(module, PrecedentModule)), None)
    if not isinstance(rules, Rules):
        return None

    def unteach(event: Event, digest: LogDigest, job: Job) -> Untaught | None:
        decision = rules.decide(Situation(event=event, digest=digest, job=job, menu=planner.menu(job)))
        if decision is None or decision.diagnosis.confidence < CONFIDENT:
            return None  # the model would have been asked, and may have said something else
        return Untaught(decision.diagnosis.category, planner.plan(decision, job))

    return unteach
