"""Remove FOLDER/load_customers.lock if the process that holds it is gone; a living holder keeps it."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

log = logging.getLogger("release_stale_lock")


def is_alive(pid: int) -> bool:
    """Say whether a process of that number exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main(folder: Path) -> int:
    """Release the lock, or say why not."""
    lock = folder / "load_customers.lock"
    try:
        holder = int(lock.read_text())
    except FileNotFoundError:
        log.info("no lock is held")
        return 0
    except ValueError:
        log.error("%s names no process; a person must look", lock)  # noqa: TRY400 - the stack would add nothing
        return 1
    # A number taken over by another program since reads as alive: then the lock stays, which is the safe side.
    if holder <= 0 or is_alive(holder):
        log.error("pid %d is alive and keeps the lock", holder)
        return 1
    lock.unlink(missing_ok=True)
    log.info("pid %d is gone; its lock is released", holder)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    sys.exit(main(Path(sys.argv[1])))
