"""The fault lab: breaks a small real job, reports its failure, watches whether it is healed.

It speaks only the public HTTP API, as any scheduler would; remedies and reruns are the worker's.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
import socket
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from jobsim.faults import Fault, all_faults
from jobsim.run import Run, run_job

log = logging.getLogger("autoremedy.lab")

LATER_ROUNDS_SECONDS = 1500.0
"""After the first round of all faults, one round takes this long: each job then stays well within the default
budget of six actions an hour, so that what one sees is healing and not the budget at work."""
REPORT_EVERY_SECONDS = 0.5
HEALED = frozenset({"resolved", "remediated"})


class ReportRefused(Exception):
    """The API will not take a report, and would not take it a second time either."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one fault."""

    job_id: str
    event_id: str
    record: dict[str, Any] | None
    """Its history record, or None when there was none in time."""

    @property
    def healed(self) -> bool:
        """Say whether a remedy put it right."""
        return self.record is not None and self.record["status"] in HEALED


class Lab:
    """Breaks one job after the other, for as long as it is left running."""

    def __init__(
        self,
        url: str,
        folder: str | Path,
        interval_seconds: float = 20,
        *,
        python: str = sys.executable,
        faults: Sequence[Fault] | None = None,
    ) -> None:
        self._faults = list(faults) if faults is not None else all_faults(Path(folder))
        self._interval_seconds = interval_seconds
        self._python = python
        self._http = httpx.AsyncClient(base_url=url, timeout=10, trust_env=False)

    async def run(self) -> None:
        """Break jobs until cancelled."""
        try:
            pause = self._interval_seconds
            while True:
                for fault in self._faults:
                    try:
                        await self.one(fault, pause)
                    except ReportRefused:
                        log.exception("lab.refused job=%s", fault.job_id)
                        await asyncio.sleep(pause)
                pause = max(pause, LATER_ROUNDS_SECONDS / len(self._faults))
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop what the faults keep running."""
        for fault in self._faults:
            await fault.close()
        await self._http.aclose()

    async def one(self, fault: Fault, patience_seconds: float) -> Verdict | None:
        """Break one job, report it, and see after a while what became of it.

        What was not healed by then is mended as a person would do it, and the job's next good run reported.
        Returns None when the job did not fail although it was broken.
        """
        await fault.mend()
        await fault.break_it()
        run = await self._run(fault)
        if run.status == "succeeded":
            log.warning("lab.not_broken job=%s: it succeeded although it was broken", fault.job_id)
            await self._report(fault, run)
            return None
        event_id = await self._report(fault, run)
        await fault.after_report()
        verdict = Verdict(fault.job_id, event_id, await self._record(event_id, patience_seconds))
        if verdict.healed:
            log.info("lab.healed job=%s event=%s", fault.job_id, event_id)
        else:
            status = verdict.record["status"] if verdict.record else "still being handled"
            log.info("lab.not_healed job=%s event=%s: %s; mending it by hand", fault.job_id, event_id, status)
            await fault.mend()
            await self._report(fault, await self._run(fault))
        return verdict

    async def _run(self, fault: Fault) -> Run:
        run = await run_job(fault.command(self._python), fault.time_limit_seconds)
        log.info("lab.ran job=%s status=%s exit_code=%d", fault.job_id, run.status, run.exit_code)
        return run

    async def _report(self, fault: Fault, run: Run) -> str:
        """Post the run as an event, with the same id until the API has it; returns that id."""
        event_id = f"{fault.job_id}-{uuid.uuid4().hex[:12]}"
        event = {
            "event_id": event_id,
            "job_id": fault.job_id,
            "status": run.status,
            "run_id": event_id.removeprefix("lab-"),
            "exit_code": run.exit_code,
            "command": shlex.join(fault.command(self._python)),
            "host": socket.gethostname(),
            "source": "lab",
            "log": run.log,
            "started_at": run.started_at.isoformat(),
            "finished_at": run.finished_at.isoformat(),
            "duration_seconds": round((run.finished_at - run.started_at).total_seconds(), 3),
        }
        while True:
            try:
                answer = await self._http.post("/event", json=event)
            except httpx.TransportError as error:
                log.debug("lab.waiting for the API: %r", error)
            else:
                if answer.is_success:
                    return event_id
                if answer.status_code not in (429, 503):
                    raise ReportRefused(f"the API refused a report: {answer.status_code} {answer.text[:500]}")
            await asyncio.sleep(REPORT_EVERY_SECONDS)

    async def _record(self, event_id: str, patience_seconds: float) -> dict[str, Any] | None:
        """Return the event's history record as it stands when the patience is over."""
        await asyncio.sleep(patience_seconds)
        try:
            answer = await self._http.get(f"/history/{event_id}")
        except httpx.TransportError:
            return None
        record: dict[str, Any] | None = answer.json() if answer.is_success else None
        return record
