"""Every crash point, random storms and the time to recover, with figures.

usage: python -m tests.chaos.run [sweep] [storm] [seeds] [recovery] [--seed N] [--server PROGRAM]

Without a name all of them run, which takes about half an hour. Exits 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from tests.chaos.figures import seconds_after_the_store, takeover_seconds
from tests.chaos.ground import KINDS, LEASE_SECONDS, Ground, break_ground
from tests.chaos.points import Visit
from tests.chaos.storm import Dose, rage
from tests.chaos.sweep import points, sweep

SEEDS = 20
FIFTH = 0.2


def say(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def run_sweep(ground: Ground, seed: int) -> bool:
    """Visit every crash point of every kind of event."""
    wanted = await points(ground, KINDS.values())
    begun = time.monotonic()
    seen = await sweep(ground, wanted, lambda visited: say(f"  BROKEN {visited}") if visited.problems else None)
    say(f"sweep: {len(seen)} points in {time.monotonic() - begun:.0f} s, {_reached(seen)} reached")
    say(f"  by request: {dict(Counter(visited.name for visited in seen if visited.name))}")
    say(f"  by fault: {dict(Counter(str(visited.fault) for visited in seen))}")
    broken = sum(bool(visited.problems) for visited in seen)
    say(f"  broken promises: {broken}")
    return not broken and _reached(seen) > 0.7 * len(seen)


def _reached(seen: list[Visit]) -> int:
    return sum(visited.struck for visited in seen)


async def run_storm(ground: Ground, seed: int) -> bool:
    """Run the whole storm once."""
    report = await rage(ground, Dose(), seed)
    say(f"storm: {report}")
    for name, found in report.problems().items():
        say(f"  BROKEN {name}: {found}")
    return not report.problems()


async def run_seeds(ground: Ground, seed: int) -> bool:
    """Run a fifth of the storm with one seed after the other."""
    well = True
    for number in range(seed, seed + SEEDS):
        report = await rage(ground, Dose().part(FIFTH), number)
        say(f"a fifth of the storm: {report}")
        for name, found in report.problems().items():
            say(f"  BROKEN {name}: {found}")
        well = well and not report.problems()
    return well


async def run_recovery(ground: Ground, seed: int) -> bool:
    """Measure how soon work goes on."""
    taken = await takeover_seconds(ground, 50)
    p99 = statistics.quantiles(taken, n=100)[98]
    say(
        f"after kill -9 of a worker, lease {LEASE_SECONDS:g} s: {len(taken)} events went on after "
        f"{statistics.median(taken):.2f} s (median), {p99:.2f} s (p99), {taken[-1]:.2f} s (longest)"
    )
    back = await seconds_after_the_store(ground, 20, seed)
    median = statistics.median(back)
    say(f"after the store returned: first claim after {median:.2f} s (median), {back[-1]:.2f} s at most")
    return p99 <= LEASE_SECONDS + 1.0 and back[-1] <= 2.0


RUNS: dict[str, Callable[[Ground, int], Awaitable[bool]]] = {
    "sweep": run_sweep,
    "storm": run_storm,
    "seeds": run_seeds,
    "recovery": run_recovery,
}


async def run(names: list[str], seed: int, program: str | None) -> bool:
    """Run what was asked for, each on a ground of its own; the logs stay when a promise was broken."""
    well = True
    for name in names or list(RUNS):
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-{name}-"))
        async with break_ground(folder, program) as ground:
            kept = await RUNS[name](ground, seed)
        if kept:
            shutil.rmtree(folder)
        else:
            say(f"{name}: a promise was broken; the logs are in {folder}")
        well = well and kept
    return well


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *RUNS], metavar="name", help=", ".join(RUNS))
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--server", help="program of the store, e.g. redis-server; default: the embedded Valkey")
    chosen = parser.parse_args()
    # Whoever ends the store itself need not be told that it is away; the workers' own logs go to files.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    say(f"seed {chosen.seed}")
    return 0 if asyncio.run(run(chosen.names, chosen.seed, chosen.server)) else 1


if __name__ == "__main__":
    sys.exit(main())
