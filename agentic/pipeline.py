"""The story of one event, from the report to its record. Read `handle` downwards."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from agentic.acting import Actor
from agentic.contracts import Consultable, Deferred, Incident, Memory, Parked, ReasoningModule
from agentic.course import Acted
from agentic.digest import digest_log
from agentic.planning import Planner
from agentic.questions import Questions
from agentic.reasoning.precedent import judged_wrong
from agentic.reasoning.rules import unknown
from agentic.records import write_record
from agentic.registry import call
from agentic.types import (
    Category,
    Decision,
    Diagnosis,
    Event,
    HistoryRecord,
    Job,
    LogDigest,
    ModelCall,
    RecordStatus,
    Situation,
)

log = structlog.get_logger()

CONFIDENT = 60
"""Confidence from which an answer ends the chain of reasoning modules."""
LONG_LOG_CHARS = 64 * 1024
"""A longer log is read in a thread, so that it holds up nobody else's event."""


@dataclass(frozen=True, slots=True)
class Core:
    """Everything that one event's handling needs, wired once at start."""

    jobs: Callable[[str], Job]
    planner: Planner
    chain: Sequence[tuple[str, ReasoningModule]]
    actor: Actor
    memory: Memory
    worker: str = ""
    questions: Questions = field(default_factory=Questions)
    made_by: Mapping[str, str] = field(default_factory=dict)
    """What decisions depend on beside the event, for the record."""


@dataclass(slots=True)
class Decided:
    """What the chain of reasoning modules came to, and how."""

    decision: Decision
    """That there is none, until the whole chain was asked."""
    notes: list[str] = field(default_factory=list)
    calls: tuple[ModelCall, ...] = ()
    answer_of: str = ""
    """The event whose answer from a model was reused."""

    def note(self, module: str, said: str | None) -> None:
        """Keep a sentence for the record."""
        if said:
            self.notes.append(f"{module}: {said}"[:300])

    def checked(self, module: str, answer: Decision, situation: Situation) -> Decision | None:
        """Return an answer without what the module made up; None where it named actions that do not exist."""
        unlisted = [action for action in answer.actions or () if action not in situation.menu]
        if unlisted:
            self.note(module, f"named {', '.join(unlisted)[:100]}, which is not on the menu; its answer was dropped")
            return None
        total = situation.digest.total_lines
        lines = tuple(line for line in answer.diagnosis.evidence if 0 <= line < total)
        if lines == answer.diagnosis.evidence:
            return answer
        self.note(module, "cited lines that the log does not have; they were dropped")
        return answer.model_copy(update={"diagnosis": answer.diagnosis.model_copy(update={"evidence": lines})})

    def as_progress(self) -> dict[str, Any]:
        """Return it as it is stored with the incident."""
        diagnosis = self.decision.diagnosis
        found = {"decision": self.decision, "diagnosis": diagnosis, "notes": self.notes, "calls": self.calls}
        return {**found, "answer_of": self.answer_of}

    @classmethod
    def of_progress(cls, stored: Mapping[str, Any]) -> Decided:
        """Return what `as_progress` stored."""
        calls = tuple(ModelCall.model_validate(call) for call in stored.get("calls", ()))
        decision = Decision.model_validate(stored["decision"])
        return cls(decision, list(stored.get("notes", ())), calls, str(stored.get("answer_of", "")))


_UNDECIDED = Decision(
    diagnosis=Diagnosis(category=Category.UNKNOWN, root_cause="Nobody was asked yet", confidence=0, source="none")
)


