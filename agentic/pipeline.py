"""The story of one event, from the report to its record. Read `handle` downwards."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from agentic.acting import Acted, Actor
from agentic.contracts import Consultable, Deferred, Incident, Memory, Parked, ReasoningModule
from agentic.digest import digest_log
from agentic.planning import Planner
from agentic.reasoning.precedent import judged_wrong
from agentic.reasoning.rules import unknown
from agentic.records import write_record
from agentic.registry import call
from agentic.types import (
    Decision,
    Event,
    HistoryRecord,
    Job,
    LogDigest,
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


class Pipeline:
    """Handles events; holds nothing of its own between two of them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._consultable = {module: module for _, module in core.chain if isinstance(module, Consultable)}

    async def handle(self, incident: Incident) -> HistoryRecord | Deferred | Parked:
        """Take one event from its report to its record, or put it aside until something is due."""
        event, job = incident.event, self._core.jobs(incident.event.job_id)
        refused = _refused_by_people(incident.progress)
        if refused is not None:
            return self._record(incident, RecordStatus.REJECTED, reason=refused, decision=_decided(incident.progress))
        if not event.status.is_failure:
            return self._record(incident, RecordStatus.IGNORED, reason=f"the run {event.status}; nothing to heal")
        if event.lineage not in (None, event.event_id) and await incident.is_rerun_of(str(event.lineage)):
            reason = f"this run was a remedy for {event.lineage}, whose incident goes on"
            return self._record(incident, RecordStatus.IGNORED, reason=reason)

        clock = time.monotonic()
        digest = await self._digest(event)
        situation = Situation(
            event=event,
            digest=digest,
            job=job,
            precedents=tuple(await self._core.memory.recall(event, digest)),
            menu=self._core.planner.menu(job),
        )
        decision, notes = await self._decide(incident, situation)
        diagnose_seconds = time.monotonic() - clock
        plan = self._core.planner.plan(decision, job)
        acted = await self._core.actor.carry_out(
            incident, job, digest, decision, plan, judged_wrong(situation.precedents)
        )
        if isinstance(acted, Deferred):
            return acted
        return self._record(
            incident,
            acted.status,
            reason=acted.reason,
            digest=digest,
            decision=decision,
            acted=acted,
            notes=notes,
            diagnose_seconds=diagnose_seconds,
        )

    async def _digest(self, event: Event) -> LogDigest:
        context = f"{event.job_id} {event.status}"  # tells silent logs of different jobs apart
        read = partial(digest_log, event.log, exit_code=event.exit_code, command=event.command, context=context)
        return await asyncio.to_thread(read) if _is_long(event) else read()

    async def _decide(self, incident: Incident, situation: Situation) -> tuple[Decision, tuple[str, ...]]:
        """Return what an earlier delivery decided, else the first confident answer of the chain."""
        decided = _decided(incident.progress)
        if decided is not None:
            return decided, tuple(incident.progress.get("notes", ()))
        best: Decision | None = None
        notes: list[str] = []
        for name, module in self._core.chain:
            asked = situation.model_copy(update={"suspicion": best}) if best is not None else situation
            answer = await self._ask(name, module, asked, notes)
            if answer is None:
                continue
            if best is None or answer.diagnosis.confidence > best.diagnosis.confidence:
                best = answer
            if best.diagnosis.confidence >= CONFIDENT:
                break
        if best is not None and best.diagnosis.source.startswith("llm:"):
            await incident.save(decision=best, diagnosis=best.diagnosis, notes=notes)  # it is not asked twice
        return best or Decision(diagnosis=unknown(situation)), tuple(notes)

    async def _ask(self, name: str, module: ReasoningModule, situation: Situation, notes: list[str]) -> Decision | None:
        """Ask one module; what it breaks or makes up is noted, and the chain goes on."""
        answer: Decision | None
        said: str | None
        try:
            if module in self._consultable:
                consulted = await self._consultable[module].consult(situation)
                answer, said = consulted.decision, consulted.reason
            else:
                in_place = module.quick and not _is_long(situation.event)
                decided = module.decide(situation) if in_place else await call(module.decide, situation)
                answer = await decided if inspect.isawaitable(decided) else decided
                said = answer.note if answer is not None else None
        except Exception as error:
            # A guest's module must not take the event with it.
            log.exception("reasoning.failed", module=name, event_id=situation.event.event_id)
            notes.append(f"{name} failed: {type(error).__name__}: {error}"[:300])
            return None
        if said:
            notes.append(f"{name}: {said}"[:300])
        if answer is None:
            return None
        unlisted = [action for action in answer.actions or () if action not in situation.menu]
        if unlisted:
            notes.append(f"{name} named {', '.join(unlisted)[:100]}, which is not on the menu; its answer was dropped")
            return None
        total = situation.digest.total_lines
        lines = tuple(line for line in answer.diagnosis.evidence if 0 <= line < total)
        if lines != answer.diagnosis.evidence:
            diagnosis = answer.diagnosis.model_copy(update={"evidence": lines})
            notes.append(f"{name} cited lines that the log does not have; they were dropped")
            return answer.model_copy(update={"diagnosis": diagnosis})
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
        )


def _is_long(event: Event) -> bool:
    return sum(map(len, event.log)) > LONG_LOG_CHARS


def _decided(progress: Mapping[str, Any]) -> Decision | None:
    """Return what an earlier delivery decided."""
    return Decision.model_validate(progress["decision"]) if "decision" in progress else None


def _refused_by_people(progress: Mapping[str, Any]) -> str | None:
    """Say who did not want the plan, or that nobody said anything in time; None when it may go on."""
    word = progress.get("approval") or {}
    if word.get("verdict") == "expired":
        return "nobody approved the plan in time"
    if word.get("verdict") == "rejected":
        why = f": {word['why']}" if word.get("why") else ""
        return f"{word.get('by', 'somebody')} rejected the plan{why}"
    return None


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
