"""Names the cause of a failure from signatures, and proves it with lines of the log.

Cause goes before symptom: every finding gets a score from how sure its signature is, how deep in the chain of
causes its category lies, and where its line stands; findings that another one explains yield to it. What the log
*says to the reader* never counts, only which patterns occur.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentic.contracts import ReasoningModule
from agentic.digest.severity import severity
from agentic.reasoning.causes import particulars_for, render
from agentic.reasoning.context import LineContext, tail_start
from agentic.reasoning.exits import ExitMeaning, meaning
from agentic.reasoning.matching import Found, Haystack, Hit, Matcher
from agentic.reasoning.reading import check_examples, load
from agentic.reasoning.scouting import Scout
from agentic.reasoning.signatures import BUILT_IN, Role, Signature, compile_pattern
from agentic.types import Category, Decision, Diagnosis, Event, EventStatus, Situation

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
_ENOUGH = 50
_PASSING = frozenset(
    {
        Category.NETWORK_ERROR,
        Category.DNS_FAILURE,
        Category.DEPENDENCY_UNAVAILABLE,
        Category.TIMEOUT,
        Category.RATE_LIMITED,
        Category.LOCK_CONTENTION,
    }
)
_MOST_EVIDENCE = 8
_LONGEST_QUOTE = 200


@dataclass(slots=True)
class _Candidate:
    """A signature found in the log that could be the cause."""

    signature: Signature
    hits: list[Hit]
    confidence: int
    score: float
    first: int = 0
    yields_to: list[str] = field(default_factory=list)


class Rules(ReasoningModule):
    """Decides by the shipped failure signatures and those in `extra_folders`."""

    quick = True

    def __init__(self, extra_folders: Sequence[Path] = (), leave_out: Collection[str] = ()) -> None:
        # Whole files or single names are left out to measure what is known without them.
        signatures = [s for s in load(BUILT_IN) if not {s.name, s.name.partition(".")[0]} & set(leave_out)]
        for folder in extra_folders:
            own = load(Path(folder))
            for signature in own:
                check_examples(signature)
            # The operator's own knowledge replaces what is shipped under the same name.
            names = {signature.name for signature in own}
            signatures = [s for s in signatures if s.name not in names] + own
        self.signatures = tuple(signatures)
        self._matcher = Matcher(self.signatures)
        self._compiled = {
            pattern: compile_pattern(pattern)
            for s in self.signatures
            for pattern in (s.command, s.requires, s.unless)
            if pattern is not None
        }

    def scout(self) -> Scout:
        """Return what finds the lines of a large log that these signatures know."""
        return Scout(self._matcher)

    def decide(self, situation: Situation) -> Decision | None:
        """Return the cause that the log proves, or None when it proves none."""
        digest = situation.digest
        diagnosis = self.diagnose(situation.event, digest.lines or situation.event.log, digest.numbers)
        return Decision(diagnosis=diagnosis) if diagnosis else None

    def diagnose(self, event: Event, lines: Sequence[str], numbers: Sequence[int] = ()) -> Diagnosis | None:
        """Return the cause that an event and its cleaned log prove, or None.

        Of a log that was too long to keep, `numbers` has the number in the log as received of each kept line.
        """
        found = self._diagnose(event, lines, numbers)
        if found is None or not numbers:
            return found
        return found.model_copy(update={"evidence": tuple(dict.fromkeys(numbers[line] for line in found.evidence))})

    def _diagnose(self, event: Event, lines: Sequence[str], numbers: Sequence[int]) -> Diagnosis | None:
        haystack = Haystack(lines)
        found = [entry for entry in self._matcher.find(haystack) if self._applies(entry, event, haystack)]
        context = LineContext(lines, found)
        exit_says = meaning(event.exit_code, event.command)
        candidates = self._candidates(found, context, event, exit_says)
        candidates = _without_outranked(candidates)
        healthy = _healthy(found, context, event, candidates, exit_says)
        if healthy is not None:
            return healthy
        if candidates:
            return _diagnosis(candidates, exit_says, context, haystack, numbers)
        return _from_run(event, exit_says, context)

    def _applies(self, entry: Found, event: Event, haystack: Haystack) -> bool:
        signature = entry.signature
        if signature.exit_codes and event.exit_code not in signature.exit_codes:
            return False
        if signature.command is not None:
            run = f"{event.job_id} {event.command or ''}".encode("utf-8", "replace")
            if self._compiled[signature.command].search(run) is None:
                return False
        if signature.requires is not None and self._compiled[signature.requires].search(haystack.raw) is None:
            return False
        if signature.unless is not None:
            # What rules it out counts only nearby: a long log has every word somewhere.
            unless = self._compiled[signature.unless]
            entry.hits = [hit for hit in entry.hits if unless.search(haystack.around(hit.line)) is None]
        return bool(entry.hits)

    def _candidates(
        self, found: Sequence[Found], context: LineContext, event: Event, exit_says: ExitMeaning | None
    ) -> list[_Candidate]:
        candidates = []
        for entry in found:
            signature = entry.signature
            if signature.role not in _ROLE_SCORE:
                continue
            weighed = [(context.penalty(hit.line, signature), hit) for hit in entry.hits]
            least = min(penalty for penalty, _ in weighed)
            hits = [hit for penalty, hit in weighed if penalty <= least + 10]
            confidence = signature.confidence - least
            if signature.category in _PASSING and not signature.any_level and context.recovered_after(hits[-1].line):
                confidence -= 40
            if confidence < _ENOUGH:
                continue
            score = float(confidence) + DEPTH[signature.category] + _ROLE_SCORE[signature.role]
            score += context.position_bonus(hits[0].line, hits[-1].line)
            if exit_says is not None and exit_says.category is signature.category:
                score += 8
            if signature.category is Category.NOT_A_FAILURE:
                score += 25 if event.exit_code == 0 else -30 if event.exit_code else 0
            if event.status is EventStatus.TIMEOUT and signature.category is Category.TIMEOUT:
                score += 12
            candidates.append(_Candidate(signature, hits, confidence, score, hits[0].line))
        candidates.sort(key=lambda c: (-c.score, c.first))
        return candidates


def _without_outranked(candidates: list[_Candidate]) -> list[_Candidate]:
    """Drop the candidates that another one explains."""
    present = [c for c in candidates if c.signature.outranks]
    kept = []
    for candidate in candidates:
        names = {candidate.signature.name, candidate.signature.category.value}
        # A doubtful finding explains nothing away.
        if any(
            other is not candidate
            and names & other.signature.outranks
            and other.confidence >= candidate.confidence - 15
            for other in present
        ):
            continue
        kept.append(candidate)
    # Two signatures that outrank each other would leave nothing: then the score decides.
    return kept or candidates


def _healthy(
    found: Sequence[Found],
    context: LineContext,
    event: Event,
    candidates: Sequence[_Candidate],
    exit_says: ExitMeaning | None,
) -> Diagnosis | None:
    """Return `not_a_failure` when the run says itself that it went well, or its code is none of a failure."""
    if event.status in (EventStatus.TIMEOUT, EventStatus.KILLED, EventStatus.STUCK):
        return None
    strongest = max((c.confidence for c in candidates), default=0)
    conventional = exit_says is not None and exit_says.category is Category.NOT_A_FAILURE
    if conventional and exit_says is not None and strongest < 80:
        lines = context.most_severe(1)
        return _run_diagnosis(exit_says.category, exit_says.cause, exit_says.confidence, lines, exit_says.name)
    if event.exit_code not in (0, None):
        return None
    success = [entry for entry in found if entry.signature.role is Role.SUCCESS]
    ends = [hit.line for entry in success for hit in entry.hits if hit.line >= tail_start(context.total)]
    if ends and not _contradicted(candidates, context, max(ends), event):
        name = next(e.signature for e in success if any(hit.line == max(ends) for hit in e.hits))
        sure = 90 if event.exit_code == 0 else 72
        cause = name.cause or "The run says itself that it ended well"
        return _run_diagnosis(
            Category.NOT_A_FAILURE, cause, sure, tuple(dict.fromkeys((max(ends), min(ends)))), name.name
        )
    if event.exit_code == 0 and not candidates and context.total and not context.has_severe():
        cause = "The run ended with exit code 0 and its log shows no fault"
        return _run_diagnosis(Category.NOT_A_FAILURE, cause, 72, context.last_lines(3), "run.healthy_log")
    return None


def _contradicted(candidates: Sequence[_Candidate], context: LineContext, end: int, event: Event) -> bool:
    """Say whether a fault stands against the success that the log ends with."""
    for candidate in candidates:
        if candidate.signature.role is not Role.CAUSE:
            continue
        last = candidate.hits[-1].line
        if last > end or context.stopped_near(candidate.first):
            return True
        if event.exit_code is None and candidate.confidence >= 85:
            return True
    return False


def _diagnosis(
    candidates: Sequence[_Candidate],
    exit_says: ExitMeaning | None,
    context: LineContext,
    haystack: Haystack,
    numbers: Sequence[int],
) -> Diagnosis:
    best = candidates[0]
    category = best.signature.category
    allies = [c for c in candidates[1:] if c.signature.category is category]
    rivals = [c for c in candidates[1:] if c.signature.category is not category]
    confidence = best.confidence
    if best.signature.role is not Role.CAUSE:
        confidence = min(confidence, 80)
    if allies or (exit_says is not None and exit_says.category is category):
        confidence += 3
    close = [rival for rival in rivals if best.score - rival.score < 8 and rival.signature.role is Role.CAUSE]
    if close:
        confidence -= 10
    ruled_out = [
        f"{rival.signature.category}: {_said(rival.signature, rival.hits[:1], haystack)} "
        f"(line {numbers[rival.first] if numbers else rival.first})"
        for rival in rivals[:3]
    ]
    return Diagnosis(
        category=category,
        root_cause=_said(best.signature, best.hits, haystack),
        confidence=max(1, min(99, confidence)),
        evidence=_evidence(best, allies, context),
        source=f"rule:{best.signature.name}",
        ruled_out=tuple(dict.fromkeys(ruled_out)),
    )


def _evidence(best: _Candidate, allies: Sequence[_Candidate], context: LineContext) -> tuple[int, ...]:
    """Return line numbers, best first: first and last place, those of allies, then the other places."""
    lines = [best.hits[0].line, *context.continued(best.hits[0].line), best.hits[-1].line]
    lines += [ally.hits[place].line for ally in allies[:2] for place in (0, -1)]
    lines += [hit.line for hit in best.hits]
    return tuple(dict.fromkeys(lines))[:_MOST_EVIDENCE]


def _said(signature: Signature, hits: Sequence[Hit], haystack: Haystack) -> str:
    """Return the cause in words, with the particulars of the first place that names the most of them."""
    named = [particulars_for(signature.cause, hit.particulars, haystack.lines(hit.line, 3)) for hit in hits]
    return render(signature.cause, max(named, key=len))


def _run_diagnosis(category: Category, cause: str, confidence: int, lines: Sequence[int], name: str) -> Diagnosis:
    return Diagnosis(
        category=category, root_cause=cause, confidence=confidence, evidence=tuple(lines), source=f"rule:{name}"
    )


def _from_run(event: Event, exit_says: ExitMeaning | None, context: LineContext) -> Diagnosis | None:
    """Conclude from the status and the exit code alone what the log does not say."""
    lines = context.most_severe(3)
    if event.status in (EventStatus.TIMEOUT, EventStatus.OVERRUN):
        cause = "The run took longer than it may, and the log shows no other fault"
        return _run_diagnosis(Category.TIMEOUT, cause, 70, lines, "run.over_time")
    if exit_says is None or exit_says.confidence < _ENOUGH or exit_says.category is Category.UNKNOWN:
        return None
    return _run_diagnosis(exit_says.category, exit_says.cause, exit_says.confidence, lines, exit_says.name)


def unknown(situation: Situation) -> Diagnosis:
    """Return the honest answer when nothing is proved, with the lines that a person should read first."""
    context = LineContext(situation.digest.lines or situation.event.log, ())
    numbers = situation.digest.numbers
    return Diagnosis(
        category=Category.UNKNOWN,
        root_cause=_nothing_proved(situation, context),
        confidence=0,
        evidence=tuple(numbers[line] if numbers else line for line in context.most_severe(3)),
        source="none",
    )


def _nothing_proved(situation: Situation, context: LineContext) -> str:
    """Say in one sentence what the log has instead of a cause."""
    code = situation.event.exit_code
    ended = f"the run ended with exit code {code}" if code else "the run failed"
    last = context.last_text()
    if not last:
        return f"The log is empty, and {ended}"
    if not severity(situation.digest.headline) and not severity(context.strongest()):
        return f"No line of the log looks like a fault, yet {ended}; it ends with: {last[:_LONGEST_QUOTE]}"
    return f"No known cause; the log says: {situation.digest.headline}"
