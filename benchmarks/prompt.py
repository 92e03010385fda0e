"""What a model would be sent for labelled failures: tokens, the proving line, secrets; and what `llm` costs to import.

usage: python benchmarks/prompt.py [FOLDER] [--rounds 7]

FOLDER holds `*.jsonl` with one case a line, as `autoremedy eval` takes them. Each case is put to a model that is not
there: the client is the real one, and what it would send is looked at. Tokens are our own estimate, which an answer of
a real server corrects. "Alone" is a question without a hint of the rules, "suspecting" one with what they think.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from _common import ROOT, median

from agentic.digest import Redactor, digest_log
from agentic.planning import Planner
from agentic.reasoning.llm import LocalModel
from agentic.reasoning.rules import Rules
from agentic.types import Event, EventStatus, Job, Situation
from llm import ChatClient, estimate_tokens

CANNOT_TELL = {
    "reading": "", "evidence": [], "root_cause": "", "category": "unknown", "actions": [], "confidence": 0,
}  # fmt: skip


@dataclass
class Listener:
    """Takes questions in a server's place and answers that it cannot tell."""

    asked: list[list[dict[str, str]]] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        if request.method == "GET":
            found = {"data": [{"id": "nobody"}]} if request.url.path == "/v1/models" else {"error": "not here"}
            return _answer(found)
        self.asked.append(json.loads(request.content)["messages"])
        message = {"role": "assistant", "content": json.dumps(CANNOT_TELL)}
        return _answer({"choices": [{"message": message, "finish_reason": "stop"}]})


def _answer(content: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, stream=httpx.ByteStream(json.dumps(content).encode()))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    bare, ours, client = (_start_ms(code, options.rounds) for code in ("", "import llm", "import llm.wire"))
    print(f"import llm: {ours - bare:.0f} ms of processor time over a bare start of {bare:.0f} ms")
    print(f"  with the HTTP client, which the first question needs: {client - bare:.0f} ms")
    if options.folder is not None:
        asyncio.run(_prompts(_cases(options.folder)))


def _start_ms(code: str, rounds: int) -> float:
    """Return the processor time that a fresh interpreter takes for some code, the middle of several."""
    found = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return median(found)


def _cases(folder: Path) -> list[dict[str, Any]]:
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines if line.strip()]


async def _prompts(cases: Sequence[dict[str, Any]]) -> None:
    listener, rules, redactor = Listener(), Rules(), Redactor()
    client = ChatClient("http://model.invalid/v1", transport=httpx.MockTransport(listener.handle))
    model = LocalModel(client=client, redactor=redactor, enabled=True)
    for name in ("alone", "suspecting"):
        sizes, shown, proved, leaked, planted, silent = [], 0, 0, 0, 0, 0
        for case in cases:
            situation = _situation(case, redactor)
            if name == "suspecting":
                situation = situation.model_copy(update={"suspicion": rules.decide(situation)})
            listener.asked.clear()
            await model.consult(situation)
            if not listener.asked:
                silent += 1
                continue
            text = "\n".join(message["content"] for message in listener.asked[0])
            sizes.append(client.tokens.messages(listener.asked[0]))
            proved += bool(case["evidence"])
            shown += any(re.search(rf"^{line}\| ", text, re.MULTILINE) for line in case["evidence"])
            planted += len(case.get("secrets") or ())
            leaked += sum(secret in text for secret in case.get("secrets") or ())
        _print(name, sizes, f"{shown} of {proved}", f"{leaked} of {planted}", silent)
    system = estimate_tokens(listener.asked[0][0]["content"])
    print(f"constant part: {system} tokens, which a prefix cache reads once")
    await model.close()


def _print(name: str, sizes: list[int], shown: str, leaked: str, silent: int) -> None:
    cuts = statistics.quantiles(sizes, n=20)
    print(f"{name}: {len(sizes)} questions, {silent} cases without any log to ask about")
    print(f"  prompt tokens: median {statistics.median(sizes):.0f}, p95 {cuts[18]:.0f}, most {max(sizes)}")
    print(f"  a proving line is in the prompt: {shown}; planted secrets in prompts: {leaked}")


def _situation(case: dict[str, Any], redactor: Redactor) -> Situation:
    run = case["job"]
    event = Event(
        event_id=case["id"],
        job_id=run["name"],
        status=EventStatus.FAILED,
        log=tuple(redactor.lines(case["log"])),
        command=redactor.text(run["command"]) if run["command"] else None,
        exit_code=run["exit_code"],
    )
    digest = digest_log(event.log, exit_code=event.exit_code, command=event.command, context=f"{event.job_id} failed")
    job = Job(id=event.job_id)
    return Situation(event=event, digest=digest, job=job, menu=Planner({}, {}).menu(job))


if __name__ == "__main__":
    main()
