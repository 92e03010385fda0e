"""Weighs what was found: how sure each finding is, and which of them can be the cause of the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentic.reasoning.context import LineContext
from agentic.reasoning.exits import ExitMeaning
from agentic.reasoning.matching import Found, Hit
from agentic.reasoning.signatures import Role, Signature
from agentic.types import Category, Event, EventStatus

DEPTH: dict[Category, int] = {
    Category.HARDWARE_OR_STORAGE_ERROR: 30,
    Category.DISK_FULL: 28,
    Category.OUT_OF_MEMORY: 28,
    Category.CANCELLED_BY_OPERATOR: 26,
    Category.CERTIFICATE_ERROR: 24,
    Category.DNS_FAILURE: 24,
    Category.AUTH_FAILURE: 22,
    Category.RATE_LIMITED: 22,
    Category.RESOURCE_QUOTA: 22,
    Category.PERMISSION_DENIED: 20,
    Category.NODE_LOST_OR_PREEMPTED: 20,
    Category.LOCK_CONTENTION: 18,
    Category.NETWORK_ERROR: 13,
    Category.DEPENDENCY_UNAVAILABLE: 13,
    Category.CONFIG_ERROR: 12,
    Category.IMAGE_OR_PACKAGE_UNAVAILABLE: 11,
    Category.BAD_DATA_OR_SCHEMA: 11,
    Category.MISSING_FILE_OR_DATA: 10,
    Category.TIMEOUT: 6,
    Category.CODE_ERROR: 2,
    Category.NOT_A_FAILURE: 0,
    Category.UNKNOWN: 0,
}
"""How near to the root a category lies when two are found: a full disk breaks locks, never the reverse."""

_ROLE_SCORE = {Role.CAUSE: 0, Role.GENERIC: -18, Role.SYMPTOM: -40}
ENOUGH = 50
"""Confidence below which nothing is claimed."""
_CARRIED = 50
"""What is taken off a finding in a text that the run only works on."""
_NO_FAULT = 50
"""What is taken off a finding without a word of failure in a run that ended with 0."""
_OF_ANOTHER_STEP = 45
PASSING = frozenset(
    {
        Category.NETWORK_ERROR,
        Category.DNS_FAILURE,
        Category.DEPENDENCY_UNAVAILABLE,
        Category.TIMEOUT,
        Category.RATE_LIMITED,
        Category.LOCK_CONTENTION,
    }
)
_TRIES_AGAIN = re.compile(r"--?(?:retry|retries|tries|max-retries|connect-retry|low-level-retries)\b(?![= ]?0\b)")
"""Options of a command that tries again by itself and says of each attempt only that it failed."""
_ACTED_ON = PASSING | {
    Category.OUT_OF_MEMORY,
    Category.DISK_FULL,
    Category.RESOURCE_QUOTA,
    Category.NODE_LOST_OR_PREEMPTED,
}
"""What has a remedy that acts: in a run that ended with 0 a line has to report it in the form of a fault."""
_SURVIVED = PASSING | {
    Category.OUT_OF_MEMORY,
    Category.NODE_LOST_OR_PREEMPTED,
    Category.IMAGE_OR_PACKAGE_UNAVAILABLE,
}
"""What a run may survive without saying so: it waits, tries again, or goes on with another worker."""


@dataclass(slots=True)
class Candidate:
    """A signature found in the log that could be the cause."""

    signature: Signature
    hits: list[Hit]
    confidence: int
    score: float
    first: int = 0
    overcome: bool = False
    """Whether the run got over it: it cannot be the cause, and is only told as ruled out."""


def weigh(found: Sequence[Found], context: LineContext, event: Event, exit_says: ExitMeaning | None) -> list[Candidate]:
    """Return what can be the cause, the likeliest first."""
    candidates = [
        candidate
        for entry in found
        if entry.signature.role in _ROLE_SCORE
        and (candidate := _weighed(entry, context, event, exit_says)).confidence >= ENOUGH
    ]
    _judge_survived(candidates, context, tries_again=_TRIES_AGAIN.search(event.command or "") is not None)
    candidates.sort(key=lambda c: (c.overcome, -c.score, c.first))
    return _without_outranked(candidates)


def _weighed(entry: Found, context: LineContext, event: Event, exit_says: ExitMeaning | None) -> Candidate:
    signature = entry.signature
    weighed = [(context.penalty(hit.line, signature) + _CARRIED * hit.carried, hit) for hit in entry.hits]
    least = min(penalty for penalty, _ in weighed)
    hits = [hit for penalty, hit in weighed if penalty <= least + 10]
    confidence = signature.confidence - least
    acted_on = signature.category in _ACTED_ON
    if event.exit_code == 0 and not signature.own and not context.reported(hits, acted_on=acted_on):
        confidence -= _NO_FAULT
    elif event.exit_code == 0 and not signature.any_level and not context.looks_like_a_fault(hit.line for hit in hits):
        # A counter or a name in a run that ended with 0 is no fault.
        confidence -= _NO_FAULT
    score = float(confidence) + DEPTH[signature.category] + _ROLE_SCORE[signature.role]
    score += context.position_bonus(hits[0].line, hits[-1].line)
    if exit_says is not None and exit_says.category is signature.category:
        score += 8
    if signature.category is Category.NOT_A_FAILURE:
        score += 25 if event.exit_code == 0 else -30 if event.exit_code else 0
    if event.status is EventStatus.TIMEOUT and signature.category is Category.TIMEOUT:
        score += 12
    return Candidate(signature, hits, confidence, score, hits[0].line)


def _judge_survived(candidates: Sequence[Candidate], context: LineContext, *, tries_again: bool) -> None:
    """Mark the passing faults that the run got over, and play down those after which it got on with its work."""
    ends = max((c.hits[-1].line for c in candidates if c.signature.role is not Role.SYMPTOM), default=0)
    certain = [c.first for c in candidates if c.signature.role is Role.CAUSE and not _is_well(c)]
    latest = max(certain, default=0)
    for candidate in candidates:
        last = candidate.hits[-1].line
        well = context.went_well_after(last)
        if well is not None and well < latest:
            # Its step went well all the same, and something else went wrong in a later one.
            candidate.score -= _OF_ANOTHER_STEP
        if candidate.signature.category not in _SURVIVED:
            continue
        by_itself = tries_again and candidate.signature.category in PASSING
        candidate.overcome = not candidate.signature.any_level and context.overcame(last, tried_again=by_itself)
        if context.went_on(last, ends):
            candidate.score -= 45


def _is_well(candidate: Candidate) -> bool:
    return candidate.signature.category is Category.NOT_A_FAILURE


def _without_outranked(candidates: list[Candidate]) -> list[Candidate]:
    """Drop the candidates that another one explains; of two that explain each other the likelier stays."""
    explaining: dict[str, list[tuple[int, Candidate]]] = {}
    for place, candidate in enumerate(candidates):
        for name in candidate.signature.outranks:
            explaining.setdefault(name, []).append((place, candidate))
    kept = [
        candidate
        for place, candidate in enumerate(candidates)
        if not any(
            _explains(other, candidate) and _goes_first(other, candidate, likelier=above < place)
            for name in _names(candidate)
            for above, other in explaining.get(name, ())
            if other is not candidate
        )
    ]
    # A ring of three that explain each other would leave nothing: then the score decides.
    return kept or candidates


def _goes_first(cause: Candidate, other: Candidate, *, likelier: bool) -> bool:
    """Say which of two stays: who names the other knows more than who names a whole category, then the likelier."""
    if not _explains(other, cause):
        return True
    named, naming = _by_name(cause, other), _by_name(other, cause)
    return likelier if named == naming else named


def _by_name(cause: Candidate, other: Candidate) -> bool:
    return not cause.signature.outranks.isdisjoint(_names(other)[:2])


def _explains(cause: Candidate, other: Candidate) -> bool:
    """Say whether one finding explains another away; a doubtful one explains nothing."""
    able = not cause.overcome and cause.confidence >= other.confidence - 15
    return able and not cause.signature.outranks.isdisjoint(_names(other))


def _names(candidate: Candidate) -> tuple[str, str, str]:
    """Return the names by which another signature may outrank this one."""
    return candidate.signature.name, candidate.signature.table, candidate.signature.category