class Pipeline:
    """Handles events; holds nothing of its own between two of them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._consultable = {module: module for _, module in core.chain if isinstance(module, Consultable)}

    async def handle(self, incident: Incident) -> HistoryRecord | Deferred | Parked:
        """Take one event from its report to its record, or put it aside until something is due."""
        event, job = incident.event, self._core.jobs(incident.event.job_id)
        if not event.status.is_failure:
            return self._record(incident, RecordStatus.IGNORED, reason=f"the run {event.status}; nothing to heal")
        if event.lineage not in (None, event.event_id) and await incident.is_rerun_of(str(event.lineage)):
            reason = f"this run was a remedy for {event.lineage}, whose incident goes on"
            return self._record(incident, RecordStatus.IGNORED, reason=reason)

        clock = time.monotonic()
        situation = await self.situate(event, job)
        digest = situation.digest
        decided = await self.decide(incident, situation)
        if isinstance(decided, Deferred):
            return decided
        decision = decided.decision
        diagnose_seconds = time.monotonic() - clock
        # All that came in together is diagnosed before any of it is acted on: code runs faster while it is cached.
        await asyncio.sleep(0)
        plan = self._core.planner.plan(decision, job)
        acted = await self._core.actor.carry_out(
            incident, job, digest, decision, plan, judged_wrong(situation.precedents)
        )
        if not isinstance(acted, Acted):
            return acted
        return self._record(
            incident,
            acted.status,
            reason=acted.reason,
            digest=digest,
            decision=decision,
            acted=acted,
            notes=tuple(decided.notes),
            diagnose_seconds=diagnose_seconds,
            model_calls=tuple(decided.calls),
            made_by={**self._core.made_by, **({"answer_of": decided.answer_of} if decided.answer_of else {})},
        )

    async def situate(self, event: Event, job: Job) -> Situation:
        """Read the log and gather what a reasoning module may look at."""
        digest = await self._digest(event)
        return Situation(
            event=event,
            digest=digest,
            job=job,
            precedents=tuple(await self._core.memory.recall(event, digest)),
            menu=self._core.planner.menu(job),
        )

    async def _digest(self, event: Event) -> LogDigest:
        context = f"{event.job_id} {event.status}"  # tells silent logs of different jobs apart
        read = partial(digest_log, event.log, exit_code=event.exit_code, command=event.command, context=context)
        return await asyncio.to_thread(read) if _is_long(event) else read()

    async def decide(self, incident: Incident, situation: Situation) -> Decided | Deferred:
        """Return what an earlier delivery decided, else the first confident answer of the chain."""
        known = _decided(incident.progress)
        if known is not None:
            return known
        found = Decided(_UNDECIDED)
        best: Decision | None = None
        for name, module in self._core.chain:
            asked = situation.model_copy(update={"suspicion": best}) if best is not None else situation
            if module in self._consultable:
                consulted = await self._core.questions.ask(incident, asked, self._consultable[module])
                if isinstance(consulted, Deferred):
                    return consulted
                found.calls += consulted.calls
                found.answer_of = consulted.answer_of
                found.note(name, consulted.reason)
                answer = consulted.decision
            else:
                answer = await self._ask(name, module, asked, found)
            answer = answer and found.checked(name, answer, situation)
            if answer is not None and (best is None or answer.diagnosis.confidence > best.diagnosis.confidence):
                best = answer
            if best is not None and best.diagnosis.confidence >= CONFIDENT:
                break
        # Saying what the log has instead of a cause means reading all of it, so it is said only where none was found.
        found.decision = best or Decision(diagnosis=unknown(situation))
        if found.calls or found.decision.diagnosis.source.startswith("llm:"):
            await incident.save(**found.as_progress())  # it is not asked twice
        return found

    async def _ask(self, name: str, module: ReasoningModule, situation: Situation, found: Decided) -> Decision | None:
        """Ask one module; what it breaks is noted, and the chain goes on."""
        patience: asyncio.Timeout | None = None
        try:
            if module.quick and not _is_long(situation.event):
                decided = module.decide(situation)
                answer: Decision | None = await decided if inspect.isawaitable(decided) else decided
            else:
                async with asyncio.timeout(module.timeout_seconds) as patience:
                    answer = await call(module.decide, situation)
        except Exception as error:
            # A guest's module must not take the event with it.
            if patience is not None and patience.expired():
                log.error("reasoning.silent", module=name, event_id=situation.event.event_id)  # noqa: TRY400 - no crash
                found.note(name, f"gave no answer within {module.timeout_seconds:g} s")
                return None
            log.exception("reasoning.failed", module=name, event_id=situation.event.event_id)
            found.note(name, f"failed: {type(error).__name__}: {error}")
            return None
        if answer is not None:
            found.note(name, answer.note)
        return answer

    def _record(
        self,
        incident: Incident,
        status: RecordStatus,
        *,
        reason: str,
        digest: LogDigest | None = None,
        decision: Decision | None = None,
        acted: Acted | None = None,
        notes: tuple[str, ...] = (),
        diagnose_seconds: float = 0.0,
        model_calls: tuple[ModelCall, ...] = (),
        made_by: Mapping[str, str] | None = None,
    ) -> HistoryRecord:
        return write_record(
            incident,
            status,
            worker=self._core.worker,
            reason=reason,
            digest=digest,
            diagnosis=decision.diagnosis if decision else None,
            acted=acted,
            notes=notes,
            diagnose_seconds=diagnose_seconds,
            model_calls=model_calls,
            made_by=made_by,
        )


def _is_long(event: Event) -> bool:
    return sum(map(len, event.log)) > LONG_LOG_CHARS


def _decided(progress: Mapping[str, Any]) -> Decided | None:
    """Return what an earlier delivery decided."""
    return Decided.of_progress(progress) if "decision" in progress else None


def as_memory(record: HistoryRecord) -> Mapping[str, Any] | None:
    """Return what of a record is worth recalling when the same signature comes again."""
    if record.digest is None or record.diagnosis is None or not record.digest.signature:
        return None
    verified = record.status is RecordStatus.RESOLVED
    return {
        "event_id": record.event_id,
        "job_id": record.job_id,
        "category": record.diagnosis.category.value,  # plain texts are written faster than members of enumerations
        "root_cause": record.diagnosis.root_cause,
        "tried": [o.name for o in record.outcomes if o.status in ("done", "failed", "unknown")],
        "status": record.status.value,
        "verified": verified,
        "at": record.finished_at,
    }
