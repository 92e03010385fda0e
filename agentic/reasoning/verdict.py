"""From the likeliest cause to the diagnosis: in words, with its proof, and with how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

from agentic.reasoning.causes import names_in, particulars_for, render
from agentic.reasoning.certainty import certainty, comes_close, proof
from agentic.reasoning.context import LineContext
from agentic.reasoning.exits import ExitMeaning
from agentic.reasoning.matching import Haystack, Hit
from agentic.reasoning.prudence import Judged
from agentic.reasoning.signatures import Signature
from agentic.reasoning.weighing import Candidate
from agentic.types import Category, Diagnosis

_ABOUT_AS_SURE = 12
_MOST_EVIDENCE = 8
_OPEN = 40
"""How sure at most an answer is that names what is seen and not why: the next reasoning module is asked."""


def judged(
    candidates: Sequence[Candidate],
    exit_says: ExitMeaning | None,
    context: LineContext,
    haystack: Haystack,
    numbers: Sequence[int],
) -> Judged:
    """Return the likeliest cause as a diagnosis, with what speaks against it."""
    best = candidates[0]
    category = best.signature.category
    best = _most_telling(best, [c for c in candidates[1:] if not c.overcome], haystack)
    allies = [c for c in candidates if c.signature.category is category and c is not best and not c.overcome]
    rivals = [c for c in candidates[1:] if c.signature.category not in (category, Category.UNKNOWN)]
    agreed = bool(allies) or (exit_says is not None and exit_says.category is category)
    ruled_out = [
        f"{rival.signature.category}: {_said(rival.signature, rival.hits[:1], haystack)} "
        f"(line {numbers[rival.first] if numbers else rival.first}{', overcome' if rival.overcome else ''})"
        for rival in rivals[:3]
    ]
    close = [rival for rival in rivals if not rival.overcome and comes_close(candidates[0], rival)]
    # The operator knows which of their own logs' faults goes before which.
    others = 0 if best.signature.own else sum(not rival.overcome for rival in rivals)
    by_proof = proof(best, agreed=agreed, context=context)
    found = Diagnosis(
        category=category,
        root_cause=_said(best.signature, best.hits, haystack),
        confidence=min(_OPEN, by_proof) if category is Category.UNKNOWN else certainty(by_proof, close, others),
        evidence=_evidence(best, allies, context),
        source=f"rule:{best.signature.name}",
        ruled_out=tuple(dict.fromkeys(ruled_out)),
    )
    return Judged(found, by_proof, tuple(rival.signature.category for rival in close), best.signature.again)


def _most_telling(best: Candidate, others: Sequence[Candidate], haystack: Haystack) -> Candidate:
    """Return of those that say the same of the same line the one that names the most particulars."""
    alike = [
        other
        for other in others
        if other.signature.category is best.signature.category
        and other.hits[0].line == best.hits[0].line
        and other.signature.role is best.signature.role
        and other.confidence >= best.confidence - _ABOUT_AS_SURE
    ]
    return max([best, *alike], key=lambda candidate: _named(candidate, haystack)) if alike else best


def _named(candidate: Candidate, haystack: Haystack) -> int:
    """Return how many particulars a cause would name, a vendor's code not counted."""
    hit = candidate.hits[0]
    return len(set(particulars_for(candidate.signature.cause, hit.particulars, haystack.lines(hit.line, 3))) - {"code"})


def _evidence(best: Candidate, allies: Sequence[Candidate], context: LineContext) -> tuple[int, ...]:
    """Return line numbers, best first: first, plainest and last place, those of allies, then the other places."""
    first, last = best.hits[0].line, best.hits[-1].line
    lines = [first, *context.continued(first), context.plainest(hit.line for hit in best.hits), last]
    lines += [ally.hits[place].line for ally in allies[:2] for place in (0, -1)]
    lines += [hit.line for hit in best.hits]
    return tuple(dict.fromkeys(lines))[:_MOST_EVIDENCE]


def _said(signature: Signature, hits: Sequence[Hit], haystack: Haystack) -> str:
    """Return the cause in words, with the particulars of the first place that names the most of them."""
    best: dict[str, str] | None = None
    for hit in hits:
        named = particulars_for(signature.cause, hit.particulars, haystack.lines(hit.line, 3))
        if best is None or len(named) > len(best):
            best = named
        if len(best) == len(names_in(signature.cause)):
            break
    return render(signature.cause, best or {})


def by_run(category: Category, cause: str, confidence: int, lines: Sequence[int], name: str) -> Diagnosis:
    """Return what the run as a whole says, by its end, its code or its status."""
    return Diagnosis(
        category=category, root_cause=cause, confidence=confidence, evidence=tuple(lines), source=f"rule:{name}"
    )
