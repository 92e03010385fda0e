"""The result file: one finished case a line, so that a run that was stopped goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cli.eval.cases import Case


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case in one run."""

    category: str
    evidence: tuple[int, ...]
    actions: tuple[str, ...]
    """Kinds of the planned actions, in order."""
    confidence: int
    source: str
    root_cause: str
    seconds: float
    calls: int = 0
    """Questions to the model."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    unusable: str | None = None
    """Why the model's answer did not count, by the names of docs/lm-studio.md."""
    error: str | None = None
    """Why there is no result; the case is asked again."""


@dataclass(frozen=True, slots=True)
class Run:
    """What results belong together: another model, prompt or rule is another run."""

    id: str
    mode: str
    model: str | None = None


class ResultFile:
    """Appends results and finds them again; a line that was cut off by a crash is passed over."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unreadable = 0
        self._lines: list[Mapping[str, Any]] = []
        if path.exists():
            self._read()
        else:
            path.touch()

    def results(self, run: Run, cases: Iterable[Case]) -> dict[str, Result]:
        """Return the last result of each case in a run; a case that was changed since has none."""
        prints = {case.id: case.fingerprint for case in cases}
        return {
            line["case"]: _result(line)
            for line in self._lines
            if line["run"] == run.id and prints.get(line["case"]) == line["fingerprint"]
        }

    def add(self, run: Run, case: Case, result: Result) -> None:
        """Write a result down at once."""
        about = {"run": run.id, "mode": run.mode, "model": run.model, "case": case.id, "fingerprint": case.fingerprint}
        line = {**about, **asdict(result)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._lines.append(line)

    def _read(self) -> None:
        text = self.path.read_text(encoding="utf-8", errors="replace")
        if text and not text.endswith("\n"):
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n")  # or the next line would be lost with the one that was cut off
        for row in text.splitlines():
            try:
                line = json.loads(row)
                _result(line)
                _ = line["run"], line["case"], line["fingerprint"]
            except (ValueError, KeyError, TypeError):
                self.unreadable += bool(row.strip())
                continue
            self._lines.append(line)


def _result(line: Mapping[str, Any]) -> Result:
    told = {field.name: line[field.name] for field in fields(Result)}
    return Result(**{**told, "evidence": tuple(told["evidence"]), "actions": tuple(told["actions"])})
