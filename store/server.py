"""Looking at the server before anything is trusted to it: which one it is, and what it could lose."""

from __future__ import annotations

import re
from typing import Any

import structlog
from redis import exceptions as errors
from redis.asyncio import Redis

from store.durability import can_confirm_fsync
from store.errors import StoreMisconfigured

log = structlog.get_logger()


async def inspect_server(client: Redis, prefix: str) -> dict[str, Any]:
    """Return what matters about the server: name, version, mode, how it persists; raises StoreMisconfigured.

    Missing rights to look at its configuration are not an error.
    """
    try:
        info = await client.info("server")
        persistence = await client.info("persistence")
        memory = await client.info("memory")
    except errors.NoPermissionError:
        risk = "the server does not let us look at it (INFO), so nobody can tell what a crash loses"
        unknown = dict.fromkeys(("server", "version", "mode", "eviction"), "?")
        return {**unknown, "append_only": None, "fsync": None, "risks": [risk]}
    found: dict[str, Any] = {
        "server": info.get("server_name", "redis"),
        "version": str(info.get("valkey_version") or info.get("redis_version", "?")),
        "mode": info.get("server_mode") or info.get("redis_mode", "standalone"),
        "append_only": bool(persistence.get("aof_enabled")),
        "eviction": memory.get("maxmemory_policy", "?"),
    }
    try:
        found["fsync"] = (await client.config_get("appendfsync")).get("appendfsync")
    except errors.ResponseError:
        found["fsync"] = None  # CONFIG is often forbidden to ordinary users
    _refuse(found, str(info.get("redis_version", "7")), prefix)
    return {**found, "risks": risks(found)}


def _refuse(found: dict[str, Any], compatible_with: str, prefix: str) -> None:
    """Raise StoreMisconfigured when the server cannot keep the promise."""
    name = f"{found['server']} {found['version']}"
    if int(compatible_with.split(".")[0]) < 7:
        raise StoreMisconfigured(f"{name} is too old; Redis 7.0 or Valkey 8 is needed")
    policy = str(found["eviction"])
    if policy.startswith(("allkeys", "volatile")):
        # volatile-* spares the queue, but drops the ids and effect journals of finished events, which expire by
        # design: an event that is sent again would be handled, and acted on, again.
        lost = "events that were accepted" if policy.startswith("allkeys") else "which events were handled already"
        raise StoreMisconfigured(
            f"{name} may drop keys when its memory is full (maxmemory-policy {policy}) and would forget {lost}; "
            "set maxmemory-policy to noeviction"
        )
    if found["mode"] == "cluster" and not re.search(r"\{[^{}]+\}", prefix):
        raise StoreMisconfigured(
            f"{name} runs as a cluster, where all keys must share one slot; "
            f'set redis.key_prefix to a hash tag such as "{{{prefix}}}"'
        )


def report_server(server: dict[str, Any]) -> None:
    """Log which server was found, and what a crash of it could lose."""
    facts = {name: server.get(name) for name in ("server", "version", "mode", "append_only", "fsync")}
    log.info("store.found", **facts)
    for risk in server.get("risks", ()):
        log.warning("store.not_durable", risk=risk)


def risks(server: dict[str, Any]) -> list[str]:
    """Return in sentences what this server could lose, and which setting prevents it."""
    if not server.get("append_only"):
        return [
            "appendonly is off: a restart of the server loses every event and effect journal since its last snapshot, "
            "so effects may happen twice; set appendonly to yes and appendfsync to always"
        ]
    fsync = server.get("fsync")
    if fsync == "always":
        return []
    said = (
        "CONFIG may not be read, so appendfsync is taken to be everysec" if fsync is None else f"appendfsync is {fsync}"
    )
    loses = (
        "a power cut can lose the last second of accepted events"
        if fsync != "no"
        else ("a power cut can lose the last half minute of accepted events")
    )
    if can_confirm_fsync(server):
        effects = "effects wait until their intention is on disk (WAITAOF)"
    else:
        effects = f"{server['server']} {server['version']} has no WAITAOF, so an effect may then happen twice"
    return [f"{said}: {loses}; {effects}. Set appendfsync to always"]
