"""Tells a run that went well, or had nothing to do, from one that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentic.reasoning.context import SEVERE, SOMEWHAT, LineContext, tail_start
from agentic.reasoning.exits import ExitMeaning
from agentic.reasoning.matching import Found
from agentic.reasoning.signatures import Role
from agentic.reasoning.verdict import by_run
from agentic.reasoning.weighing import PASSING, Candidate
from agentic.types import Category, Diagnosis, Event, EventStatus

_WORD_ALONE = 58
"""How sure it is that a run went well which was reported as failed, without a code, and says that it went well."""
_DOUBTED = 74
"""How sure it is that a run went well by its code whose log also has a failure that no signature knows."""

_CLEAR_CODE = 80
"""How sure an exit code has to be no failure to outweigh what the log mentions."""
_CLOSING = 5
"""How many of the last lines close a log."""
_SAYS_LITTLE = 62
"""Confidence below which a fault does not stand against exit code 0 and a success at the end."""


def told_success(found: Sequence[Found], context: LineContext, event: Event) -> bool:
    """Say whether the run ended with code 0 and says near its end that it went well, whatever else it says."""
    if event.exit_code != 0:
        return False
    lines = {line for entry in found if entry.signature.role is Role.SUCCESS for line in _told(entry)}
    closing = lines & set(context.last_lines(_CLOSING))
    return any(context.credible(line) for line in closing)


def healthy(
    found: Sequence[Found],
    context: LineContext,
    event: Event,
    candidates: Sequence[Candidate],
    exit_says: ExitMeaning | None,
) -> Diagnosis | None:
    """Return `not_a_failure` when the run says itself that it went well, or its code is none of a failure."""
    if event.status in (EventStatus.TIMEOUT, EventStatus.KILLED, EventStatus.STUCK):
        return None
    overcome = {hit.line for candidate in candidates if candidate.overcome for hit in candidate.hits}
    candidates = [candidate for candidate in candidates if not candidate.overcome]
    conventional = exit_says is not None and exit_says.category is Category.NOT_A_FAILURE
    # A code that is never a failure outweighs a fault that is only mentioned.
    clear = exit_says is not None and exit_says.confidence >= _CLEAR_CODE
    against = (c for c in candidates if not clear or _is_well(c) or context.stopped_near(c.first))
    strongest = max((c.confidence for c in against), default=0)
    if conventional and exit_says is not None and strongest < 80:
        lines = (*context.last_lines(2), *context.most_severe(1))
        sure = min(exit_says.confidence, _DOUBTED) if context.unexplained(SEVERE) else exit_says.confidence
        return by_run(exit_says.category, exit_says.cause, sure, lines, exit_says.name)
    if event.exit_code not in (0, None):
        return None
    success = [entry for entry in found if entry.signature.role is Role.SUCCESS]
    told = (line for entry in success for line in _told(entry) if line >= tail_start(context.total))
    ends = [line for line in told if context.credible(line)]
    if event.exit_code == 0 and not any(_lasting(candidate, context) for candidate in candidates):
        ends += context.quiet_end(overcome)
    if ends and not _contradicted(candidates, context, max(ends), event):
        named = (e.signature for e in success if any(hit.line == max(ends) for hit in e.hits))
        name = next((signature.name for signature in named), "run.ended_well")
        # Words as weak as "done" do not stand against a line that only looks a little like a failure.
        doubted = context.unexplained(SOMEWHAT if name == "run.ended_well" else SEVERE)
        sure = _WORD_ALONE if event.exit_code is None else _DOUBTED if doubted else 90
        lines = tuple(dict.fromkeys((max(ends), min(ends))))
        return by_run(Category.NOT_A_FAILURE, "The run says itself that it ended well", sure, lines, name)
    faults = [candidate for candidate in candidates if candidate.signature.category is not Category.UNKNOWN]
    if event.exit_code == 0 and not faults and context.total and not context.has_severe():
        cause = "The run ended with exit code 0 and its log shows no fault"
        return by_run(Category.NOT_A_FAILURE, cause, 72, context.last_lines(3), "run.healthy_log")
    return None


def _told(entry: Found) -> Iterator[int]:
    return (hit.line for hit in entry.hits if not hit.carried)


def _counted(candidate: Candidate, context: LineContext) -> bool:
    """Say whether a general fault is a count of errors, as linters end with."""
    sure = candidate.signature.role is Role.GENERIC and candidate.confidence >= _CLEAR_CODE
    return sure and context.stopped_near(candidate.first)


def _is_well(candidate: Candidate) -> bool:
    return candidate.signature.category is Category.NOT_A_FAILURE


def _lasting(candidate: Candidate, context: LineContext) -> bool:
    """Say whether a fault is a serious one that nothing tried to overcome."""
    retried = candidate.signature.category in PASSING and context.retried_near(candidate.hits[-1].line)
    mild = all(context.mild(hit.line) for hit in candidate.hits)
    return candidate.signature.role is Role.CAUSE and candidate.confidence >= 80 and not retried and not mild


def _contradicted(candidates: Sequence[Candidate], context: LineContext, end: int, event: Event) -> bool:
    """Say whether a fault stands against the success that the log ends with."""
    for candidate in candidates:
        if event.exit_code is None and candidate.hits[-1].line > end:
            return True
        if candidate.signature.role is not Role.CAUSE and not _counted(candidate, context):
            continue
        last = candidate.hits[-1].line
        if event.exit_code == 0 and (candidate.confidence < _SAYS_LITTLE or context.shrugged(last)):
            continue
        passing = candidate.signature.category in PASSING
        retried = passing and (context.retried_near(last) or context.recovered_after(last))
        if last > end or (not retried and context.stopped_near(candidate.first)):
            return True
        if event.exit_code is None and candidate.confidence >= 85:
            return True
    return False
