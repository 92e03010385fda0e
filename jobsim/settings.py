"""The part of the settings that the lab needs: its jobs and the actions it allows for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobsim.faults import HERE, Fault, all_faults


def lab_config(folder: str | Path, python: str) -> dict[str, Any]:
    """Return `jobs` and `actions` in the form of `config.yaml`; both paths must be absolute.

    Every action is declared for its one job only, so no other job's playbook can reach it.
    """
    faults = all_faults(Path(folder))
    return {
        "jobs": [_job(fault, python) for fault in faults],
        "actions": {fault.remedy.name: _action(fault, python) for fault in faults if fault.remedy},
    }


def _job(fault: Fault, python: str) -> dict[str, Any]:
    rerun: dict[str, Any] = {
        "effector": "command",
        "argv": fault.command(python),
        "timeout_seconds": fault.time_limit_seconds,
    }
    if fault.rerun_delay_seconds:
        rerun["delay_seconds"] = fault.rerun_delay_seconds
    job: dict[str, Any] = {
        "id": fault.job_id,
        "mode": "auto",
        "safe_to_rerun": True,
        "rerun": rerun,
        "max_actions_per_hour": 30,  # each start of the demonstration begins with the same faults
    }
    if fault.plan:
        job["playbooks"] = {fault.category: list(fault.plan)}
    return job


def _action(fault: Fault, python: str) -> dict[str, Any]:
    assert fault.remedy is not None
    return {
        "kind": fault.remedy.kind,
        "description": fault.remedy.description,
        "effector": "command",
        "argv": [python, str(HERE / "remedies" / fault.remedy.script), str(fault.folder)],
        "jobs": [fault.job_id],
        "risk": fault.remedy.risk,
        "idempotent": True,
        "timeout_seconds": 20,
    }
