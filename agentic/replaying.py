"""Holds a decision of today against the recorded one, and says what changed and why as far as it can be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentic.questions import Answer
from agentic.types import Action, Decision, Feedback, HistoryRecord, Precedent

NAMES = {
    "version": "the version of AutoRemedy",
    "rules": "the rules (signatures, tables, or the code that reads logs)",
    "prompts": "the texts that are sent to the model",
    "settings": "the settings that decide (jobs, actions, playbooks, policy, model)",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is decided otherwise today."""

    what: str
    then: Any
    now: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """Today's decision beside the recorded one."""

    then: Mapping[str, Any]
    now: Mapping[str, Any]
    differences: tuple[Difference, ...]
    reasons: tuple[str, ...]
    """What is known to be other than it was, whether or not it made a difference."""

    @property
    def same(self) -> bool:
        """Category, confidence, evidence and plan are as they were."""
        return not self.differences


def compare(
    record: HistoryRecord,
    decision: Decision,
    plan: Sequence[Action],
    made_by: Mapping[str, str],
    precedents: Sequence[Precedent] = (),
) -> Comparison:
    """Compare; raises ValueError when nothing was decided in the record."""
    if record.diagnosis is None:
        raise ValueError(f"nothing was decided about {record.event_id}: it was {record.status.value}")
    then = _summary(record.diagnosis.model_dump(mode="json"), [step.name for step in record.actions])
    now = _summary(decision.diagnosis.model_dump(mode="json"), [action.name for action in plan])
    differences = tuple(
        Difference(what, then[what], now[what])
        for what in ("category", "confidence", "evidence", "plan")
        if then[what] != now[what]
    )
    return Comparison(then, now, differences, tuple(_reasons(record, made_by, precedents)))


def earlier_or_taught(record: HistoryRecord, precedents: Iterable[Precedent]) -> tuple[Precedent, ...]:
    """Return the incidents before the record's, and those that people said something of since.

    The others, the record's own among them, came too late to be earlier ones, and teach nothing.
    """
    return tuple(
        one for one in precedents if one.feedback or (one.event_id != record.event_id and one.at < record.finished_at)
    )


def answer_as_told(record: HistoryRecord, asked_on: str) -> Answer:
    """Return a reused answer as the record that used it tells it, for when the record it was given for is gone."""
    assert record.diagnosis is not None
    assert record.event is not None
    told, log = record.diagnosis, record.event.log
    if not told.source.startswith("llm:"):
        return Answer(event_id=asked_on, model="the model", decision=None, reason="it could not tell", quotes={})
    return Answer(
        event_id=asked_on,
        model=told.source.removeprefix("llm:"),
        decision=Decision(diagnosis=told, actions=tuple(step.name for step in record.actions)),
        reason="",
        quotes={line: log[line] for line in told.evidence if line < len(log)},
    )


def _summary(diagnosis: Mapping[str, Any], plan: list[str]) -> dict[str, Any]:
    told = ("category", "confidence", "evidence", "source", "root_cause")
    return {**{name: diagnosis[name] for name in told}, "plan": plan}


def _reasons(record: HistoryRecord, made_by: Mapping[str, str], precedents: Sequence[Precedent]) -> list[str]:
    reasons = []
    if not record.made_by:
        reasons.append("The record does not say by which version, rules and settings it was made")
    for part, name in NAMES.items():
        before, today = record.made_by.get(part), made_by.get(part)
        if before and today and before != today:
            reasons.append(f"{name[0].upper()}{name[1:]} changed: {before} then, {today} now")
    since = [f for precedent in precedents for f in precedent.feedback if f.at > record.finished_at]
    reasons += [_feedback(said) for said in sorted(since, key=lambda said: said.at)]
    return reasons


def _feedback(said: Feedback) -> str:
    parts = [f"it is {said.correct_category}"] if said.correct_category else []
    parts += [f"{said.correct_action} is right"] if said.correct_action else []
    parts += [f"that was {said.verdict}"] if said.verdict else []
    words = ", ".join(parts) or f"{said.rating} of 5"
    return f"Feedback since, by {said.user} on {said.event_id}: {words}"
