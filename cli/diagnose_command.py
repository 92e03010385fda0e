"""`autoremedy diagnose`: reading a log here, with no server, by the rules of the configuration in force."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.state import AsJson
from cli.terminal import clean, complain, console, print_json

if TYPE_CHECKING:
    from agentic.digest import Selection, Selector
    from agentic.types import Action, Diagnosis
    from config import Settings

USAGE_ERROR = 2
_CHUNK = 1 << 20


def diagnose(
    file: Annotated[
        str | None, typer.Argument(help="A log; - is stdin, which is also read when a log is piped in.")
    ] = None,
    exit_code: Annotated[int | None, typer.Option(help="The exit code of the run.")] = None,
    command: Annotated[str | None, typer.Option(help="The command of the run.")] = None,
    job: Annotated[str, typer.Option(help="The job, for its own playbooks.")] = "diagnose",
    batch: Annotated[Path | None, typer.Option(help="Many cases: one JSON object a line.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the answers to --batch go.")] = None,
    config: Annotated[Path | None, typer.Option(help="Default: AUTOREMEDY_CONFIG, else ./config.yaml.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what went wrong in a log, which lines prove it, and what would be done."""
    from cli.config_commands import config_errors, settings_of

    if file is None and batch is None and out is None and sys.stdin is not None and not sys.stdin.isatty():
        file = "-"
    if (batch is None) == (file is None) or (batch is None) != (out is None):
        raise typer.BadParameter("give one log (FILE, or - for stdin), or --batch IN.jsonl with --out OUT.jsonl")
    with config_errors():
        doctor = Diagnostician(settings_of(config))
    if batch is not None and out is not None:
        _batch(doctor, batch, out)
        return
    assert file is not None
    log = _read(file, doctor)
    if not any(line.strip() for line in log.lines):
        known = "exit code and command" if exit_code is not None or command else "nothing"
        complain(f"{'stdin' if file == '-' else file} is empty: no log to read; {known} to go by")
    found = doctor.read(file, Run(job, command, exit_code), log)
    if as_json:
        print_json(found.as_answer())
    else:
        found.show()


@dataclass(frozen=True)
class Run:
    """What is known of a run besides its log."""

    job: str
    command: str | None
    exit_code: int | None


class Found:
    """A diagnosis with the log it is about, secrets redacted."""

    def __init__(
        self, case_id: Any, diagnosis: Diagnosis, plan: tuple[Action, ...], log: tuple[str, ...], read: Selection
    ) -> None:
        self.case_id = case_id
        self.diagnosis = diagnosis
        self.plan = plan
        self.log = log
        self._read = read

    def as_answer(self) -> dict[str, Any]:
        """Return it as the contract has it: best first."""
        answer = {
            "id": self.case_id,
            "category": self.diagnosis.category.value,
            "evidence": list(self.diagnosis.evidence),
            "actions": list(dict.fromkeys(action.kind.value for action in self.plan)),
            "confidence": self.diagnosis.confidence,
            "root_cause": self.diagnosis.root_cause,
            "source": self.diagnosis.source,
            "redacted": list(self.log),
        }
        if not self._read.whole:
            answer |= {"line_numbers": list(self._read.numbers), "total_lines": self._read.total_lines}
        return answer

    def show(self) -> None:
        """Write it for people."""
        from cli.pages import Page, cause_lines, evidence_lines

        page = Page(console())
        content = self.diagnosis.model_dump(mode="json")
        page.section("Cause", cause_lines(content))
        numbered = dict(zip(self._read.numbers, self.log, strict=True))
        page.section("Evidence", evidence_lines(content, (), numbered, around=2))
        page.section("Plan", [f"{n}. {_in_words(action)}" for n, action in enumerate(self.plan, 1)])


def _in_words(action: Action) -> str:
    said = f": {clean(action.description)}" if action.description else ""
    by_hand = "" if action.effector else " (for a person: no action is declared for it)"
    return f"{clean(action.name)}{said}{by_hand}"


