"""The model client against a real grammar engine: llama.cpp's server with a tiny model of random numbers.

usage: python benchmarks/llm_real.py PYTHON LLAMA_SERVER [--answers 20]     (`make llm-real` makes PYTHON)

PYTHON has the package gguf, LLAMA_SERVER is the program `llama-server`. What such a model says is noise; shown is that
the engine takes our schema, that its answers fit it, and that what goes wrong with a real server is told as what it is.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from _common import ROOT, median

from agentic.digest import Redactor, digest_log
from agentic.planning import BUILT_IN
from agentic.reasoning.llm import LocalModel
from agentic.types import Event, EventStatus, Job, Situation
from llm import ChatClient, Completion, Kind, LlmError

CONTEXT_TOKENS = 8192
SMALL_CONTEXT_TOKENS = 1024
# A random model ends no text of its own accord, so each string runs to the bound that the schema gives it.
ENOUGH_TOKENS = 2500
START_SECONDS = 60.0
SCHEMA = {
    "type": "object",
    "properties": {
        "reading": {"type": "string", "maxLength": 120},
        "lines": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 40}, "maxItems": 3},
        "category": {"type": "string", "enum": ["disk_full", "timeout", "unknown"]},
        "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
    },
    "required": ["reading", "lines", "category", "confidence"],
    "additionalProperties": False,
}
QUESTION = [{"role": "user", "content": "Which of the three is it? 0: No space left on device"}]


def main() -> int:
    """Start the servers, ask, print; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("python")
    parser.add_argument("llama_server")
    parser.add_argument("--answers", type=int, default=20)
    options = parser.parse_args()
    if shutil.which(options.llama_server) is None:
        sys.exit(f"{options.llama_server} is not on this machine: install llama.cpp, or say LLAMA_SERVER=its path")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "noise.gguf"
        subprocess.run([options.python, str(ROOT / "benchmarks" / "_tiny_model.py"), str(model)], check=True)
        with _server(options.llama_server, model, CONTEXT_TOKENS, Path(folder)) as url:
            good = asyncio.run(_all(url, _checks(options.answers)))
        with _server(options.llama_server, model, SMALL_CONTEXT_TOKENS, Path(folder)) as url:
            good = asyncio.run(_all(url, [("a prompt beyond the context", _overflow)])) and good
    return 0 if good else 1


Check = Callable[[str], Awaitable[str]]
"""Looks at the server at a URL: a sentence, or AssertionError."""


def _checks(answers: int) -> list[tuple[str, Check]]:
    async def many(url: str) -> str:
        return await _answers(url, answers)

    return [
        ("what the server tells of itself", _preflight),
        (f"{answers} answers", many),
        ("an answer that is cut off", _truncated),
        ("a whole diagnosis", _diagnosis),
    ]


async def _all(url: str, checks: list[tuple[str, Check]]) -> bool:
    good = True
    for name, check in checks:
        try:
            print(f"ok    {name}: {await check(url)}")
        except (AssertionError, LlmError) as error:
            good = False
            print(f"WRONG {name}: {error}")
    return good


async def _preflight(url: str) -> str:
    async with ChatClient(url) as client:
        state = await client.preflight()
    assert state.ready, state.detail
    return f"{state.server}, model {state.model}, context {state.context_tokens or 'not told'}"


async def _answers(url: str, count: int) -> str:
    """The engine takes the schema, and every answer fits it: the client would have refused one that does not."""
    done: list[Completion] = []
    async with ChatClient(url, max_output_tokens=ENOUGH_TOKENS, deadline_seconds=120) as client:
        for _ in range(count):
            done.append(await client.complete(QUESTION, SCHEMA))
        form = client.answer_form
    assert form == "schema", f"the schema was not taken; asked in the form {form!r}"
    assert all(one.attempts == 1 for one in done), "an answer needed a second try"
    assert all(one.usage.completion_tokens for one in done), "the stream did not tell its tokens"
    seconds = median([one.duration_seconds for one in done])
    return f"all in the form asked for, at the first try, median {seconds:.2f} s"


async def _truncated(url: str) -> str:
    async with ChatClient(url, max_output_tokens=60, deadline_seconds=60) as client:
        return await _fails(client, QUESTION, Kind.TRUNCATED)


async def _overflow(url: str) -> str:
    long = [{"role": "user", "content": "No space left on device. " * 400}]
    async with ChatClient(url, context_tokens=10**6, deadline_seconds=60) as client:
        return await _fails(client, long, Kind.CONTEXT_OVERFLOW)


async def _fails(client: ChatClient, messages: list[dict[str, str]], kind: Kind) -> str:
    found: LlmError | None = None
    try:
        await client.complete(messages, SCHEMA)
    except LlmError as error:
        found = error
    assert found is not None, f"an answer came where {kind} was due"
    assert found.kind is kind, f"{found.kind} instead of {kind}: {found}"
    return f"told as {kind}"


async def _diagnosis(url: str) -> str:
    """The whole menu prompt is read; noise must lead to no answer, or to one that only names what the log has."""
    log = ["copying 3 files", "cp: cannot write: No space left on device", "job ended"]
    event = Event(event_id="e", job_id="backup", status=EventStatus.FAILED, log=tuple(log), exit_code=1)
    situation = Situation(event=event, digest=digest_log(log), job=Job(id="backup"), menu=dict(BUILT_IN))
    client = ChatClient(url, context_tokens=CONTEXT_TOKENS, max_output_tokens=ENOUGH_TOKENS, deadline_seconds=300)
    module = LocalModel(redactor=Redactor(), client=client)
    try:
        consulted = await module.consult(situation)
    finally:
        await client.aclose()
    assert consulted.calls, f"the model was not asked: {consulted.reason}"
    decision = consulted.decision
    if decision is not None:
        assert set(decision.actions or ()) <= set(situation.menu), f"an action off the menu: {decision.actions}"
        assert all(0 <= line < len(log) for line in decision.diagnosis.evidence), "a line that the log does not have"
    return f"{'an answer' if decision else 'no answer'} ({consulted.reason[:90]})"


@contextmanager
def _server(program: str, model: Path, context: int, folder: Path) -> Iterator[str]:
    """Run llama.cpp's server over HTTP until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [program, "--model", str(model), "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--ctx-size", str(context), "--parallel", "1", "--threads", "2", "--chat-template", "chatml"]
    log = folder / f"server-{context}.log"
    with log.open("wb") as output:
        server = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + START_SECONDS
        while not _up(port):
            if server.poll() is not None or time.monotonic() > ends:
                sys.exit(f"the server did not start: {log.read_text(errors='replace')[-800:]}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(20)


def _up(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=1, trust_env=False).is_success
    except httpx.HTTPError:
        return False


if __name__ == "__main__":
    sys.exit(main())
