"""Look up the replica named in FOLDER/replica.host and note its addresses for the transfer."""

from __future__ import annotations

import logging
import socket
import sys
from pathlib import Path

log = logging.getLogger("replicate")


def main(folder: Path) -> int:
    """Resolve the name; without an address there is nothing to transfer to."""
    host = (folder / "replica.host").read_text().strip()
    log.info("looking up replica %s", host)
    try:
        found = {answer[4][0] for answer in socket.getaddrinfo(host, 5432, type=socket.SOCK_STREAM)}
    except socket.gaierror as error:
        log.error("could not resolve host %s: %s", host, error)  # noqa: TRY400 - one line says it all
        return 68
    (folder / "replica.addresses").write_text("".join(f"{address}\n" for address in sorted(map(str, found))))
    log.info("replica %s has %d addresses", host, len(found))
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.exit(main(Path(sys.argv[1])))
