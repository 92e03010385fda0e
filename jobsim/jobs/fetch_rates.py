"""Fetch exchange rates from the service named in FOLDER/service.url into FOLDER/rates.json."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

log = logging.getLogger("fetch_rates")


def main(folder: Path) -> int:
    """Fetch once; the schedule decides about another try."""
    url = (folder / "service.url").read_text().strip()
    log.info("GET %s", url)
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=5) as answer:
            rates = json.load(answer)
    except URLError as error:
        log.error("cannot reach the rates service at %s: %s", url, error.reason)  # noqa: TRY400 - one line says it all
        return 1
    (folder / "rates.json").write_text(json.dumps(rates))
    log.info("%d rates stored", len(rates))
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.exit(main(Path(sys.argv[1])))
