"""Load FOLDER/inbox/customers.csv into a database; one run at a time, held by a lock file."""

from __future__ import annotations

import csv
import logging
import os
import sqlite3
import sys
import time
from pathlib import Path

log = logging.getLogger("load_customers")

PATIENCE_SECONDS = 0.5
EX_TEMPFAIL = 75


def take_lock(lock: Path) -> bool:
    """Create the lock with our process id, waiting a little for another run to end."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with lock.open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            if time.monotonic() > give_up_at:
                return False
            time.sleep(0.1)
        else:
            return True


def load(inbox: Path, database: Path) -> int:
    """Insert or replace every row and return how many there were."""
    with inbox.open(newline="") as file, sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        rows = [(int(row["id"]), row["name"]) for row in csv.DictReader(file)]
        connection.executemany("INSERT OR REPLACE INTO customers VALUES (?, ?)", rows)
    return len(rows)


def main(folder: Path) -> int:
    """Load the inbox, unless another run holds the lock."""
    lock = folder / "load_customers.lock"
    if not take_lock(lock):
        age = time.time() - lock.stat().st_mtime
        log.error("could not acquire lock %s: held by pid %s for %d s", lock, lock.read_text(), age)
        log.error("another run seems to be active, giving up")
        return EX_TEMPFAIL
    try:
        log.info("loading %s", folder / "inbox" / "customers.csv")
        count = load(folder / "inbox" / "customers.csv", folder / "customers.db")
    finally:
        lock.unlink()
    log.info("%d customers are up to date", count)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.exit(main(Path(sys.argv[1])))
