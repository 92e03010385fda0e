"""Make FOLDER/hooks/after-export executable for its owner again."""

from __future__ import annotations

import logging
import stat
import sys
from pathlib import Path

log = logging.getLogger("restore_hook")


def main(folder: Path) -> int:
    """Add the one missing permission and nothing else."""
    hook = folder / "hooks" / "after-export"
    hook.chmod(stat.S_IMODE(hook.stat().st_mode) | stat.S_IXUSR)
    log.info("%s may be executed by its owner again", hook)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    sys.exit(main(Path(sys.argv[1])))
