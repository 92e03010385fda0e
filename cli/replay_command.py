"""`autoremedy replay`: would today's rules, knowledge and settings decide the same about a recorded event?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from cli.state import AsJson, remote_of
from cli.terminal import clean, complain, print_json, quiet_logs

if TYPE_CHECKING:
    from agentic.pipeline import Decided
    from agentic.questions import Answer
    from agentic.reasoning.recorded import RecordedClient
    from agentic.rehearsal import Rehearsed
    from agentic.replaying import Comparison
    from agentic.types import Event, HistoryRecord, Precedent
    from cli.remote import Remote
    from config import Settings

CHANGED, ERROR = 1, 2


def replay(
    context: typer.Context,
    event_id: Annotated[str, typer.Argument(help="As `autoremedy history` lists it.")],
    ask_model: Annotated[
        bool, typer.Option("--ask-model", help="Ask the model again instead of taking its recorded answer.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="Default: AUTOREMEDY_CONFIG, else ./config.yaml.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decide about a recorded event again, as of today, and say what changed and why. Nothing is done.

    Exit code 0: the same decision; 1: another one; 2: it could not be told.
    """
    from cli.config_commands import settings_of

    with quiet_logs(), _errors_are_2():
        remote = remote_of(context)
        record = _record(remote, event_id)
        replayed = asyncio.run(_Replay(remote, record, settings_of(config), ask_model).run())
    if as_json:
        content = asdict(replayed)
        print_json({"event_id": event_id, "same": replayed.same, **content})
    else:
        _show(event_id, replayed)
    if not replayed.same:
        raise typer.Exit(CHANGED)


@contextmanager
def _errors_are_2() -> Iterator[None]:
    """End the program with 2 for whatever keeps the answer from being known; 1 means another decision."""
    from agentic.errors import AutoRemedyError

    try:
        yield
    except typer.Exit:
        raise typer.Exit(ERROR) from None
    except (AutoRemedyError, ValueError) as error:
        complain(str(error))
        raise typer.Exit(ERROR) from None


def _record(remote: Remote, event_id: str) -> HistoryRecord:
    from agentic.types import HistoryRecord

    record = HistoryRecord.model_validate(remote.get(f"/history/{quote(event_id, safe='')}"))
    if record.diagnosis is None or record.event is None:
        reason = f": {record.reason}" if record.reason else ""
        raise ValueError(f"nothing was decided about {event_id}, it was {record.status.value}{reason}")
    return record


