"""The worker's health check, run as a container runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentic_worker.health import touch

ROOT = Path(__file__).resolve().parents[2]


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", "-m", "agentic_worker.health", *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.fixture
def heartbeat(tmp_path: Path) -> Path:
    return tmp_path / "worker.heartbeat"


def test_a_worker_whose_heartbeat_just_reached_the_store_is_healthy(heartbeat: Path) -> None:
    touch(heartbeat)

    assert check(str(heartbeat)).returncode == 0


def test_a_worker_that_never_reached_the_store_is_not(heartbeat: Path) -> None:
    answer = check(str(heartbeat))

    assert answer.returncode == 1
    assert "has not reached the store yet" in answer.stderr


def test_a_worker_that_fell_silent_is_not_until_it_is_heard_again(heartbeat: Path) -> None:
    touch(heartbeat)
    long_ago = time.time() - 120
    os.utime(heartbeat, (long_ago, long_ago))

    answer = check(str(heartbeat))
    assert answer.returncode == 1
    assert "reached the store 120 s ago" in answer.stderr
    assert check(str(heartbeat), "600").returncode == 0

    touch(heartbeat)
    assert check(str(heartbeat)).returncode == 0


def test_the_check_says_how_it_is_called() -> None:
    answer = check()

    assert answer.returncode == 2
    assert "usage:" in answer.stderr
