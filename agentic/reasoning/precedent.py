"""Precedent: what a person corrected once stays corrected for the same signature."""

from __future__ import annotations

from agentic.contracts import ReasoningModule
from agentic.types import Category, Decision, Diagnosis, Feedback, Precedent, Situation

CONFIDENCE_OF_A_CORRECTION = 95
HARMLESS = frozenset({Category.NOT_A_FAILURE, Category.CANCELLED_BY_OPERATOR})


class PrecedentModule(ReasoningModule):
    """Answers with the latest correction of an earlier incident that had the same signature."""

    quick = True

    def decide(self, situation: Situation) -> Decision | None:
        """Return the corrected diagnosis and action, or None when nobody corrected anything."""
        corrected = latest_correction(situation.precedents)
        if corrected is None:
            return None
        precedent, feedback = corrected
        category = feedback.correct_category or precedent.category
        known_action = feedback.correct_action if feedback.correct_action in situation.menu else None
        return Decision(
            diagnosis=Diagnosis(
                category=category,
                root_cause=_cause(precedent, feedback, category),
                confidence=CONFIDENCE_OF_A_CORRECTION,
                evidence=_headline_lines(situation),
                source=f"precedent:{precedent.event_id}",
            ),
            actions=_actions(category, known_action),
            note=f"{feedback.user} corrected {precedent.event_id}",
        )


def _actions(category: Category, taught: str | None) -> tuple[str, ...] | None:
    """Return the plan, None for the playbook's; feedback alone, which anybody can give, silences no failure."""
    if category in HARMLESS and taught in (None, "no_op", "notify"):
        return ("notify",)
    return (taught, "escalate") if taught else None


def latest_correction(precedents: tuple[Precedent, ...]) -> tuple[Precedent, Feedback] | None:
    """Return the newest feedback that names a category or an action, with the incident it was given on."""
    corrections = [
        (precedent, feedback)
        for precedent in precedents
        for feedback in precedent.feedback
        if feedback.correct_category or feedback.correct_action
    ]
    return max(corrections, key=lambda pair: pair[1].at, default=None)


def judged_wrong(precedents: tuple[Precedent, ...]) -> dict[str, str]:
    """Return the actions that people judged wrong for this signature: name to a sentence that says who and where.

    No later "right" lifts that: anybody can say so, and feedback may only hold actions back.
    """
    verdicts = sorted(
        ((f.at, p, f) for p in precedents for f in p.feedback if f.verdict == "wrong"), key=lambda item: item[0]
    )
    return {
        action: f"{feedback.user} judged it wrong on {precedent.event_id}"
        for _, precedent, feedback in verdicts
        for action in precedent.tried
    }


def _cause(precedent: Precedent, feedback: Feedback, category: Category) -> str:
    if category in HARMLESS:
        words = f"{feedback.user} called the same failure harmless ({category}) on {precedent.event_id}"
        return f"{words}: {feedback.comment}" if feedback.comment else words
    if feedback.comment:
        return f"{feedback.comment} (taught by {feedback.user} on {precedent.event_id})"
    if category == precedent.category and precedent.root_cause:
        return precedent.root_cause
    return f"The same failure was called {category} by {feedback.user} on {precedent.event_id}"


def _headline_lines(situation: Situation) -> tuple[int, ...]:
    """Return where the headline stands in the log; the old incident's line numbers mean nothing here."""
    headline = situation.digest.headline
    return tuple(line.line for line in situation.digest.excerpt if headline and headline in line.text)[:1]
