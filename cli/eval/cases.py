"""Labelled failures: a folder of JSON lines, or of plain logs with a file of labels, or the shipped examples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from agentic.digest import Redactor, split_log
from agentic.reasoning.signatures import Signature
from agentic.types import ActionKind, Category, Event, EventStatus

LABELS = "labels.yaml"
_LABEL_KEYS = frozenset({"category", "also", "evidence", "job", "command", "exit_code", "unacceptable_actions"})


class CaseError(ValueError):
    """A case or its label cannot be read; the text says where and what to write."""


@dataclass(frozen=True, slots=True)
class Case:
    """One failure and what is known to be true of it."""

    id: str
    log: tuple[str, ...]
    category: str
    also: frozenset[str] = frozenset()
    """Categories that a reasonable reader may give as well."""
    evidence: frozenset[int] = frozenset()
    """0-based numbers of lines that prove the cause; any one of them is a hit. Empty: nobody said."""
    unacceptable: frozenset[str] = frozenset()
    """Kinds of action that would be wrong or do harm. Empty: nobody said."""
    job: str = "eval"
    command: str | None = None
    exit_code: int | None = None

    @property
    def fingerprint(self) -> str:
        """Changes when anything of the case does."""
        content = [self.log, self.category, *map(sorted, (self.also, self.unacceptable))]
        known = json.dumps([*content, sorted(self.evidence), self.job, self.command, self.exit_code])
        return hashlib.sha256(known.encode("utf-8", "replace")).hexdigest()[:12]

    def event(self, redactor: Redactor) -> Event:
        """Return the case as a failure that was just reported, secrets redacted."""
        return Event(
            event_id=f"eval-{hashlib.sha256(self.id.encode('utf-8', 'replace')).hexdigest()[:12]}",
            job_id=self.job,
            status=EventStatus.FAILED,
            log=tuple(redactor.lines(self.log)),
            command=redactor.text(self.command) if self.command else None,
            exit_code=self.exit_code,
        )


def cases_of(folder: Path) -> list[Case]:
    """Return the cases of a folder; raises CaseError."""
    if not folder.is_dir():
        raise CaseError(f"{folder}: no such folder")
    files = sorted(folder.glob("failures_*.jsonl")) or sorted(folder.glob("*.jsonl"))
    labels = folder / LABELS
    found = [case for file in files for case in _of_lines(file)] + (list(_of_logs(labels)) if labels.is_file() else [])
    if not found:
        raise CaseError(f"{folder}: no case in it; write *.jsonl with one case a line, or *.log files and {LABELS}")
    names: set[str] = set()
    for case in found:
        if case.id in names:
            raise CaseError(f"{folder}: the id {case.id!r} is there twice")
        names.add(case.id)
    return found


def examples_of(signatures: Sequence[Signature]) -> list[Case]:
    """Return the examples that signatures bring along; their lines of proof are not labelled."""
    return [
        Case(id=signature.name, log=tuple(split_log(signature.matches[0])), category=signature.category.value)
        for signature in signatures
        if signature.category is not None and signature.matches
    ]


def spread(cases: Sequence[Case], limit: int | None) -> list[Case]:
    """Return so many cases, evenly from the whole."""
    if limit is None or limit >= len(cases):
        return list(cases)
    return [cases[number * len(cases) // limit] for number in range(limit)]


def _of_lines(file: Path) -> Iterator[Case]:
    for number, line in enumerate(_text(file).splitlines(), 1):
        if not line.strip():
            continue
        where = f"{file}:{number}"
        try:
            content = json.loads(line)
        except ValueError as error:
            raise CaseError(f"{where}: not JSON ({error})") from None
        if not isinstance(content, dict) or not {"id", "log", "category"} <= set(content):
            raise CaseError(f"{where}: a case is an object with id, log and category")
        log = content["log"]
        yield _case(str(content["id"]), split_log(log) if isinstance(log, str) else log, content, where)


def _of_logs(labels: Path) -> Iterator[Case]:
    try:
        content = yaml.safe_load(_text(labels))
    except yaml.YAMLError as error:
        raise CaseError(f"{labels}: not YAML: {error}") from None
    if not isinstance(content, dict):
        raise CaseError(f"{labels}: write `file.log: category`, one a line")
    for name, label in content.items():
        where = f"{labels}: {name}"
        told = {"category": label} if isinstance(label, str) else label
        if not isinstance(told, dict) or "category" not in told:
            raise CaseError(f"{where}: write its category")
        if unknown := set(told) - _LABEL_KEYS:
            raise CaseError(f"{where}: unknown key {min(unknown)!r}; known: {', '.join(sorted(_LABEL_KEYS))}")
        run = {"name": told.get("job"), "command": told.get("command"), "exit_code": told.get("exit_code")}
        log = split_log(_text(labels.parent / str(name)))
        yield _case(str(name), log, {**told, "job": run, "also_acceptable_categories": told.get("also")}, where)


def _case(name: str, log: Any, content: Mapping[str, Any], where: str) -> Case:
    if not isinstance(log, (list, tuple)):
        raise CaseError(f"{where}: log must be a text or a list of lines")
    lines = tuple(map(str, log))
    run = content.get("job") or {}
    if not isinstance(run, Mapping):
        raise CaseError(f"{where}: job must be an object with name, command and exit_code")
    code = run.get("exit_code")
    if code is not None and (isinstance(code, bool) or not isinstance(code, int)):
        raise CaseError(f"{where}: exit_code must be a whole number, without quotes")
    return Case(
        id=name,
        log=lines,
        category=next(iter(_categories([content["category"]], where))),
        also=_categories(content.get("also_acceptable_categories"), where),
        evidence=frozenset(_evidence(content.get("evidence"), lines, where)),
        unacceptable=_words(content.get("unacceptable_actions"), "unacceptable_actions", where),
        job=str(run.get("name") or "eval"),
        command=str(run["command"]) if run.get("command") else None,
        exit_code=code,
    )


def _categories(told: Any, where: str) -> frozenset[str]:
    found = _words(told, "a category", where)
    known = {category.value for category in Category}
    if unknown := found - known:
        raise CaseError(f"{where}: unknown category {min(unknown)!r}; there are: {', '.join(sorted(known))}")
    return found


def _words(told: Any, what: str, where: str) -> frozenset[str]:
    """Return a word, or the words of a list."""
    if not isinstance(told, (str, list, tuple, type(None))):
        raise CaseError(f"{where}: write {what} as a word, or several as a list (got {told!r})")
    return frozenset(map(str, [told] if isinstance(told, str) else told or ()))


def not_kinds(cases: Iterable[Case]) -> list[str]:
    """Return the forbidden actions that no plan can ever hold, such as a slip of the pen: they count nothing."""
    known = {kind.value for kind in ActionKind}
    return sorted({kind for case in cases for kind in case.unacceptable} - known)


def _evidence(told: Any, lines: Sequence[str], where: str) -> Iterator[int]:
    """Yield line numbers; a text stands for every line that contains it."""
    for one in [told] if isinstance(told, (str, int)) else told or ():
        if isinstance(one, int):
            if not 0 <= one < len(lines):
                raise CaseError(f"{where}: evidence {one} is no line of the log, which has {len(lines)} from 0 on")
            yield one
            continue
        hits = [number for number, line in enumerate(lines) if str(one) in line]
        if not hits:
            raise CaseError(f"{where}: no line contains the evidence {str(one)[:80]!r}")
        yield from hits


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
    except OSError as error:
        raise CaseError(f"{file}: {error.strerror}") from None
