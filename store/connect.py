"""From `redis.url` to a client whose own retries are off."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry as BlockingRetry

from agentic.errors import ConfigError

SOCKET_TIMEOUT_SECONDS = 5.0
_OPTIONS: dict[str, Any] = {"socket_connect_timeout": 5.0, "health_check_interval": 0, "protocol": 2}


def connect(url: str, *, socket_timeout: float | None = SOCKET_TIMEOUT_SECONDS) -> Redis:
    """Return a client for redis://, rediss://, unix:// or redis+sentinel://host:port,host:port/SERVICE[/DB].

    Without a timeout, whoever uses it has to watch the time. Nothing is sent yet. Raises ConfigError when the URL
    cannot be understood.
    """
    options = {**_OPTIONS, "socket_timeout": socket_timeout, "retry": Retry(NoBackoff(), 0)}
    try:
        client: Redis
        if url.startswith(("redis+sentinel://", "rediss+sentinel://")):
            client = _through_sentinel(url, options, Sentinel)
        else:
            client = Redis.from_url(url, **options)
        return client
    except ValueError as error:
        raise ConfigError(f"redis.url: {error} (got {_without_password(url)!r})") from error


async def disconnect(client: Redis) -> None:
    """Drop a client's connections, those to its Sentinels too."""
    await client.aclose()
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    for sentinel in getattr(manager, "sentinels", ()):
        await sentinel.aclose()


def connect_blocking(url: str, *, timeout_seconds: float = SOCKET_TIMEOUT_SECONDS) -> redis.Redis:
    """Return a client for a thread; same URLs, same rules. The time holds for connecting and for each answer."""
    options = {**_OPTIONS, "socket_timeout": timeout_seconds, "retry": BlockingRetry(NoBackoff(), 0)}
    options["socket_connect_timeout"] = timeout_seconds
    client: redis.Redis
    if "+sentinel://" in url:
        client = _through_sentinel(url, options, redis.Sentinel)
    else:
        client = redis.Redis.from_url(url, **options)
    return client


def _through_sentinel(url: str, options: dict[str, Any], kind: Any) -> Any:
    parts = urlsplit(url)
    places = parts.netloc.rpartition("@")[2].split(",")
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("a Sentinel URL ends in the name of the service: redis+sentinel://host:26379/mymaster")
    hosts = [urlsplit(f"//{place}") for place in places]
    nodes = [(host.hostname or "", host.port or 26379) for host in hosts]
    login = {"username": unquote(parts.username) if parts.username else None}
    login["password"] = unquote(parts.password) if parts.password else None
    sentinel = kind(
        nodes,
        sentinel_kwargs={"socket_timeout": 1.0, **dict(parse_qsl(parts.query))},
        **options,
        **login,
        db=int(db or 0),
        ssl=parts.scheme.startswith("rediss"),
    )
    return sentinel.master_for(service)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url
