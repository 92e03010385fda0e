"""The client's parts by themselves: breaker, token estimate, stream in pieces, import cost."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm import Breaker, ChatClient, Kind, LlmError, TokenEstimate, estimate_tokens
from llm.answer import read_object
from llm.schema import problems
from llm.stream import Collector
from tests.llm.asking import GOOD, SCHEMA, ask, error_of
from tests.llm.scripted_server import ScriptedServer, refused, streamed


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_three_failures_open_the_breaker_and_a_good_trial_closes_it(
    server: ScriptedServer, make_client: Any
) -> None:
    clock = Clock()
    client = make_client(breaker=Breaker(pause_seconds=30, clock=clock))
    server.say(refused("boom", 500))
    for _ in range(3):
        await error_of(client)
    asked = len(server.requests)
    error = await error_of(client)
    assert (error.kind, "30 more seconds" in error.message) == (Kind.UNAVAILABLE, True)
    assert len(server.requests) == asked  # left alone: not even a look
    clock.now = 31
    server.say(streamed(GOOD))
    await ask(client)
    assert not client.breaker.is_open


async def test_a_failed_trial_doubles_the_pause(server: ScriptedServer, make_client: Any) -> None:
    clock = Clock()
    client = make_client(breaker=Breaker(threshold=1, pause_seconds=30, clock=clock))
    server.say(refused("boom", 500))
    await error_of(client)
    clock.now = 31
    await error_of(client)
    clock.now = 31 + 59
    assert client.breaker.is_open
    clock.now = 31 + 61
    assert not client.breaker.is_open


async def test_the_trial_looks_before_it_asks(server: ScriptedServer, make_client: Any) -> None:
    clock = Clock()
    client = make_client(breaker=Breaker(threshold=1, clock=clock))
    server.say(refused("boom", 500))
    await error_of(client)
    questions = len(server.questions)
    server.lists = {"/v1/models": (503, {"error": "starting"})}
    clock.now = 31
    assert (await error_of(client)).kind is Kind.UNAVAILABLE
    assert len(server.questions) == questions


async def test_bad_answers_do_not_open_the_breaker(server: ScriptedServer, client: ChatClient) -> None:
    server.say(streamed("nonsense"))
    for _ in range(4):
        assert (await error_of(client)).kind is Kind.BAD_OUTPUT


def test_only_one_trial_at_a_time() -> None:
    clock = Clock()
    breaker = Breaker(threshold=1, pause_seconds=1, clock=clock)
    breaker.failed(Kind.TIMEOUT)
    clock.now = 2
    breaker.admit()
    with pytest.raises(LlmError):
        breaker.admit()
    breaker.abandoned()
    breaker.admit()


def test_logs_cost_more_tokens_than_prose() -> None:
    prose = "The backup could not be written because the disk was full and nobody had looked " * 5
    log = "2026-11-22T20:51:03.123Z ERROR [pool-3] c.f.Bar:88 - refused: /10.1.2.3:5432 (id=4f9c21)\n" * 5
    assert 3.5 < len(prose) / estimate_tokens(prose) < 4.5
    assert 2.0 < len(log) / estimate_tokens(log) < 2.8


def test_the_estimate_follows_the_servers_counts() -> None:
    tokens = TokenEstimate()
    text = "word " * 1000
    for _ in range(20):
        tokens.learn(tokens.text(text), 1500)
    assert abs(tokens.text(text) - 1500) < 30
    tokens.learn(tokens.text(text), 3)  # made up
    assert abs(tokens.text(text) - 1500) < 30


async def test_a_prompt_that_was_cut_in_silence_is_an_overflow(server: ScriptedServer, client: ChatClient) -> None:
    server.say(streamed(GOOD, usage={"prompt_tokens": 512, "completion_tokens": 9}))
    with pytest.raises(LlmError) as caught:
        await client.complete([{"role": "user", "content": "word " * 2000}], SCHEMA)
    assert caught.value.kind is Kind.CONTEXT_OVERFLOW


async def test_a_count_without_the_cached_part_is_no_cut(server: ScriptedServer, client: ChatClient) -> None:
    asked = [{"role": "user", "content": "word " * 2000}]
    server.say(
        streamed(GOOD, usage={"prompt_tokens": 2400, "completion_tokens": 9}),
        streamed(GOOD, usage={"prompt_tokens": 512, "completion_tokens": 9}),
    )
    whole = await client.complete(asked, SCHEMA)
    cached = await client.complete(asked, SCHEMA)
    assert cached.object == whole.object


@given(st.binary(max_size=300), st.integers(1, 40))
def test_no_bytes_make_the_collector_raise_anything_else(data: bytes, size: int) -> None:
    collector = Collector()
    try:
        for start in range(0, len(data), size):
            collector.feed(data[start : start + size])
        collector.finish()
    except LlmError:
        pass


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_raise_anything_else(text: str) -> None:
    with contextlib.suppress(LlmError):
        assert isinstance(read_object(text), dict)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_a_value_of_another_type_never_passes(value: object) -> None:
    assert problems(value, SCHEMA)
    assert problems({"why": value, "choice": value}, SCHEMA)


@given(st.integers(1, 50))
def test_the_size_of_the_pieces_changes_nothing(size: int) -> None:
    events = [{"choices": [{"delta": {"content": part}}]} for part in ("é", "ü{", "}")]
    data = b"".join(f"data: {json.dumps(e, ensure_ascii=False)}\n\n".encode() for e in events) + b"data: [DONE]\n\n"
    collector = Collector()
    for start in range(0, len(data), size):
        collector.feed(data[start : start + size])
    assert collector.finish().text == "éü{}"


def test_importing_llm_brings_no_http_library_along() -> None:
    code = "import sys, llm; sys.exit('httpx' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
