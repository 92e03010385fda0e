"""One worker alone: `python -m agentic_worker.main`. SIGTERM drains it; a second one changes nothing."""

from __future__ import annotations

import asyncio
import sys

from agentic.errors import AutoRemedyError, ConfigError, PluginError
from agentic_worker.service import WorkerService
from config import load_settings, worker_environment
from settings.collector import calm_collector
from settings.logs import set_up_logs
from settings.stopping import keep_signals, stopped_by_signals
from store import Store, StoreMisconfigured
from store.setup import set_up_store

EXIT_CONFIG = 78


def main() -> int:
    """Run a worker until SIGTERM or SIGINT; return the exit code."""
    set_up_logs()
    try:
        settings = load_settings()
        store, embedded = set_up_store(
            settings.redis.url, settings.data_dir(), settings.redis.key_prefix, settings.store_limits()
        )
        url = embedded.url if embedded else settings.redis.url
        service = WorkerService(settings, store, url, worker_environment())
        keep_signals()
        if embedded is not None:
            embedded.start()
        calm_collector()
        try:
            asyncio.run(_run(service, store))
        finally:
            if embedded is not None:
                embedded.stop()
    except (ConfigError, PluginError, StoreMisconfigured) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    except AutoRemedyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _run(service: WorkerService, store: Store) -> None:
    with stopped_by_signals(service.stop):
        try:
            await service.run()
        finally:
            await store.close()


if __name__ == "__main__":
    sys.exit(main())
