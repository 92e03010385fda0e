"""Commands on real processes: what runs, what it sees, how it is judged, and that nothing of it survives."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from agentic.effectors import process
from agentic.effectors.command import Command
from agentic.errors import ConfigError
from agentic.types import ActionKind, OutcomeStatus

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="finding runaway processes needs /proc")

PAYLOADS = [
    "; touch CANARY", "$(touch CANARY)", "`touch CANARY`", "| touch CANARY", "&& touch CANARY", "& touch CANARY",
    "|| touch CANARY", "\ntouch CANARY", "\r\ntouch CANARY", "> CANARY", ">> CANARY", "< /etc/passwd",
    "${IFS}touch${IFS}CANARY", "$IFS$9touch CANARY", "'; touch CANARY; '", '"; touch CANARY; "',
    "\\; touch CANARY",
    "--help", "-rf", "-", "--", "--output=CANARY", "-oProxyCommand=touch CANARY", "-exec", "@CANARY;", "*", "?",
    "~root", "~", "{a,b}", "\ud800",
    "a b", "a\tb", "a\0b", "\x1b[2J", "%0a touch CANARY", "$'\\ntouch CANARY'", "!!", "#x",
    "../../etc/passwd", "/tmp/../etc", "..", "a/../../b", "\u202ecod", "ｔouch", "tõuch", "", " ", "x" * 129,
    "x" * 100_000, "$((1+1))", "<(touch CANARY)", "[[:alpha:]]", "a;b", "a|b", "a&b", "a>b", "a'b", 'a"b', "a\\b",
]  # fmt: skip


@pytest.mark.parametrize("field", ["job_id", "run_id", "host"])
async def test_no_payload_in_a_field_reaches_a_shell(order, show_args, tmp_path, field):
    command = Command()
    for payload in PAYLOADS:
        request = order({"argv": [show_args, "--", f"{{{field}}}"], "cwd": str(tmp_path)}, **{field: payload})
        result = await command.execute(request)
        assert result.status is OutcomeStatus.REFUSED, payload
        assert field in result.detail
    assert {path.name for path in tmp_path.iterdir()} == {"show-args"}


async def test_a_param_with_a_wide_pattern_still_is_one_literal_argument(order, show_args, tmp_path):
    command = Command()
    for payload in PAYLOADS:
        request = order(
            {"argv": [show_args, "--", "{param.target}"], "cwd": str(tmp_path)},
            params={"target": r"(?s).*"},
            labels={"target": payload},
        )
        result = await command.execute(request)
        if any(ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in payload) or len(payload) > 1024:
            assert result.status is OutcomeStatus.REFUSED, payload
        else:
            assert result.status is OutcomeStatus.DONE, payload
            assert result.detail == f"exit code 0\n<-->\n<{payload}>".replace("\u202e", ""), payload
    assert {path.name for path in tmp_path.iterdir()} == {"show-args"}


async def test_a_value_that_looks_like_an_option_needs_the_end_of_options_before_it(order, show_args):
    wide = {"params": {"level": "-?[0-9]+"}, "labels": {"level": "-5"}}
    bare = await Command().execute(order({"argv": [show_args, "{param.level}"]}, **wide))
    assert bare.status is OutcomeStatus.REFUSED
    assert "'--' before" in bare.detail
    guarded = await Command().execute(order({"argv": [show_args, "--", "{param.level}"]}, **wide))
    assert guarded.detail == "exit code 0\n<-->\n<-5>"


@pytest.mark.parametrize("value", ["/", "/etc", ".", "..", "a/..", "./a", "a/./b", "../a"])
@pytest.mark.parametrize("field", ["job_id", "run_id", "host"])
async def test_no_field_points_to_another_folder(order, show_args, field, value):
    request = order({"argv": [show_args, "--", f"{{{field}}}"]}, **{field: value})
    result = await Command().execute(request)
    assert result.status is OutcomeStatus.REFUSED
    assert field in result.detail


async def test_a_pattern_for_a_field_is_the_operators_word_on_it(order, show_args):
    argv = [show_args, "--", "{run_id}"]
    for value, status in (
        ("/srv/a1", OutcomeStatus.DONE),
        ("/etc", OutcomeStatus.REFUSED),
        ("a1", OutcomeStatus.REFUSED),
    ):
        request = order({"argv": argv}, params={"run_id": "/srv/[a-z0-9]+"}, run_id=value)
        result = await Command().execute(request)
        assert result.status is status, value
    wide = order({"argv": [show_args, "{run_id}"]}, params={"run_id": ".*"}, run_id="-rf")
    assert (await Command().execute(wide)).status is OutcomeStatus.REFUSED


async def test_doubled_braces_reach_the_program_as_plain_ones(order, show_args):
    request = order({"argv": [show_args, "{{print $1}}", "{{job_id}}", "{job_id}"]})
    assert (await Command().execute(request)).detail == "exit code 0\n<{print $1}>\n<{job_id}>\n<nightly>"


async def test_the_jobs_own_value_wins_over_the_events_label(order, show_args):
    request = order(
        {"argv": [show_args, "{param.env}"]},
        params={"env": "[a-z]+"},
        job={"params": {"env": "prod"}},
        labels={"env": "evil"},
    )
    assert (await Command().execute(request)).detail == "exit code 0\n<prod>"


async def test_a_param_that_does_not_match_its_whole_pattern_is_refused(order, show_args):
    request = order({"argv": [show_args, "{param.env}"]}, params={"env": "[a-z]+"}, labels={"env": "prod1"})
    result = await Command().execute(request)
    assert result.status is OutcomeStatus.REFUSED
    assert "'prod1' of {param.env} does not match its pattern '[a-z]+'" in result.detail


async def test_a_value_that_is_missing_is_refused_and_not_left_empty(order, show_args):
    result = await Command().execute(order({"argv": [show_args, "{run_id}"]}))
    assert result.status is OutcomeStatus.REFUSED
    assert result.detail == "the event has no run_id, and {run_id} needs one"


async def test_the_command_sees_only_the_environment_it_is_meant_to_see(order):
    command = Command(environ={"PATH": "/usr/bin:/bin", "HOME": "/root", "TZ": "UTC", "API_KEY": "leak"})
    result = await command.execute(order({"argv": ["/usr/bin/env"], "env": {"LEVEL": "{job_id}"}}))
    assert set(result.detail.splitlines()[1:]) == {
        "PATH=/usr/bin:/bin",
        "HOME=/root",
        "TZ=UTC",
        "LANG=C.UTF-8",
        "LEVEL={job_id}",
        "AUTOREMEDY_EVENT_ID=ev-1",
        "AUTOREMEDY_JOB_ID=nightly",
    }


async def test_a_rerun_is_told_its_lineage_and_attempt(order):
    request = order(
        {"argv": ["/usr/bin/env"]},
        kind=ActionKind.RETRY_WITH_BACKOFF,
        attempt=2,
        labels={"autoremedy.lineage": "ev-0"},
    )
    lines = (await Command().execute(request)).detail.splitlines()
    assert {"AUTOREMEDY_LINEAGE=ev-0", "AUTOREMEDY_ATTEMPT=3"} <= set(lines)


async def test_standard_input_is_empty_and_ignored_signals_are_back_to_normal(order):
    script = "import signal, sys; print(repr(sys.stdin.read()), signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"
    result = await Command().execute(order({"argv": [sys.executable, "-c", script]}))
    assert result.detail == "exit code 0\n'' True"
    piped = await Command().execute(order({"argv": ["/bin/sh", "-c", "(yes; echo $? >&2) | head -1"]}))
    assert sorted(piped.detail.splitlines()) == ["141", "exit code 0", "y"]


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("exit 0", OutcomeStatus.DONE, "exit code 0"),
        ("echo out; echo err >&2; exit 3", OutcomeStatus.FAILED, "exit code 3\nout\nerr"),
        ("kill -9 $$", OutcomeStatus.FAILED, "ended by signal 9 (SIGKILL)"),
        ("printf 'a\\033[31mred\\033[0m\\007\\n'", OutcomeStatus.DONE, "exit code 0\nared"),
    ],
)
async def test_the_exit_code_decides(order, script, status, words):
    result = await Command().execute(order({"argv": ["/bin/sh", "-c", script]}))
    assert (result.status, result.detail) == (status, words)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"argv": ["/no/such/program"]}, "could not be started: /no/such/program: No such file or directory"),
        ({"argv": ["/etc"]}, "could not be started: /etc: Permission denied"),
        ({"argv": ["/bin/true"], "cwd": "/no/such"}, "could not be started: /no/such: No such file or directory"),
    ],
)
async def test_a_program_that_cannot_start_is_a_failure_with_the_reason(order, settings, words):
    result = await Command().execute(order(settings))
    assert (result.status, result.detail) == (OutcomeStatus.FAILED, words)


async def test_secrets_in_the_output_are_redacted(order):
    class Redactor:
        def text(self, s: str, /) -> str:
            return s.replace("hunter2", "[REDACTED]")

    result = await Command(redactor=Redactor()).execute(order({"argv": ["/bin/echo", "password=hunter2"]}))
    assert result.detail == "exit code 0\npassword=[REDACTED]"


async def test_output_without_end_is_counted_and_only_its_tail_kept(order):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    script = "head -c 300000000 /dev/zero | tr '\\0' x; echo; echo the end"
    result = await Command().execute(order({"argv": ["/bin/sh", "-c", script]}))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert result.status is OutcomeStatus.DONE
    assert result.detail.endswith("the end")
    assert "300000009 bytes" in result.detail
    assert len(result.detail) < 5000
    assert grown < 20 * 1024


RUNAWAYS = {
    "sleeps": "sleep 1000",
    "ignores SIGTERM": "trap '' TERM; sleep 1000; sleep 1000",
    "double fork": "(setsid sleep 1000 &); (setsid sh -c 'trap \"\" TERM; sleep 1000; sleep 1000' &); sleep 1000",
    "many children": "for i in $(seq 200); do sleep 1000 & done; wait",
    "stopped": "kill -STOP $$",
    "forks on": "while :; do sleep 1000 & sleep 0.01; done",
    "floods": "yes",
    "daemon": "setsid sh -c 'setsid sleep 1000 & sleep 1000' >/dev/null 2>&1 </dev/null & sleep 1000",
}


@LINUX
@pytest.mark.parametrize("script", RUNAWAYS.values(), ids=RUNAWAYS)
async def test_a_timeout_ends_every_process_however_it_ran_away(order, marked, script):
    mark = f"MARK_{uuid.uuid4().hex}"
    request = order({"argv": ["/bin/sh", "-c", script], "env": {mark: "1"}}, timeout=0.5)
    began = time.monotonic()
    result = await Command(grace_seconds=0.3).execute(request)
    assert time.monotonic() - began < 5
    assert result.status is OutcomeStatus.FAILED
    assert result.detail.startswith("not done within 0.5 s; the command's ")
    assert marked(mark) == []


@LINUX
async def test_cancelling_ends_every_process_before_the_cancellation_goes_on(order, marked):
    mark = f"MARK_{uuid.uuid4().hex}"
    request = order({"argv": ["/bin/sh", "-c", RUNAWAYS["double fork"]], "env": {mark: "1"}})
    task = asyncio.create_task(Command(grace_seconds=0.3).execute(request))
    while len(marked(mark)) < 4:
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert marked(mark) == []


@LINUX
async def test_a_killed_worker_leaves_no_command_behind(marked, tmp_path):
    mark = f"MARK_{uuid.uuid4().hex}"
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import asyncio\n"
        "from agentic.effectors import process\n"
        f"asyncio.run(process.run(['/bin/sh', '-c', {RUNAWAYS['double fork']!r}], env={{{mark!r}: '1',"
        " 'PATH': '/usr/bin:/bin'}, timeout_seconds=60, grace_seconds=0.3))\n"
    )
    root = Path(__file__).parents[3]
    running = subprocess.Popen([sys.executable, str(worker)], env={**os.environ, "PYTHONPATH": str(root)})
    try:
        while len(marked(mark)) < 4:
            assert running.poll() is None
            await asyncio.sleep(0.05)
    finally:
        running.kill()
        running.wait()
    deadline = time.monotonic() + 5
    while marked(mark) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    assert marked(mark) == []


@LINUX
async def test_what_a_finished_command_left_running_is_ended_and_said(order, marked):
    mark = f"MARK_{uuid.uuid4().hex}"
    script = "(setsid sleep 1000 &); (setsid sleep 1000 &); sleep 0.1; echo started"
    settings = {"argv": ["/bin/sh", "-c", script], "env": {mark: "1"}}
    result = await Command().execute(order(settings))
    assert result.status is OutcomeStatus.DONE
    assert result.detail == "exit code 0; 2 it had left running ended\nstarted"
    assert marked(mark) == []


@LINUX
async def test_background_processes_stay_when_the_action_says_so(order, marked):
    mark = f"MARK_{uuid.uuid4().hex}"
    script = "sleep 30 & echo started"  # holds the output open, which must not hold us up
    settings = {"argv": ["/bin/sh", "-c", script], "env": {mark: "1"}, "leave_children": True}
    began = time.monotonic()
    result = await Command().execute(order(settings))
    left = marked(mark)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert result.detail == "exit code 0\nstarted"
    assert time.monotonic() - began < 5
    assert len(left) == 1


@LINUX
async def test_a_killed_keeper_makes_the_effect_unknown(order, marked):
    mark = f"MARK_{uuid.uuid4().hex}"
    task = asyncio.create_task(Command().execute(order({"argv": ["/bin/sleep", "1000"], "env": {mark: "1"}})))
    while not (found := marked(mark)):
        await asyncio.sleep(0.02)
    parent = int(Path(f"/proc/{found[0]}/stat").read_text().rpartition(")")[2].split()[1])
    if b"keeper.py" in Path(f"/proc/{parent}/cmdline").read_bytes():
        os.kill(parent, signal.SIGKILL)
    result = await task
    assert result.status is OutcomeStatus.UNKNOWN
    await asyncio.sleep(0.1)
    assert marked(mark) == []


@LINUX
async def test_a_command_that_stops_its_keeper_is_ended_all_the_same(order, marked, monkeypatch):
    monkeypatch.setattr(process, "PATIENCE_SECONDS", 0.3)
    mark = f"MARK_{uuid.uuid4().hex}"
    request = order({"argv": ["/bin/sh", "-c", "kill -STOP $PPID; sleep 1000"], "env": {mark: "1"}}, timeout=0.5)
    result = await Command(grace_seconds=0.2).execute(request)
    assert result.status is OutcomeStatus.UNKNOWN
    await asyncio.sleep(0.1)
    assert marked(mark) == []


async def test_a_job_id_that_is_no_text_does_no_harm_to_the_environment(order):
    result = await Command().execute(order({"argv": ["/usr/bin/env"]}, job_id="a\ud800\0b"))
    assert "AUTOREMEDY_JOB_ID=ab" in result.detail


async def test_no_descriptor_and_no_zombie_is_left(order):
    command = Command()
    await command.execute(order({"argv": ["/bin/true"]}))
    before = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
    await asyncio.gather(*(command.execute(order({"argv": ["/bin/true"]})) for _ in range(8)))
    if sys.platform == "linux":
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    # Other tests of this process may have a server of theirs running; it must be the only kind of child there is.
    try:
        zombie, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        zombie = 0
    assert zombie == 0


async def test_a_dry_run_says_what_would_run_and_runs_nothing(order, tmp_path):
    target = tmp_path / "made"
    request = order({"argv": ["/usr/bin/touch", str(target), "{job_id}"], "cwd": "/tmp"}, dry_run=True)
    result = await Command().execute(request)
    assert result.status is OutcomeStatus.DRY_RUN
    assert result.detail == f"would run: /usr/bin/touch {target} nightly (in /tmp)"
    assert not target.exists()


def test_the_preview_is_the_command_quoted_on_one_line(order):
    request = order({"argv": ["/bin/echo", "two words\nand more", "$HOME", "{job_id}"]})
    assert Command().preview(request) == "/bin/echo 'two words\\nand more' '$HOME' nightly"
    bad = order({"argv": ["/bin/echo", "{job_id}"]}, job_id="a;b")
    assert Command().preview(bad).startswith("would be refused: the event's job_id 'a;b' may not stand in")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "needs `argv:`"),
        ({"argv": []}, "needs `argv:`"),
        ({"argv": ["true"]}, "absolute path"),
        ({"argv": ["/bin/{job_id}"]}, "may not be a placeholder"),
        ({"argv": ["/bin/x", "{job_id}.log"]}, "whole argument"),
        ({"argv": ["/bin/x", "{log}"]}, "unknown placeholder {log}"),
        ({"argv": ["/bin/x", "{param.nope}"]}, "not declared"),
        ({"argv": ["/bin/sh", "-c", "rm $0", "{job_id}"]}, "no placeholder may reach a shell"),
        ({"argv": ["/bin/x"], "cwd": "here"}, "absolute path"),
        ({"argv": ["/bin/x"], "env": {"A": 1}}, "in quotes"),
        ({"argv": ["/bin/x"], "url": "http://x"}, "does not know this key"),
        ({"argv": ["/bin/x", "a\0b"]}, "NUL"),
    ],
)
def test_what_cannot_work_stops_the_start(order, settings, words):
    with pytest.raises(ConfigError, match=words.replace("{", r"\{").replace("}", r"\}")):
        Command().check(order(settings).action)


def test_a_pattern_that_is_not_valid_stops_the_start(order):
    with pytest.raises(ConfigError, match="pattern '\\(' is not valid"):
        Command().check(order({"argv": ["/bin/x"]}, params={"a": "("}).action)
