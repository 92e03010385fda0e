"""A look at the server tells what is there and what to do, and wakes no model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llm import ChatClient, Kind, LlmError
from tests.llm.asking import OBJECT, SCHEMA, ask, error_of
from tests.llm.scripted_server import ScriptedServer, streamed

LISTED = {"object": "list", "data": [{"id": "llama-3-8b"}, {"id": "qwen-7b"}, {"id": "text-embedding-nomic"}]}


def lm_studio(*instances: dict[str, Any]) -> dict[str, tuple[int, Any]]:
    models = [
        {"type": "llm", "key": "qwen-7b", "loaded_instances": [], "max_context_length": 131072},
        {"type": "llm", "key": "llama-3-8b", "loaded_instances": list(instances), "max_context_length": 8192},
        {"type": "embedding", "key": "e", "loaded_instances": [{"id": "e", "config": {"context_length": 512}}]},
    ]
    return {"/v1/models": (200, LISTED), "/api/v1/models": (200, {"models": models})}


LLAMA_CPP = {
    "/v1/models": (200, {"data": [{"id": "/models/llama.gguf"}]}),
    "/props?autoload=false": (200, {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 1}),
}
OLLAMA = {
    "/v1/models": (200, LISTED),
    "/api/ps": (200, {"models": [{"name": "qwen-7b", "context_length": 4096}]}),
}
V0 = {
    "/v1/models": (200, LISTED),
    "/api/v1/models": (200, {"error": "Unexpected endpoint or method. (GET /api/v1/models)"}),
    "/api/v0/models": (
        200,
        {
            "data": [
                {"id": "e", "type": "embeddings", "state": "loaded", "loaded_context_length": 2048},
                {"id": "llama-3-8b", "type": "llm", "state": "not-loaded", "max_context_length": 8192},
                {"id": "qwen-7b", "type": "llm", "state": "loaded", "loaded_context_length": 6000},
            ]
        },
    ),
}
SERVERS: dict[str, tuple[dict[str, tuple[int, Any]], tuple[str, str, int | None]]] = {
    "LM Studio": (
        lm_studio({"id": "llama-3-8b:2", "config": {"context_length": 4096}}),
        ("lm-studio", "llama-3-8b:2", 4096),
    ),
    "LM Studio before 0.4": (V0, ("lm-studio", "qwen-7b", 6000)),
    "Ollama": (OLLAMA, ("ollama", "qwen-7b", 4096)),
    "Ollama with one model asleep": (
        {"/v1/models": (200, {"data": [{"id": "llama3"}]}), "/api/ps": (200, {"models": []})},
        ("ollama", "llama3", None),
    ),
    "llama.cpp": (LLAMA_CPP, ("llama.cpp", "/models/llama.gguf", 4096)),
    "vLLM": ({"/v1/models": (200, {"data": [{"id": "m", "max_model_len": 8192}]})}, ("vllm", "m", 8192)),
    "any other": ({"/v1/models": (200, LISTED)}, ("openai-compatible", "llama-3-8b", None)),
}


@pytest.mark.parametrize("name", SERVERS)
async def test_each_server_tells_its_model_and_loaded_context(
    server: ScriptedServer, client: ChatClient, name: str
) -> None:
    server.lists, expected = SERVERS[name]
    state = await client.preflight()
    assert (state.server, state.model, state.context_tokens) == expected
    assert state.ready
    assert not server.questions  # nothing that could make a model load


TROUBLE: dict[str, tuple[dict[str, tuple[int, Any]], Kind, str]] = {
    "nothing loaded": (lm_studio(), Kind.NO_MODEL, "lms load"),
    "several asleep": (
        {"/v1/models": (200, LISTED), "/api/ps": (200, {"models": []})},
        Kind.NO_MODEL,
        "llm.model",
    ),
    "no model at all": ({"/v1/models": (200, {"data": []})}, Kind.NO_MODEL, "llm.model"),
    "address without /v1": (
        {"/v1/models": (200, {"error": "Unexpected endpoint or method. (GET /models)"})},
        Kind.BAD_BASE_URL,
        "/v1",
    ),
    "no such path": ({}, Kind.BAD_BASE_URL, "/v1"),
    "another service": ({"/v1/models": (200, {"status": "ok"})}, Kind.NOT_AN_LLM, "address"),
    "token required": (
        {"/v1/models": (401, {"error": {"code": "invalid_api_key", "message": "x"}})},
        Kind.AUTH,
        "llm.api_key",
    ),
    "still loading": (
        {
            "/v1/models": (200, {"data": [{"id": "m"}]}),
            "/props?autoload=false": (503, {"error": {"code": 503, "message": "Loading model"}}),
        },
        Kind.UNAVAILABLE,
        "loading",
    ),
}


@pytest.mark.parametrize("name", TROUBLE)
async def test_trouble_is_named_with_what_to_do(server: ScriptedServer, client: ChatClient, name: str) -> None:
    server.lists, kind, advice = TROUBLE[name]
    state = await client.preflight()
    assert (state.ready, state.kind, state.reachable) == (False, kind, True)
    assert advice in state.advice
    assert (await error_of(client)).kind is kind
    assert not server.questions


async def test_an_absent_server_is_unreachable(server: ScriptedServer, client: ChatClient) -> None:
    await server.stop()
    state = await client.preflight()
    assert (state.reachable, state.ready, state.kind) == (False, False, Kind.UNREACHABLE)


async def test_a_silent_server_is_not_waited_for(
    server: ScriptedServer, client: ChatClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: object, __: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("llm.client.LOOK_SECONDS", 0.1)
    monkeypatch.setattr(ScriptedServer, "_behave", never)
    state = await client.preflight()
    assert (state.reachable, state.kind) == (False, Kind.TIMEOUT)


async def test_a_named_model_may_be_asleep_but_must_exist(server: ScriptedServer, make_client: Any) -> None:
    server.lists = lm_studio({"id": "llama-3-8b", "config": {"context_length": 4096}})
    state = await make_client(model="qwen-7b").preflight()
    assert (state.ready, state.model, state.context_tokens) == (True, "qwen-7b", None)
    state = await make_client(model="gpt-9").preflight()
    assert (state.ready, state.kind) == (False, Kind.MODEL_NOT_FOUND)
    assert "qwen-7b" in state.detail


async def test_a_named_model_is_asked_even_when_the_server_lists_nothing(
    server: ScriptedServer, make_client: Any
) -> None:
    server.lists = {}
    server.say(streamed('{"why": "because", "choice": 2}'))
    assert (await ask(make_client(model="mine"))).object == OBJECT
    assert server.questions[0]["model"] == "mine"


async def test_a_short_context_is_warned_of_and_shrinks_the_budget(server: ScriptedServer, client: ChatClient) -> None:
    server.lists = lm_studio({"id": "m", "config": {"context_length": 2048}})
    state = await client.preflight()
    assert "2048" in state.advice
    assert client.prompt_budget(2000) == int((2048 - 500) / 1.1)
    assert client.prompt_budget(900) == 900


async def test_what_does_not_fit_the_loaded_context_is_not_sent(server: ScriptedServer, client: ChatClient) -> None:
    server.lists = lm_studio({"id": "m", "config": {"context_length": 1024}})
    with pytest.raises(LlmError) as caught:
        await client.complete([{"role": "user", "content": "12:01:02 err " * 200}], SCHEMA)
    assert caught.value.kind is Kind.CONTEXT_OVERFLOW
    assert not server.questions


async def test_a_model_that_was_swapped_is_noticed(
    server: ScriptedServer, client: ChatClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm.client.STATE_IS_FRESH_SECONDS", 0)
    server.say(streamed('{"why": "because", "choice": 2}'))
    for name in ("first", "second"):
        server.lists = lm_studio({"id": name, "config": {"context_length": 4096}})
        await ask(client)
    assert [question["model"] for question in server.questions] == ["first", "second"]
