"""Telling AutoRemedy about a run: in the background, in order, and never for longer than we may take."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from typing import Any

from cli.exec.client import Api, Refused, Unreachable
from cli.exec.spool import Spool, SpoolBusy

SEND_SECONDS = 1.6
KEEP_SECONDS = 0.4


class Report:
    """One event on its way; its id is made here, so that sending it twice does no harm."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.made_at_ns = time.time_ns()
        self.event_id = f"exec-{self.made_at_ns:x}-{os.urandom(6).hex()}"
        self.fields = {"event_id": self.event_id, **fields}
        self.matters = fields["status"] != "started"
        """The last report of a run says all that the first did, so the first need not survive a power cut."""
        self.settled = threading.Event()

    def body(self) -> bytes:
        """Return it as JSON; text that is not valid Unicode is replaced."""
        return json.dumps(self.fields, ensure_ascii=False).encode("utf-8", "replace")


class Reporter:
    """Sends reports from a thread of its own; what cannot be sent is kept on disk."""

    def __init__(self, url: str, spool: Spool) -> None:
        self.url = url
        self.trouble: list[str] = []
        """What a person should know because a report is, or may be, lost."""
        self.delayed: str | None = None
        """Why reports wait on disk, if they do."""
        self._spool = spool
        self._reports: list[Report] = []
        self._queue: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._working = False

    def send(self, report: Report) -> None:
        """Send a report soon."""
        self._reports.append(report)
        if not self._working:
            threading.Thread(target=self._work, daemon=True).start()
            self._working = True
        self._queue.put(report)

    def finish(self, report: Report) -> None:
        """Send the last report, and see to it that all of them are sent or kept when this returns."""
        try:
            self.send(report)
        except RuntimeError as error:  # no thread to be had
            self._keep_rest(f"cannot start a thread: {error}")
            return
        if report.settled.wait(SEND_SECONDS):
            return
        # The disk may hang as well (a network file system does), so this is waited for just as long as we may.
        keeper = threading.Thread(target=self._keep_rest, args=("it does not answer in time",), daemon=True)
        keeper.start()
        keeper.join(KEEP_SECONDS)
        if keeper.is_alive():
            self.trouble.append("the report of this run may be lost: the spool folder does not answer")

    def _work(self) -> None:
        api = Api(self.url)
        while True:
            report = self._queue.get()
            try:
                self._deliver(api, report)
            except Exception as error:  # noqa: BLE001 - whatever it is, the job's own result must stand
                self.trouble.append(f"the report of this run may be lost: {type(error).__name__}: {error}")
            report.settled.set()

    def _deliver(self, api: Api, report: Report) -> None:
        body = report.body()
        try:
            flushed = self._spool.flush(api)
            self.trouble += [f"the API refused an earlier report: {reason}" for reason in flushed.rejected[:1]]
            api.send(body)
        except Refused as refused:
            self._reject(report, body, refused)
        except (Unreachable, SpoolBusy) as error:
            self._keep(report, body, str(error))
        except OSError as error:
            self._keep(report, body, f"the spool folder cannot be used: {error}")

    def _reject(self, report: Report, body: bytes, refused: Refused) -> None:
        """Put a refused report aside; both of a run are refused in the same words, which are then said once."""
        try:
            place = self._spool.reject(report.event_id, body, report.made_at_ns, refused.answer)
            self.trouble.append(f"the API refused the report: {refused} (kept in {place.parent})")
        except OSError as error:
            self.trouble.append(f"the API refused the report: {refused}; and it cannot be kept: {error}")

    def _keep(self, report: Report, body: bytes, why: str) -> None:
        try:
            dropped = self._spool.put(report.event_id, body, report.made_at_ns, durable=report.matters)
        except OSError as error:
            self.trouble.append(f"the report of this run is lost: {self.url}: {why}; and it cannot be kept: {error}")
            return
        self.delayed = why
        if dropped:
            self.trouble.append(f"the spool is full, so the {dropped} oldest reports were dropped")

    def _keep_rest(self, why: str) -> None:
        for report in self._reports:
            if not report.settled.is_set():
                self._keep(report, report.body(), why)
                report.settled.set()
