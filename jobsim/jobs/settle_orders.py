"""Settle the orders that the shop delivers as FOLDER/inbox/orders.csv."""

from __future__ import annotations

import csv
import logging
import sys
from decimal import Decimal
from pathlib import Path

log = logging.getLogger("settle_orders")


def main(folder: Path) -> None:
    """Add the orders up and note the total."""
    inbox = folder / "inbox" / "orders.csv"
    log.info("settling the orders of %s", inbox)
    with inbox.open(newline="") as file:
        orders = [Decimal(row["amount"]) for row in csv.DictReader(file)]
    (folder / "settled.txt").write_text(f"{sum(orders)}\n")
    log.info("%d orders settled, %s in all", len(orders), sum(orders))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    main(Path(sys.argv[1]))
