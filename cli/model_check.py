"""What `autoremedy doctor` finds out about the model by itself, from config.yaml alone: no API has to run."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from cli.findings import Finding
from cli.terminal import clean

if TYPE_CHECKING:
    from llm import ChatClient, Completion, LlmError, ServerState
    from settings.models import LlmSettings

BRIEF_SECONDS = 20.0
"""How long the question may take that is asked without --ask."""
ANSWER_TOKENS = 200
PROMPT_TOKENS = 2000
"""The longest prompt a worker sends."""
USUAL_PROMPT, USUAL_ANSWER = 1800, 350
"""Tokens of an ordinary diagnosis, for saying how long one will take."""
LONGER_CONTEXT = {
    "lm-studio": "Load it again with more: lms load MODEL --context-length 8192",
    "ollama": "Start Ollama with OLLAMA_CONTEXT_LENGTH=8192.",
    "llama.cpp": "Start llama-server with -c 8192.",
    "vllm": "Start vLLM with --max-model-len 8192.",
}
_FAULT = 17
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "line": {"type": "integer", "minimum": 0, "maximum": 24},
        "why": {"type": "string", "maxLength": 120},
    },
    "required": ["line", "why"],
    "additionalProperties": False,
}


async def check_model(llm: LlmSettings, ask: bool | None) -> list[Finding]:
    """Look at the model's server, and put a small question to it unless that was forbidden or would load a model."""
    from llm import ChatClient, LlmError

    if llm.enabled is False:
        return [Finding("model", "ok", "Switched off (llm.enabled: false); rules work without it.")]
    patience = llm.deadline_seconds if ask else min(BRIEF_SECONDS, llm.deadline_seconds)
    try:
        client = ChatClient(
            llm.base_url,
            model=llm.model,
            api_key=llm.api_key,
            context_tokens=llm.context_tokens,
            max_output_tokens=min(ANSWER_TOKENS, llm.max_output_tokens),
            deadline_seconds=patience,
            first_token_seconds=patience,
            idle_seconds=patience,
        )
    except LlmError as error:
        return [Finding("model", "warning", f"{error.message}.", error.advice)]
    async with client:
        state = await client.preflight()
        if not state.ready:
            detail = f"{state.base_url} as seen from here: {state.detail.rstrip('.')} ({state.kind})."
            return [Finding("model", "warning", detail, state.advice)]
        found = [_server(state, await client.version()), _context(state, client.context_tokens, llm.max_output_tokens)]
        return found + await _question(client, state, llm, ask)


def _server(state: ServerState, version: str | None) -> Finding:
    named = " ".join(part for part in (state.server, version) if part)
    loaded = "" if state.loaded else "; it is not loaded yet, and the first question will wait for that"
    return Finding("model", "ok", f"{clean(named)} at {state.base_url} has {clean(state.model)}{loaded}.")


def _context(state: ServerState, tokens: int | None, max_output_tokens: int) -> Finding:
    from llm.tokens import RESERVE

    needed = max_output_tokens + round(PROMPT_TOKENS * RESERVE)
    if tokens is None:
        advice = "Say how much is loaded in llm.context_tokens, or a long prompt may be cut without a word."
        return Finding("context", "warning", "The server does not tell how much context is loaded.", advice)
    if tokens < needed:
        advice = LONGER_CONTEXT.get(state.server or "", "Load it with 8192 tokens.")
        less = f"{tokens} tokens of context; a question and its answer may need {needed}, so logs will be cut short."
        return Finding("context", "warning", less, advice)
    return Finding("context", "ok", f"{tokens} tokens of context; {needed} are needed.")


async def _question(client: ChatClient, state: ServerState, llm: LlmSettings, ask: bool | None) -> list[Finding]:
    from llm import LlmError

    if ask is False:
        return [Finding("schema", "ok", "Not tried, and no speed measured (--no-ask).")]
    if ask is None and not state.loaded:
        return [Finding("schema", "ok", "Not tried: a question would load the model. --ask puts one all the same.")]
    try:
        completion = await client.complete(_messages(), _SCHEMA)
    except LlmError as error:
        return [_unanswered(error, client, ask)]
    return [_schema(client, completion), _speed(client, completion, llm.deadline_seconds)]


def _messages() -> list[dict[str, str]]:
    """Return a question about a made-up log. It does not say what an answer looks like: that is the schema's part."""
    # Another first line each time, or a server that kept the beginning would seem to read at any speed.
    lines = [f"{number}| 02:{number:02d}:07 copied part {number} of 24, 18{number:02d} files" for number in range(25)]
    lines[_FAULT] = f"{_FAULT}| 02:{_FAULT}:07 cannot write part {_FAULT}: No space left on device"
    system = (
        f"Question {secrets.token_hex(4)}. You read the log of a failed job. Say which line names the fault, and why."
    )
    return [{"role": "system", "content": system}, {"role": "user", "content": "\n".join(lines)}]


def _unanswered(error: LlmError, client: ChatClient, ask: bool | None) -> Finding:
    from llm import Kind

    detail = f"No usable answer to a small question: {error.message.rstrip('.')} ({error.kind})."
    if error.kind is Kind.TIMEOUT and not ask:
        return Finding(
            "schema",
            "warning",
            f"No answer to a small question within {client.deadline_seconds:g} s.",
            "Try --ask, which waits as long as llm.deadline_seconds; a slow machine may need it.",
        )
    if error.kind is Kind.BAD_OUTPUT:
        return Finding("schema", "warning", f"It does not keep to a JSON schema. {detail}", error.advice)
    return Finding("schema", "warning", detail, error.advice)


def _schema(client: ChatClient, completion: Completion) -> Finding:
    if client.answer_form == "words":
        advice = "Answers are checked all the same, and more will fail; a newer server, or another one, takes schemas."
        return Finding("schema", "warning", "It takes no JSON schema and is asked in words instead.", advice)
    if client.answer_form == "flat":
        advice = "Answers are checked all the same; a newer server may take the whole of it."
        return Finding("schema", "warning", "It takes a JSON schema only without bounds.", advice)
    if completion.attempts > 1:
        advice = "A larger model, or a server that enforces schemas, does better."
        return Finding("schema", "warning", "It kept to a JSON schema only at the second try.", advice)
    return Finding("schema", "ok", "It takes a JSON schema and kept to it.")


def _speed(client: ChatClient, completion: Completion, deadline_seconds: float) -> Finding:
    reading, writing = completion.reading_seconds, completion.writing_seconds
    if not reading or not writing:
        took = f"{completion.duration_seconds:.1f} s"
        detail = f"A small question took {took}; the server does not stream, so no more is known."
        return Finding("speed", "ok", detail)
    usage = completion.usage
    read = (usage.prompt_tokens or client.tokens.messages(_messages())) / reading
    written = (usage.completion_tokens or client.tokens.text(completion.raw)) / writing
    about = "" if usage.prompt_tokens and usage.completion_tokens else "about "
    needed = USUAL_PROMPT / read + USUAL_ANSWER / written
    detail = (
        f"Reads {about}{read:,.0f} tokens/s and writes {about}{written:,.0f} (one small question): "
        f"a diagnosis will take some {needed:,.0f} s."
    )
    if needed > deadline_seconds:
        advice = f"That is more than llm.deadline_seconds ({deadline_seconds:g}): raise it, or take a smaller model."
        return Finding("speed", "warning", detail, advice)
    return Finding("speed", "ok", detail)
