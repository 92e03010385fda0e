"""No placeholder may reach a shell: the same answer from the configuration's check and from the effector's."""

from __future__ import annotations

import pytest

from agentic.argv import literal, placeholders_in
from agentic.effectors.command import Command
from agentic.errors import ConfigError
from agentic.types import Action, ActionKind
from settings.checks import semantic_problems
from settings.models import Settings

PARAMS = {"x": ".*"}


def refusals(argv: list[str]) -> list[str]:
    """Return what the configuration's check says; the effector's must say the first of it."""
    declared = {"a": {"kind": "fix_config", "effector": "command", "argv": argv, "params": PARAMS}}
    found = [words for _, words in semantic_problems(Settings.model_validate({"actions": declared}))]
    action = Action(name="a", kind=ActionKind.FIX_CONFIG, effector="command", settings={"argv": argv}, params=PARAMS)
    said = ""
    try:
        Command().check(action)
    except ConfigError as error:
        said = str(error)
    assert said == (f"argv: {found[0]}" if found else "")
    return found


@pytest.mark.parametrize(
    "argv",
    [
        ["/bin/bash", "-lc", "{param.x}"],
        ["/bin/bash", "-ec", "{param.x}"],
        ["/bin/bash", "-c", "{param.x}"],
        ["/bin/bash", "{param.x}"],
        ["/bin/bash", "-O", "extglob", "-c", "{param.x}"],
        ["/bin/bash", "--rcfile", "{param.x}"],
        ["/usr/local/bin/bash5", "-c", "{param.x}"],
        ["/usr/bin/../bin/BASH", "-c", "echo", "{param.x}"],
        ["/usr/bin/env", "bash", "-c", "{param.x}"],
        ["/usr/bin/env", "{param.x}"],
        ["/usr/bin/env", "-S", "/bin/sh -c", "{param.x}"],
        ["/usr/bin/env", "-C", "/tmp", "{param.x}"],
        ["/usr/bin/env", "A=/bin/true", "{param.x}"],
        ["/usr/bin/sudo", "sh", "-c", "{param.x}"],
        ["/usr/bin/sudo", "-u", "root", "/bin/sh", "-c", "{param.x}"],
        ["/usr/bin/sudo", "-D", "/tmp", "{param.x}"],
        ["/usr/bin/sudo", "{param.x}", "/usr/bin/true", "{job_id}"],
        ["/bin/busybox", "sh", "-c", "{param.x}"],
        ["/usr/bin/python3", "-c", "{param.x}"],
        ["/usr/bin/python3.12", "-Ic", "{param.x}"],
        ["/usr/bin/python3", "-m", "timeit", "{param.x}"],
        ["/usr/bin/perl", "-e", "{param.x}"],
        ["/usr/bin/perl", "-ne", "1", "{param.x}"],
        ["/usr/bin/ruby", "-I", "/lib", "{param.x}"],
        ["/usr/bin/node", "--eval", "{param.x}"],
        ["/usr/bin/php", "-r", "{param.x}"],
        ["/usr/bin/awk", "{param.x}"],
        ["/usr/bin/sed", "-e", "{param.x}", "/etc/hosts"],
        ["/usr/bin/xargs", "{param.x}"],
        ["/usr/bin/ssh", "web1", "/usr/bin/true", "{param.x}"],
        ["/bin/su", "-c", "{param.x}"],
        ["/usr/sbin/chroot", "/srv", "{param.x}"],
        ["/usr/bin/flock", "/run/lock", "-c", "{param.x}"],
        ["/usr/bin/timeout", "5", "bash", "-c", "{param.x}"],
        ["/usr/bin/watch", "/usr/bin/true", "{param.x}"],
        ["/usr/bin/find", "/tmp", "-exec", "{param.x}", ";"],
        ["/usr/bin/find", "/tmp", "-exec", "sh", "-c", "{param.x}", ";"],
        ["/usr/bin/docker", "exec", "web", "sh", "-c", "{param.x}"],
        ["/usr/local/bin/run-as", "node", "-e", "{param.x}"],
        ["/usr/bin/sqlite3", "/srv/db", "{param.x}"],
        ["/usr/bin/psql", "-c", "{param.x}"],
        ["/usr/bin/make", "-C", "/srv", "{param.x}"],
        ["/bin/bash", "-c", "rm $0", "{job_id}"],
    ],
    ids=" ".join,
)
def test_no_placeholder_reaches_a_shell_or_an_interpreter(argv: list[str]) -> None:
    assert any("no placeholder may reach a shell" in words for words in refusals(argv)), argv


@pytest.mark.parametrize(
    "argv",
    [
        ["/usr/local/bin/clean-scratch", "--", "{job_id}"],
        ["/usr/bin/systemctl", "restart", "--", "{param.x}"],
        ["/usr/bin/sudo", "/usr/bin/systemctl", "restart", "--", "{param.x}"],
        ["/usr/bin/sudo", "-n", "-u", "ops", "/usr/bin/systemctl", "restart", "{param.x}"],
        ["/usr/bin/env", "LANG=C", "/usr/local/bin/fix", "{job_id}"],
        ["/usr/bin/timeout", "5", "/usr/local/bin/fix", "{job_id}"],
        ["/usr/bin/flock", "-n", "/run/lock", "/usr/local/bin/fix", "{job_id}"],
        ["/usr/bin/python3", "/opt/fix.py", "--", "{job_id}"],
        ["/usr/bin/python3", "-u", "/opt/fix.py", "-c", "{job_id}"],
        ["/bin/bash", "/opt/fix.sh", "{job_id}"],
        ["/usr/bin/kubectl", "drain", "node", "{host}"],
        ["/usr/bin/docker", "restart", "{param.x}"],
        ["/bin/bash", "-c", "df -h | sort"],
        ["/usr/bin/awk", "{{print $1}}", "/etc/hosts"],
        ["/usr/bin/find", "/tmp/x", "-exec", "/bin/rm", "{{}}", ";"],
        ["/bin/echo", "{", "}", "a{{b"],
    ],
    ids=" ".join,
)
def test_commands_of_the_operators_own_are_let_through(argv: list[str]) -> None:
    assert refusals(argv) == []


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["awk"], "absolute path"),
        (["/bin/{job_id}"], "may not be a placeholder"),
        (["/bin/x", "{job_id}.log"], "whole argument of its own"),
        (["/bin/x", "{{{job_id}}}"], "whole argument of its own"),
        (["/bin/x", "{log}"], "unknown placeholder {log}"),
        (["/bin/x", "{param.nope}"], "not declared"),
        (["/usr/bin/awk", "{print $1}"], "{{ and }} are plain braces"),
    ],
)
def test_what_cannot_work_is_said_in_the_same_words_by_both(argv: list[str], words: str) -> None:
    assert words in refusals(argv)[0]


def test_doubled_braces_are_plain_ones() -> None:
    assert literal("{{print $1}}") == "{print $1}"
    assert placeholders_in("{{job_id}} {host}") == ["host"]
