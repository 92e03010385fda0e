"""Each job of the lab really fails in the way it says, and really succeeds after its remedy."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jobsim import lab_config
from jobsim.faults import FAULTS, Fault, FullVolume, LostPermission, MemoryLimit, Overdue, ServiceAway, StaleLock
from jobsim.run import Run, run_job

SAYS = {
    "lab-backup": (1, r"[Errno 28] No space left on device"),
    "lab-load-customers": (75, "could not acquire lock"),
    "lab-fetch-rates": (1, "Connection refused"),
    "lab-settle-orders": (1, "FileNotFoundError: [Errno 2] No such file or directory"),
    "lab-sales-report": (1, "ValueError: invalid literal for int()"),
    "lab-replicate": (68, "could not resolve host replica-2.lab.invalid"),
    "lab-export": (1, "PermissionError: [Errno 13] Permission denied"),
    "lab-forecast": (1, "MemoryError"),
    "lab-reindex": (124, "time limit of 0.5 s exceeded"),
}


@pytest.fixture(params=FAULTS, ids=lambda kind: kind.job_id)
async def fault(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Fault]:
    fault: Fault = request.param(tmp_path)
    if not fault.possible_here():
        pytest.skip("this machine cannot make that fault")
    yield fault
    await fault.close()


async def run(fault: Fault) -> Run:
    limit = 0.5 if isinstance(fault, Overdue) else fault.time_limit_seconds
    return await run_job(fault.command(sys.executable), limit)


async def remedy(fault: Fault) -> Run:
    """Run the declared action exactly as the settings say."""
    assert fault.remedy is not None
    settings = lab_config(fault.folder.parent, sys.executable)
    argv = settings["actions"][fault.remedy.name]["argv"]
    return await run_job([*argv[:-1], str(fault.folder)], 20)


async def test_a_job_succeeds_while_its_world_is_right(fault: Fault) -> None:
    await fault.mend()

    # Not `run`: the time limit for tests is shorter than an interpreter may need to start on a busy machine.
    ended = await run_job(fault.command(sys.executable), 30)

    assert (ended.status, ended.exit_code) == ("succeeded", 0), ended.log


async def test_a_broken_job_fails_and_says_why(fault: Fault) -> None:
    await fault.mend()
    await fault.break_it()

    ended = await run(fault)

    exit_code, words = SAYS[fault.job_id]
    assert ended.status == ("timeout" if isinstance(fault, Overdue) else "failed")
    assert ended.exit_code == exit_code, ended.log
    assert any(words in line for line in ended.log), ended.log


async def test_a_job_can_be_mended_by_hand_after_it_broke(fault: Fault) -> None:
    await fault.mend()
    await fault.break_it()
    await fault.mend()

    ended = await run_job(fault.command(sys.executable), 30)

    assert ended.status == "succeeded", ended.log


@pytest.mark.parametrize("kind", [FullVolume, StaleLock, LostPermission])
async def test_the_declared_action_mends_the_job(kind: type[Fault], tmp_path: Path) -> None:
    fault = kind(tmp_path / kind.job_id.removeprefix("lab-"))
    await fault.mend()
    await fault.break_it()
    assert (await run(fault)).status == "failed"

    mended = await remedy(fault)
    assert mended.exit_code == 0, mended.log
    assert (await run(fault)).status == "succeeded"


@pytest.mark.parametrize("kind", [FullVolume, StaleLock, LostPermission])
async def test_the_declared_action_is_idempotent_as_declared(kind: type[Fault], tmp_path: Path) -> None:
    fault = kind(tmp_path / kind.job_id.removeprefix("lab-"))
    await fault.mend()
    await fault.break_it()

    first, second = await remedy(fault), await remedy(fault)

    assert (first.exit_code, second.exit_code) == (0, 0), second.log
    assert (await run(fault)).status == "succeeded"


async def test_waiting_for_the_service_mends_the_job(tmp_path: Path) -> None:
    fault = ServiceAway(tmp_path)
    try:
        await fault.mend()
        await fault.break_it()
        assert (await run(fault)).status == "failed"

        await fault.after_report()

        assert (await run(fault)).status == "succeeded"
    finally:
        await fault.close()


async def test_old_files_only_are_cleaned_and_links_are_not_followed(tmp_path: Path) -> None:
    fault = FullVolume(tmp_path / "backup")
    await fault.mend()
    await fault.break_it()
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    os.utime(precious, (0, 0))
    (fault.folder / "scratch" / "link").symlink_to(precious)
    fresh = fault.write("scratch/fresh", "of today")

    await remedy(fault)

    assert precious.read_text() == "keep me"
    assert fresh.exists()
    assert not list((fault.folder / "scratch").glob("backup-old-*"))


async def test_a_lock_of_a_living_process_is_kept(tmp_path: Path) -> None:
    fault = StaleLock(tmp_path / "load-customers")
    await fault.mend()
    lock = fault.write("load_customers.lock", str(os.getpid()))

    refused = await remedy(fault)

    assert refused.exit_code == 1
    assert "is alive" in " ".join(refused.log)
    assert lock.exists()


async def test_a_lock_that_names_nobody_is_kept(tmp_path: Path) -> None:
    fault = StaleLock(tmp_path / "load-customers")
    await fault.mend()
    lock = fault.write("load_customers.lock", "-1")

    refused = await remedy(fault)

    assert refused.exit_code == 1
    assert lock.exists()


async def test_a_half_written_archive_is_removed(tmp_path: Path) -> None:
    fault = FullVolume(tmp_path)
    await fault.mend()
    await fault.break_it()
    before = sorted((tmp_path / "scratch").iterdir())

    await run(fault)

    assert sorted((tmp_path / "scratch").iterdir()) == before


async def test_a_job_beyond_its_time_limit_leaves_no_process_behind(tmp_path: Path) -> None:
    script = tmp_path / "stubborn.py"
    script.write_text(
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.write(1, f'{os.getpid()} {os.fork()}\\n'.encode())\n"
        "time.sleep(60)\n"
    )

    ended = await run_job([sys.executable, "-u", str(script)], 1.5)

    assert ended.status == "timeout"
    pids = {int(word) for line in ended.log[:-1] for word in line.split()} - {0}
    assert pids
    for pid in pids:
        assert await is_gone(pid)


async def test_a_child_that_outlives_its_job_neither_delays_the_lab_nor_stays(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text("import os, signal, time\nchild = os.fork()\nif child == 0:\n    time.sleep(60)\nprint(child)\n")

    ended = await asyncio.wait_for(run_job([sys.executable, str(script)], 30), 20)

    assert ended.status == "succeeded"
    assert await is_gone(int(ended.log[0]))


async def test_cancelling_ends_the_job(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    script = f"import os, pathlib, time; pathlib.Path({str(marker)!r}).write_text(str(os.getpid())); time.sleep(60)"
    running = asyncio.create_task(run_job([sys.executable, "-c", script], 60))
    async with asyncio.timeout(20):
        while not (marker.exists() and marker.read_text()):
            await asyncio.sleep(0.02)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await is_gone(int(marker.read_text()))


async def is_gone(pid: int) -> bool:
    """Say whether a process ends within some seconds: a killed one takes a moment to be gone."""
    for _ in range(100):
        if not is_running(pid):
            return True
        await asyncio.sleep(0.05)
    return False


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    # An orphan that has ended stays listed until somebody reaps it.
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_the_memory_fault_is_left_out_where_the_limit_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    config: dict[str, Any] = lab_config(tmp_path, "/usr/bin/python3")

    assert MemoryLimit.job_id not in {job["id"] for job in config["jobs"]}
    assert FullVolume.job_id in {job["id"] for job in config["jobs"]}
