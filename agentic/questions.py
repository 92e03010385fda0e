"""A question to a model is asked once: the answer holds for every failure with the same signature.

While it is being asked, or while the model is busy with others, an incident is put aside: it holds no worker's slot.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Literal, TypeVar

import structlog

from agentic.contracts import Asked, Consultable, Consulted, Deferred, Incident, Turn
from agentic.digest.masking import mask, strip_prefixes
from agentic.registry import call
from agentic.types import Decision, Frozen, LogDigest, Situation
from agentic.usage import counted

log = structlog.get_logger()

T = TypeVar("T")

LOOK_AGAIN_SECONDS = 1.0
"""First wait for a model that is busy; longer each time, so that many who wait do not crowd the store."""
LONGEST_WAIT_SECONDS = 15.0


class Answer(Frozen):
    """What was answered, as it is kept for the next failure of its kind."""

    event_id: str
    model: str
    decision: Decision | None
    reason: str
    quotes: dict[int, str]
    """The cited lines with their text; in another log they stand elsewhere and name other things."""


class Questions:
    """Asks consultable modules, one question per signature at a time."""

    def __init__(self, answer_seconds: float = 195.0, patience_seconds: float = 900.0) -> None:
        """answer_seconds: by then every question has its answer or error. patience_seconds: then without a model."""
        self._answer_seconds = answer_seconds
        self._patience_seconds = patience_seconds
        self._seats: Counter[int] = Counter()

    async def ask(self, incident: Incident, situation: Situation, module: Consultable) -> Consulted | Deferred:
        """Return what came of the question, from the model or from an earlier answer, or put the incident aside."""
        signature = situation.digest.signature
        why_not = await _why_not(module, situation)
        waited = self._waited(incident)
        if why_not is None and waited is not None and waited > self._patience_seconds:
            why_not = f"the model was not asked: it was busy with other questions for {waited:.0f} s"
        if not signature:
            return Consulted(None, why_not) if why_not else await _consult(module, situation)
        with self._seat(module, wanted=why_not is None) as seated:
            may: Literal["go", "wait", "look"] = "look" if why_not else "go" if seated else "wait"
            by = "" if why_not else module.identity
            asked = await incident.ask(signature, by, may, self._answer_seconds)
            if asked.turn is Turn.GO:
                return await self._really(incident, situation, module)
        if asked.turn is Turn.ANSWERED:
            again = reused(Answer.model_validate(asked.answer), situation)
            if again is not None:
                return again
        if asked.turn in (Turn.WAIT, Turn.BUSY):
            return await self._put_aside(incident, signature, asked)
        return Consulted(None, why_not or "the model's answer to the same failure does not fit this log")

    @contextmanager
    def _seat(self, module: Consultable, *, wanted: bool) -> Iterator[bool]:
        """Take one of the module's places for the time of the block, if there is one; say whether."""
        seated = wanted and self._seats[id(module)] < module.concurrency
        self._seats[id(module)] += seated
        try:
            yield seated
        finally:
            self._seats[id(module)] -= seated

    async def _really(self, incident: Incident, situation: Situation, module: Consultable) -> Consulted:
        """Put the question; should this be broken off, whoever takes the event over asks in its place."""
        signature, identity = situation.digest.signature, module.identity
        consulted = await _consult(module, situation)
        answer = kept(consulted, situation).model_dump(mode="json") if consulted.keep_seconds > 0 else None
        await incident.answered(signature, identity, answer, consulted.keep_seconds, counted(consulted.calls))
        return consulted

    async def _put_aside(self, incident: Incident, signature: str, asked: Asked) -> Deferred:
        looked = int(incident.progress.get("looked", 0)) + 1
        since = incident.progress.get("asking_since") or time.time()
        stage = f"waits for the answer to {asked.asker}" if asked.turn is Turn.WAIT else "waits for the model"
        await incident.save(asking_since=since, looked=looked, stage=stage)
        if asked.turn is Turn.WAIT:
            return Deferred(self._answer_seconds, watch_answer=signature)
        pause = min(LOOK_AGAIN_SECONDS * 1.5 ** (looked - 1), LONGEST_WAIT_SECONDS)
        return Deferred(pause * random.uniform(0.5, 1.0))  # noqa: S311

    @staticmethod
    def _waited(incident: Incident) -> float | None:
        since = incident.progress.get("asking_since")
        return time.time() - float(since) if since is not None else None


