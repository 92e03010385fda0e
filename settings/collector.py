"""The garbage collector of a process that serves until it ends."""

from __future__ import annotations

import gc


def calm_collector() -> None:
    """Take everything alive now out of the collector's rounds, and let it come round less often.

    To be called once a program has started. What is made for one event is freed by its last reference; walking all
    modules and settings for it again and again took a fifth of a worker's time and made the slowest answers slower.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
