"""Runs a program the operator named: no shell, one argument per placeholder, nothing left behind."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Mapping
from typing import Any

from agentic.contracts import Effector, EffectRequest, EffectResult
from agentic.effectors import process
from agentic.effectors.output import NoRedaction, TextRedactor, one_line, plain
from agentic.effectors.placeholders import (
    UNFIT,
    Refusal,
    check_argv,
    check_params,
    fill_argv,
    lineage_of,
    next_attempt,
)
from agentic.errors import ConfigError
from agentic.guard import is_rerun
from agentic.types import Action

INHERITED = ("PATH", "HOME", "LANG", "TZ")
DEFAULT_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
KEYS = frozenset({"argv", "cwd", "env", "delay_seconds", "leave_children"})


class Command(Effector):
    """Runs `argv` with an environment of its own and judges it by its exit code.

    `environ` is the worker's environment; only PATH, HOME, LANG and TZ are taken from it.
    """

    def __init__(
        self,
        *,
        redactor: TextRedactor | None = None,
        environ: Mapping[str, str] | None = None,
        grace_seconds: float = process.GRACE_SECONDS,
    ) -> None:
        self._redactor = redactor or NoRedaction()
        inherited = {name: environ[name] for name in INHERITED if name in environ} if environ else {}
        self._environment = {**DEFAULT_ENVIRONMENT, **inherited}
        self._grace_seconds = grace_seconds

    async def execute(self, request: EffectRequest) -> EffectResult:
        """Run the command once; exit code 0 is success."""
        settings = request.action.settings
        try:
            argv = fill_argv(settings["argv"], request)
        except Refusal as refusal:
            return EffectResult.refused(self._redactor.text(str(refusal)))
        if request.dry_run:
            return EffectResult.rehearsed(f"would run: {self._in_words(argv, request)}")
        ended = await process.run(
            argv,
            env=self._environment_of(request),
            cwd=settings.get("cwd", ""),
            timeout_seconds=request.timeout_seconds,
            grace_seconds=self._grace_seconds,
            leave_children=settings.get("leave_children", False),
        )
        return self._judge(ended, request)

    def preview(self, request: EffectRequest) -> str:
        """Say the command exactly as it would be run, quoted as for a shell."""
        try:
            return self._in_words(fill_argv(request.action.settings["argv"], request), request)
        except Refusal as refusal:
            return one_line(self._redactor.text(f"would be refused: {refusal}"))

    def check(self, action: Action) -> None:
        """Raise ConfigError when the command cannot work or would let a value reach a shell."""
        settings = action.settings
        _check_shape(settings)
        check_params(action)
        check_argv(settings["argv"], action)

    def _environment_of(self, request: EffectRequest) -> dict[str, str]:
        event = request.event
        environment = {
            **self._environment,
            **request.action.settings.get("env", {}),
            "AUTOREMEDY_EVENT_ID": event.event_id,
            "AUTOREMEDY_JOB_ID": event.job_id,
        }
        if is_rerun(request.action):
            environment["AUTOREMEDY_LINEAGE"] = lineage_of(event)
            environment["AUTOREMEDY_ATTEMPT"] = str(next_attempt(request))
        # The ids are not placeholders and may hold anything, also what cannot stand in an environment.
        return {name: UNFIT.sub("", value) for name, value in environment.items()}

    def _in_words(self, argv: list[str], request: EffectRequest) -> str:
        folder = request.action.settings.get("cwd")
        words = shlex.join(argv).replace("\n", "\\n")
        where = f" (in {folder})" if folder else ""
        return self._redactor.text(plain(words) + where)

    def _judge(self, ended: process.Ended, request: EffectRequest) -> EffectResult:
        if ended.error is not None:
            return EffectResult.failed(f"could not be started: {self._redactor.text(one_line(ended.error))}")
        if ended.lost:
            return EffectResult.unknown(
                "the process that watches over the command was killed; nobody can tell how the command ended"
            )
        output = ended.output.shown(self._redactor)
        said = f"\n{output}" if output else ""
        left = f"; {ended.survivors} could not be killed" if ended.survivors else ""
        if ended.timed_out:
            many = "process was" if ended.told_to_end == 1 else f"{ended.told_to_end} processes were"
            return EffectResult.failed(
                f"not done within {request.timeout_seconds:g} s; the command's {many} ended{left}{said}"
            )
        if ended.told_to_end:
            left = f"; {ended.told_to_end} it had left running ended{left}"
        if ended.code is None:
            return EffectResult.unknown(f"it cannot be told how the command ended{left}{said}")
        if ended.code < 0:
            return EffectResult.failed(f"ended by {_signal_name(-ended.code)}{left}{said}")
        words = f"exit code {ended.code}{left}{said}"
        return EffectResult.done(words) if ended.code == 0 else EffectResult.failed(words)


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


def _check_shape(settings: Mapping[str, Any]) -> None:
    for key in settings:
        if key not in KEYS:
            raise ConfigError(f"{key}: the command effector does not know this key; it knows {', '.join(sorted(KEYS))}")
    argv = settings.get("argv")
    if not isinstance(argv, list) or not argv or not all(isinstance(argument, str) for argument in argv):
        raise ConfigError("needs `argv:`, a list of the program and its arguments, each in quotes")
    env = settings.get("env", {})
    if not isinstance(env, Mapping) or not all(isinstance(v, str) and "=" not in k for k, v in env.items()):
        raise ConfigError("env: write each value in quotes")
    if any("\0" in text for text in (*argv, *env, *env.values())):
        raise ConfigError("argv and env may not hold a NUL character")
    cwd = settings.get("cwd", "/")
    if not isinstance(cwd, str) or not cwd.startswith("/"):
        raise ConfigError(f"cwd: write an absolute path (got {cwd!r})")
    if not isinstance(settings.get("leave_children", False), bool):
        raise ConfigError("leave_children: write true or false")
