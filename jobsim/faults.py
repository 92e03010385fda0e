"""What the lab breaks: each fault is a small real job and the damage that really makes it fail."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import sys
import time
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Remedy:
    """An action that the lab declares for one of its jobs."""

    name: str
    kind: str
    script: str
    description: str
    risk: str = "safe"


class Fault(ABC):
    """One job and the way it is broken."""

    job_id: ClassVar[str]
    script: ClassVar[str]
    category: ClassVar[str]
    """What a good diagnosis says."""
    remedy: ClassVar[Remedy | None] = None
    plan: ClassVar[tuple[str, ...] | None] = None
    """The playbook of this job for its category; None = the usual one."""
    healable: ClassVar[bool] = False
    """True when the plan really mends it, without a person."""
    time_limit_seconds: ClassVar[float] = 30.0
    rerun_delay_seconds: ClassVar[float | None] = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """The job's own folder."""

    @abstractmethod
    async def mend(self) -> None:
        """Put the job's world right, whatever state it is in."""

    @abstractmethod
    async def break_it(self) -> None:
        """Damage a world that is right, so that the next run fails."""

    async def after_report(self) -> None:
        """Called when the failure has been reported."""

    async def close(self) -> None:
        """Called once when the lab ends."""

    def possible_here(self) -> bool:
        """Say whether this kind of fault can be made on this machine."""
        return True

    def command(self, python: str) -> list[str]:
        """Return the command that runs the job."""
        return [python, str(HERE / "jobs" / self.script), str(self.folder)]

    def write(self, name: str, text: str) -> Path:
        """Write a file of the job's world, with the folders above it."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class FullVolume(Fault):
    """Old archives fill the volume that the backup writes to."""

    job_id, script, category, healable = "lab-backup", "backup.py", "disk_full", True
    remedy = Remedy(
        "lab_clean_scratch", "free_disk_space", "clean_scratch.py",
        "Delete files older than a day in the lab's scratch folder",
    )  # fmt: skip
    plan = ("lab_clean_scratch", "rerun", "escalate")
    volume_bytes = 400_000
    old_bytes = 340_000
    source_bytes = 120_000

    async def mend(self) -> None:
        """Empty the volume and have something to back up."""
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        (self.folder / "scratch").mkdir(parents=True)
        self.write("volume_bytes", str(self.volume_bytes))
        for name in ("accounts.dat", "ledger.dat"):
            self.write(f"source/{name}", secrets.token_hex(self.source_bytes // 4))

    async def break_it(self) -> None:
        """Leave three archives of last week; half of the next one still fits."""
        last_week = time.time() - 8 * 24 * 3600
        for number in range(1, 4):
            archive = self.write(f"scratch/backup-old-{number}.tar", "x" * (self.old_bytes // 3))
            os.utime(archive, (last_week, last_week))


class StaleLock(Fault):
    """A run was killed in the middle and left its lock behind."""

    job_id, script, category, healable = "lab-load-customers", "load_customers.py", "lock_contention", True
    remedy = Remedy(
        "lab_release_lock", "release_stale_lock", "release_stale_lock.py",
        "Remove the lab's lock file after making sure that its holder is gone",
    )  # fmt: skip
    plan = ("lab_release_lock", "rerun", "escalate")
    rows = "id,name\n1,Ada\n2,Grace\n3,Edsger\n"

    async def mend(self) -> None:
        """Release the lock and deliver an inbox."""
        (self.folder / "load_customers.lock").unlink(missing_ok=True)
        (self.folder / "inbox" / "customers.csv").unlink(missing_ok=True)
        self.write("inbox/customers.csv", self.rows)

    async def break_it(self) -> None:
        """Start a real run, let it wait for its input with the lock held, and kill it."""
        inbox = self.folder / "inbox" / "customers.csv"
        inbox.unlink()
        os.mkfifo(inbox)
        run = await asyncio.create_subprocess_exec(
            *self.command(sys.executable), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
        )
        assert run.stderr is not None
        try:
            await asyncio.wait_for(run.stderr.readline(), 20)  # it says "loading" once it has the lock
        finally:
            run.send_signal(signal.SIGKILL)
            await run.wait()
            inbox.unlink()
            self.write("inbox/customers.csv", self.rows)


class ServiceAway(Fault):
    """The service that the job asks is down and comes back some seconds later."""

    job_id, script, category, healable = "lab-fetch-rates", "fetch_rates.py", "dependency_unavailable", True
    plan = ("wait_for_dependency_then_rerun", "escalate")
    rerun_delay_seconds = 5.0
    back_after_seconds = 2.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._socket: socket.socket | None = None
        self._server: asyncio.Server | None = None

    async def mend(self) -> None:
        """Have a service that answers."""
        if self._socket is None:
            self._take_port()
        if self._server is None:
            self._server = await asyncio.start_server(_answer_rates, sock=self._socket)

    async def break_it(self) -> None:
        """Move the service to a port where nobody listens yet: connections are refused."""
        await self.close()
        self._take_port()

    async def after_report(self) -> None:
        """Start listening."""
        await asyncio.sleep(self.back_after_seconds)
        await self.mend()

    async def close(self) -> None:
        """Stop the service and give the port back."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        if self._socket is not None:
            self._socket.close()
        self._server = self._socket = None

    def _take_port(self) -> None:
        # Bound but not listening: the port is ours alone, and the kernel refuses every connection.
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.write("service.url", f"http://127.0.0.1:{self._socket.getsockname()[1]}/rates\n")


