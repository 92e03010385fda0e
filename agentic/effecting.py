"""Asking an effector: whatever a part of the operator's own breaks becomes a result with a sentence."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from agentic.contracts import Effector, EffectRequest, EffectResult
from agentic.errors import EffectorError
from agentic.registry import call
from agentic.types import OutcomeStatus

log = structlog.get_logger()

GRACE_SECONDS = 15.0
"""How much longer than its own time limit an effector is waited for: ours need it to end what they started."""


async def execute(effector: Effector, request: EffectRequest) -> tuple[EffectResult, bool]:
    """Carry out one request; also says whether it is certain that nothing was sent."""
    name = request.action.effector
    try:
        async with asyncio.timeout(request.timeout_seconds + GRACE_SECONDS) as patience:
            result = await call(effector.execute, request)
    except EffectorError as error:
        kind = EffectResult.failed if error.never_sent else EffectResult.unknown
        return kind(str(error)), error.never_sent
    except Exception as error:
        if patience.expired():
            log.error("effector.silent", effector=name, seconds=request.timeout_seconds)  # noqa: TRY400 - no crash
            return EffectResult.unknown(f"the effector did not come back within {request.timeout_seconds:g} s"), False
        log.exception("effector.crashed", effector=name)
        return EffectResult.unknown(f"the effector broke: {type(error).__name__}: {error}"[:500]), False
    if not _is_result(result):
        log.error("effector.bad_result", effector=name, result=type(result).__name__)
        return EffectResult.unknown(f"the effector returned {type(result).__name__}, which says nothing of it"), False
    return result, False


def preview(effector: Effector, request: EffectRequest) -> str | None:
    """Return what the effector says it would do, or None when it cannot say."""
    try:
        said: Any = effector.preview(request)
    except (Exception, SystemExit):  # a guest's preview must not take the incident with it
        log.exception("effector.preview_failed", effector=request.action.effector)
        return None
    if isinstance(said, str):
        return said
    log.error("effector.bad_preview", effector=request.action.effector, preview=type(said).__name__)
    if hasattr(said, "close"):
        said.close()  # a coroutine nobody awaits
    return None


def _is_result(result: Any) -> bool:
    return (
        isinstance(result, EffectResult) and isinstance(result.status, OutcomeStatus) and isinstance(result.detail, str)
    )
