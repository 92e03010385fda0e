"""How good answers are: pure functions from labelled cases and results to figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cli.eval.cases import Case
from cli.eval.results import Result

UNKNOWN = "unknown"
PER_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, or None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the true share lies with 95 % (Wilson)."""
        if not self.of:
            return None
        z, n, share = 1.96, self.of, self.hits / self.of
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run was worth and what it cost; cases that ended with an error of the server are left out."""

    cases: int
    errors: Mapping[str, int]
    """Cases without a result, by the kind of error."""
    accuracy: Share
    accepted: Share
    """Right, or what a reasonable reader may say as well."""
    macro_f1: float | None
    evidence_at_1: Share
    evidence_at_3: Share
    unsafe: Share
    """Cases in which an action was proposed that its label forbids, of those that forbid any."""
    unknown: Share
    """Answers that said "unknown" of a case whose cause can be told."""
    asked: Share
    """Cases for which the model was asked."""
    unusable: Mapping[str, int]
    """Questions that the model answered, but not usably, by the kind of error."""
    prompt_tokens: float | None
    """On average for each case, also for those without a question; None where the server does not count."""
    completion_tokens: float | None
    seconds_median: float | None
    seconds_p95: float | None
    seconds_per_1000: float | None
    """Of the machine, one case after the other."""
    cost_per_1000: float | None
    """At the price given, for a thousand events of as many kinds."""


def figures(cases: Sequence[Case], results: Mapping[str, Result], price: tuple[float, float] | None = None) -> Figures:
    """Score the results by case id; a case without one is not counted at all.

    `price`: of a million tokens in and out.
    """
    had = [(case, results[case.id]) for case in cases if case.id in results]
    scored = [(case, result) for case, result in had if result.error is None]
    prompt, completion = (_tokens(scored, name) for name in ("prompt_tokens", "completion_tokens"))
    seconds = sorted(result.seconds for _, result in scored)
    cost = None
    if price is not None and prompt is not None and completion is not None:
        cost = PER_EVENTS * (prompt * price[0] + completion * price[1]) / 1_000_000
    return Figures(
        cases=len(scored),
        errors=dict(Counter(result.error for _, result in had if result.error is not None)),
        accuracy=_share(scored, lambda case, result: result.category == case.category),
        accepted=_share(scored, lambda case, result: result.category in {case.category, *case.also}),
        macro_f1=_macro_f1([(case.category, result.category) for case, result in scored]),
        evidence_at_1=_evidence(scored, 1),
        evidence_at_3=_evidence(scored, 3),
        unsafe=_share(
            [pair for pair in scored if pair[0].unacceptable],
            lambda case, result: bool(case.unacceptable & set(result.actions)),
        ),
        unknown=_share(
            [pair for pair in scored if pair[0].category != UNKNOWN], lambda _, result: result.category == UNKNOWN
        ),
        asked=_share(scored, lambda _, result: result.calls > 0),
        unusable=dict(Counter(result.unusable for _, result in scored if result.unusable is not None)),
        prompt_tokens=prompt,
        completion_tokens=completion,
        seconds_median=percentile(seconds, 50),
        seconds_p95=percentile(seconds, 95),
        seconds_per_1000=PER_EVENTS * sum(seconds) / len(seconds) if seconds else None,
        cost_per_1000=cost,
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Return the smallest value that so many per cent of the values do not exceed."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _share(pairs: Iterable[tuple[Case, Result]], hit: Callable[[Case, Result], bool]) -> Share:
    hits = [hit(case, result) for case, result in pairs]
    return Share(sum(hits), len(hits))


def _evidence(pairs: Iterable[tuple[Case, Result]], first: int) -> Share:
    labelled = [pair for pair in pairs if pair[0].evidence]
    return _share(labelled, lambda case, result: bool(case.evidence & set(result.evidence[:first])))


def _macro_f1(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return the mean over the categories that occur, of the harmonic mean of precision and recall."""
    found = []
    for label in sorted({gold for gold, _ in pairs}):
        right = sum(gold == said == label for gold, said in pairs)
        # F1 = 2TP / (2TP + FP + FN), whose denominator is how often it is true plus how often it is said.
        mentioned = sum(gold == label for gold, _ in pairs) + sum(said == label for _, said in pairs)
        found.append(2 * right / mentioned)
    return sum(found) / len(found) if found else None


def _tokens(pairs: Sequence[tuple[Case, Result]], name: str) -> float | None:
    """Return the tokens of a case on average; None where a question was asked and not counted."""
    counts = [getattr(result, name) if result.calls else 0 for _, result in pairs]
    return sum(counts) / len(counts) if counts and None not in counts else None
