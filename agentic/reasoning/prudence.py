"""Keeps a remedy that does harm where the cause is another one from following out of weak proof.

Freeing space, doing nothing, or trying again can cost data or a night when the cause was something else. Such a remedy
needs good proof, and no other cause close behind that it would make worse. Otherwise the diagnosis stands as it is,
and a person is told instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentic.types import Category, Decision, Diagnosis, Job

_TRIED_AGAIN = frozenset(
    {
        Category.NETWORK_ERROR,
        Category.DNS_FAILURE,
        Category.RATE_LIMITED,
        Category.LOCK_CONTENTION,
        Category.NODE_LOST_OR_PREEMPTED,
    }
)
"""What is remedied by running the job again, later or elsewhere."""
_OF_WAITING = _TRIED_AGAIN | {
    Category.DEPENDENCY_UNAVAILABLE,
    Category.TIMEOUT,
    Category.RESOURCE_QUOTA,
    Category.MISSING_FILE_OR_DATA,
    Category.IMAGE_OR_PACKAGE_UNAVAILABLE,
    Category.UNKNOWN,
}
_OF_SIZE = frozenset(
    {
        Category.OUT_OF_MEMORY,
        Category.RESOURCE_QUOTA,
        Category.DISK_FULL,
        Category.TIMEOUT,
        Category.RATE_LIMITED,
        Category.NODE_LOST_OR_PREEMPTED,
    }
)
_OF_IDENTITY = frozenset(
    {
        Category.AUTH_FAILURE,
        Category.PERMISSION_DENIED,
        Category.RATE_LIMITED,
        Category.CONFIG_ERROR,
        Category.IMAGE_OR_PACKAGE_UNAVAILABLE,
        Category.CERTIFICATE_ERROR,
    }
)
_OF_NOTHING = frozenset({Category.CANCELLED_BY_OPERATOR, Category.NOT_A_FAILURE})
_OF_DATA = frozenset(Category) - {
    Category.DEPENDENCY_UNAVAILABLE,
    Category.RATE_LIMITED,
    Category.RESOURCE_QUOTA,
    Category.LOCK_CONTENTION,
    Category.NODE_LOST_OR_PREEMPTED,
    Category.NOT_A_FAILURE,
    Category.UNKNOWN,
}

_NEEDED: dict[Category, tuple[int, frozenset[Category]]] = {
    Category.NOT_A_FAILURE: (80, _OF_NOTHING),
    Category.CANCELLED_BY_OPERATOR: (75, _OF_NOTHING),
    Category.DISK_FULL: (80, frozenset({Category.DISK_FULL})),
    Category.AUTH_FAILURE: (60, _OF_IDENTITY),
    Category.OUT_OF_MEMORY: (70, _OF_SIZE),
    Category.RESOURCE_QUOTA: (60, _OF_SIZE),
    **dict.fromkeys(_TRIED_AGAIN, (70, _OF_WAITING)),
    Category.NETWORK_ERROR: (65, _OF_WAITING),
    Category.TIMEOUT: (52, frozenset(Category) - _OF_NOTHING),
    Category.MISSING_FILE_OR_DATA: (55, _OF_DATA),
    Category.BAD_DATA_OR_SCHEMA: (55, _OF_DATA),
}
"""How sure a cause has to be for its remedy, and for which other causes the same remedy does no harm."""
_ALWAYS = (0, frozenset(Category))

_BEYOND_DOUBT = 84
"""How sure a fault has to be for a remedy in a run that says itself that it went well."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A diagnosis with what speaks against it."""

    diagnosis: Diagnosis
    proof: int
    """How sure the cause would be if nothing else came close."""
    close: tuple[Category, ...] = ()
    """Other causes that could as well be the one."""
    again: bool = False
    """Whether running again may help although the cause is not known."""
    perhaps_well: bool = False
    """Whether the run itself says that it went well."""


def prudent(judged: Judged, job: Job) -> Decision:
    """Return the decision: the playbook's remedy, or a person where it could make another cause worse."""
    diagnosis = judged.diagnosis
    needed, harmless = _NEEDED.get(diagnosis.category, _ALWAYS)
    # The operator said of this job that running it once more does no harm.
    if job.safe_to_rerun and diagnosis.category in _TRIED_AGAIN:
        return Decision(diagnosis=diagnosis)
    if judged.again and not judged.perhaps_well:
        return Decision(diagnosis=diagnosis, actions=("retry_with_backoff", "escalate"))
    if diagnosis.category is Category.UNKNOWN:
        return Decision(diagnosis=diagnosis, actions=("escalate",))
    others = [category for category in judged.close if category not in harmless]
    if judged.perhaps_well and judged.proof < _BEYOND_DOUBT and diagnosis.category not in _OF_NOTHING:
        why = "the run ended with exit code 0 and says that it went well"
    elif others:
        why = f"it could as well be {others[0]}, which the remedy for {diagnosis.category} would make worse"
    elif judged.proof < needed:
        why = f"the remedy for {diagnosis.category} needs {needed} % certainty"
    else:
        return Decision(diagnosis=diagnosis)
    return Decision(diagnosis=diagnosis, actions=("escalate",), note=f"a person decides: {why}")
