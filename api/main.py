"""The HTTP service: `uvicorn api.main:app`, or `create_app` for a program that brings its own store."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute

from agentic import __version__
from agentic.errors import AutoRemedyError, ConfigError
from agentic.intake import Limits, Redactor
from agentic.planning import BUILT_IN_NAMES
from agentic.types import ActionKind
from api.docs_page import install_docs
from api.edge import Edge, known_hosts
from api.openapi import DESCRIPTION, TAGS, install_openapi
from api.ports import Store
from api.problems import install_problems
from api.routes import dead, events, feedback, history, incidents, jobs, status
from api.services import Services
from settings.collector import calm_collector
from settings.models import Settings
from settings.secrets import secret_patterns
from store.errors import StoreUnavailable

log = structlog.get_logger()

ROUTERS = (events, history, feedback, incidents, jobs, dead, status)
EXIT_CONFIG = 78
"""sysexits' EX_CONFIG: something in the configuration has to be changed first."""
REOPEN_SECONDS = 1.0


class Backing(Protocol):
    """A server that has to run before the store can be opened; both methods block."""

    def start(self) -> None:
        """Start it, or join it where it runs already."""

    def stop(self) -> None:
        """Leave it."""


def create_app(
    settings: Settings,
    store: Store,
    redactor: Redactor | None = None,
    *,
    backing: Backing | None = None,
    tune_gc: bool = False,
) -> FastAPI:
    """Make the service over a store, which it opens at start and closes at the end.

    `tune_gc` is for a process that serves until it ends: everything alive after the start is taken out of the
    garbage collector's rounds, which more than halves the slowest answers under load.
    """
    app = FastAPI(
        title="AutoRemedy",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        lifespan=_lifespan(store, redactor, backing, tune_gc),
    )
    parts = Services(
        store=store,
        redactor=redactor,
        limits=Limits(settings.api.max_body_bytes, settings.api.max_log_bytes, settings.api.max_batch),
        action_names=frozenset({*settings.actions, *BUILT_IN_NAMES, *map(str, ActionKind)}),
    )
    app.state.services = parts
    app.router.routes.extend(events.straight_ways)
    for module in ROUTERS:
        app.include_router(module.router)
    install_docs(app)
    install_openapi(app, max_batch=settings.api.max_batch)
    install_problems(app)
    hosts = known_hosts(settings.api.public_url, settings.api.allowed_hosts)
    app.add_middleware(Edge, metrics=parts.metrics, hosts=hosts)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _lifespan(
    store: Store, redactor: Redactor | None, backing: Backing | None, tune_gc: bool
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as at_the_end:
            try:
                if backing is not None:
                    await asyncio.to_thread(backing.start)
                    at_the_end.push_async_callback(asyncio.to_thread, backing.stop)
                at_the_end.push_async_callback(store.close)
                opening = await _open(store, redactor)
            except AutoRemedyError as error:
                app.state.cannot_start = str(error)
                raise
            if opening is not None:
                at_the_end.push_async_callback(_cancel, opening)
            if tune_gc:
                calm_collector()
            log.info("api.started", version=__version__)
            yield
        log.info("api.stopped")

    return lifespan


async def _open(store: Store, redactor: Redactor | None) -> asyncio.Task[None] | None:
    """Open the store; while it is away the service answers 503 and goes on trying."""
    try:
        await _open_now(store, redactor)
    except StoreUnavailable as error:
        log.warning("store.unavailable", reason=str(error), next_try_seconds=REOPEN_SECONDS)
        return asyncio.create_task(_keep_opening(store, redactor))
    return None


async def _open_now(store: Store, redactor: Redactor | None) -> None:
    await store.open()
    if redactor is not None:
        redactor.take_key(store.mark_key)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _keep_opening(store: Store, redactor: Redactor | None) -> None:
    while True:
        await asyncio.sleep(REOPEN_SECONDS)
        try:
            await _open_now(store, redactor)
        except StoreUnavailable:
            continue
        except AutoRemedyError as error:
            log.error("store.unusable", reason=str(error))  # noqa: TRY400 - the sentence says what to change
            continue
        log.info("store.opened")
        return


def _from_configuration() -> FastAPI:
    """Make the app that `uvicorn api.main:app` serves, from `config.yaml` and the environment."""
    from config import load_settings

    settings = load_settings()

    from agentic.digest.redaction import Redactor as SecretRedactor
    from store import Limits as StoreLimits
    from store import Store as RealStore
    from store.embedded import EmbeddedStore

    embedded = EmbeddedStore(settings.data_dir()) if settings.redis.url == "embedded" else None
    queue = settings.queue
    store = RealStore(
        embedded.url if embedded else settings.redis.url,
        prefix=settings.redis.key_prefix,
        limits=StoreLimits(
            lease_seconds=queue.lease_seconds,
            max_waiting=queue.max_length,
            max_deliveries=queue.max_deliveries,
            max_dead=queue.max_dead,
            max_history=settings.history.max_length,
            dedup_days=queue.dedup_days,
        ),
    )
    redactor = SecretRedactor(secret_patterns(settings), settings.redaction.mark_key())
    return create_app(settings, store, redactor, backing=embedded, tune_gc=True)


def __getattr__(name: str) -> FastAPI:
    """Make `app` when a server first asks for it, so that importing this module reads no configuration."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        app = _from_configuration()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_CONFIG) from None
    globals()["app"] = app
    return app
