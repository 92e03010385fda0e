"""Looking at the server before anything is trusted to it: which one it is, and what it could lose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import structlog
from redis import exceptions as errors
from redis.asyncio import Redis

from store.errors import StoreMisconfigured

log = structlog.get_logger()


async def inspect_server(client: Redis, prefix: str) -> dict[str, Any]:
    """Return what matters about the server, and what it could lose; raises StoreMisconfigured."""
    found = await look(client)
    if found["append_only"] is None:
        told = ["the server does not let us look at it (INFO), so nobody can tell what a crash loses"]
    else:
        _refuse(found, prefix)
        told = risks(found)
        if can_confirm_fsync(found) and not await _may_confirm(client):
            told.append("this user may not ask WAITAOF, so no effect is ever begun; allow it with +waitaof")
    passing = ("compatible_with", "replicas")
    return {**{name: value for name, value in found.items() if name not in passing}, "risks": told}


async def look(client: Redis) -> dict[str, Any]:
    """Return name, version, mode, how it persists, how many replicas follow it.

    Missing rights to look at its configuration are not an error.
    """
    try:
        info = await client.info()
    except errors.NoPermissionError:
        unknown = dict.fromkeys(("server", "version", "mode", "eviction"), "?")
        return {**unknown, "append_only": None, "fsync": None, "replicas": 0, "replica_of": None}
    found: dict[str, Any] = {
        "server": info.get("server_name", "redis"),
        "version": str(info.get("valkey_version") or info.get("redis_version", "?")),
        "compatible_with": str(info.get("redis_version", "7")),
        "mode": info.get("server_mode") or info.get("redis_mode", "standalone"),
        "append_only": bool(info.get("aof_enabled")),
        "eviction": info.get("maxmemory_policy", "?"),
        "replicas": int(info.get("connected_slaves", 0)),
        "replica_of": f"{info.get('master_host')}:{info.get('master_port')}" if info.get("role") == "slave" else None,
    }
    try:
        found["fsync"] = (await client.config_get("appendfsync")).get("appendfsync")
    except errors.ResponseError:
        found["fsync"] = None  # CONFIG is often forbidden to ordinary users
    return found


async def _may_confirm(client: Redis) -> bool:
    try:
        await client.execute_command("WAITAOF", 0, 0, 1)  # type: ignore[no-untyped-call]
    except errors.NoPermissionError:
        return False
    except errors.ResponseError:
        return True  # a replica cannot be asked; another message says that it is one
    return True


def what_to_change(error: Exception, prefix: str) -> str:
    """Say in a sentence what is wrong when the server answers, and does not let us work."""
    if isinstance(error, errors.AuthenticationError) or str(error).startswith("Protocol error: unauthenticated"):
        return f"the store refuses the user or password in redis.url: {error}"
    if isinstance(error, errors.NoPermissionError | errors.AuthorizationError):
        return (
            f"the user in redis.url may not do what is needed: {error}; "
            f"allow it the keys {prefix}:* and the commands named in docs/deployment.md"
        )
    if str(error).startswith("WRONGTYPE"):
        return f"something else was written to a key of ours, one of {prefix}:*; rename or delete it: {error}"
    if isinstance(error, errors.InvalidResponse):
        return f"what answers at redis.url does not speak as a Redis server does: {error}"
    return f"the store cannot be used: {error}"


def can_confirm_fsync(server: Mapping[str, Any]) -> bool:
    """Say whether the server must be asked about its append-only file, and has the command for it."""
    numbers = [int(part) for part in str(server.get("version", "0")).split(".")[:2] if part.isdigit()]
    has_waitaof = server.get("server") == "valkey" or numbers >= [7, 2]
    return bool(server.get("append_only")) and server.get("fsync") != "always" and has_waitaof


def _refuse(found: dict[str, Any], prefix: str) -> None:
    """Raise StoreMisconfigured when the server cannot keep the promise."""
    name = f"{found['server']} {found['version']}"
    if int(found["compatible_with"].split(".")[0]) < 7:
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
    """Return in sentences why this server takes nothing or what it could lose, and which setting prevents it."""
    if server.get("replica_of"):
        return [
            f"this server is a replica of {server['replica_of']} and takes no events; "
            "set redis.url to that one, or to the Sentinels"
        ]
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
    if can_confirm_fsync(server) and fsync == "no":
        effects = "nothing tells when an intention is on disk, so no effect is ever begun"
    elif can_confirm_fsync(server):
        effects = "effects wait until their intention is on disk (WAITAOF)"
    else:
        effects = f"{server['server']} {server['version']} has no WAITAOF, so an effect may then happen twice"
    return [f"{said}: {loses}; {effects}. Set appendfsync to always"]
