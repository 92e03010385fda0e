"""Starts a failed job again, through the call the operator declared for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from agentic.contracts import Effector, EffectRequest, EffectResult
from agentic.errors import ConfigError
from agentic.planning import RERUN_KINDS
from agentic.registry import call
from agentic.types import Action, ActionKind


class Rerun(Effector):
    """Carries out `rerun:` of the event's job with the effector named there.

    The new run gets the lineage (the event the chain of reruns began with) and the number of its attempt, as
    environment variables or headers, so that limits hold across run ids. How long to wait before it is the
    pipeline's business: a wait must outlive this process.
    """

    def __init__(self, *, effectors: Mapping[str, Effector]) -> None:
        self._effectors = effectors

    async def execute(self, request: EffectRequest) -> EffectResult:
        """Run the job again; a command that exits with 0 means that the job succeeded."""
        effector, order = self._ordered(request)
        if effector is None or order is None:
            return EffectResult.refused(_why_not(request))
        result: EffectResult = await call(effector.execute, order)
        return result

    def preview(self, request: EffectRequest) -> str:
        """Say exactly what would be run or sent."""
        effector, order = self._ordered(request)
        return effector.preview(order) if effector and order else f"would be refused: {_why_not(request)}"

    def check(self, action: Action) -> None:
        """Raise ConfigError when the action names something to run of its own: that belongs to the job."""
        extra = set(action.settings) - {"delay_seconds"}
        if extra:
            raise ConfigError(f"{min(extra)}: what to run again is written at the job, under `rerun:`")

    def _ordered(self, request: EffectRequest) -> tuple[Effector | None, EffectRequest | None]:
        declared = request.job.rerun
        if declared is None or declared.effector in (None, "rerun"):
            return None, None
        kind = request.action.kind if request.action.kind in RERUN_KINDS else ActionKind.RETRY
        action = declared.model_copy(update={"name": request.action.name, "kind": kind})
        effector = self._effectors.get(declared.effector or "")
        return effector, dataclasses.replace(request, action=action)


def _why_not(request: EffectRequest) -> str:
    declared = request.job.rerun
    if declared is None:
        return f"nothing says how to run {request.event.job_id} again; add `rerun:` to the job"
    return f"the job's `rerun:` names the effector {declared.effector!r}, which cannot start it"
