"""The digest of one log: signature, headline, excerpt and templates."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from pydantic import TypeAdapter

from agentic.digest.cleaning import clean_lines
from agentic.digest.envelopes import are_wrapped, unwrap_lines
from agentic.digest.masking import mask, shapes, strip_prefixes
from agentic.digest.severity import severity, telling_lines
from agentic.types import Line, LogDigest, Template

_CHARACTERS_PER_TOKEN = 4
_LONGEST_IN_EXCERPT = 400
_LONGEST_HEADLINE = 300
_SIGNIFICANT = 20
_ORDINARY = 300
_FEW = 8
_MOST_KNOWN = 8192
_IN_SIGNATURE = 3
_MOST_MASKED = 200
_MOST_TEMPLATES = 20
_HEAD, _TAIL = 4, 12
_SHORT_LOG = 100
"""Every line of a log of fewer is wanted."""
_COST_OF_LINE = 8
_LEAST_LEFT = 40
_Fields = list[dict[str, object]]
_lines: Callable[[_Fields], tuple[Line, ...]] = TypeAdapter(tuple[Line, ...]).validator.validate_python
_templates_of: Callable[[_Fields], tuple[Template, ...]] = TypeAdapter(tuple[Template, ...]).validator.validate_python
"""Make all of an excerpt in one call: one by one they cost more than everything else here."""


def digest_log(
    lines: Sequence[str],
    *,
    exit_code: int | None = None,
    command: str | None = None,
    context: str = "",
    budget_tokens: int = 2000,
    numbers: Sequence[int] | None = None,
    total_lines: int | None = None,
) -> LogDigest:
    """Return what is worth reading in a log.

    Of a log too long to keep, `lines` are the kept ones, `numbers` those that they have in the log as received, and
    `total_lines` is how many that had.
    `context` is what else names the run (job and status): it counts in the signature of a log without any sign
    of a failure, so that two silent jobs are not taken for the same incident.
    """
    cleaned = clean_lines(lines)
    text = "\n".join(cleaned)
    if are_wrapped(text):
        cleaned = unwrap_lines(cleaned)
        text = "\n".join(cleaned)
    weighed = _weigh(text)
    best = _best_lines(weighed, cleaned)
    headline = strip_prefixes(cleaned[best[0]]).strip()[:_LONGEST_HEADLINE] if best else _last_words(cleaned)
    named = range(len(cleaned)) if numbers is None else numbers
    total = len(cleaned) if total_lines is None else total_lines
    excerpt = _excerpt(cleaned, weighed, best, budget_tokens * _CHARACTERS_PER_TOKEN, named)
    return LogDigest(
        signature=_signature(cleaned, weighed, best, exit_code, command, context),
        headline=headline,
        excerpt=excerpt,
        templates=_templates(cleaned, weighed, named),
        total_lines=total,
        dropped_lines=total - len(excerpt),
        lines=tuple(cleaned),
        numbers=tuple(numbers or ()),
    )


class _Weighed:
    """The severity of every line; lines of the same shape are looked at once."""

    def __init__(self) -> None:
        self.first: dict[str, int] = {}
        self.count: Counter[str] = Counter()
        self.shapes: list[str] = []
        self.severity: dict[str, int] = {}

    def of(self, line: int) -> int:
        return self.severity.get(self.shapes[line], 0)


def _weigh(text: str) -> _Weighed:
    weighed = _Weighed()
    weighed.shapes = shapes(text)
    weighed.count.update(filter(None, weighed.shapes))
    if len(weighed.count) <= _FEW:
        weighed.first = {form: weighed.shapes.index(form) for form in weighed.count}
    else:
        # From the last to the first, so that the first of each stays.
        weighed.first = dict(zip(reversed(weighed.shapes), range(len(weighed.shapes) - 1, -1, -1), strict=True))
    weighed.severity = _severities(weighed.first)
    return weighed


_known: dict[str, int] = {}
"""Severities by shape: the same jobs write lines of the same shapes night after night."""


def _severities(forms: Iterable[str]) -> dict[str, int]:
    """Return the severity of each shape, in their order."""
    found = {form: _known.get(form, -1) for form in forms}
    fresh = [form for form, weight in found.items() if weight < 0]
    # Most lines have no sign of a failure at all; searching all new ones at once says so.
    telling = frozenset(telling_lines(fresh)) if len(fresh) > _FEW else fresh
    if len(_known) + len(fresh) > _MOST_KNOWN:
        _known.clear()
    for form in fresh:
        weight = found[form] = severity(form) if form in telling else 0
        if len(form) < _ORDINARY and len(_known) < _MOST_KNOWN:
            _known[form] = weight
    return found


def _best_lines(weighed: _Weighed, lines: Sequence[str]) -> list[int]:
    """Return the first line of each failing shape, the most telling first."""
    failing = [(form, weight) for form, weight in weighed.severity.items() if weight >= _SIGNIFICANT]
    # Of equally strong signs the earliest is nearest to the cause.
    failing.sort(key=lambda item: (-item[1], weighed.first[item[0]]))
    return [weighed.first[form] for form, _ in failing]


def _last_words(lines: Sequence[str]) -> str:
    words = (line for line in filter(None, reversed(lines)) if not line.isspace())
    return next((strip_prefixes(line).strip()[:_LONGEST_HEADLINE] for line in words), "")


def _signature(
    lines: Sequence[str],
    weighed: _Weighed,
    best: Sequence[int],
    exit_code: int | None,
    command: str | None,
    context: str,
) -> str:
    """Hash what the failure looks like, whichever order and however often its lines came."""
    if best:
        least = weighed.of(best[0]) * 3 // 4
        candidates = {mask(lines[n]): weighed.of(n) for n in reversed(best[:_MOST_MASKED]) if weighed.of(n) >= least}
        order = sorted(candidates, key=lambda template: (-candidates[template], template))
        return _hash(["failing", *order[:_IN_SIGNATURE]])
    tail = [mask(line) for line in [line for line in lines[-200:] if line.strip()][-_IN_SIGNATURE:]]
    run = [mask(command or ""), str(exit_code), context]
    return _hash(["silent", *tail, *run])


def _hash(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(parts).encode("utf-8", "replace"), digest_size=8).hexdigest()


def _templates(lines: Sequence[str], weighed: _Weighed, named: Sequence[int]) -> tuple[Template, ...]:
    """Return the templates worth showing: those of failing lines first, then the most frequent.

    A line without any sign of a failure that came once has none: there may be as many of them as lines.
    """
    forms = [form for form, count in weighed.count.items() if count > 1 or weighed.severity[form]]
    forms.sort(key=lambda form: (-weighed.severity[form], -weighed.count[form]))
    counts: dict[str, int] = {}
    first: dict[str, int] = {}
    for form in forms[: _MOST_TEMPLATES * 3 // 2]:
        number = weighed.first[form]
        if not lines[number].strip():
            continue
        template = mask(lines[number])
        counts[template] = counts.get(template, 0) + weighed.count[form]
        first[template] = min(first.get(template, number), number)
    shown = list(counts)[:_MOST_TEMPLATES]
    return _templates_of(
        [{"text": text[:_LONGEST_HEADLINE], "count": counts[text], "first_line": named[first[text]]} for text in shown]
    )


def _excerpt(
    lines: Sequence[str], weighed: _Weighed, best: Sequence[int], budget: int, named: Sequence[int]
) -> tuple[Line, ...]:
    """Choose numbered lines within a budget of characters: the telling ones with their surroundings first."""
    if len(lines) < _SHORT_LOG and sum(map(len, lines)) + _COST_OF_LINE * len(lines) + _LEAST_LEFT <= budget:
        short = max(map(len, lines), default=0) <= _LONGEST_IN_EXCERPT
        texts = [line.rstrip() for line in lines] if short else [_in_excerpt(line) for line in lines]
        whole = zip(named, texts, strict=True)
        return _lines([{"line": number, "text": text} for number, text in whole if text])
    chosen: dict[int, str] = {}
    for number in _wanted(lines, weighed, best):
        if number in chosen or not 0 <= number < len(lines):
            continue
        text = _in_excerpt(lines[number])
        if not text:
            continue
        cost = len(text) + _COST_OF_LINE
        if cost > budget:
            continue
        budget -= cost
        chosen[number] = text
        if budget < _LEAST_LEFT or len(chosen) == len(lines):
            break
    return _lines([{"line": named[number], "text": chosen[number]} for number in sorted(chosen)])


def _in_excerpt(line: str) -> str:
    text = line.rstrip()
    return text if len(text) <= _LONGEST_IN_EXCERPT else text[: _LONGEST_IN_EXCERPT - 60] + " … " + text[-50:]


def _wanted(lines: Sequence[str], weighed: _Weighed, best: Sequence[int]) -> Iterable[int]:
    """Name line numbers in the order in which they deserve room."""
    total = len(lines)
    yield from best[:5]
    for number in best[:5]:
        yield from (number - 1, number + 1, number + 2)
    yield from range(total - 1, max(-1, total - 1 - _TAIL), -1)
    yield from range(min(_HEAD, total))
    yield from best[5:40]
    for number in best[:8]:
        yield from range(number - 6, number + 7)
    yield from range(total - 1, max(-1, total - 80), -1)
    yield from range(min(40, total))
