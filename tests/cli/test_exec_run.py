"""The command runs as if it had been run directly."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Start = Callable[..., "subprocess.Popen[bytes]"]

SHOW_SIGNALS = """
for line in open("/proc/self/status"):
    if line.startswith(("SigBlk", "SigIgn")):
        print(hex(int(line.split()[1], 16) & ~(3 << 31)))
"""
"""Without signals 32 and 33: they belong to the C library, whose posix_spawn leaves them ignored."""


def direct(*argv: str, **options: Any) -> Any:
    return subprocess.run(argv, capture_output=True, check=False, **options)


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize("code", [0, 1, 3, 100, 143, 255])
def test_the_exit_code_is_the_commands(run_exec: Run, code: int) -> None:
    assert run_exec("--", "sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "USR1"])
def test_death_by_a_signal_is_128_plus_its_number(run_exec: Run, api: Any, name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    assert run_exec("--", "sh", "-c", f"kill -{name} $$").returncode == 128 + number
    assert api.last["status"] == "killed"
    assert api.last["exit_code"] == 128 + number
    assert api.last["details"]["signal"] == f"SIG{name}"


def test_each_stream_comes_out_untouched_on_its_own(run_exec: Run) -> None:
    data = bytes(range(256)) * 50
    done = run_exec("--", "sh", "-c", "cat; printf 'no newline' >&2", input=data)
    assert done.stdout == data
    assert done.stderr == b"no newline"


def test_output_is_passed_on_while_the_command_runs(start_exec: Start) -> None:
    process = start_exec("--", "sh", "-c", "printf first; read x; printf second", stdin=subprocess.PIPE)
    assert process.stdout and process.stdin
    assert os.read(process.stdout.fileno(), 100) == b"first"
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.stdout.read() == b"second"


def test_streams_that_are_one_outside_keep_the_order_of_their_lines(run_exec: Run, api: Any) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo out$i; echo err$i >&2; done"
    done = run_exec("--", "sh", "-c", script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    expected = [f"{stream}{i}" for i in range(1, 10) for stream in ("out", "err")]
    assert done.stdout.decode().split() == expected
    assert api.last["log"] == expected


def test_arguments_and_input_are_untouched_and_no_shell_sees_them(run_exec: Run) -> None:
    arguments = ["", " ", "$HOME", "a'b\"c", "`id`", "-x", "--", "é\udcff", "*", "line\nbreak"]
    show = "import sys, json; print(json.dumps([sys.argv[1:], sys.stdin.read()]))"
    done = run_exec("--", sys.executable, "-c", show, *arguments, input=b"in\n")
    assert json.loads(done.stdout) == [arguments, "in\n"]


@pytest.mark.parametrize("locale", [{}, {"LC_CTYPE": "C"}, {"LANG": "C.UTF-8"}, {"LC_ALL": "C"}])
def test_the_environment_gains_two_names_and_nothing_else(
    run_exec: Run, environ: dict[str, str], locale: dict[str, str]
) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        environ.pop(name, None)
    environ.update(locale)
    before = direct("env", "-0", env=environ).stdout.split(b"\0")
    after = run_exec("--job", "j", "--run-id", "r", "--", "env", "-0").stdout.split(b"\0")
    assert set(after) - set(before) == {b"AUTOREMEDY_RUN_ID=r", b"AUTOREMEDY_JOB_ID=j"}
    assert set(before) <= set(after)


def test_signal_mask_and_ignored_signals_are_as_they_would_be(run_exec: Run, environ: dict[str, str]) -> None:
    def nohup() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    for prepare in (None, nohup):
        plain = direct(sys.executable, "-c", SHOW_SIGNALS, env=environ, preexec_fn=prepare).stdout
        wrapped = run_exec("--", sys.executable, "-c", SHOW_SIGNALS, preexec_fn=prepare).stdout
        assert wrapped == plain


def test_other_descriptors_are_inherited_and_ours_are_not(run_exec: Run, tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        done = run_exec("--", "sh", "-c", "ls /proc/self/fd", pass_fds=(lock.fileno(),))
        plain = direct("sh", "-c", "ls /proc/self/fd", pass_fds=(lock.fileno(),))
    assert done.stdout == plain.stdout


def test_closed_standard_streams_stay_closed(run_exec: Run, tmp_path: Path, api: Any) -> None:
    show = f"ls -l /proc/self/fd > {tmp_path}/fds; exit 7"
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "-"]
    wrapped = [sys.executable, "-m", "cli", "exec", "--", "sh", "-c", show]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "AUTOREMEDY_URL": api.url}
    env["AUTOREMEDY_SPOOL"] = str(tmp_path / "spool")
    assert subprocess.run([*shell, *wrapped], env=env, check=False).returncode == 7
    listing = (tmp_path / "fds").read_text()
    assert "pipe:" not in listing and "/dev/null" not in listing
    assert api.last["exit_code"] == 7


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("no-such-command-here", 127, "command not found"),
        ("/no/such/file", 127, "No such file"),
        ("/etc/passwd", 126, "Permission denied"),
        ("/etc", 126, "Is a directory"),
    ],
)
def test_a_command_that_cannot_start_answers_like_a_shell_and_is_reported(
    run_exec: Run, api: Any, command: str, code: int, words: str
) -> None:
    done = run_exec("--job", "x", "--", command)
    assert done.returncode == code
    assert words in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
    assert api.statuses() == ["failed"]
    assert api.last["exit_code"] == code
    assert words in api.last["log"][0]


def test_a_script_without_an_interpreter_line_runs_as_in_a_shell(run_exec: Run, tmp_path: Path) -> None:
    script = tmp_path / "old-style"
    script.write_text('echo "$1"; exit 4\n')
    script.chmod(0o755)
    done = run_exec("--", str(script), "a b")
    assert (done.stdout, done.returncode) == (b"a b\n", 4)


@pytest.mark.parametrize(
    "arguments", [[], ["--"], ["--bad", "x"], ["--label", "k", "--", "true"], ["--timeout", "soon", "true"]]
)
def test_wrong_usage_is_exit_code_2_and_runs_nothing(run_exec: Run, api: Any, arguments: list[str]) -> None:
    done = run_exec(*arguments)
    assert done.returncode == 2
    assert b"usage: autoremedy exec" in done.stderr
    assert not api.events


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM", "RTMIN"])
def test_signals_are_forwarded_and_we_outlive_the_command(start_exec: Start, name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    script = (
        "import signal, sys, time\n"
        f"def caught(*_):\n    time.sleep(0.2); print('caught', flush=True); sys.exit(9)\n"
        f"signal.signal({int(number)}, caught)\nprint('ready', flush=True)\ntime.sleep(20)"
    )
    process = start_exec("--", sys.executable, "-c", script)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    said = process.stdout.read()
    assert (said, process.wait(5), process.stderr and process.stderr.read()) == (b"caught\n", 9, b"")


def test_a_command_that_ignores_term_is_not_abandoned(start_exec: Start) -> None:
    process = start_exec("--", "sh", "-c", "trap '' TERM; echo ready; sleep 0.5; exit 6")
    assert process.stdout
    process.stdout.readline()
    process.terminate()
    assert process.wait(5) == 6


def test_a_stopped_and_continued_command_is_waited_for(start_exec: Start) -> None:
    process = start_exec("--", "sh", "-c", "echo $$; sleep 0.3; exit 5", start_new_session=True)
    assert process.stdout
    child = int(process.stdout.readline())
    os.kill(child, signal.SIGSTOP)
    time.sleep(0.2)
    assert process.poll() is None
    os.kill(child, signal.SIGCONT)
    assert process.wait(5) == 5


def test_the_command_goes_on_when_we_are_killed(start_exec: Start, tmp_path: Path) -> None:
    script = "echo one; read x; echo two; echo two >&2; touch finished"
    process = start_exec("--", "sh", "-c", script, stdin=subprocess.PIPE)
    assert process.stdout and process.stderr and process.stdin
    assert process.stdout.readline() == b"one\n"
    process.kill()
    process.wait()
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.stdout.read() == b"two\n"
    assert process.stderr.read() == b"two\n"
    wait_until((tmp_path / "finished").exists)


def test_a_process_left_behind_keeps_its_output_and_is_not_waited_for(
    start_exec: Start, api: Any, tmp_path: Path
) -> None:
    script = "(read x < go; echo late; echo later >&2) & echo early; exit 3"
    process = start_exec("--", "sh", "-c", f"mkfifo go; {script}")
    assert process.stdout and process.stderr
    assert process.stdout.readline() == b"early\n"
    assert process.wait(5) == 3
    assert api.last["log"] == ["early"]
    with (tmp_path / "go").open("w") as go:
        go.write("\n")
    assert process.stdout.read() == b"late\n"
    assert process.stderr.read() == b"later\n"


def test_the_command_is_told_that_nobody_reads_its_output(run_exec: Run, start_exec: Start) -> None:
    process = start_exec("--", "yes")
    assert process.stdout
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(5) == 128 + signal.SIGPIPE


def test_a_closed_reader_is_noticed_before_the_command_writes_again(start_exec: Start) -> None:
    process = start_exec("--", "sh", "-c", "echo one; read x; echo two; echo still here >&2", stdin=subprocess.PIPE)
    assert process.stdout and process.stdin
    process.stdout.readline()
    process.stdout.close()
    time.sleep(0.1)
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.wait(5) == 128 + signal.SIGPIPE


def test_a_full_disk_under_stdout_fails_the_command_as_it_would(run_exec: Run, tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    with (tmp_path / "dump").open("wb") as dump:
        command = ("head", "-c", "5000", "/dev/zero")
        done = run_exec("--", *command, stdout=dump, stderr=subprocess.PIPE, preexec_fn=small_files)
        assert done.returncode == 128 + signal.SIGXFSZ
    with Path("/dev/full").open("wb") as full:
        done = run_exec("--", "sh", "-c", "head -c 5000 /dev/zero", stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 1
        assert b"No space left" in done.stderr


def test_a_large_output_passes_in_bounded_memory_and_keeps_head_and_tail(run_exec: Run, api: Any) -> None:
    size = 200_000_000
    script = f"echo begin; head -c {size} /dev/zero | tr '\\0' x; echo; echo end"
    small = 400 * 1024 * 1024

    def little_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (small, small))

    with subprocess.Popen(["wc", "-c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as count:
        assert count.stdin and count.stdout
        done = run_exec("--", "sh", "-c", script, stdout=count.stdin, stderr=subprocess.PIPE, preexec_fn=little_memory)
        count.stdin.close()
        assert int(count.stdout.read()) == size + len("begin\n\nend\n")
    assert done.returncode == 0
    log = api.last["log"]
    assert log[0] == "begin"
    assert log[-1] == "end"
    assert sum(len(line) for line in log) < 600_000
    left_out = api.last["details"]["output_bytes_left_out"]
    assert f"{left_out} bytes" in next(line for line in log if line.startswith("[autoremedy"))
    assert left_out == size + 11 - 2 * 256 * 1024


class Terminal:
    """A real pseudo-terminal with `autoremedy exec` as its session's first job."""

    def __init__(self, environ: dict[str, str], *argv: str) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "cli", "exec", "--", *argv], environ)  # noqa: S606
        self.seen = b""

    def read_until(self, text: bytes, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            assert ready, self.seen
            try:
                self.seen += os.read(self.master, 4096)
            except OSError:
                break
        assert text in self.seen, self.seen

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def end(self) -> int:
        _, status = os.waitpid(self.pid, 0)
        os.close(self.master)
        return os.waitstatus_to_exitcode(status)


def test_at_a_terminal_the_command_sees_a_terminal_of_the_same_size(environ: dict[str, str], api: Any) -> None:
    script = "test -t 1 && test -t 2 && test -t 0 && echo yes; read x; stty size <&1; echo got $x"
    terminal = Terminal(environ, "sh", "-c", script)
    terminal.read_until(b"yes\r\n")
    import struct
    import termios

    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    time.sleep(0.2)
    terminal.type(b"input\n")
    terminal.read_until(b"got input\r\n")
    assert terminal.end() == 0
    assert b"33 77" in terminal.seen
    assert "got input" in api.last["log"]


def test_ctrl_c_reaches_the_command_once(environ: dict[str, str]) -> None:
    script = (
        "import signal, time\nhits = []\n"
        "signal.signal(signal.SIGINT, lambda *_: hits.append(1))\nprint('ready', flush=True)\n"
        "time.sleep(0.6)\nprint('hits', len(hits))"
    )
    terminal = Terminal(environ, sys.executable, "-c", script)
    terminal.read_until(b"ready")
    terminal.type(b"\x03")
    terminal.read_until(b"hits 1\r\n")
    assert terminal.end() == 0


def test_ctrl_z_stops_us_with_the_command_and_fg_continues_both(environ: dict[str, str], tmp_path: Path) -> None:
    wrapped = f"{sys.executable} -m cli exec -- sh -c 'echo $$ > pid; echo ready; read x; echo got $x; exit 3'"
    script = f"set -m; cd {tmp_path}; {wrapped}; echo stopped with $?; fg; echo ended with $?"
    pid, master = pty.fork()
    if pid == 0:
        os.execve("/bin/bash", ["bash", "--norc", "-c", script], environ)  # noqa: S606
    terminal = Terminal.__new__(Terminal)
    terminal.pid, terminal.master, terminal.seen = pid, master, b""
    terminal.read_until(b"ready")
    terminal.type(b"\x1a")
    terminal.read_until(b"stopped with 147")
    command = int((tmp_path / "pid").read_text())
    terminal.type(b"word\n")
    terminal.read_until(b"got word")
    terminal.read_until(b"ended with 3")
    assert terminal.end() == 0
    assert not Path(f"/proc/{command}").exists()


def test_without_sigtimedwait_signals_pass_too(start_exec: Start, tmp_path: Path) -> None:
    as_on_macos = (
        "import signal, sys; del signal.sigtimedwait, signal.sigwaitinfo\n"
        "from cli.exec.wrapper import main; sys.exit(main(sys.argv[1:]))"
    )
    script = "trap 'echo caught; exit 9' TERM; echo ready; sleep 20 & wait"
    process = start_exec("--", sys.executable, "-c", as_on_macos, "--", "sh", "-c", script)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.stdout.readline() == b"caught\n"
    assert process.wait(5) == 9


def test_ctrl_c_ends_the_command_and_then_us(environ: dict[str, str], api: Any) -> None:
    terminal = Terminal(environ, "sh", "-c", "echo ready; exec sleep 20")
    terminal.read_until(b"ready")
    terminal.type(b"\x03")
    assert terminal.end() == 130
    assert api.last["details"]["signal"] == "SIGINT"
