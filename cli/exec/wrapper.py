"""`autoremedy exec`: run a command as if we were not there, then say how it ended.

Whatever goes wrong on our side, the command runs, and its exit code is ours.
"""

from __future__ import annotations

import os
import sys
import time

from cli.exec.options import HELP, USAGE, Options, UsageError, job_name, parse

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing costs 5 ms of every run; type checkers know the name
    from typing import Any

    from cli.exec.config import ExecConfig
    from cli.exec.process import Ending
    from cli.exec.relay import Relay
    from cli.exec.report import Reporter
    from cli.exec.streams import Plan

USAGE_ERROR = 2
LINEAGE_LABEL = "autoremedy.lineage"
_SHARE = (80 * 1024, 80 * 1024)
"""Head and tail of each source where output went to several places; there are three at most."""


def main(arguments: list[str]) -> int:
    """Run the command that the arguments name; does not return once it has been started."""
    try:
        options = parse(arguments)
    except UsageError as error:
        sys.stderr.write(f"autoremedy exec: {error}\n{USAGE}\n")
        return USAGE_ERROR
    if options.help:
        sys.stdout.write(HELP)
        return 0
    code = _Run(options).execute()
    os._exit(code)  # a thread of ours that still waits for the network must not hold the exit up


class _Run:
    """One run of one command."""

    def __init__(self, options: Options) -> None:
        from cli.exec.config import child_environment, read_config
        from cli.exec.process import hold_signals
        from cli.exec.streams import hold_closed_streams

        hold_closed_streams()
        self._mask = hold_signals()
        self._options = options
        self._config: ExecConfig = read_config()
        self._argv = options.argv
        self._job_id = options.job or self._config.job_id or job_name(options.argv)
        self._run_id = options.run_id or os.urandom(16).hex()
        self._environ = child_environment(self._run_id, self._job_id)
        self._started_at = time.time()
        self._started = time.monotonic()
        self._plan: Plan | None = None
        self._relay: Relay | None = None
        self._reporter: Reporter | None = None
        self._notes: list[str] = []

    def execute(self) -> int:
        """Run the command, report, and return its exit code."""
        from cli.exec import process

        try:
            self._prepare()
            entries = self._plan.entries if self._plan else {}
            pid = process.start(self._argv, self._environ, entries, self._mask)
        except process.CannotStart as error:
            return self._not_started(error)
        except Exception as error:  # noqa: BLE001 - the job must run, whatever is wrong with us
            return self._unwatched(error)
        if self._plan:
            self._plan.close_entries()
        self._guarded(self._report_start)
        ending = process.Watch(pid, self._relay, self._options.timeout).wait()
        finished = time.monotonic()
        if self._relay:
            self._guarded(self._relay.drain)
        self._guarded(lambda: self._report_end(ending, finished))
        self._say_notes()
        return ending.exit_code

    def _prepare(self) -> None:
        """Make the pipes and the relay; without room for them the command keeps our streams and is not read."""
        if not self._options.capture:
            return
        from cli.exec.relay import start_relay
        from cli.exec.streams import plan_streams

        plan = None
        try:
            plan = plan_streams()
            if plan.through:
                self._relay = start_relay(plan)
            self._plan = plan
        except OSError as error:
            self._notes.append(f"the output of this run is not read along: {error.strerror}")
            if plan is not None:
                plan.close_entries()
                plan.close_sources()

    def _unwatched(self, error: Exception) -> int:
        from cli.exec.process import become
        from cli.exec.streams import say

        say(f"this run is not watched: {error}")
        failure = become(self._argv, self._environ, self._mask)
        say(str(failure))
        return failure.exit_code

    def _not_started(self, error: Any) -> int:
        from cli.exec.process import Ending
        from cli.exec.streams import say

        say(str(error))
        if self._plan:
            self._plan.close_entries()
        self._plan = self._relay = None
        ending = Ending(error.exit_code)
        self._guarded(lambda: self._report_end(ending, time.monotonic(), [f"autoremedy: {error}"]))
        self._say_notes()
        return ending.exit_code

    def _guarded(self, step: Any) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the job's own result must stand
            self._notes.append(f"the report of this run may be lost: {type(error).__name__}: {error}")

    def _report_start(self) -> None:
        from cli.exec.report import Report

        self._the_reporter().send(Report({**self._identity(), "status": "started"}))

    def _report_end(self, ending: Ending, finished: float, log: list[str] | None = None) -> None:
        from cli.exec.report import Report

        fields = self._identity()
        if ending.timed_out:
            fields["status"] = "timeout"
        elif ending.signal is not None:
            fields["status"] = "killed"
        else:
            fields["status"] = "failed" if ending.exit_code else "succeeded"
        if ending.signal is not None:
            fields["details"]["signal"] = _signal_name(ending.signal)
        duration = finished - self._started
        fields["exit_code"] = ending.exit_code
        fields["duration_seconds"] = round(duration, 6)
        fields["finished_at"] = fields["occurred_at"] = _rfc3339(self._started_at + duration)
        fields["log"] = self._log(fields["details"]) if log is None else log
        self._the_reporter().finish(Report(fields))

    def _the_reporter(self) -> Reporter:
        if self._reporter is None:
            from cli.exec.report import Reporter
            from cli.exec.spool import Spool

            self._reporter = Reporter(self._options.url or self._config.url, Spool(self._config.spool_folders))
        return self._reporter

    def _identity(self) -> dict[str, Any]:
        """What every event of this run says."""
        import shlex

        config = self._config
        labels = dict(self._options.labels)
        if config.lineage:
            labels[LINEAGE_LABEL] = config.lineage
        fields: dict[str, Any] = {
            "job_id": self._job_id,
            "source": "exec",
            "run_id": self._run_id,
            "command": os.fsencode(shlex.join(self._argv)).decode("utf-8", "replace"),
            "host": os.uname().nodename,
            "labels": labels,
            "started_at": _rfc3339(self._started_at),
            "details": {"user_id": os.getuid(), "folder": _folder()},
        }
        if config.attempt is not None:
            fields["attempt"] = config.attempt
        return fields

    def _log(self, details: dict[str, Any]) -> list[str]:
        """Return what the command wrote, and note in the details what is missing."""
        if self._plan is None:
            details["output"] = "not read along"
            return []
        parts = [(file.name, file.output()) for file in self._plan.files]
        unread = [name for name, output in parts if output is None]
        if unread:
            details["output"] = f"{' and '.join(unread)} went to a file that could not be read"
        outputs = [(f"{name}, from the file it went to", output) for name, output in parts if output]
        if self._relay:
            outputs.append(("what was not written to a file", self._relay.capture.output()))
        outputs = [(title, output) for title, output in outputs if output.head]
        if len(outputs) > 1:  # together no more than one alone
            outputs = [(title, output.shortened(*_SHARE)) for title, output in outputs]
        cut = sum(output.cut for _, output in outputs)
        if cut:
            details["output_bytes_left_out"] = cut
        if len(outputs) == 1:
            return outputs[0][1].lines()
        return [line for title, output in outputs for line in (f"[autoremedy: {title}]", *output.lines())]

    def _say_notes(self) -> None:
        """Say in one line what a person must know; that a report waits safely only to one who is looking."""
        from cli.exec.streams import say, stderr_is_terminal

        notes = list(self._notes)
        if self._reporter is not None:
            notes += self._reporter.trouble
            if self._reporter.delayed and stderr_is_terminal():
                notes.append(
                    f"{self._reporter.url} cannot be reached ({self._reporter.delayed}); "
                    "the report waits on disk and is sent with the next one"
                )
        if notes:
            say("; ".join(dict.fromkeys(notes)))


def _rfc3339(seconds: float) -> str:
    whole = int(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((seconds - whole) * 1e6):06d}Z"


def _signal_name(number: int) -> str:
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _folder() -> str | None:
    try:
        return os.fsencode(os.getcwd()).decode("utf-8", "replace")  # noqa: PTH109 - not worth importing pathlib
    except OSError:
        return None
