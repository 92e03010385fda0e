"""What is well formed but cannot work, or is unsafe: refused at start with its path."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import re2
from pydantic_core import PydanticCustomError

from agentic.argv import PLACEHOLDER, argv_problems, placeholder_problem
from agentic.digest import Redactor
from agentic.errors import ConfigError
from agentic.patterns import options
from agentic.planning import BUILT_IN_NAMES
from agentic.report import check_name
from agentic.types import ActionKind
from settings.calls import EffectorCall
from settings.models import Settings

Where = tuple[str | int, ...]
Finding = tuple[Where, str]
STORES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
MAX_PROBES = 10
BUILT_IN_EFFECTORS = frozenset({"command", "http", "rerun", "notify"})


def semantic_problems(settings: Settings) -> Iterator[Finding]:
    """Yield what is well formed but cannot work, or is unsafe, with its path."""
    yield from _addresses(settings)
    yield from _patterns(settings)
    names = set(settings.actions)
    kinds = {kind.value for kind in ActionKind}
    for name, action in settings.actions.items():
        here = ("actions", name)
        if action.kind is None and name not in kinds:
            near = difflib.get_close_matches(name, kinds, n=1, cutoff=0.4)
            hint = f' such as "{near[0]}"' if near else ""
            yield here, f"add `kind:` from the taxonomy{hint}; the name alone is not one"
        if name in BUILT_IN_NAMES:
            yield here, "is built in; choose another name"
        if action.undo == name:
            yield (*here, "undo"), "an action cannot take itself back; name another one"
        elif action.undo is not None and action.undo not in names:
            yield (*here, "undo"), _no_such_action(action.undo, names)
        for index, job_id in enumerate(action.jobs):
            if problem := _id_problem(job_id):
                yield (*here, "jobs", index), problem
        yield from _call_problems(settings, here, action)
        if action.verify:
            yield from _call_problems(settings, (*here, "verify"), action.verify)
        if action.probe:
            yield from _call_problems(settings, (*here, "probe"), action.probe)
    yield from _probe_problems(settings)
    known = names | BUILT_IN_NAMES | kinds
    for category, plan in settings.playbooks.items():
        yield from _plan_problems(("playbooks", category.value), plan, known)
    yield from _job_problems(settings, known)
    if settings.api.public_url is not None:
        try:
            urlsplit(settings.api.public_url)
        except ValueError as error:
            yield ("api", "public_url"), f"is not an address: {error}"
    for index, host in enumerate(settings.http.allowed_hosts):
        if "*" in host:
            yield (
                ("http", "allowed_hosts", index),
                "write each host in full; a pattern would open the door to any host",
            )
    if settings.policy.freeze:
        yield ("policy", "freeze"), "maintenance windows are not built yet; use `POST /pause` and `POST /resume`"
    for name in settings.effectors:
        if name in BUILT_IN_EFFECTORS:
            yield ("effectors", name), "is built in; choose another name"


def _probe_problems(settings: Settings) -> Iterator[Finding]:
    for name, probe in settings.probes.items():
        here = ("probes", name)
        if probe.method not in (None, "GET"):
            yield (*here, "method"), "a probe only looks: leave it out, or write GET"
        if probe.json_body is not None:
            yield (*here, "json"), "a probe only looks: a GET request has no body"
        for index, job_id in enumerate(probe.jobs):
            if problem := _id_problem(job_id):
                yield (*here, "jobs", index), problem
        yield from _call_problems(settings, here, probe)
    for job_id in ["", *(job for probe in settings.probes.values() for job in probe.jobs)]:
        if sum(not probe.jobs or job_id in probe.jobs for probe in settings.probes.values()) > MAX_PROBES:
            yield ("probes",), f"a job may have at most {MAX_PROBES}, since each takes room from its log; use `jobs:`"
            break


def _job_problems(settings: Settings, known: set[str]) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, job in enumerate(settings.jobs):
        here2 = ("jobs", index)
        if job.id in seen:
            yield (*here2, "id"), f"{job.id!r} is written twice; keep one"
        seen.add(job.id)
        if job.id != "*" and (problem := _id_problem(job.id)):
            yield (*here2, "id"), problem
        for category, plan in job.playbooks.items():
            yield from _plan_problems((*here2, "playbooks", category.value), plan, known)
        if job.rerun:
            yield from _call_problems(settings, (*here2, "rerun"), job.rerun)
            if job.rerun.probe:
                yield from _call_problems(settings, (*here2, "rerun", "probe"), job.rerun.probe)
        if job.verify:
            yield from _call_problems(settings, (*here2, "verify"), job.verify)


def _addresses(settings: Settings) -> Iterator[Finding]:
    """Yield the addresses at which nothing can ever answer; whether something does is not asked here."""
    url = settings.redis.url
    scheme, separator, _ = url.partition("://")
    if url != "embedded" and (not separator or scheme not in STORES):
        near = difflib.get_close_matches(scheme, [*STORES, "embedded"], n=1, cutoff=0.7)
        hint = f'; did you mean "{near[0]}{"" if near[0] == "embedded" else "://"}"?' if near else ""
        known = ", ".join(f"{name}://" for name in STORES)
        got = f"{scheme}://…" if separator else repr(url)
        yield ("redis", "url"), f"write embedded, or an address that begins with one of {known} (got {got}){hint}"
    elif separator and scheme != "unix" and not _has_host(url):
        yield ("redis", "url"), f"write a host and a port, such as {scheme}://store.internal:6379/0"
    llm = settings.llm
    if llm.enabled is not False and (
        not llm.base_url.startswith(("http://", "https://")) or not _has_host(llm.base_url)
    ):
        yield ("llm", "base_url"), "write http:// or https:// and a host, such as http://localhost:1234/v1"


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        several = "," in parts.netloc  # sentinels: host:port,host:port
        return bool(parts.netloc.rpartition("@")[2].split(":")[0]) and (several or parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _patterns(settings: Settings) -> Iterator[Finding]:
    for kind, pattern in settings.redaction.patterns.items():
        try:
            Redactor({kind: pattern})
        except ConfigError as error:
            yield ("redaction", "patterns", kind), str(error).removeprefix(f"redaction pattern {kind!r}: ")
    for name, action in settings.actions.items():
        for param, pattern in action.params.items():
            try:
                re2.compile(pattern, options())
            except re2.error as error:
                why = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
                said = f"{pattern!r} is not valid: {why} (RE2: no look-around, no back-references)"
                yield ("actions", name, "params", param), said


def _id_problem(job_id: str) -> str | None:
    """Say why no event can ever have this job id, or why it does not mean what it seems to."""
    try:
        check_name(job_id)
    except PydanticCustomError as error:
        return f"no event can have the job id {job_id!r}: {error.message()}"
    if "*" in job_id:
        return f'{job_id!r} is no pattern; write each job id in full, or "*" under `jobs` for every other job'
    return None


def _plan_problems(here: Where, plan: list[str], known: set[str]) -> Iterator[Finding]:
    for index, name in enumerate(plan):
        if name not in known:
            yield (*here, index), _no_such_action(name, known)


def _no_such_action(name: str, known: set[str] | frozenset[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f'no action is called "{name}"' + (
        f'; did you mean "{near[0]}"?' if near else "; declare it under `actions`"
    )


def _call_problems(settings: Settings, here: Where, call: EffectorCall) -> Iterator[Finding]:
    effector = call.effector or ("command" if here[-1] in ("rerun", "verify", "probe") else None)
    params = getattr(call, "params", {})
    if effector is None:
        if call.argv or call.url:
            yield here, "has something to run but no `effector:`; write command or http"
        return
    known = {*BUILT_IN_EFFECTORS, *settings.effectors}
    if effector not in known:
        near = difflib.get_close_matches(effector, known, n=1, cutoff=0.5)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        yield (*here, "effector"), f"no effector is called {effector!r}{hint}"
    if effector == "command":
        yield from _argv_problems(here, call.argv, params)
    if effector == "http":
        if not call.url:
            yield here, "needs `url:`"
        else:
            yield from _placeholder_problems((*here, "url"), call.url, params)


def _argv_problems(here: Where, argv: list[str] | None, params: Mapping[str, str]) -> Iterator[Finding]:
    if not argv:
        yield here, "needs `argv:`, a list of the program and its arguments"
        return
    for index, problem in argv_problems(argv, params):
        yield (*here, "argv", index), problem


def _placeholder_problems(here: Where, text: str, params: Mapping[str, str]) -> Iterator[Finding]:
    for name in PLACEHOLDER.findall(text):
        if problem := placeholder_problem(name, params):
            yield here, problem
