"""Learns which server answers, which model is loaded and how long its context is, without waking any model.

Only lists are read. `GET /models` exists everywhere and proves the base URL; what is loaded stands only
in each server's native lists, so these are asked after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from llm.errors import ADVICE, Kind, LlmError
from llm.refusal import error_text, readable, refusal

Fetch = Callable[[str], Awaitable[tuple[int, str, Any]]]
"""Gets a URL: status, text, and the parsed JSON or None. Raises LlmError when nothing answers."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is known of the model server right now."""

    base_url: str
    reachable: bool
    ready: bool
    """A question may be asked."""
    kind: Kind | None = None
    """Why not, when it is not ready."""
    server: str | None = None
    """`lm-studio`, `ollama`, `llama.cpp`, `vllm` or `openai-compatible`."""
    model: str | None = None
    context_tokens: int | None = None
    """Tokens the loaded model can hold, None where the server does not tell."""
    models: tuple[str, ...] = ()
    loaded: bool = True
    """The model is in memory, as far as the server tells; asking another would make it load."""
    detail: str = ""
    advice: str = ""
    checked_at: float = field(default=0.0, compare=False)
    """On the event loop's clock."""


@dataclass(frozen=True, slots=True)
class _Found:
    server: str
    loaded: dict[str, int | None]
    """Model id to its loaded context."""
    knows_what_is_loaded: bool = True
    loads_on_demand: bool = False


async def look(base_url: str, wanted: str, fetch: Fetch) -> ServerState:
    """Ask the server what it has; `wanted` is a model's name or `auto`. Raises LlmError when it is of no use."""
    models, context = await _listed(base_url, wanted, fetch)
    found = await _native(base_url, fetch)
    if found is None:
        server = "vllm" if context else "openai-compatible"
        found = _Found(server, {name: context.get(name) for name in models}, knows_what_is_loaded=False)
    model = _choose(wanted, models, found)
    return ServerState(
        base_url=shown_url(base_url),
        reachable=True,
        ready=True,
        server=found.server,
        model=model,
        context_tokens=found.loaded.get(model) or context.get(model),
        models=tuple(models),
        loaded=not found.knows_what_is_loaded or model in found.loaded,
    )


async def version_of(base_url: str, server: str | None, fetch: Fetch) -> str | None:
    """Return the server's version, where it tells one. Raises LlmError when nothing answers."""
    asked = {"ollama": "/api/version", "vllm": "/version", "llama.cpp": "/props?autoload=false"}
    path = asked.get(server or "")
    if path is None:
        return None
    status, _, body = await fetch(root_of(base_url) + path)
    if status != 200 or not isinstance(body, dict):
        return None
    told = body.get("version") or body.get("build_info")
    return readable(told, 60) if isinstance(told, str) else None


def failed_state(base_url: str, error: LlmError) -> ServerState:
    """Turn the error of a look into a state that says what to do."""
    return ServerState(
        base_url=shown_url(base_url),
        reachable=error.kind not in (Kind.UNREACHABLE, Kind.TIMEOUT),
        ready=False,
        kind=error.kind,
        detail=error.message,
        advice=error.advice,
    )


def shown_url(url: str) -> str:
    """Return the URL without user name and password."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def root_of(base_url: str) -> str:
    """Return the URL that the native lists hang under."""
    return base_url.removesuffix("/").removesuffix("/v1")


async def _listed(base_url: str, wanted: str, fetch: Fetch) -> tuple[list[str], dict[str, int]]:
    """Return the chat models of `GET /models`, and vLLM's context lengths."""
    status, text, body = await fetch(f"{base_url}/models")
    rows = body.get("data") if isinstance(body, dict) else None
    if status == 200 and isinstance(rows, list):
        named = {row["id"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)}
        chat = [name for name in named if "embed" not in name.lower()]
        lengths = {name: _length(named[name].get("max_model_len")) for name in chat}
        return chat, {name: length for name, length in lengths.items() if length}
    if status == 404 and wanted != "auto" and base_url.endswith("/v1"):
        return [wanted], {}  # no list, but the address looks right and the operator named the model
    if status == 200 and error_text(text) is None:
        raise LlmError(Kind.NOT_AN_LLM, "GET /models does not list models", status=200)
    raise refusal(status, text)


