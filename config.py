"""Settings, read once at start: `config.yaml`, with the environment over it.

Everyone but the entry points is handed values. No other module of the services reads the environment
(the `autoremedy exec` wrapper has its own in `cli/exec/config.py`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentic.errors import ConfigError
from settings.checks import semantic_problems
from settings.explain import validated
from settings.models import Settings
from settings.source import put_environment, read_yaml

__all__ = ["Settings", "load_settings", "worker_environment"]

ENV_PREFIX = "AUTOREMEDY_"
ENV_NOT_SETTINGS = frozenset({"CONFIG", "URL", "SPOOL", "LINEAGE", "ATTEMPT", "EVENT_ID", "JOB_ID", "RUN_ID"})
"""Names behind the prefix that are not settings: the file's path, and what `autoremedy exec` and reruns use."""
SHORT_NAMES = {
    "REDIS_URL": "redis.url",
    "LLM_BASE_URL": "llm.base_url",
    "LLM_MODEL": "llm.model",
    "LLM_API_KEY": "llm.api_key",
    "PORT": "api.port",
}


def load_settings(
    path: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    also: Mapping[str, Any] | None = None,
) -> Settings:
    """Read and check the settings.

    `path` defaults to `AUTOREMEDY_CONFIG`, else `./config.yaml`; where that default file is absent the
    built-in settings hold. `also` adds jobs and actions that the file does not name (the fault lab's).
    Raises ConfigError with every problem on a line of its own.
    """
    environ = os.environ if environ is None else environ
    file = Path(path or environ.get("AUTOREMEDY_CONFIG") or "config.yaml")
    named = bool(path or environ.get("AUTOREMEDY_CONFIG"))
    text: str | None
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if named:
            raise ConfigError(f"{file}: no such file; AUTOREMEDY_CONFIG or --config names it") from None
        text = None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
    source = read_yaml(text or "", file.name if file.parent == Path() else str(file), environ)
    source.written = text is not None
    put_environment(source, environ, ENV_PREFIX, ENV_NOT_SETTINGS, SHORT_NAMES)
    _add(source.data, also or {})
    settings = validated(source)
    if settings is not None:
        for where, message in semantic_problems(settings):
            source.complain(where, message)
    if source.problems or settings is None:
        raise ConfigError("\n".join(source.problems))
    return settings.read_from(source, file.resolve().parent)


def _add(data: dict[str, Any], also: Mapping[str, Any]) -> None:
    """Add jobs and actions; what the file itself says of one of that name wins."""
    jobs = data.setdefault("jobs", []) if also else []
    if isinstance(jobs, list):
        named = {job.get("id") for job in jobs if isinstance(job, dict)}
        jobs.extend(job for job in also.get("jobs", []) if job["id"] not in named)
    if also and isinstance(data.get("actions") or {}, dict):
        data["actions"] = {**also.get("actions", {}), **(data.get("actions") or {})}


def worker_environment() -> dict[str, str]:
    """Return the worker's own environment; the command effector takes only a few names from it."""
    return dict(os.environ)
