"""How sure a diagnosis is: of those said at 90 and more nine in ten are to be right, of those at 80 to 89 four in five.

What an author writes beside a signature is how sure they are of the logs they know. On logs that nobody had seen, what
was written at 95 held nine times in ten, at 90 four times in five, and below 85 two times in three. One curve for all
of them says so, and a few things that can be seen in every log lower or raise it: a vendor's code hardly errs, and each
other cause that stands beside the best takes its share. Both were fitted, to steps as coarse as these, on 255 failures
when no signature had been written for any of them, and on 700 from which the signature that decides was left out.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from agentic.digest.severity import severity
from agentic.reasoning.context import LineContext
from agentic.reasoning.signatures import Role
from agentic.reasoning.weighing import Candidate
from agentic.types import Category

_CURVE = ((0, 0), (50, 50), (62, 58), (76, 62), (85, 66), (88, 74), (90, 80), (92, 84), (94, 89), (96, 93), (99, 97))
_CLOSE = 15
_RIVALLED = 15
_DOUBTED = 8
_LOUDER = 16
_AGREED = 4
_CODE = 4
_SURE = 80
_OF_ACCESS = frozenset(
    {Category.AUTH_FAILURE, Category.PERMISSION_DENIED, Category.CERTIFICATE_ERROR, Category.RATE_LIMITED}
)
_OF_INPUT = frozenset(
    {
        Category.CONFIG_ERROR,
        Category.BAD_DATA_OR_SCHEMA,
        Category.MISSING_FILE_OR_DATA,
        Category.IMAGE_OR_PACKAGE_UNAVAILABLE,
        Category.DISK_FULL,
        Category.RESOURCE_QUOTA,
    }
)
_NO_REMEDY = frozenset({Category.CANCELLED_BY_OPERATOR, Category.NOT_A_FAILURE})
_NEVER_LEADS_TO = {
    Category.OUT_OF_MEMORY: _OF_ACCESS | _OF_INPUT,
    Category.CANCELLED_BY_OPERATOR: _OF_ACCESS | _OF_INPUT,
    Category.DISK_FULL: _OF_ACCESS,
    Category.NOT_A_FAILURE: _OF_ACCESS | _OF_INPUT,
}
"""Of causes with a remedy that does harm elsewhere, what never follows from them."""
_OTHER, _MOST_OTHERS = 3, 3


def proof(best: Candidate, *, agreed: bool, context: LineContext) -> int:
    """Return how sure the category of the likeliest cause is by its own proof, from 1 to 99.

    `agreed` says that another finding or the exit code says the same.
    """
    signature = best.signature
    # The operator knows their own logs: what they write about them is taken as it is.
    sure = best.confidence if signature.own else _held(best.confidence)
    if not signature.own and _doubted(best, context):
        sure -= _DOUBTED
    if agreed:
        sure += _AGREED
    if signature.code and not signature.own:
        sure += _CODE
    return max(1, min(99, sure))


def _doubted(best: Candidate, context: LineContext) -> bool:
    """Say whether another line is far louder, or something nobody knows failed shortly before."""
    loudness = max(severity(context.text(hit.line)) for hit in best.hits)
    return context.loudest() - loudness >= _LOUDER or context.unexplained_before(best.first)


def certainty(by_proof: int, close: Sequence[Candidate], others: int = 0) -> int:
    """Return how sure it is with other causes close behind, of as many as stand beside it."""
    return max(1, by_proof - _RIVALLED * bool(close) - _OTHER * min(_MOST_OTHERS, others))


def comes_close(best: Candidate, rival: Candidate) -> bool:
    """Say whether another cause could as well be the one."""
    if rival.signature.role is Role.SYMPTOM:
        return False
    return best.score - rival.score < _CLOSE or _on_its_own(best, rival)


def _on_its_own(best: Candidate, rival: Candidate) -> bool:
    """Say whether a later fault cannot come of the best: then that was perhaps only spoken of."""
    if rival.first <= best.hits[-1].line:
        return False
    if all(hit.mentioned for hit in best.hits):
        return True
    never = _NEVER_LEADS_TO.get(best.signature.category, frozenset())
    general = rival.signature.role is Role.GENERIC and best.signature.category not in _NO_REMEDY
    return not general and rival.confidence >= _SURE and rival.signature.category in never


def _held(written: int) -> int:
    """Return how often what was written as that sure turned out to be right."""
    place = bisect_right(_CURVE, (written, 100))
    (low, at_low), (high, at_high) = _CURVE[place - 1], _CURVE[min(place, len(_CURVE) - 1)]
    return round(at_low + (at_high - at_low) * (written - low) / max(1, high - low))
