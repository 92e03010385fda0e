"""Everything in one process: API, worker and fault lab on an embedded store. `python main.py`, or `make run`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator

import structlog
import uvicorn

from agentic.digest import Redactor
from agentic.errors import AutoRemedyError, ConfigError, PluginError
from agentic_worker.service import WorkerService
from api.main import create_app
from config import load_settings, worker_environment
from jobsim import Lab, lab_config
from settings.logs import set_up_logs
from settings.models import Settings
from settings.secrets import secret_patterns
from settings.stopping import keep_signals, stopped_by_signals
from store import Store, StoreMisconfigured
from store.setup import set_up_store

log = structlog.get_logger()

EXIT_CONFIG = 78


class Server(uvicorn.Server):
    """Leaves the signals to us: uvicorn's own handlers would raise them again after serving, and cut the drain."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> int:
    """Run until Ctrl-C or SIGTERM; return the exit code."""
    set_up_logs()
    try:
        settings = _settings()
        store, embedded = set_up_store(
            settings.redis.url, settings.data_dir(), settings.redis.key_prefix, settings.store_limits()
        )
        url = embedded.url if embedded else settings.redis.url
        worker = WorkerService(settings, store, url, worker_environment())
        keep_signals()
        if embedded is not None:
            embedded.start()
        try:
            asyncio.run(_until_stopped(settings, store, url, worker))
        finally:
            if embedded is not None:
                embedded.stop()
    except (ConfigError, PluginError, StoreMisconfigured) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    except (AutoRemedyError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _settings() -> Settings:
    settings = load_settings()
    if not settings.lab.enabled:
        return settings
    return load_settings(also=lab_config(settings.data_dir() / "lab", sys.executable))


async def _until_stopped(settings: Settings, store: Store, url: str, worker: WorkerService) -> None:
    stopping = asyncio.Event()
    with stopped_by_signals(stopping.set):
        await _run(settings, store, url, worker, stopping)


async def _run(settings: Settings, store: Store, url: str, worker: WorkerService, stopping: asyncio.Event) -> None:
    api_store = Store(url, prefix=settings.redis.key_prefix, limits=store.limits)
    app = create_app(settings, api_store, Redactor(secret_patterns(settings), settings.redaction.mark_key()))
    listener = _listen(settings)
    port = listener.getsockname()[1]
    server = Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5))
    serving = asyncio.create_task(server.serve([listener]))
    working = asyncio.create_task(worker.run())
    address = f"http://{settings.api.host}:{port}"
    log.info("ready", api=address, docs=f"{address}/docs", stop="Ctrl-C")
    lab = asyncio.create_task(_lab(settings, address))
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait({asked, serving, working}, return_when=asyncio.FIRST_COMPLETED)

    log.info("stopping")
    lab.cancel()
    worker.stop()
    await asyncio.gather(lab, asyncio.shield(working), return_exceptions=True)
    server.should_exit = True
    await asyncio.gather(serving, return_exceptions=True)
    await store.close()
    asked.cancel()
    for task in (serving, working):
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error


def _listen(settings: Settings) -> socket.socket:
    """Take the port before anything else starts, so that a taken one is said at once."""
    try:
        return socket.create_server((settings.api.host, settings.api.port))
    except OSError as error:
        where = f"{settings.api.host}:{settings.api.port}"
        raise AutoRemedyError(f"cannot listen on {where}: {error.strerror}; PORT=… chooses another port") from error


async def _lab(settings: Settings, address: str) -> None:
    """Break small real jobs, for as long as this runs, so that one can watch them heal."""
    if settings.lab.enabled:
        await Lab(address, settings.data_dir() / "lab", settings.lab.interval_seconds).run()


if __name__ == "__main__":
    sys.exit(main())
