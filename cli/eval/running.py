"""Puts every case to the rules, the model or both, and writes each result down before the next."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentic.reasoning.llm import LocalModel
from agentic.rehearsal import Rehearsed, Stage
from cli.eval.cases import Case
from cli.eval.results import Result, ResultFile, Run
from llm import Kind, ServerState
from settings.models import Settings
from settings.offline import Offline

MODES = ("rules", "model", "both")
OF_THE_SERVER = frozenset(
    kind.value
    for kind in (
        Kind.UNREACHABLE, Kind.BAD_BASE_URL, Kind.NOT_AN_LLM, Kind.AUTH, Kind.NO_MODEL, Kind.MODEL_NOT_FOUND,
        Kind.OVERLOADED, Kind.UNAVAILABLE, Kind.TIMEOUT,
    )
)  # fmt: skip
"""Errors that say nothing of the model's judgement: the case has no result and is asked again."""
GIVE_UP_AFTER = 3
"""So many errors of the server in a row end a run: nothing but errors would follow."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured, and with what."""

    settings: Settings
    offline: Offline
    cases: Sequence[Case]
    file: ResultFile

    @property
    def model(self) -> LocalModel | None:
        """The model, if the reasoning chain has one."""
        found = self.offline.parts.reasoning.get("llm")
        return found if isinstance(found, LocalModel) else None

    async def look(self) -> ServerState | None:
        """Look at the model's server."""
        return await self.model.client.preflight() if self.model is not None else None

    def run_of(self, mode: str, state: ServerState | None) -> Run:
        """Name the run that results of this mode belong to today."""
        known = dict(self.offline.made_by)
        model = state.model if state is not None and mode != "rules" else None
        if mode == "rules":
            known.pop("prompts", None)
        else:
            llm = self.settings.llm
            known |= {"model": str(model), "limits": f"{llm.max_output_tokens} {llm.context_tokens}"}
        name = hashlib.sha256(json.dumps([mode, known], sort_keys=True).encode()).hexdigest()[:12]
        return Run(name, mode, model)

    async def measure(self, run: Run, progress: Callable[[Result], None]) -> str | None:
        """Put every case that has no result yet; return why that ended early, or None."""
        done = self.file.results(run, self.cases)
        waiting = [case for case in self.cases if case.id not in done or done[case.id].error is not None]
        for result in done.values():
            if result.error is None:
                progress(result)
        return await _Measurement(self, run, progress).measure(waiting)


class _Measurement:
    """One run over the cases that wait."""

    def __init__(self, bench: Bench, run: Run, progress: Callable[[Result], None]) -> None:
        self._bench = bench
        self._run = run
        self._progress = progress
        self._stage = _stage(bench.offline, run.mode)
        self._failed_in_a_row = 0
        self._stopped_by: str | None = None

    async def measure(self, waiting: Sequence[Case]) -> str | None:
        """Put the cases, as many at once as the settings allow the model."""
        left = iter(waiting)
        many = 1 if self._run.mode == "rules" else self._bench.settings.llm.concurrency

        async def work() -> None:
            for case in left:  # shared: each takes the next
                if self._stopped_by is not None:
                    return
                await self._put(case)

        async with asyncio.TaskGroup() as group:
            for _ in range(many):
                group.create_task(work())
        return self._stopped_by

    async def _put(self, case: Case) -> None:
        result = await self._result(case)
        self._bench.file.add(self._run, case, result)
        self._progress(result)
        self._failed_in_a_row = self._failed_in_a_row + 1 if result.error else 0
        if self._failed_in_a_row >= GIVE_UP_AFTER:
            self._stopped_by = result.error

    async def _result(self, case: Case) -> Result:
        started = time.perf_counter()
        rehearsed = await self._stage.rehearse(case.event(self._bench.offline.parts.redactor))
        seconds = time.perf_counter() - started
        diagnosis, calls = rehearsed.decided.decision.diagnosis, rehearsed.decided.calls
        failed = calls[-1].error if calls else None
        error = failed if failed in OF_THE_SERVER else self._not_asked(rehearsed)
        return Result(
            category=diagnosis.category.value,
            evidence=diagnosis.evidence,
            actions=tuple(dict.fromkeys(action.kind.value for action in rehearsed.plan)),
            confidence=diagnosis.confidence,
            source=diagnosis.source,
            root_cause=diagnosis.root_cause,
            seconds=round(seconds, 4),
            calls=len(calls),
            prompt_tokens=_sum([call.prompt_tokens for call in calls]),
            completion_tokens=_sum([call.completion_tokens for call in calls]),
            unusable=failed if error is None else None,
            error=error,
        )

    def _not_asked(self, rehearsed: Rehearsed) -> str | None:
        """Say why the model was not asked although it should have been; None where all is well."""
        model = self._bench.model
        noted = any(note.startswith("llm:") for note in rehearsed.decided.notes)
        if self._run.mode == "rules" or rehearsed.decided.calls or model is None or not noted:
            return None
        return Kind.UNAVAILABLE.value if model.client.breaker.is_open else None


def _stage(offline: Offline, mode: str) -> Stage:
    # Precedents are lessons of this installation, which the cases are not part of.
    chain = [name for name, _ in offline.stage.core.chain if name != "precedent"]
    if mode == "rules":
        chain = [name for name in chain if name != "llm"]
    elif mode == "model":
        chain = ["llm"]
    return offline.stage_of(chain)


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
