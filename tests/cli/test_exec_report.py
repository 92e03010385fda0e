"""What is reported of a run, and that reporting never harms it."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from agentic.types import utc_now
from cli.exec.config import read_config
from cli.exec.options import job_name
from cli.exec.output import Capture

Run = Callable[..., Any]


@pytest.fixture
def closed_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def events_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def test_a_failure_is_reported_with_everything_known_of_it(run_exec: Run, api: Any, tmp_path: Path) -> None:
    script = "echo working; echo 'no space' >&2; sleep 0.2; exit 3"
    done = run_exec("--job", "nightly", "--label", "team=data", "--label", "x=a=b", "--", "sh", "-c", script)
    assert done.returncode == 3
    started, failed = api.events
    assert (started["status"], failed["status"]) == ("started", "failed")
    assert started["event_id"] != failed["event_id"]
    assert started["run_id"] == failed["run_id"]
    assert failed["job_id"] == "nightly"
    assert failed["source"] == "exec"
    assert failed["exit_code"] == 3
    assert failed["command"] == f"sh -c {shlex.quote(script)}"
    assert failed["host"] == os.uname().nodename
    assert failed["labels"] == {"team": "data", "x": "a=b"}
    assert sorted(failed["log"]) == ["no space", "working"]
    assert failed["details"]["folder"] == str(tmp_path)
    assert 0.2 <= failed["duration_seconds"] < 5
    begin, end = (datetime.fromisoformat(failed[name]) for name in ("started_at", "finished_at"))
    assert (end - begin).total_seconds() == pytest.approx(failed["duration_seconds"], abs=0.001)
    assert abs(time.time() - end.timestamp()) < 30


def test_every_report_is_one_that_the_api_takes(run_exec: Run, api: Any) -> None:
    from agentic.intake import Limits, parse_event
    from agentic.types import EventStatus

    run_exec("--label", "k=\udcffv", "--job", "j", "--", "printf", r"\000\033[1m\377\n\r\nx")
    run_exec("--timeout", "0.1", "--", "sleep", "9")
    run_exec("--", "sh", "-c", "kill -9 $$")
    run_exec("--", "no-such-command", "\udcff")
    parsed = [parse_event(json.dumps(event).encode(), Limits(), None, utc_now()) for event in api.events]
    assert {event.status for event in parsed} == set(EventStatus) & {
        "started",
        "succeeded",
        "timeout",
        "killed",
        "failed",
    }
    assert [event.event_id for event in parsed] == [event["event_id"] for event in api.events]
    assert all(event.started_at and event.host for event in parsed)
    assert {"user_id", "folder"} <= set(parsed[-1].details)


def test_a_success_is_reported_too(run_exec: Run, api: Any) -> None:
    run_exec("--", "echo", "fine")
    assert api.statuses() == ["started", "succeeded"]
    assert api.last["log"] == ["fine"]
    assert api.last["exit_code"] == 0


def test_the_start_is_reported_while_the_command_runs(start_exec: Run, api: Any) -> None:
    process = start_exec("--", "sh", "-c", "read x", stdin=subprocess.PIPE)
    end = time.monotonic() + 5
    while not api.events:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert process.poll() is None
    assert api.statuses() == ["started"]
    process.stdin.close()
    process.wait(5)


def test_a_rerun_says_for_which_event_it_runs(run_exec: Run, api: Any) -> None:
    said = {"AUTOREMEDY_LINEAGE": "evt-1", "AUTOREMEDY_ATTEMPT": "2", "AUTOREMEDY_JOB_ID": "nightly"}
    run_exec("--", "true", env=said)
    assert api.last["labels"] == {"autoremedy.lineage": "evt-1"}
    assert api.last["attempt"] == 2
    assert api.last["job_id"] == "nightly"


def test_a_command_wrapped_inside_another_is_a_job_of_its_own(run_exec: Run, api: Any) -> None:
    run_exec("--job", "outer", "--", sys.executable, "-m", "cli", "exec", "--", "echo", "x")
    assert sorted({event["job_id"] for event in api.events}) == ["echo", "outer"]


def test_a_time_limit_ends_the_command_and_is_reported_as_such(run_exec: Run, api: Any) -> None:
    done = run_exec("--timeout", "0.3", "--", "sleep", "20")
    assert done.returncode == 143
    assert api.last["status"] == "timeout"


def test_bytes_that_are_no_text_are_replaced_in_the_report_only(run_exec: Run, api: Any) -> None:
    done = run_exec("--", "printf", r"a\377b\000c\n")
    assert done.stdout == b"a\xffb\x00c\n"
    assert api.last["log"] == ["a\ufffdb\x00c"]


def test_output_that_went_to_a_file_is_read_from_there(run_exec: Run, api: Any, tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("an earlier run\n")
    with log.open("ab") as file:
        run_exec("--", "sh", "-c", "echo one; echo two >&2", stdout=file, stderr=file)
    assert log.read_text() == "an earlier run\none\ntwo\n"
    assert api.last["log"] == ["one", "two"]


def test_a_dump_into_a_file_and_errors_elsewhere_are_both_kept(run_exec: Run, api: Any, tmp_path: Path) -> None:
    with (tmp_path / "dump").open("wb") as dump:
        done = run_exec("--", "sh", "-c", "echo data; echo oops >&2", stdout=dump, stderr=subprocess.PIPE)
    assert (tmp_path / "dump").read_text() == "data\n"
    assert done.stderr == b"oops\n"
    log = api.last["log"]
    assert log.index("data") < log.index("oops")


def test_output_in_two_places_is_no_more_than_in_one(run_exec: Run, api: Any, tmp_path: Path) -> None:
    script = "head -c 900000 /dev/zero; head -c 900000 /dev/zero >&2; echo end >&2"
    with (tmp_path / "dump").open("wb") as dump:
        run_exec("--", "sh", "-c", script, stdout=dump, stderr=subprocess.PIPE)
    assert len(json.dumps(api.last)) < 3_500_000
    assert api.last["log"][-1].endswith("end")
    kept = sum(len(line) for line in api.last["log"])
    assert api.last["details"]["output_bytes_left_out"] == pytest.approx(1_800_000 - kept, abs=500)


def test_output_thrown_away_is_still_reported(run_exec: Run, api: Any) -> None:
    run_exec("--", "sh", "-c", "echo one; echo two >&2", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert api.last["log"] == ["one", "two"]


def test_the_output_can_be_left_alone(run_exec: Run, api: Any) -> None:
    assert run_exec("--no-capture", "--", "echo", "x").stdout == b"x\n"
    assert api.last["log"] == []
    assert api.last["details"]["output"] == "not read along"


@pytest.mark.parametrize("status", [500, 503, 429, 408, 302])
def test_an_api_in_trouble_means_later_and_nothing_is_said(run_exec: Run, api: Any, spool: Path, status: int) -> None:
    api.status = status
    done = run_exec("--job", "a", "--", "sh", "-c", "exit 5")
    assert (done.returncode, done.stderr) == (5, b"")
    assert [event["status"] for event in events_in(spool)] == ["started", "failed"]


def test_a_hanging_api_costs_two_seconds_at_most(run_exec: Run, api: Any, spool: Path) -> None:
    api.hang.clear()
    began = time.monotonic()
    done = run_exec("--job", "a", "--", "sh", "-c", "echo x; exit 5")
    assert time.monotonic() - began < 3
    assert (done.returncode, done.stdout) == (5, b"x\n")
    assert [event["status"] for event in events_in(spool)] == ["started", "failed"]


def test_reports_that_waited_are_sent_by_the_next_run_in_order(
    run_exec: Run, api: Any, spool: Path, closed_url: str
) -> None:
    for job in ("first", "second"):
        done = run_exec("--url", closed_url, "--job", job, "--", "false")
        assert (done.returncode, done.stderr) == (1, b"")
    kept = [event["event_id"] for event in events_in(spool)]
    assert len(kept) == 4
    assert spool.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in spool.iterdir())
    run_exec("--job", "third", "--", "true")
    assert [event["event_id"] for event in api.events][:4] == kept
    assert [(event["job_id"], event["status"]) for event in api.events[4:]] == [
        ("third", "started"),
        ("third", "succeeded"),
    ]
    assert not events_in(spool)


def test_a_report_that_is_refused_is_put_aside_with_the_reason(run_exec: Run, api: Any, spool: Path) -> None:
    api.status, api.answer = 422, {"title": "job_id is wrong"}
    done = run_exec("--job", "a", "--", "false")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"job_id is wrong" in done.stderr
    assert not events_in(spool)
    assert [event["status"] for event in events_in(spool / "rejected")] == ["started", "failed"]
    reasons = list((spool / "rejected").glob("*.reason.txt"))
    assert len(reasons) == 2
    assert "job_id is wrong" in reasons[0].read_text()


def test_a_refusal_is_one_short_line_with_the_reason_in_words(run_exec: Run, api: Any, spool: Path) -> None:
    said = "/job_id: at most 256 characters"
    api.status = 422
    api.answer = {"type": "urn:x", "title": "Not understood", "detail": said, "errors": [{"pointer": "/job_id"}]}
    done = run_exec("--job", "j" * 300, "--", "sh", "-c", "exit 4")
    assert done.returncode == 4
    assert done.stderr.decode() == f"autoremedy: the API refused the report: 422 {said} (kept in {spool}/rejected)\n"
    assert '"errors"' in next((spool / "rejected").glob("*.reason.txt")).read_text()


def test_a_waiting_report_that_is_refused_does_not_hold_up_the_others(
    run_exec: Run, api: Any, spool: Path, closed_url: str
) -> None:
    run_exec("--url", closed_url, "--job", "a", "--", "false")
    api.status = 400
    run_exec("--job", "b", "--", "true")
    assert not events_in(spool)
    assert len(events_in(spool / "rejected")) == 4


def test_two_runs_at_once_do_not_both_send_what_waits(
    run_exec: Run, start_exec: Run, api: Any, spool: Path, closed_url: str
) -> None:
    for _ in range(5):
        run_exec("--url", closed_url, "--job", "old", "--", "false")
    running = [start_exec("--job", f"new{n}", "--", "true") for n in range(4)]
    for process in running:
        assert process.wait(10) == 0
    run_exec("--job", "last", "--", "true")
    ids = [event["event_id"] for event in api.events]
    assert len(ids) == len(set(ids)) == 10 + 8 + 2


def test_while_another_run_is_sending_a_report_waits_its_turn(
    run_exec: Run, api: Any, spool: Path, closed_url: str
) -> None:
    run_exec("--url", closed_url, "--job", "old", "--", "false")
    with (spool / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run_exec("--job", "new", "--", "false").returncode == 1
    assert not api.events
    assert [event["job_id"] for event in events_in(spool)] == ["old", "old", "new", "new"]


def broken_spools(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "file").write_text("")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    return {
        "a file": str(tmp_path / "file"),
        "below a file": str(tmp_path / "file" / "spool"),
        "no such device": "/proc/nothing/spool",
        "writable by anyone": str(tmp_path / "open"),
        "a link": str(tmp_path / "link"),
    }


@pytest.mark.parametrize("kind", ["a file", "below a file", "no such device", "writable by anyone", "a link"])
def test_a_broken_spool_is_one_line_and_the_commands_own_code(
    run_exec: Run, tmp_path: Path, closed_url: str, kind: str
) -> None:
    folder = broken_spools(tmp_path)[kind]
    done = run_exec("--url", closed_url, "--", "sh", "-c", "exit 5", env={"AUTOREMEDY_SPOOL": folder})
    assert done.returncode == 5
    assert done.stderr.count(b"\n") == 1
    assert b"lost" in done.stderr


def test_a_broken_spool_does_no_harm_while_the_api_is_there(run_exec: Run, api: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_exec("--", "false", env={"AUTOREMEDY_SPOOL": str(tmp_path / "file")})
    assert (done.returncode, done.stderr) == (1, b"")
    assert api.statuses() == ["started", "failed"]


def test_a_full_disk_is_one_line_and_the_commands_own_code(run_exec: Run, closed_url: str, spool: Path) -> None:
    def no_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    done = run_exec("--url", closed_url, "--", "sh", "-c", "exit 5", preexec_fn=no_files)
    assert done.returncode == 5
    assert done.stderr.count(b"\n") == 1
    assert not [path for path in spool.iterdir() if path.stat().st_size]


def test_without_a_home_reports_wait_in_a_folder_of_this_user_under_tmp(
    run_exec: Run, api: Any, tmp_path: Path, closed_url: str
) -> None:
    nowhere = {"AUTOREMEDY_SPOOL": "", "HOME": "/proc/nobody", "TMPDIR": str(tmp_path)}
    run_exec("--url", closed_url, "--", "false", env=nowhere)
    folder = tmp_path / f"autoremedy-{os.getuid()}" / "spool"
    assert len(events_in(folder)) == 2
    assert folder.stat().st_mode & 0o777 == 0o700
    run_exec("--", "true", env=nowhere)
    assert len(api.events) == 4


def test_the_spool_is_bounded_and_drops_the_oldest(tmp_path: Path) -> None:
    from cli.exec.spool import Spool

    spool = Spool((str(tmp_path / "s"),), max_files=3, max_bytes=10_000)
    dropped = [spool.put(f"e{n}", b"x" * 100, n) for n in range(5)]
    assert dropped == [0, 0, 0, 1, 1]
    assert [path.name[21:] for path in spool.waiting()] == ["e2.json", "e3.json", "e4.json"]
    assert spool.put("big", b"x" * 20_000, 9) == 3
    assert len(spool.waiting()) == 1


@pytest.mark.parametrize("limit", range(3, 18))
def test_without_free_descriptors_the_command_still_runs(run_exec: Run, limit: int) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    # Python itself needs one descriptor to start; below that there is nothing of ours to test.
    probe = [sys.executable, "-c", "import cli.exec.wrapper"]
    root = str(Path(__file__).parents[2])
    if subprocess.run(probe, preexec_fn=few, cwd=root, capture_output=True, check=False).returncode:
        pytest.skip("Python cannot start with so few")
    done = run_exec("--", "/bin/echo", "fine", preexec_fn=few)
    assert (done.returncode, done.stdout) == (0, b"fine\n")
    assert done.stderr.count(b"\n") <= 1, done.stderr


@pytest.mark.parametrize(
    ("broken", "reported"),
    [("os.fork", True), ("os.posix_spawnp", False), ("os.pipe", True), ("threading.Thread.start", True)],
)
def test_without_room_for_another_process_the_command_still_runs(
    api: Any, environ: dict[str, str], broken: str, reported: bool
) -> None:
    error = 'RuntimeError("no threads")' if "Thread" in broken else 'BlockingIOError(11, "no room")'
    sabotage = (
        f"import os, sys, threading\ndef broken(*_, **__): raise {error}\n{broken} = broken\n"
        "from cli.exec.wrapper import main\nsys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", sabotage, "--", "sh", "-c", "echo out; exit 6"]
    done = subprocess.run(command, env=environ, capture_output=True, check=False, timeout=20)
    assert (done.returncode, done.stdout) == (6, b"out\n")
    assert done.stderr.count(b"\n") == 1, done.stderr
    waiting = events_in(Path(environ["AUTOREMEDY_SPOOL"]))
    assert bool(api.events or waiting) == reported


@pytest.mark.parametrize("url", ["not a url", "ftp://x", "http://", "http://127.0.0.1:99999", "http://no.such.invalid"])
def test_a_wrong_address_does_no_harm(run_exec: Run, spool: Path, url: str) -> None:
    done = run_exec("--url", url, "--", "sh", "-c", "exit 5")
    assert (done.returncode, done.stderr) == (5, b"")
    assert len(events_in(spool)) == 2


def test_a_full_stderr_pipe_does_not_hold_up_our_warning(start_exec: Run, tmp_path: Path, closed_url: str) -> None:
    (tmp_path / "spool").write_text("broken")
    reader, writer = os.pipe()
    room = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    process = start_exec("--url", closed_url, "--", "sh", "-c", f"head -c {room} /dev/zero >&2; exit 5", stderr=writer)
    os.close(writer)
    assert process.wait(10) == 5
    os.close(reader)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/usr/local/bin/backup.sh --full", "backup.sh"),
        ("python3 -u /srv/etl.py x", "etl.py"),
        ("/usr/bin/python3.11 -m etl.load", "etl.load"),
        ("env A=1 nice -n 5 /opt/run", "run"),
        ("env A=1 bash -e /opt/nightly", "nightly"),
        ("sh", "sh"),
    ],
)
def test_a_job_is_named_after_its_program(command: str, name: str) -> None:
    assert job_name(command.split()) == name


def test_head_and_tail_are_kept_whatever_the_size_of_the_pieces() -> None:
    data = bytes(i % 251 for i in range(5000))
    for head, tail in ((100, 100), (1, 7), (0, 64)):
        for length in (0, 1, head, head + tail, head + tail + 1, 5000):
            for piece in (1, 3, 64, 99, 5000):
                capture = Capture(head, tail)
                for start in range(0, length, piece):
                    capture.add(data[start : min(start + piece, length)])
                output = capture.output()
                assert output.head == data[: min(head, length)]
                assert output.head + output.tail == data[:length] if not output.cut else True
                if output.cut:
                    assert output.tail == data[length - tail : length]
                    assert output.cut == length - head - tail


def test_settings_that_make_no_sense_count_as_absent() -> None:
    config = read_config({"AUTOREMEDY_ATTEMPT": "many", "AUTOREMEDY_URL": "", "HOME": "relative"})
    assert config.attempt is None
    assert config.url == "http://127.0.0.1:8000"
    assert len(config.spool_folders) == 1
