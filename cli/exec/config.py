"""What `autoremedy exec` and the command line take from the environment; the only file of `cli` that reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping

DEFAULT_URL = "http://127.0.0.1:8000"


class ExecConfig:
    """Where reports go, where they wait while the API is away, and what a remedy said about this run."""

    __slots__ = ("attempt", "job_id", "lineage", "spool_folders", "url")

    def __init__(
        self,
        url: str,
        spool_folders: tuple[str, ...],
        lineage: str | None = None,
        attempt: int | None = None,
        job_id: str | None = None,
    ) -> None:
        self.url = url
        self.spool_folders = spool_folders
        """Folders in order of preference; the first that can be used gets new reports, all are emptied."""
        self.lineage = lineage
        self.attempt = attempt
        self.job_id = job_id
        """Name of the job when a remedy started this run, else None."""


def read_config(environ: Mapping[str, str] | None = None) -> ExecConfig:
    """Read the settings; nothing here can fail, a value that makes no sense counts as absent."""
    environ = os.environ if environ is None else environ
    lineage = environ.get("AUTOREMEDY_LINEAGE") or None
    attempt = environ.get("AUTOREMEDY_ATTEMPT", "")
    # A wrapped command sees its own AUTOREMEDY_JOB_ID and AUTOREMEDY_RUN_ID. When it wraps another command, that
    # one is a job of its own; only a run that a remedy started directly takes its name from the environment.
    started_by_remedy = lineage is not None and "AUTOREMEDY_RUN_ID" not in environ
    return ExecConfig(
        url=environ.get("AUTOREMEDY_URL") or DEFAULT_URL,
        spool_folders=_spool_folders(environ),
        lineage=lineage,
        attempt=int(attempt) if attempt.isascii() and attempt.isdigit() and len(attempt) < 9 else None,
        job_id=(environ.get("AUTOREMEDY_JOB_ID") or None) if started_by_remedy else None,
    )


def _spool_folders(environ: Mapping[str, str]) -> tuple[str, ...]:
    named = environ.get("AUTOREMEDY_SPOOL")
    if named:
        return (named,)
    folders = []
    state = environ.get("XDG_STATE_HOME", "")
    home = environ.get("HOME", "")
    if state.startswith("/"):
        folders.append(f"{state}/autoremedy/spool")
    elif home.startswith("/"):
        folders.append(f"{home}/.local/state/autoremedy/spool")
    temporary = environ.get("TMPDIR") or "/tmp"  # noqa: S108 - the folder below is ours alone, and checked to be
    folders.append(f"{temporary}/autoremedy-{os.getuid()}/spool")
    return tuple(folders)


def child_environment(run_id: str, job_id: str) -> dict[bytes, bytes]:
    """Return the environment the command would have had without us, plus the names of run and job."""
    environ = dict(os.environb)
    _undo_locale_coercion(environ)
    environ[b"AUTOREMEDY_RUN_ID"] = os.fsencode(run_id)
    environ[b"AUTOREMEDY_JOB_ID"] = os.fsencode(job_id)
    return environ


def _undo_locale_coercion(environ: dict[bytes, bytes]) -> None:
    """Put LC_CTYPE back: in the C locale, which is cron's, Python sets it for itself and all below (PEP 538)."""
    try:
        with open("/proc/self/environ", "rb") as file:  # noqa: PTH123 - pathlib costs 8 ms of every run
            original = file.read().split(b"\0")
    except OSError:
        return
    before = next((entry[9:] for entry in original if entry.startswith(b"LC_CTYPE=")), None)
    if before is None:
        environ.pop(b"LC_CTYPE", None)
    else:
        environ[b"LC_CTYPE"] = before


def search_path() -> list[str]:
    """Return the folders that programs are looked for in."""
    return os.environ.get("PATH", os.defpath).split(os.pathsep)
