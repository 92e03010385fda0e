"""Whether a remedy helped: the declared check, the rerun's own success, or the job's next success."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from agentic.contracts import Deferred, Effector, EffectRequest, Incident
from agentic.effecting import execute, preview
from agentic.planning import RERUN_KINDS
from agentic.types import (
    Action,
    ActionKind,
    Check,
    Job,
    OutcomeStatus,
    Risk,
    Verification,
    VerificationStatus,
    utc_now,
)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
SUCCESS_WINDOW_SECONDS = 3600.0
"""How long the job's own success is waited for when a rerun was only started, not awaited."""


class Verifier:
    """Runs checks; a check that has not passed yet puts the incident aside rather than sleep."""

    def __init__(self, effectors: Mapping[str, Effector]) -> None:
        self._effectors = effectors

    async def verify(self, incident: Incident, job: Job, action: Action, step: str) -> Verification | Deferred:
        """Say whether the job is well after `action`, or when to look again."""
        recovered_by = incident.progress.get("recovered_by")
        if recovered_by:
            return _verdict(VerificationStatus.VERIFIED, f"the job succeeded (event {recovered_by})")
        check = action.verify or job.verify
        if check is not None:
            return await self._check(incident, job, check, step)
        if action.kind in RERUN_KINDS:
            if action.effector == "http":
                return await self._await_success(incident, step)
            return _verdict(VerificationStatus.VERIFIED, "job succeeded on rerun")
        return Verification(status=VerificationStatus.NOT_CONFIGURED, how="no check is declared")

    async def _check(self, incident: Incident, job: Job, check: Check, step: str) -> Verification | Deferred:
        passed, detail = await self.look(incident, job, check, step)
        if passed:
            return _verdict(VerificationStatus.VERIFIED, f"the check passed: {detail}")
        state: dict[str, Any] = dict(incident.progress.get("verify", {}).get(step) or {"since": _now(), "tries": 0})
        spent = _now() - state["since"]
        if spent >= check.within_seconds:
            window = f"{check.within_seconds:g} s"
            return _verdict(VerificationStatus.FAILED, f"the check did not pass within {window}: {detail}")
        pause = min(FIRST_PAUSE_SECONDS * 2 ** state["tries"], LONGEST_PAUSE_SECONDS, check.within_seconds - spent)
        state["tries"] += 1
        await incident.save(stage="verifying", verify={**incident.progress.get("verify", {}), step: state})
        return Deferred(pause, watch_job=True)

    async def look(self, incident: Incident, job: Job, check: Check, step: str) -> tuple[bool, str]:
        """Run a check once; say whether it passed, and its words."""
        action = check_as_action(check)
        key = f"{incident.event.event_id}:{step}:check"
        request = EffectRequest(action=action, event=incident.event, job=job, step=f"{step}.check", key=key)
        effector = self._effectors[check.effector]
        result, _ = await execute(effector, request)
        return result.status is OutcomeStatus.DONE, result.detail or preview(effector, request) or check.effector

    async def _await_success(self, incident: Incident, step: str) -> Verification | Deferred:
        since = incident.progress.get("verify", {}).get(step, {}).get("since")
        if since is None:
            state = {**incident.progress.get("verify", {}), step: {"since": _now(), "tries": 0}}
            await incident.save(stage="verifying", verify=state)
            return Deferred(SUCCESS_WINDOW_SECONDS, watch_job=True)
        if _now() - since < SUCCESS_WINDOW_SECONDS:
            return Deferred(SUCCESS_WINDOW_SECONDS - (_now() - since), watch_job=True)
        return _verdict(VerificationStatus.FAILED, f"the job did not succeed within {SUCCESS_WINDOW_SECONDS:g} s")


def check_as_action(check: Check) -> Action:
    """Return a check as the harmless action that an effector carries out."""
    return Action(
        name="check",
        kind=ActionKind.NO_OP,
        effector=check.effector,
        settings=check.settings,
        risk=Risk.OBSERVE,
        idempotent=True,
        timeout_seconds=check.timeout_seconds,
    )


def _verdict(status: VerificationStatus, how: str) -> Verification:
    return Verification(status=status, how=how, at=utc_now())


def _now() -> float:
    return datetime.now(UTC).timestamp()
