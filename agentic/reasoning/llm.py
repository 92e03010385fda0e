"""Asks a local model what rules cannot tell; it fills in a form and can choose only from a menu.

Text, parameters, commands and URLs never come from the model. Its one sentence of cause is shown to
people and decides nothing. Whatever it claims is checked against the log before it counts.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog

from agentic.contracts import Consulted, ReasoningModule
from agentic.planning import ESCALATE, TELLING_KINDS
from agentic.probing import Probe
from agentic.reasoning.consulted import Redacts, call_of
from agentic.reasoning.prompts import Prompts
from agentic.reasoning.prompts.excerpt import shown_lines
from agentic.reasoning.prompts.form import form_schema, untrue
from agentic.reasoning.prompts.parts import facts, hints, menu_text, probe_menu
from agentic.reasoning.prompts.untrusted import harmless, mark_for, numbered
from agentic.types import (
    Action,
    ActionKind,
    Category,
    Decision,
    Diagnosis,
    Line,
    ModelCall,
    ProbeAnswer,
    Situation,
)
from llm import ChatClient, Kind, LlmError

log = structlog.get_logger(__name__)

MAX_TURNS = 3
LEAST_LOG_TOKENS = 150
MAX_MENU = 40
MAX_PROBE_LINES = 15
MAX_PROBE_CHARS = 1500
"""Two results of this size still fit into a context of 4096 tokens behind the longest question."""
PROBE_GRACE_SECONDS = 2.0
"""Beyond its own limit, for its effector to end what it started."""
SILENT = frozenset({Category.NOT_A_FAILURE, Category.CANCELLED_BY_OPERATOR})
"""Categories whose playbook tells nobody; on a model's word alone a person is told all the same."""
NOT_THERE = frozenset(
    {Kind.UNREACHABLE, Kind.BAD_BASE_URL, Kind.NOT_AN_LLM, Kind.AUTH, Kind.NO_MODEL, Kind.MODEL_NOT_FOUND}
)
DAY_SECONDS = 86_400.0
KEEP_ANSWER_SECONDS = 30 * DAY_SECONDS
KEEP_NO_ANSWER_SECONDS = DAY_SECONDS
"""A model that could not tell the cause may be replaced by a better one, or its failure become a rule."""
KEEP_LOOKED_SECONDS = 600.0
"""An answer that rests on a check as well holds for as long as what the check saw: a volume is not full for ever."""
KEEP_ERROR_SECONDS = 600.0
"""What made a model fail on one question makes it fail on the same one again, for a while."""
ABOUT_THE_QUESTION = frozenset(
    {Kind.TIMEOUT, Kind.TRUNCATED, Kind.EMPTY, Kind.BAD_OUTPUT, Kind.REJECTED, Kind.CONTEXT_OVERFLOW}
)
"""Errors that tell of this question rather than of the server."""
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked about one event, and what the answer is held against."""

    messages: list[dict[str, str]]
    lines: tuple[Line, ...]
    menu: tuple[Action, ...]
    probes: tuple[Probe, ...]

    def wrong(self, answer: Mapping[str, Any]) -> str | None:
        return untrue(answer, self.lines, len(self.menu))


class LocalModel(ReasoningModule):
    """Diagnoses with a model on a local server; leaves the event to others when there is none or it errs."""

    def __init__(
        self,
        base_url: str = "http://localhost:1234/v1",
        *,
        redactor: Redacts,
        enabled: Literal["auto"] | bool = "auto",
        model: str = "auto",
        api_key: str | None = None,
        context_tokens: int | Literal["auto"] = "auto",
        max_output_tokens: int = 500,
        deadline_seconds: float = 180.0,
        concurrency: int = 1,
        prompts: Path | str | None = None,
        base_dir: Path | None = None,
        prompt_tokens: int = 2000,
        look_every_seconds: float = 15.0,
        probes: Sequence[Probe] = (),
        client: ChatClient | None = None,
    ) -> None:
        """`prompts` is a folder, relative to `base_dir`; a `client` makes the settings of the server moot."""
        self._client = client or ChatClient(
            base_url,
            model=model,
            api_key=api_key,
            context_tokens=context_tokens,
            max_output_tokens=max_output_tokens,
            deadline_seconds=deadline_seconds,
            concurrency=concurrency,
        )
        self._redactor = redactor
        self._enabled = enabled
        self._prompts = Prompts((base_dir or Path()) / prompts if prompts else None)
        self._prompt_tokens = prompt_tokens
        self._look_every_seconds = look_every_seconds
        self._probes = tuple(probes)
        self._looking = asyncio.Lock()
        self._absent: str | None = None
        self._looked_at: float | None = None

    @property
    def concurrency(self) -> int:
        """How many questions may be under way at once."""
        return self._client.concurrency

    @property
    def identity(self) -> str:
        """Model and prompts: with others, the same question might be answered otherwise; empty while none is known."""
        named = None if self._client.model == "auto" else self._client.model
        model = named or _model_of(self._client)
        return f"{model}:{self._prompts.version}" if model else ""

    @property
    def client(self) -> ChatClient:
        """What asks the server."""
        return self._client

    @property
    def prompts_version(self) -> str:
        """A short hash of the prompt texts in force."""
        return self._prompts.version

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._client.aclose()

    async def decide(self, situation: Situation) -> Decision | None:
        """Return the model's checked answer, or None; `consult` also tells why."""
        return (await self.consult(situation)).decision

    async def consult(self, situation: Situation) -> Consulted:
        """Ask the model and say what came of it; never raises for anything the server does."""
        reason = await self.why_not(situation)
        if reason is not None:
            return Consulted(None, reason)
        question = self._question(situation)
        if isinstance(question, str):
            return Consulted(None, question)
        calls: list[ModelCall] = []
        try:
            answer = await self._answer(question, situation, calls)
        except LlmError as error:
            calls.append(call_of(error, self._redactor))
            if error.kind in NOT_THERE:
                self._saw(f"{error.kind}: {error.message}. {error.advice}")
            log.info("llm.failed", event_id=situation.event.event_id, kind=error.kind.value)
            said = self._redactor.text(f"the model was not used: {error.kind}: {error.message}")
            keep = KEEP_ERROR_SECONDS if error.kind in ABOUT_THE_QUESTION else 0.0
            return Consulted(None, said, tuple(calls), keep)
        decision = self._decision(answer, question, calls)
        looked = any(call.probe for call in calls)
        if decision is None:
            reason = f"{harmless(calls[-1].model, 80)} was asked and could not tell the cause"
            return Consulted(None, reason, tuple(calls), KEEP_LOOKED_SECONDS if looked else KEEP_NO_ANSWER_SECONDS)
        keep = KEEP_LOOKED_SECONDS if looked else KEEP_ANSWER_SECONDS
        return Consulted(decision, decision.note or "", tuple(calls), keep)

    async def state(self) -> dict[str, str | int | None]:
        """Look at the server and say for the status page whether it can be asked, and if not, why."""
        if self._enabled is False:
            return {"state": "off"}
        found = await self._client.preflight()
        self._saw(None if found.ready else f"{found.kind}: {found.detail}. {found.advice}")
        return {
            "state": "up" if found.ready else "down",
            "base_url": found.base_url,
            "server": found.server,
            "model": found.model,
            "context_tokens": found.context_tokens,
            "detail": found.detail,
            "advice": found.advice,
        }

    async def why_not(self, situation: Situation) -> str | None:
        """Say why the model is not asked about this event, or None; makes sure that the server is known."""
        if self._enabled is False:
            return "the model is switched off (llm.enabled: false)"
        if not situation.event.status.is_failure:
            return "the model is not asked about a run that did not fail"
        if not situation.digest.excerpt:
            return "the model was not asked: there is no log to read"
        if self._client.breaker.is_open:
            return "the model was not asked: its server failed several times in a row and is left alone for a while"
        if self._enabled == "auto":
            await self._look()
            if self._absent is not None:
                return f"no model: {self._absent}"
        if self._client.state is None:
            await self._client.preflight()  # the room for the log depends on the loaded context
        return None

    async def _look(self) -> None:
        """Look whether a server has appeared, at most every few seconds; while one looks nobody else waits."""
        if self._looked_at is not None and (self._absent is None or self._looking.locked()):
            return
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if self._looked_at is not None and now - self._looked_at < self._look_every_seconds:
                return
            state = await self._client.preflight()
            self._saw(None if state.ready else f"{state.kind}: {state.detail}. {state.advice}")

    def _saw(self, absent: str | None) -> None:
        if self._looked_at is None or (absent is None) != (self._absent is None):
            log.info("llm.absent" if absent else "llm.found", detail=absent, model=_model_of(self._client))
        self._absent = absent
        self._looked_at = asyncio.get_running_loop().time()

    def _question(self, situation: Situation) -> _Question | str:
        """Return the question about an event, or say why none can be asked."""
        tokens = self._client.tokens
        menu = tuple(a for a in situation.menu.values() if a.kind is not ActionKind.NO_OP)[:MAX_MENU]
        parts = {
            "menu": menu_text(menu),
            "hints": hints(situation),
            "facts": self._redactor.text(facts(situation)),
        }
        probes = tuple(probe for probe in self._probes if probe.serves(situation.event.job_id))
        empty = self._prompts.question(**parts, mark=mark_for(), log="") + probe_menu(probes)
        budget = self._client.prompt_budget(self._prompt_tokens)
        room = budget - tokens.messages([_message("system", self._prompts.system), _message("user", empty)])
        if room < LEAST_LOG_TOKENS:
            return (
                f"the model was not asked: {budget} tokens of prompt leave no room for the log; "
                "load the model with a longer context"
            )
        must = situation.suspicion.diagnosis.evidence if situation.suspicion else ()
        lines = shown_lines(situation.digest, must, room, tokens.text)
        lines = tuple(line.model_copy(update={"text": self._redactor.text(line.text)}) for line in lines)
        if not lines:
            return "the model was not asked: there is no log to read"
        text = numbered(lines)
        user = self._prompts.question(**parts, mark=mark_for(parts["facts"], text), log=text)
        user += probe_menu(probes)
        return _Question([_message("system", self._prompts.system), _message("user", user)], lines, menu, probes)

    async def _answer(self, question: _Question, situation: Situation, calls: list[ModelCall]) -> Mapping[str, Any]:
        """Ask, run the checks that the model asks for, and return its last answer; all within one deadline."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._client.deadline_seconds
        left = list(range(1, len(question.probes) + 1))
        messages = list(question.messages)
        while True:
            allowed = left if len(calls) < MAX_TURNS - 1 else []
            schema = form_schema(question.lines, len(question.menu), allowed)
            completion = await self._client.complete(
                messages, schema, check=question.wrong, within_seconds=end - clock()
            )
            calls.append(call_of(completion, self._redactor))
            answer = completion.object
            need = answer.get("need", 0)
            if not need:
                return answer
            left.remove(need)
            asked_for = question.probes[need - 1]
            # Half of what is left, so that the model has time to say what it makes of the result.
            result = await self._probe_result(asked_for, situation, (end - clock()) / 2)
            calls[-1] = calls[-1].model_copy(update={"probe": ProbeAnswer(name=asked_for.name, text=result)})
            again = self._prompts.probe(
                probe=harmless(asked_for.name, 60),
                mark=mark_for(result),
                result=result,
                left="" if len(calls) < MAX_TURNS - 1 and left else " No further check is possible.",
            )
            said = json.dumps({"reading": harmless(answer["reading"]), "need": need})
            messages += [_message("assistant", said), _message("user", again)]

    async def _probe_result(self, probe: Probe, situation: Situation, seconds: float) -> str:
        """Run a check and return what it says in numbered lines: bounded, harmless, without secrets."""
        try:
            async with asyncio.timeout(min(probe.timeout_seconds + PROBE_GRACE_SECONDS, seconds)):
                text = await probe.run(situation)
        except Exception as error:  # noqa: BLE001 - a check that breaks is itself a finding; the question goes on
            text = f"the check failed: {type(error).__name__}"
        lines = (harmless(line, 200) for line in self._redactor.text(text[:8000]).splitlines())
        told = [line for line in lines if line][:MAX_PROBE_LINES]
        while sum(map(len, told)) > MAX_PROBE_CHARS:
            told.pop()
        return "\n".join(f"c{number}| {line}" for number, line in enumerate(told, 1)) or "(nothing)"

    def _decision(self, answer: Mapping[str, Any], question: _Question, calls: Sequence[ModelCall]) -> Decision | None:
        """Turn a checked answer into a decision; None when the model says that it cannot tell."""
        category = Category(answer["category"])
        if category is Category.UNKNOWN:
            return None
        model = harmless(calls[-1].model, 80)
        chosen = list(dict.fromkeys(question.menu[number - 1].name for number in answer["actions"]))
        kinds = {action.name: action.kind for action in question.menu}
        if category in SILENT and ESCALATE.name in kinds:
            chosen = [ESCALATE.name]
        elif chosen and ESCALATE.name in kinds and not any(kinds[name] in TELLING_KINDS for name in chosen):
            chosen.append(ESCALATE.name)
        diagnosis = Diagnosis(
            category=category,
            root_cause=self._sentence(answer["root_cause"]),
            confidence=answer["confidence"],
            evidence=tuple(dict.fromkeys(cited["line"] for cited in answer["evidence"])),
            source=f"llm:{model}",
        )
        return Decision(diagnosis=diagnosis, actions=tuple(chosen) or None, note=_note(model, calls))

    def _sentence(self, text: str) -> str:
        """Return the model's sentence as it may be shown to people: one line, no links, no secrets."""
        return self._redactor.text(_LINK.sub("[link]", harmless(text, 240)))


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _model_of(client: ChatClient) -> str | None:
    return client.state.model if client.state else None


def _note(model: str, calls: Sequence[ModelCall]) -> str:
    seconds = sum(call.duration_seconds for call in calls)
    last = calls[-1]
    counts = f", {last.prompt_tokens} + {last.completion_tokens} tokens" if last.prompt_tokens else ""
    asked = "once" if len(calls) == 1 else f"{len(calls)} times"
    return f"{model} was asked {asked} and answered in {seconds:.1f} s{counts}; prompt {last.prompt_hash}"