class _Replay:
    """One record, decided again."""

    def __init__(self, remote: Remote, record: HistoryRecord, settings: Settings, ask_model: bool) -> None:
        from agentic.reasoning.recorded import RecordedClient, recorded_probes
        from config import worker_environment
        from settings.offline import offline

        self._remote = remote
        self._record = record
        self._recorded: RecordedClient | None = None
        self._reasons: list[str] = []
        instead: dict[str, Any] = {}
        if not ask_model:
            self._recorded = RecordedClient(max_output_tokens=settings.llm.max_output_tokens)
            probes = recorded_probes(settings.declared_probes().values(), self._recorded)
            instead = {"client": self._recorded, "probes": probes}
        # A model that was switched off since has still said what it said.
        self._own = offline(settings, worker_environment(), use_model=not ask_model, instead=instead)

    async def run(self) -> Comparison:
        from agentic.replaying import compare

        record, stage = self._record, self._own.stage
        assert record.event is not None
        try:
            precedents = self._precedents((await stage.situation(record.event)).digest.signature)
            answer = await self._earlier_answer()
            rehearsed = await self._rehearse(record.event, answer, precedents)
        finally:
            await self._own.close()
        self._say_how_the_model_took_part(rehearsed.decided)
        found = compare(record, rehearsed.decided.decision, rehearsed.plan, self._own.made_by, precedents)
        return replace(found, reasons=(*found.reasons, *self._reasons))

    async def _rehearse(self, event: Event, answer: Answer | None, precedents: Sequence[Precedent]) -> Rehearsed:
        """Decide again; where the model's answer no longer stands, once more with more of a long log before it."""
        stage, recorded, then = self._own.stage, self._recorded, self._record.model_calls
        if recorded is None:
            return await stage.rehearse(event, answer, precedents)
        recorded.take(then)
        rehearsed = await stage.rehearse(event, answer, precedents)
        calls = rehearsed.decided.calls
        if then and calls and calls[-1].error not in (None, then[-1].error):
            recorded.take(then)
            recorded.roomy = True
            rehearsed = await stage.rehearse(event, answer, precedents)
        return rehearsed

    def _precedents(self, signature: str) -> Sequence[Precedent]:
        from agentic.replaying import earlier_or_taught
        from agentic.types import Precedent

        if not signature:
            return ()
        asked = {"signature": signature, "job_id": self._record.job_id}
        found = [Precedent.model_validate(one) for one in self._remote.get("/precedents", asked)["precedents"]]
        return earlier_or_taught(self._record, found)

    async def _earlier_answer(self) -> Answer | None:
        """Return the answer to an earlier failure of the kind, where the record rests on one."""
        from agentic.replaying import answer_as_told

        asked_on = self._record.made_by.get("answer_of")
        if not asked_on or self._recorded is None:
            return None
        return await self._answer_on(asked_on, self._recorded) or answer_as_told(self._record, asked_on)

    async def _answer_on(self, event_id: str, recorded: RecordedClient) -> Answer | None:
        """Work the recorded answer on another event out again; None when it is gone."""
        from agentic.questions import kept
        from agentic.types import HistoryRecord

        response = self._remote.request("GET", f"/history/{quote(event_id, safe='')}")
        if not response.is_success and response.status_code != 404:
            self._remote.refuse(response)
        other = HistoryRecord.model_validate(response.json()) if response.is_success else None
        model: Any = self._own.parts.reasoning.get("llm")
        if other is None or other.event is None or not other.model_calls or model is None:
            self._reasons.append(f"The model answered on {event_id}, whose record is gone; this one's word was taken")
            return None
        recorded.take(other.model_calls)
        situation = await self._own.stage.situation(other.event)
        return kept(await model.consult(situation), situation)

    def _say_how_the_model_took_part(self, decided: Decided) -> None:
        calls, recorded, then = decided.calls, self._recorded, self._record.model_calls
        if not calls:
            why = next((note for note in decided.notes if note.startswith("llm: ")), "llm: the others are sure")
            if then:
                self._reasons.append(f"The model was asked then and would not be today: {why.removeprefix('llm: ')}")
            return
        if recorded is None:
            before = ", ".join(sorted({call.model for call in then})) or "nobody was asked"
            self._reasons.append(f"The model was asked again: {calls[-1].model}; then: {before}")
        elif not then:
            self._reasons.append("The rules are not sure today, and the model was not asked then; --ask-model asks it")
        elif recorded.asked_otherwise:
            self._reasons.append(
                "The question would not be the same to the letter today (prompts, hints, or lines of a long log); "
                "the recorded answer was taken"
            )
        if recorded is not None and then and calls[-1].error not in (None, then[-1].error):
            self._reasons.append(f"The recorded answer does not pass today's checks: {calls[-1].error}")


def _show(event_id: str, replayed: Comparison) -> None:
    from cli.pages import cause_lines
    from cli.terminal import console

    out = console()
    if replayed.same:
        out.print(f"{clean(event_id)}: the same decision", style="green")
        out.print(cause_lines(replayed.now)[0])
    else:
        out.print(f"{clean(event_id)}: another decision", style="bold yellow")
        for difference in replayed.differences:
            was, now = _said(difference.then), _said(difference.now)
            out.print(f"  {difference.what}: {was} then, {now} now", soft_wrap=True)
        for name, told in (("then", replayed.then), ("now", replayed.now)):
            out.print(f"  {name}: {clean(told['root_cause'])} ({clean(told['source'])})", soft_wrap=True)
    if replayed.reasons:
        out.print("What changed since:" if not replayed.same else "Although:")
        for reason in replayed.reasons:
            out.print(f"  {clean(reason)}", soft_wrap=True)
    elif not replayed.same:
        out.print("Nothing that the record names has changed; earlier incidents may have, or a part of your own.")


def _said(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(clean(one) for one in value) or "none"
    return clean(value)
