"""What a person approves: the plan exactly as it would be carried out, bound by a hash, and their word on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from agentic.effectors.placeholders import param_values
from agentic.planning import TELLING_KINDS
from agentic.types import Action, Approval, Event, Job, Step, Verdict


@dataclass(frozen=True, slots=True)
class Word:
    """What a person said of a plan, or that nobody said anything in time."""

    verdict: str = ""
    """`approved`, `rejected`, `expired`, or nothing yet."""
    by: str = ""
    why: str = ""
    plan_hash: str = ""
    at_ms: int = 0

    @classmethod
    def of(cls, progress: Mapping[str, Any]) -> Word:
        """Return the word that an incident came back with."""
        said = progress.get("approval")
        return cls(**said) if said else NO_WORD

    def for_the_record(self) -> Approval | None:
        """Return it as it is kept for ever; None when nobody was asked."""
        if not self.verdict:
            return None
        at = datetime.fromtimestamp(self.at_ms / 1000, UTC) if self.at_ms else None
        return Approval(verdict=self.verdict, by=self.by, why=self.why, plan_hash=self.plan_hash, at=at)

    @property
    def refusal(self) -> str | None:
        """Who did not want the plan, or that nobody said anything in time; None when it may go on."""
        if self.verdict == "expired":
            return "nobody approved the plan in time"
        if self.verdict == "rejected":
            return f"{self.by or 'somebody'} rejected the plan{f': {self.why}' if self.why else ''}"
        return None

    def approves(self, plan_hash: str) -> bool:
        """Say whether it allows this very plan."""
        return self.verdict == "approved" and self.plan_hash == plan_hash

    def ruled(self, step: Step) -> Step:
        """Return a step of the approved plan with the person's ruling on it."""
        if step.decision is not Verdict.ASK:
            return step
        return step.model_copy(update={"decision": Verdict.APPROVED, "reason": f"Approved by {self.by}. {step.reason}"})


NO_WORD = Word()


def plan_hash(plan: Sequence[tuple[Step, Action]], declared: Mapping[str, Action], job: Job, event: Event) -> str:
    """Return the hash that binds an approval to what would be run, by the declarations in force and the previews.

    What the guard says of the moment is left out: a plan does not become another by a budget running low.
    """
    bound = [
        {
            "step": step.step,
            "preview": step.preview,
            "undo_preview": step.undo,
            # Values as they are, and not as they are shown: what is hidden of them may have changed, too.
            "calls": [
                {"action": call.model_dump(mode="json"), "params": param_values(call, job, event)}
                for call in _calls(action, declared, job)
            ],
        }
        for step, action in plan
        if action.effector is not None and action.kind not in TELLING_KINDS
    ]
    return hashlib.sha256(to_json(bound)).hexdigest()


def _calls(action: Action, declared: Mapping[str, Action], job: Job) -> Iterator[Action]:
    """Yield everything that one step may carry out: itself, its undo, and what either of them runs again."""
    for call in (action, *([declared[action.undo]] if action.undo else [])):
        yield call
        if call.effector == "rerun" and job.rerun is not None:
            yield job.rerun