class Diagnostician:
    """Redacts, digests, diagnoses and plans, as a worker does with rules alone."""

    def __init__(self, settings: Settings) -> None:
        from agentic.digest import Redactor
        from agentic.planning import Planner
        from agentic.reasoning.rules import Rules
        from settings.secrets import secret_patterns

        self._settings = settings
        self._redactor = Redactor(secret_patterns(settings))
        self._rules = Rules([settings.base_dir() / folder for folder in settings.knowledge])
        self._planner = Planner(settings.declared_actions(), settings.all_playbooks())

    def selector(self) -> Selector:
        """Return what reads a log of any size."""
        from agentic.digest import Selector

        return Selector(self._rules.scout)

    def diagnose(self, case: Mapping[str, Any]) -> Found:
        """Diagnose one case; raises ValueError when it is not one."""
        from agentic.digest import Selection, split_log

        job_said, log = case.get("job") or {}, case.get("log") or ()
        if not isinstance(job_said, Mapping):
            raise ValueError("`job` must be an object")  # noqa: TRY004 - one kind of error for one case
        if isinstance(log, str):
            log = split_log(log)
        elif not isinstance(log, (list, tuple)):
            raise ValueError("`log` must be a text or a list of lines")  # noqa: TRY004 - as above
        name, command, exit_code = job_said.get("name"), job_said.get("command"), job_said.get("exit_code")
        run = Run(
            str(name or "diagnose"),
            str(command) if command else None,
            exit_code if isinstance(exit_code, int) else None,
        )
        return self.read(case.get("id"), run, Selection.of(str(line) for line in log))

    def read(self, case_id: Any, run: Run, log: Selection) -> Found:
        """Diagnose one run from what was kept of its log."""
        from agentic.digest import digest_log
        from agentic.types import Category, Decision, Diagnosis, Event, EventStatus, Situation

        event = Event(
            event_id="diagnose",
            job_id=run.job,
            status=EventStatus.FAILED,
            log=tuple(self._redactor.lines(log.lines)),
            command=self._redactor.text(run.command) if run.command else None,
            exit_code=run.exit_code,
        )
        digest = digest_log(
            event.log,
            exit_code=event.exit_code,
            command=event.command,
            context=f"{event.job_id} {event.status}",
            numbers=log.number_of,
            total_lines=log.total_lines,
        )
        job = self._settings.job_for(event.job_id)
        decision = self._rules.decide(Situation(event=event, digest=digest, job=job, menu=self._planner.menu(job)))
        if decision is None:
            nothing = Diagnosis(
                category=Category.UNKNOWN,
                root_cause="No rule recognises this failure.",
                confidence=0,
                source="none",
            )
            decision = Decision(diagnosis=nothing)
        return Found(case_id, decision.diagnosis, self._planner.plan(decision, job), event.log, log)


def _read(file: str, doctor: Diagnostician) -> Selection:
    """Read a log of any size in bounded memory."""
    selector = doctor.selector()
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as source:
            while data := source.read(_CHUNK):
                selector.feed(data)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None
    return selector.close()


def _batch(doctor: Diagnostician, source: Path, target: Path) -> None:
    """Diagnose every case; a line that is none is answered with its error, and the others are diagnosed."""
    bad = total = 0
    try:
        with (
            source.open(encoding="utf-8", errors="replace") as cases,
            target.open("w", encoding="utf-8") as answers,
        ):
            for number, line in enumerate(_with_progress(cases, source.stat().st_size), 1):
                if not line.strip():
                    continue
                total += 1
                answer = _answer(doctor, line)
                if "error" in answer:
                    complain(f"{source}:{number}: {answer['error']}")
                    answer["line"] = number
                    bad += 1
                answers.write(json.dumps(answer) + "\n")
    except OSError as error:
        complain(f"{error.filename or target}: {error.strerror}")
        raise typer.Exit(USAGE_ERROR) from None
    if not total:
        complain(f"{source} has no case in it")
    if bad:
        complain(f"{bad} of {total} cases could not be diagnosed; their lines in {target} say why")
        raise typer.Exit(1)


def _answer(doctor: Diagnostician, line: str) -> dict[str, Any]:
    """Return the answer to one line, or its id and what is wrong with it."""
    case: Any = None
    try:
        case = json.loads(line)
        if not isinstance(case, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - one kind of error for one line
        return doctor.diagnose(case).as_answer()
    except ValueError as error:
        said = str(error)
    except Exception as error:  # noqa: BLE001 - a case that breaks us must not take the others with it
        said = f"{type(error).__name__}: {error}"
    return {"id": case.get("id") if isinstance(case, dict) else None, "error": said}


def _with_progress(lines: Any, size: int) -> Iterator[str]:
    """Yield the lines, with a progress bar where a person is looking."""
    if not sys.stderr.isatty():
        yield from lines
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("diagnosing", total=size)
        for line in lines:
            yield line
            progress.advance(task, len(line.encode("utf-8", "replace")))