async def _why_not(module: Consultable, situation: Situation) -> str | None:
    return await _guarded(module.why_not, situation, instead=str)


async def _consult(module: Consultable, situation: Situation) -> Consulted:
    return await _guarded(module.consult, situation, instead=partial(Consulted, None))


async def _guarded(ask: Callable[..., Awaitable[T]], situation: Situation, instead: Callable[[str], T]) -> T:
    """Ask a module; one that breaks must not take the event with it, and gives this answer instead."""
    try:
        answer: T = await call(ask, situation)
    except Exception as error:
        log.exception("reasoning.failed", event_id=situation.event.event_id)
        return instead(f"failed: {type(error).__name__}: {error}")
    return answer


def reused(answer: Answer, situation: Situation) -> Consulted | None:
    """Return an earlier answer in the terms of this log, or None where its proof is not in it."""
    said = f"the same failure was answered on {answer.event_id}"
    if answer.decision is None:
        return Consulted(None, f"{said}: {answer.reason}"[:300], answer_of=answer.event_id)
    places = _places(answer.quotes, situation.digest)
    if answer.quotes and not places:
        return None
    told = answer.decision.diagnosis
    diagnosis = told.model_copy(
        update={
            "evidence": tuple(places[line] for line in told.evidence if line in places),
            "root_cause": _retold(told.root_cause, answer.quotes, places, situation.digest),
        }
    )
    chosen = answer.decision.actions
    if chosen is not None and not all(name in situation.menu for name in chosen):
        chosen = None  # chosen from another job's menu: this one's playbook decides
    decision = Decision(diagnosis=diagnosis, actions=chosen, note=f"{said} by {answer.model}")
    return Consulted(decision, f"{said} by {answer.model}; it was not asked again", answer_of=answer.event_id)


def kept(consulted: Consulted, situation: Situation) -> Answer:
    """Return what came of a question as it is kept for the next failure of its kind."""
    decision, lines = consulted.decision, situation.digest.lines
    cited = decision.diagnosis.evidence if decision else ()
    shown = {line.line: line.text for line in situation.digest.excerpt}
    quotes = {n: shown[n] if n in shown else lines[n] for n in cited if n in shown or n < len(lines)}
    model = consulted.calls[-1].model if consulted.calls else "the model"
    return Answer(
        event_id=situation.event.event_id, model=model, decision=decision, reason=consulted.reason, quotes=quotes
    )


def _places(quotes: Mapping[int, str], digest: LogDigest) -> dict[int, int]:
    """Return where lines of the same template stand in this log: old line number to new one."""
    wanted = {mask(text): line for line, text in quotes.items()}
    places: dict[int, int] = {}
    for number, text in _numbered(digest):
        line = wanted.get(mask(text))
        if line is not None:
            places.setdefault(line, number)
            if len(places) == len(wanted):
                break
    return places


def _numbered(digest: LogDigest) -> Iterator[tuple[int, str]]:
    for line in digest.excerpt:
        yield line.line, line.text
    yield from enumerate(digest.lines)


def _retold(sentence: str, quotes: Mapping[int, str], places: Mapping[int, int], digest: LogDigest) -> str:
    """Return the sentence with the names and numbers of this log, wherever the cited lines show what replaced what."""
    shown = dict(_numbered(digest))
    instead: dict[str, str] = {}
    for line, number in places.items():
        old, new = _words(quotes[line]), _words(shown[number])
        if len(old) == len(new):
            instead.update((a, b) for a, b in zip(old, new, strict=True) if a != b)
    if not instead:
        return sentence
    longest_first = sorted(instead, key=len, reverse=True)
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, longest_first)) + r")(?!\w)")
    return pattern.sub(lambda match: instead[match[0]], sentence)


def _words(line: str) -> list[str]:
    return re.findall(r"[\w./:@%+-]*\w", strip_prefixes(line))