async def _native(base_url: str, fetch: Fetch) -> _Found | None:
    """Ask the native list of each server we know, most likely first."""
    root = root_of(base_url)
    for path, read in (
        ("/api/v1/models", _lm_studio),
        ("/api/v0/models", _lm_studio_v0),
        ("/api/ps", _ollama),
        ("/props?autoload=false", _llama_cpp),
    ):
        status, text, body = await fetch(root + path)
        if status == 503 and read is _llama_cpp:
            raise refusal(status, text)  # it is still loading its model
        if status == 200 and isinstance(body, dict) and not body.get("error"):
            found = read(body)
            if found is not None:
                return found
    return None


def _lm_studio(body: dict[str, Any]) -> _Found | None:
    rows = _rows(body, "models")
    if not any("loaded_instances" in row for row in rows):
        return None
    loaded: dict[str, int | None] = {}
    for row in rows:
        for instance in _rows(row, "loaded_instances") if row.get("type") != "embedding" else []:
            config = instance.get("config")
            length = _length(config.get("context_length")) if isinstance(config, dict) else None
            loaded[str(instance.get("id") or row.get("key"))] = length
    return _Found("lm-studio", loaded, loads_on_demand=True)


def _lm_studio_v0(body: dict[str, Any]) -> _Found | None:
    rows = _rows(body, "data")
    if not any("state" in row for row in rows):
        return None
    loaded = {
        str(row.get("id")): _length(row.get("loaded_context_length"))
        for row in rows
        if row.get("state") == "loaded" and row.get("type") != "embeddings"
    }
    return _Found("lm-studio", loaded, loads_on_demand=True)


def _ollama(body: dict[str, Any]) -> _Found | None:
    if not isinstance(body.get("models"), list):
        return None
    loaded = {str(row.get("name")): _length(row.get("context_length")) for row in _rows(body, "models")}
    return _Found("ollama", loaded, loads_on_demand=True)


def _llama_cpp(body: dict[str, Any]) -> _Found | None:
    settings = body.get("default_generation_settings")
    if not isinstance(settings, dict):
        return None
    # One model, whatever it is called: the name in the list is the one to send.
    return _Found("llama.cpp", {"": _length(settings.get("n_ctx"))}, knows_what_is_loaded=False)


def _choose(wanted: str, models: list[str], found: _Found) -> str:
    """Return the model to ask, or raise `no_model` or `model_not_found`."""
    if found.server == "llama.cpp":
        name = wanted if wanted != "auto" else next(iter(models), "default")
        found.loaded[name] = found.loaded[""]
        return name
    if wanted != "auto":
        if wanted in found.loaded or wanted in models:
            return wanted
        known = ", ".join(readable(name, 60) for name in models[:5]) or "none"
        raise LlmError(Kind.MODEL_NOT_FOUND, f"The server has no model {wanted!r}; it has: {known}")
    if found.loaded:
        return next(iter(found.loaded))
    if found.server == "ollama" and len(models) == 1:
        return models[0]  # there is nothing to choose between, and this server loads what it is asked for
    what = f"None of its {len(models)} models is loaded" if models else "It has no chat model"
    advice = ADVICE[Kind.NO_MODEL]
    if found.server == "lm-studio":
        advice = "Load a model in LM Studio (lms load MODEL --context-length 8192), or name one in llm.model."
    raise LlmError(Kind.NO_MODEL, what, advice=advice)


def _rows(body: dict[str, Any], key: str) -> list[dict[str, Any]]:
    rows = body.get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _length(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
