"""The other queues of throughput.py, doing nothing but parse and append; runs in an environment of its own.

usage: PYTHON _peers.py NAME (fill|work) URL COUNT, with the events as lines on standard input of `fill`
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any
from urllib.parse import urlsplit

try:
    from orjson import loads
except ImportError:
    from json import loads

HISTORY = "agentic:history"
CONCURRENCY = 64


def result(raw: str | bytes) -> str:
    """Parse an event and return what is appended for it."""
    event = loads(raw)
    return f'{{"event_id":"{event["event_id"]}","status":"suggested","lines":{len(event["log"])}}}'


def naive(url: str) -> tuple[Any, Any]:
    """A plain loop: take, parse, append. What is in hand when it dies is lost."""
    from redis.asyncio import Redis

    async def fill(lines: list[str]) -> None:
        client = Redis.from_url(url)
        for start in range(0, len(lines), 500):
            await client.rpush("agentic:events", *lines[start : start + 500])
        await client.aclose()

    async def work() -> None:
        client = Redis.from_url(url)
        while True:
            raw = await client.lpop("agentic:events")
            if raw is None:
                await asyncio.sleep(0.005)
                continue
            await client.rpush(HISTORY, result(raw))

    return fill, work


def saq(url: str) -> tuple[Any, Any]:
    """saq, 64 jobs at once."""
    from saq import Queue, Worker

    queue = Queue.from_url(url)

    async def handle(_: Any, *, raw: str) -> None:
        await queue.redis.rpush(HISTORY, result(raw))

    async def fill(lines: list[str]) -> None:
        await queue.connect()
        for start in range(0, len(lines), 200):
            await asyncio.gather(*(queue.enqueue("handle", raw=raw) for raw in lines[start : start + 200]))
        await queue.disconnect()

    async def work() -> None:
        await Worker(queue, functions=[("handle", handle)], concurrency=CONCURRENCY).start()

    return fill, work


def arq(url: str) -> tuple[Any, Any]:
    """arq, 64 jobs at once, asking every 5 ms."""
    from arq import Worker, create_pool, func
    from arq.connections import RedisSettings

    settings = RedisSettings(port=urlsplit(url).port or 6379)

    async def handle(context: dict[str, Any], raw: str) -> None:
        await context["redis"].rpush(HISTORY, result(raw))

    async def fill(lines: list[str]) -> None:
        pool = await create_pool(settings)
        for start in range(0, len(lines), 200):
            await asyncio.gather(*(pool.enqueue_job("handle", raw) for raw in lines[start : start + 200]))
        await pool.aclose()

    async def work() -> None:
        worker = Worker(
            functions=[func(handle, name="handle", keep_result=0)], redis_settings=settings, max_jobs=CONCURRENCY,
            poll_delay=0.005, handle_signals=False,
        )  # fmt: skip
        await worker.async_run()

    return fill, work


def taskiq(url: str) -> tuple[Any, Any]:
    """taskiq on its stream broker, 64 tasks at once."""
    import logging

    from redis.asyncio import Redis
    from taskiq.receiver import Receiver
    from taskiq_redis import RedisStreamBroker

    broker = RedisStreamBroker(url=url)
    client = Redis.from_url(url)

    @broker.task(task_name="handle")
    async def handle(raw: str) -> None:
        await client.rpush(HISTORY, result(raw))

    async def fill(lines: list[str]) -> None:
        await broker.startup()
        for start in range(0, len(lines), 200):
            await asyncio.gather(*(handle.kiq(raw) for raw in lines[start : start + 200]))
        await broker.shutdown()
        await client.aclose()

    async def work() -> None:
        logging.getLogger("taskiq").setLevel(logging.WARNING)
        broker.is_worker_process = True
        await broker.startup()
        await Receiver(broker, max_async_tasks=CONCURRENCY, run_startup=False).listen(asyncio.Event())

    return fill, work


PEERS = {"naive": naive, "saq": saq, "arq": arq, "taskiq": taskiq}


def main() -> None:
    """Fill a queue from standard input, or work it off until killed."""
    name, task, url = sys.argv[1:4]
    if task == "probe":
        __import__({"naive": "redis", "taskiq": "taskiq_redis"}.get(name, name))
        return
    fill, work = PEERS[name](url)
    if task == "fill":
        asyncio.run(fill(sys.stdin.read().splitlines()))
        os._exit(0)
    asyncio.run(work())


if __name__ == "__main__":
    main()
