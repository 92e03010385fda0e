"""Rebuild the index shard by shard; a shard is waited for until FOLDER/shards/NAME says ready."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

log = logging.getLogger("reindex")


def main(folder: Path) -> None:
    """Go through the shards; whoever runs this sets the time limit."""
    shards = sorted((folder / "shards").iterdir())
    for number, shard in enumerate(shards, start=1):
        log.info("shard %d/%d: waiting for %s", number, len(shards), shard.name)
        while shard.read_text().strip() != "ready":
            time.sleep(0.05)
        log.info("shard %d/%d: rebuilt", number, len(shards))
    log.info("index is complete")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    main(Path(sys.argv[1]))