async def _answer_rates(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = b'{"EUR": 1, "USD": 1.09, "SEK": 11.2}'
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
    writer.close()


class MissingInput(Fault):
    """The file that another department delivers is not there."""

    job_id, script, category = "lab-settle-orders", "settle_orders.py", "missing_file_or_data"

    async def mend(self) -> None:
        """Deliver the file."""
        self.write("inbox/orders.csv", "order,amount\n1001,19.90\n1002,5.10\n")

    async def break_it(self) -> None:
        """Deliver nothing."""
        (self.folder / "inbox" / "orders.csv").unlink()


class BadData(Fault):
    """One row of the input is not what the job expects."""

    job_id, script, category = "lab-sales-report", "sales_report.py", "bad_data_or_schema"
    rows = "region,units\nnorth,12\nsouth,7\n"

    async def mend(self) -> None:
        """Deliver clean rows."""
        self.write("sales.csv", self.rows)

    async def break_it(self) -> None:
        """Deliver a row with words where a number belongs."""
        self.write("sales.csv", self.rows + "west,see attachment\n")


class UnknownHost(Fault):
    """The name of the peer does not resolve."""

    job_id, script, category = "lab-replicate", "replicate.py", "dns_failure"

    async def mend(self) -> None:
        """Name a host there is."""
        self.write("replica.host", "localhost\n")

    async def break_it(self) -> None:
        """Name one that can never exist (RFC 6761)."""
        self.write("replica.host", "replica-2.lab.invalid\n")


class LostPermission(Fault):
    """A hook lost its execute permission; the remedy is declared as risky, so a person is asked."""

    job_id, script, category = "lab-export", "export.py", "permission_denied"
    remedy = Remedy(
        "lab_restore_hook", "fix_permissions", "restore_hook.py",
        "Make the lab's export hook executable for its owner again", risk="risky",
    )  # fmt: skip
    plan = ("lab_restore_hook", "rerun", "escalate")

    async def mend(self) -> None:
        """Have a hook that can be run."""
        self.write("hooks/after-export", '#!/bin/sh\necho announced "$1"\n').chmod(0o755)

    async def break_it(self) -> None:
        """Take every execute bit away; not even root may run it then."""
        (self.folder / "hooks" / "after-export").chmod(0o644)


class MemoryLimit(Fault):
    """The job needs more memory than it may have."""

    job_id, script, category = "lab-forecast", "forecast.py", "out_of_memory"

    async def mend(self) -> None:
        """Ask for what fits."""
        self.write("memory_bytes", str(512 * 1024**2))
        self.write("horizon_days", "30\n")

    async def break_it(self) -> None:
        """Ask for a year and a half."""
        self.write("horizon_days", "550\n")

    def possible_here(self) -> bool:
        """macOS accepts the limit and does not hold it."""
        return sys.platform == "linux"


class Overdue(Fault):
    """The job waits for something that does not come, until its time limit ends it."""

    job_id, script, category = "lab-reindex", "reindex.py", "timeout"
    time_limit_seconds = 3.0

    async def mend(self) -> None:
        """Have every shard ready."""
        for number in range(1, 4):
            self.write(f"shards/shard-{number}", "ready\n")

    async def break_it(self) -> None:
        """Have the second shard recover for ever."""
        self.write("shards/shard-2", "recovering\n")


FAULTS: tuple[type[Fault], ...] = (
    FullVolume, MissingInput, ServiceAway, BadData, StaleLock, UnknownHost, LostPermission, MemoryLimit, Overdue,
)  # fmt: skip
"""In the order the lab breaks them: one that heals and one that does not, by turns."""


def all_faults(folder: Path) -> list[Fault]:
    """Return every fault that can be made on this machine, each with a folder of its own below this one."""
    faults = [kind(folder / kind.job_id.removeprefix("lab-")) for kind in FAULTS]
    return [fault for fault in faults if fault.possible_here()]
