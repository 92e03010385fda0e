"""Delete files older than a day from FOLDER/scratch; never follows a link, never leaves that folder."""

from __future__ import annotations

import logging
import stat
import sys
import time
from pathlib import Path

log = logging.getLogger("clean_scratch")

MAX_AGE_SECONDS = 24 * 3600


def main(folder: Path) -> int:
    """Delete what is old enough and say how much room that made."""
    freed = count = 0
    for path in sorted((folder / "scratch").iterdir()):
        facts = path.lstat()
        if stat.S_ISREG(facts.st_mode) and time.time() - facts.st_mtime > MAX_AGE_SECONDS:
            path.unlink()
            freed, count = freed + facts.st_size, count + 1
    log.info("deleted %d old files, %d bytes are free again", count, freed)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    sys.exit(main(Path(sys.argv[1])))
