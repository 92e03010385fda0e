"""Add up FOLDER/sales.csv by region."""

from __future__ import annotations

import csv
import logging
import sys
from collections import Counter
from pathlib import Path

log = logging.getLogger("sales_report")


def main(folder: Path) -> None:
    """Write one line a region into FOLDER/report.txt."""
    totals: Counter[str] = Counter()
    with (folder / "sales.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            totals[row["region"]] += int(row["units"])
    (folder / "report.txt").write_text("".join(f"{region}: {units}\n" for region, units in totals.items()))
    log.info("report written for %d regions", len(totals))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    main(Path(sys.argv[1]))
