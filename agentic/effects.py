"""One effect inside the journal: intention, act, result; and what to do when nobody can tell whether it happened."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping

import structlog

from agentic.contracts import Begin, BeginAnswer, Deferred, Effector, EffectRequest, EffectResult, Incident
from agentic.effecting import execute
from agentic.types import Action, Outcome, OutcomeStatus, Step, utc_now
from agentic.verification import Verifier

log = structlog.get_logger()

REPEATS = 3
"""How often an idempotent effect without an answer is tried in all, each time with the same key."""
SETTLED_AFTER_SECONDS = 5.0
"""Beyond its time limit, what a worker that is gone had begun may still take this long to be seen."""
LOOK_AGAIN_SECONDS = 10.0


class Effects:
    """Makes effects happen at most once, or as often as their action declares harmless."""

    def __init__(self, effectors: Mapping[str, Effector], verifier: Verifier) -> None:
        self._effectors = effectors
        self._verifier = verifier

    async def once(
        self, incident: Incident, step: Step, request: EffectRequest, budget: tuple[int, int], *, may_wait: bool = True
    ) -> Outcome | Deferred:
        """Carry out one step under `request.step`; what an earlier delivery did of it is taken over, not repeated.

        An effect without an answer is repeated where the action is declared idempotent, else looked for where it
        declares a probe; both only later, and only if the incident `may_wait`. What is left is `unknown`.
        """
        action, label = request.action, request.step
        begin = await incident.begin(label, action, budget)
        if begin.answer is BeginAnswer.DONE and begin.outcome is not None:
            return begin.outcome
        if begin.answer is BeginAnswer.UNKNOWN and action.probe is not None and may_wait:
            return await self._probe(incident, step, request, begin.age_seconds)
        if begin.answer is not BeginAnswer.GO:
            return _not_begun(step, begin)
        started, clock = utc_now(), time.monotonic()
        result, never_sent = await self._execute(request)
        if result.status is OutcomeStatus.UNKNOWN and may_wait:
            waits = await self._not_yet(incident, action, label)
            if waits is not None:
                return waits
        outcome = Outcome(
            step=step.step,
            name=step.name,
            status=result.status,
            detail=result.detail,
            started_at=started,
            duration_seconds=round(time.monotonic() - clock, 4),
        )
        await incident.result(label, outcome, never_sent=never_sent)
        return outcome

    async def _execute(self, request: EffectRequest) -> tuple[EffectResult, bool]:
        """Carry out one request; what an effector breaks becomes its outcome, and says whether anything was sent."""
        effector = self._effectors.get(request.action.effector or "")
        if effector is None:
            return EffectResult.failed(f"no effector is called {request.action.effector!r}"), True
        return await execute(effector, request)

    async def _not_yet(self, incident: Incident, action: Action, label: str) -> Deferred | None:
        """Put an effect without an answer aside, to be repeated or looked for; None when neither is allowed."""
        tries = dict(incident.progress.get("unanswered", {}))
        tries[label] = tries.get(label, 0) + 1
        if not (action.idempotent and tries[label] < REPEATS) and action.probe is None:
            return None
        await incident.save(stage="unanswered", unanswered=tries)
        return Deferred(2.0 ** tries[label] * random.uniform(0.5, 1.0))  # noqa: S311

    async def _probe(
        self, incident: Incident, step: Step, request: EffectRequest, age_seconds: float
    ) -> Outcome | Deferred:
        """Look whether an effect happened that nobody has the result of. Not finding it permits no repeat."""
        action, label = request.action, request.step
        assert action.probe is not None
        early = action.timeout_seconds + SETTLED_AFTER_SECONDS - age_seconds
        if early > 0:
            await incident.save(stage="probing")
            return Deferred(early)
        found, detail = await self._verifier.look(incident, request.job, action.probe, label)
        if found:
            text = f"nobody saw its answer, but the probe shows that it happened: {detail}"
            outcome = Outcome(step=step.step, name=step.name, status=OutcomeStatus.DONE, detail=text)
            await incident.result(label, outcome, found=True)
            return outcome
        if -early < action.probe.within_seconds:
            return Deferred(min(LOOK_AGAIN_SECONDS, max(1.0, action.probe.within_seconds + early)))
        text = f"it was begun and nobody saw its answer; the probe did not find it: {detail}"
        return Outcome(step=step.step, name=step.name, status=OutcomeStatus.UNKNOWN, detail=text)


def _not_begun(step: Step, begin: Begin) -> Outcome:
    if begin.answer is BeginAnswer.UNKNOWN:
        status = OutcomeStatus.UNKNOWN
        text = "a worker that is gone had begun this and did not say how it ended; look before it is repeated"
    elif begin.answer is BeginAnswer.PAUSED:
        status, text = OutcomeStatus.REFUSED, f"automatic actions are paused (by {begin.detail})"
    else:
        of_whom = "of this job" if begin.detail == "job" else "of all jobs"
        status, text = OutcomeStatus.REFUSED, f"the limit of automatic actions {of_whom} per hour is reached"
    return Outcome(step=step.step, name=step.name, status=status, detail=text)
