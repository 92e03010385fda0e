"""Names the cause of a failure from signatures, and proves it with lines of the log.

Cause goes before symptom: every finding gets a score from how sure its signature is, how deep in the chain of
causes its category lies, and where its line stands; findings that another one explains yield to it. What the log
*says to the reader* never counts, only which patterns occur.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from agentic.contracts import ReasoningModule
from agentic.digest.severity import severity
from agentic.reasoning.context import LineContext
from agentic.reasoning.exits import ExitMeaning, meaning
from agentic.reasoning.frames import unframed
from agentic.reasoning.health import healthy, told_success
from agentic.reasoning.matching import Found, Haystack, Matcher
from agentic.reasoning.prudence import Judged, prudent
from agentic.reasoning.reading import check_examples, load
from agentic.reasoning.scouting import Scout
from agentic.reasoning.signatures import BUILT_IN, Signature, compile_pattern
from agentic.reasoning.verdict import by_run, judged
from agentic.reasoning.weighing import ENOUGH, weigh
from agentic.types import Category, Decision, Diagnosis, Event, EventStatus, Situation

_LONGEST_QUOTE = 200


class Rules(ReasoningModule):
    """Decides by the shipped failure signatures and those in `extra_folders`."""

    quick = True

    def __init__(self, extra_folders: Sequence[Path] = (), leave_out: Collection[str] = ()) -> None:
        # Whole files or single names are left out to measure what is known without them.
        signatures = [s for s in shipped() if not {s.name, s.name.partition(".")[0]} & set(leave_out)]
        for folder in extra_folders:
            own = [replace(signature, own=True) for signature in load(Path(folder))]
            for signature in own:
                check_examples(signature)
            # The operator's own knowledge replaces what is shipped under the same name.
            names = {signature.name for signature in own}
            signatures = [s for s in signatures if s.name not in names] + own
        self.signatures = tuple(signatures)
        self._matcher = _matcher_of_shipped() if self.signatures == shipped() else Matcher(self.signatures)
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
        """Return the cause that the log proves and what it calls for, or None when it proves none."""
        digest = situation.digest
        found = self._judge(situation.event, digest.lines or situation.event.log, digest.numbers)
        return prudent(found, situation.job) if found else None

    def diagnose(self, event: Event, lines: Sequence[str], numbers: Sequence[int] = ()) -> Diagnosis | None:
        """Return the cause that an event and its cleaned log prove, or None.

        Of a log that was too long to keep, `numbers` has the number in the log as received of each kept line.
        """
        found = self._judge(event, lines, numbers)
        return found.diagnosis if found else None

    def _judge(self, event: Event, lines: Sequence[str], numbers: Sequence[int]) -> Judged | None:
        found = self._found(event, unframed(lines), numbers)
        if found is None or not numbers:
            return found
        received = tuple(dict.fromkeys(numbers[line] for line in found.diagnosis.evidence))
        return replace(found, diagnosis=found.diagnosis.model_copy(update={"evidence": received}))

    def _found(self, event: Event, lines: Sequence[str], numbers: Sequence[int]) -> Judged | None:
        haystack = Haystack(lines)
        found = [entry for entry in self._matcher.find(haystack) if self._applies(entry, event, haystack)]
        context = LineContext(lines, found)
        exit_says = meaning(event.exit_code, event.command)
        candidates = weigh(found, context, event, exit_says)
        standing = [candidate for candidate in candidates if not candidate.overcome]
        well = healthy(found, context, event, candidates, exit_says)
        if well is None and standing:
            answer = judged(candidates, exit_says, context, haystack, numbers)
            if answer.diagnosis.category is Category.UNKNOWN and (told := _from_run(event, exit_says, context)):
                return Judged(told, told.confidence)
            # A run that says it went well may be right; nothing is done to it on the word of one line.
            return replace(answer, perhaps_well=True) if told_success(found, context, event) else answer
        alone = well or _from_run(event, exit_says, context)
        return Judged(alone, alone.confidence) if alone else None

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


@cache
def shipped() -> tuple[Signature, ...]:
    """Return the signatures that come with the project; they are read once, which takes a third of a second."""
    # Whether each pattern is one is seen in a test.
    return tuple(load(BUILT_IN, checked=False))


@cache
def _matcher_of_shipped() -> Matcher:
    return Matcher(shipped())


def _from_run(event: Event, exit_says: ExitMeaning | None, context: LineContext) -> Diagnosis | None:
    """Conclude from the status and the exit code alone what the log does not say."""
    lines = context.most_severe(3)
    if event.status in (EventStatus.TIMEOUT, EventStatus.OVERRUN):
        cause = "The run took longer than it may, and the log shows no other fault"
        return by_run(Category.TIMEOUT, cause, 70, lines, "run.over_time")
    if exit_says is None or exit_says.confidence < ENOUGH or exit_says.category is Category.UNKNOWN:
        return None
    return by_run(exit_says.category, exit_says.cause, exit_says.confidence, lines, exit_says.name)


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
