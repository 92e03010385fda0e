"""Forecast FOLDER/horizon_days days ahead inside a memory limit of FOLDER/memory_bytes."""

from __future__ import annotations

import logging
import resource
import sys
from pathlib import Path

log = logging.getLogger("forecast")

BYTES_A_DAY = 1024 * 1024


def main(folder: Path) -> None:
    """Hold one block of working memory a day, as the model would."""
    limit = int((folder / "memory_bytes").read_text())
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    days = int((folder / "horizon_days").read_text())
    log.info("forecasting %d days within %d MiB", days, limit // 1024**2)
    blocks = [bytearray(BYTES_A_DAY) for _ in range(days)]
    (folder / "forecast.txt").write_text(f"{len(blocks)} days\n")
    log.info("done")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    main(Path(sys.argv[1]))
