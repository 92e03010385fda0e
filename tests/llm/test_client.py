"""What the client makes of everything a model server may do: the right answer or the right error, in time."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from llm import ChatClient, Kind, LlmError
from llm.client import MAX_SHOWN_BACK_CHARS
from tests.llm.asking import ASKED, GOOD, HASTY, OBJECT, SCHEMA, ask, error_of
from tests.llm.scripted_server import (
    ScriptedServer,
    chunk,
    document,
    drips,
    endless,
    error_event,
    page,
    raw,
    redirect,
    refused,
    resets,
    silent,
    stalls,
    streamed,
    whole,
)

READABLE = {
    "streamed": streamed(GOOD),
    "streamed with usage": streamed(GOOD, usage={"prompt_tokens": 20, "completion_tokens": 9}),
    "in one piece": whole(GOOD),
    "code fence": streamed(f"```json\n{GOOD}\n```"),
    "prose around": streamed(f"Here you are:\n{GOOD}\nGood luck!"),
    "thoughts before": streamed(f"<think>It says {{x}} or {GOOD}?</think>\n{GOOD}"),
    "only the end of thoughts": streamed(f"hm, {GOOD}?</think>{GOOD}"),
    "thoughts in their own field": streamed(GOOD, thoughts="Let me see."),
    "no end mark but a finish reason": streamed(GOOD, done=False),
    "no finish reason but an end mark": streamed(GOOD, finish=None),
    "byte order mark and CRLF": raw(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\xef\xbb\xbf: hello\r\n\r\n"
        + f"data: {json.dumps(chunk(GOOD, 'stop'))}\r\n\r\ndata:[DONE]\r\n\r\n".encode()
    ),
}


@pytest.mark.parametrize("name", READABLE)
async def test_every_way_to_say_one_object_is_understood(server: ScriptedServer, client: ChatClient, name: str) -> None:
    server.say(READABLE[name])
    answer = await ask(client)
    assert answer.object == OBJECT
    assert (answer.model, answer.attempts, len(server.questions)) == ("llama-3-8b", 1, 1)


OVERFLOWS = {
    "tokens to keep, first N": refused("Trying to keep the first 5000 tokens when context the overflows."),
    "tokens to keep, n_keep": refused(
        "The number of tokens to keep from the initial prompt is greater than the context length "
        "(n_keep: 10247>= n_ctx: 4096)."
    ),
    "exceeded": refused("Context size has been exceeded."),
    "in the stream": error_event({"message": "The context length of 4096 was exceeded"}),
    "llama.cpp": refused(
        "the request exceeds the available context size",
        as_object=True,
        code=400,
        type="exceed_context_size_error",
        n_ctx=4096,
    ),
    "vllm": document(
        {"object": "error", "message": "This model's maximum context length is 4096 tokens.", "code": 400}, 400
    ),
}
USELESS = {
    # name: (behaviour, kind, questions that may be sent)
    **{f"context overflow, {name}": (way, Kind.CONTEXT_OVERFLOW, 1) for name, way in OVERFLOWS.items()},
    "two objects": (streamed(f"{GOOD} or {GOOD}"), Kind.BAD_OUTPUT, 2),
    "two fences": (streamed(f"```\n{GOOD}\n```\n```\n{GOOD}\n```"), Kind.BAD_OUTPUT, 2),
    "a list": (streamed(f"[{GOOD}]"), Kind.BAD_OUTPUT, 2),
    "prose only": (streamed("I cannot say."), Kind.BAD_OUTPUT, 2),
    "unclosed thoughts": (streamed(f"<think> maybe {GOOD}"), Kind.BAD_OUTPUT, 2),
    "duplicate key": (streamed('{"why": "a", "choice": 1, "choice": 2}'), Kind.BAD_OUTPUT, 2),
    "not a number": (streamed('{"why": "a", "choice": NaN}'), Kind.BAD_OUTPUT, 2),
    "lone surrogate": (streamed('{"why": "\\ud800", "choice": 1}'), Kind.BAD_OUTPUT, 2),
    "broken JSON": (streamed('{"why": "a", "choice": 2'), Kind.BAD_OUTPUT, 2),
    "deep nesting": (streamed('{"why":' * 9000), Kind.BAD_OUTPUT, 2),
    "number out of range": (streamed('{"why": "a", "choice": 4}'), Kind.BAD_OUTPUT, 2),
    "text for a number": (streamed('{"why": "a", "choice": "2"}'), Kind.BAD_OUTPUT, 2),
    "true for a number": (streamed('{"why": "a", "choice": true}'), Kind.BAD_OUTPUT, 2),
    "extra field": (streamed('{"why": "a", "choice": 2, "command": "rm"}'), Kind.BAD_OUTPUT, 2),
    "missing field": (streamed('{"choice": 2}'), Kind.BAD_OUTPUT, 2),
    "string too long": (streamed(json.dumps({"why": "a" * 41, "choice": 2})), Kind.BAD_OUTPUT, 2),
    "a tool call": (whole(None, "tool_calls", tool_calls=[{"id": "1"}]), Kind.BAD_OUTPUT, 2),
    "huge answer": (endless("x" * 5000), Kind.BAD_OUTPUT, 1),
    "endless line": (raw(b"HTTP/1.1 200 OK\r\n\r\ndata: " + b"x" * 1_100_000), Kind.BAD_OUTPUT, 1),
    "truncated": (streamed(GOOD, finish="length"), Kind.TRUNCATED, 1),
    "filtered": (streamed(GOOD, finish="content_filter"), Kind.REJECTED, 1),
    "empty at the limit": (streamed("", finish="length"), Kind.EMPTY, 2),
    "unreadable even to its server": (
        refused(
            "The model produced output that does not match the expected peg-native format",
            500,
            as_object=True,
            code=500,
            type="server_error",
        ),
        Kind.BAD_OUTPUT,
        2,
    ),
    "empty": (streamed(""), Kind.EMPTY, 2),
    "blank": (streamed("  \n "), Kind.EMPTY, 2),
    "thoughts only": (streamed("", thoughts=GOOD), Kind.EMPTY, 2),
    "thoughts to the limit": (streamed("", thoughts=GOOD, finish="length"), Kind.EMPTY, 2),
    "no choices": (document({"choices": []}), Kind.EMPTY, 2),
    "stream without a word": (raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), Kind.EMPTY, 2),
    "unknown endpoint, status 200": (
        refused("Unexpected endpoint or method. (POST /chat/completions)", 200),
        Kind.BAD_BASE_URL,
        1,
    ),
    "not found": (document({"detail": "Not Found"}, 404), Kind.BAD_BASE_URL, 1),
    "redirect": (redirect("http://127.0.0.1:9/"), Kind.BAD_BASE_URL, 1),
    "web page": (page(), Kind.NOT_AN_LLM, 1),
    "web page, status 404": (page(404), Kind.NOT_AN_LLM, 1),
    "other JSON": (document({"hello": "world"}), Kind.NOT_AN_LLM, 1),
    "other text": (raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello\n"), Kind.NOT_AN_LLM, 1),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), Kind.NOT_AN_LLM, 1),
    "token required": (
        refused("An API token is required", 401, as_object=True, code="invalid_api_key"),
        Kind.AUTH,
        1,
    ),
    "token required, status 200": (refused("invalid_api_key", 200), Kind.AUTH, 1),
    "forbidden": (page(403), Kind.AUTH, 1),
    "nothing loaded": (refused("No models loaded. Please load a model in the developer page"), Kind.NO_MODEL, 1),
    "load failed": (refused('Failed to load model "x". Error: Operation canceled.'), Kind.NO_MODEL, 1),
    "unknown model": (
        refused('Invalid model identifier "x".', as_object=True, code="model_not_found"),
        Kind.MODEL_NOT_FOUND,
        1,
    ),
    "unknown model, 404": (refused("model 'llama3' not found", 404, as_object=True), Kind.MODEL_NOT_FOUND, 1),
    "schema refused": (refused("'response_format.type' must be 'text'"), Kind.SCHEMA_UNSUPPORTED, 3),
    "template": (refused("Error rendering prompt with jinja template: oops"), Kind.REJECTED, 1),
    "too many requests": (document({"error": "slow down"}, 429, Retry_After="0"), Kind.OVERLOADED, 2),
    "come back much later": (document({"error": "slow down"}, 429, Retry_After="90"), Kind.OVERLOADED, 1),
    "server error": (refused("boom", 500), Kind.UNAVAILABLE, 2),
    "still loading": (
        refused("Loading model", 503, as_object=True, code=503, type="unavailable_error"),
        Kind.UNAVAILABLE,
        2,
    ),
    "gateway page": (page(502), Kind.UNAVAILABLE, 2),
    "crash": (
        refused("The model has crashed without additional information. (Exit code: null)"),
        Kind.UNAVAILABLE,
        2,
    ),
    "error in the stream": (error_event({"message": "engine", "code": 500}, after='{"wh'), Kind.UNAVAILABLE, 2),
    "reset at once": (resets(), Kind.UNAVAILABLE, 2),
    "reset in the middle": (resets('{"why": "be'), Kind.UNAVAILABLE, 2),
    "end in the middle": (streamed('{"why": "be', finish=None, done=False), Kind.UNAVAILABLE, 2),
    "whole object but no end": (streamed(GOOD, finish=None, done=False), Kind.UNAVAILABLE, 2),
    "silence": (silent(), Kind.TIMEOUT, 1),
    "stall": (stalls('{"why'), Kind.TIMEOUT, 1),
    "one byte at a time": (drips(0.02), Kind.TIMEOUT, 1),
    "gateway timeout": (refused("upstream", 504), Kind.TIMEOUT, 1),
}


@pytest.mark.parametrize("name", USELESS)
async def test_every_fault_has_its_kind_in_time_and_is_not_asked_too_often(
    server: ScriptedServer, make_client: Any, name: str
) -> None:
    behaviour, kind, questions = USELESS[name]
    client = make_client(**(HASTY if kind is Kind.TIMEOUT else {}))
    server.say(behaviour)
    started = time.monotonic()
    error = await error_of(client)
    assert (error.kind, len(server.questions)) == (kind, questions)
    assert time.monotonic() - started < 2.5
    assert error.advice
    assert error.attempts == questions
    assert error.prompt_hash
    assert "\n" not in error.message


async def test_a_trickle_of_words_ends_at_the_deadline(server: ScriptedServer, make_client: Any) -> None:
    server.say(endless("la ", pause_seconds=0.02))
    started = time.monotonic()
    error = await error_of(make_client(deadline_seconds=0.4))
    assert error.kind is Kind.TIMEOUT
    assert "end of the answer" in error.message
    assert 0.35 < time.monotonic() - started < 2


async def test_giving_up_hangs_up_so_that_the_server_stops_working(server: ScriptedServer, hasty: ChatClient) -> None:
    server.say(silent())
    await error_of(hasty)
    await asyncio.sleep(0.05)
    assert (server.hung_up, server.in_hand) == (1, 0)


async def test_a_stall_after_the_finish_reason_loses_nothing(server: ScriptedServer, hasty: ChatClient) -> None:
    async def never_ends(exchange: Any) -> None:
        await exchange.head(content_type="text/event-stream")
        await exchange.event(chunk(GOOD, "stop"))
        await asyncio.sleep(60)

    server.say(never_ends)
    assert (await ask(hasty)).object == OBJECT


async def test_a_wrong_answer_gets_one_more_chance_with_the_reason(server: ScriptedServer, client: ChatClient) -> None:
    server.say(streamed('{"why": "a", "choice": 7}'), streamed(GOOD))
    answer = await ask(client)
    assert (answer.object, answer.attempts) == (OBJECT, 2)
    first, second = server.questions
    assert second["messages"][: len(first["messages"])] == first["messages"]  # the server's prefix cache holds
    assert second["messages"][-2] == {"role": "assistant", "content": '{"why": "a", "choice": 7}'}
    assert "answer.choice must be at most 3" in second["messages"][-1]["content"]


async def test_the_callers_own_check_takes_part_in_the_repair(server: ScriptedServer, client: ChatClient) -> None:
    server.say(streamed('{"why": "no", "choice": 1}'), streamed(GOOD))
    answer = await ask(client, check=lambda found: "1 is taken" if found["choice"] == 1 else None)
    assert answer.object == OBJECT
    assert "1 is taken" in server.questions[1]["messages"][-1]["content"]


async def test_a_long_wrong_answer_is_not_sent_back_whole(server: ScriptedServer, client: ChatClient) -> None:
    server.say(streamed("la " * 3000), streamed(GOOD))
    await ask(client)
    assert len(server.questions[1]["messages"][-2]["content"]) == MAX_SHOWN_BACK_CHARS


async def test_a_passing_fault_is_tried_again(server: ScriptedServer, client: ChatClient) -> None:
    server.say(refused("Loading model", 503), streamed(GOOD))
    assert (await ask(client)).attempts == 2


async def test_only_portable_fields_are_sent(server: ScriptedServer, make_client: Any) -> None:
    server.say(streamed(GOOD))
    await ask(make_client(api_key="sk-lm-1", max_output_tokens=77))
    question = server.questions[0]
    fields = {"model", "messages", "temperature", "max_tokens", "stream", "stream_options", "response_format"}
    assert set(question) == fields
    assert (question["max_tokens"], question["model"]) == (77, "llama-3-8b")
    assert question["response_format"]["json_schema"]["schema"] == SCHEMA
    headers = server.requests[-1].headers
    assert headers["authorization"] == "Bearer sk-lm-1"
    assert headers["accept-encoding"] == "identity"


async def test_a_server_without_schemas_is_asked_in_words_and_that_is_remembered(
    server: ScriptedServer, client: ChatClient
) -> None:
    server.say(refused("failed to parse grammar"), refused("response_format is not supported"), streamed(GOOD))
    await ask(client)
    await ask(client)
    full, flat, words, later = server.questions
    assert "maxLength" in json.dumps(full["response_format"])
    assert "maxLength" not in json.dumps(flat["response_format"])
    assert "response_format" not in words
    assert '"maximum":3' in words["messages"][0]["content"]
    assert later["messages"] == words["messages"]


async def test_in_words_the_answer_is_checked_all_the_same(server: ScriptedServer, client: ChatClient) -> None:
    no = refused("json_schema is not supported")
    server.say(no, no, streamed('{"why": "a", "choice": 9}'))
    assert (await error_of(client)).kind is Kind.BAD_OUTPUT


async def test_a_server_that_refuses_stream_options_does_without(server: ScriptedServer, client: ChatClient) -> None:
    server.say(refused("Unrecognized request argument: stream_options"), streamed(GOOD))
    assert (await ask(client)).object == OBJECT
    assert "stream_options" not in server.questions[1]


async def test_a_model_that_only_thinks_is_asked_not_to(server: ScriptedServer, client: ChatClient) -> None:
    server.say(streamed("", thoughts="hm"), streamed(GOOD))
    assert (await ask(client)).object == OBJECT
    assert server.questions[1]["reasoning_effort"] == "none"


async def test_thoughts_are_never_taken_for_the_answer(server: ScriptedServer, client: ChatClient) -> None:
    server.say(streamed("", thoughts=GOOD))
    error = await error_of(client)
    assert (error.kind, error.raw) == (Kind.EMPTY, GOOD)


async def test_a_failed_call_can_be_recorded_like_a_good_one(server: ScriptedServer, client: ChatClient) -> None:
    server.say(streamed("nonsense", usage={"prompt_tokens": 31, "completion_tokens": 4}))
    error = await error_of(client)
    assert (error.raw, error.model, error.finish_reason) == ("nonsense", "llama-3-8b", "stop")
    assert (error.usage.prompt_tokens, error.usage.completion_tokens) == (31, 4)
    assert error.duration_seconds > 0


async def test_the_token_is_in_no_error(server: ScriptedServer, make_client: Any) -> None:
    server.say(refused("Incorrect key sk-lm-secret for invalid_api_key", 401))
    error = await error_of(make_client(api_key="sk-lm-secret"))
    assert "sk-lm-secret" not in f"{error!s} {error!r} {error.message} {error.raw}"
    assert "[token]" in error.message


async def test_user_and_password_of_the_url_are_shown_nowhere(server: ScriptedServer, make_client: Any) -> None:
    client = make_client(f"http://me:hush@127.0.0.1:{server.port}/v1")
    server.say(streamed(GOOD))
    await ask(client)
    assert "hush" not in repr(client.state)
    with pytest.raises(LlmError) as caught:
        ChatClient("ftp://me:hush@127.0.0.1/v1")
    assert "hush" not in str(caught.value)


async def test_nothing_listening_is_unreachable_at_once(make_client: Any) -> None:
    with_nobody = make_client("http://127.0.0.1:1/v1", model="x")
    started = time.monotonic()
    assert (await error_of(with_nobody)).kind is Kind.UNREACHABLE
    assert time.monotonic() - started < 2


async def test_a_failing_transport_is_unreachable(make_client: Any) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[Errno -2] Name or service not known")

    client = make_client("http://models.example/v1", transport=httpx.MockTransport(refuse))
    error = await error_of(client)
    assert (error.kind, "not known" in error.message) == (Kind.UNREACHABLE, True)


async def test_proxy_variables_are_ignored(
    server: ScriptedServer, make_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.say(streamed(GOOD))
    assert (await ask(make_client())).object == OBJECT


async def test_one_question_at_a_time_and_waiting_has_an_end(server: ScriptedServer, make_client: Any) -> None:
    client = make_client(deadline_seconds=0.3, first_token_seconds=5)
    server.say(silent())
    errors = await asyncio.gather(*(error_of(client) for _ in range(3)))
    assert server.most_in_hand == 1
    assert sorted(error.kind for error in errors) == [Kind.OVERLOADED, Kind.OVERLOADED, Kind.TIMEOUT]


async def test_the_concurrency_that_was_set_is_used(server: ScriptedServer, make_client: Any) -> None:
    async def slow(exchange: Any) -> None:
        await asyncio.sleep(0.05)
        await streamed(GOOD)(exchange)

    server.say(slow)
    client = make_client(concurrency=3)
    await asyncio.gather(*(ask(client) for _ in range(6)))
    assert server.most_in_hand == 3


async def test_a_cancelled_question_frees_its_slot(server: ScriptedServer, client: ChatClient) -> None:
    server.say(silent(), streamed(GOOD))
    task = asyncio.create_task(ask(client))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await ask(client)).object == OBJECT


async def test_an_unportable_schema_is_refused_before_anything_is_sent(
    server: ScriptedServer, client: ChatClient
) -> None:
    for part, word in (
        ({"type": "number"}, "type"),
        ({"type": "string"}, "maxLength"),
        ({"type": "string", "maxLength": 9, "pattern": "x"}, "pattern"),
        ({"type": "array", "items": {"type": "integer"}}, "maxItems"),
        ({"type": "object", "properties": {"b": {"type": "integer"}}}, "required"),
    ):
        schema = {"type": "object", "properties": {"a": part}, "required": ["a"], "additionalProperties": False}
        with pytest.raises(ValueError, match=word):
            await client.complete(ASKED, schema)
    assert not server.requests
