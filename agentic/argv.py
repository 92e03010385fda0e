"""What a command line may look like: where placeholders may stand, and where none may, whatever its value.

The same rules are asked when the configuration is read and again by the effector that runs the command.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath

from agentic.words import words

FIELDS = ("event_id", "job_id", "run_id", "host")
"""Fields of the event that a placeholder may name."""
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")

INTERPRETERS = frozenset(
    words(
        "sh bash dash zsh ksh mksh ash rbash fish csh tcsh busybox toybox pwsh powershell "
        "python pypy perl ruby irb php lua luajit tclsh wish expect node nodejs deno bun osascript rscript julia "
        "groovy scala jshell awk gawk mawk nawk sed m4 bc dc"
    )
)
"""What they are given may be code; only behind a file of code of the operator's are values mere data."""
WRAPPERS = frozenset(
    words(
        "env sudo doas runuser setpriv nice ionice chrt taskset nohup timeout setsid stdbuf time chroot unshare "
        "nsenter flock xargs strace ltrace systemd-run start-stop-daemon exec command builtin chpst"
    )
)
"""They run the command behind them; it must be the operator's."""
PATHS_OF_WRAPPERS = {"chroot": 1, "flock": 1}
"""Paths that some take before the command."""
NEVER = frozenset(
    words(
        "ssh rsh plink mosh sshpass su watch parallel script eval at batch tmux screen cmd "
        "psql mysql mariadb sqlite sqlite3 sqlplus mongo mongosh duckdb ed ex vi vim nvim emacs gdb make"
    )
)
"""They hand what they are given to a shell, or take it for commands, wherever it stands."""
ORDINARY_WORDS = frozenset(words("node php at batch time make command exec script watch screen ed ex julia scala cmd"))
"""Also arguments of harmless commands (`kubectl drain node …`): there they count only before an option with code."""
FLAGS_OF_WRAPPERS = frozenset({"--", "-n", "-E", "-H"})
"""They take no value, so that what stands behind them is the command."""

_VERSION = re.compile(r"[-.]?[0-9][0-9.]*$")
_FLAG_OF_PYTHON = re.compile(r"-[uBIsSEO]+")
_CODE_OPTION = re.compile(
    r"-[A-Za-z]*[cerpEx]|--?(?:eval|exec|execute|execdir|command|print|run|expression|init-command)"
)
_ALWAYS_CODE = re.compile(r"--?(?:eval|exec|execute|init-command)")


def literal(argument: str) -> str:
    """Return an argument as it is handed over: `{{` and `}}` stand for one brace."""
    return argument.replace("{{", "{").replace("}}", "}")


def placeholders_in(argument: str) -> list[str]:
    """Return the names of the placeholders in an argument; doubled braces are none."""
    return [name for match in _TOKEN.finditer(argument) if (name := match[1]) is not None]


def whole_placeholder(argument: str) -> str | None:
    """Return the name of the placeholder that an argument consists of, or None."""
    match = PLACEHOLDER.fullmatch(argument)
    return match[1] if match else None


def placeholder_problem(name: str, params: Collection[str]) -> str | None:
    """Say why a placeholder can never get a value, or None when it can."""
    param = name.removeprefix("param.")
    if name == param:
        known = f"known: {', '.join(FIELDS)}, param.NAME"
        return None if name in FIELDS else f"unknown placeholder {{{name}}}; {known}; {{{{ and }}}} are plain braces"
    if param in params:
        return None
    return f"{{{name}}} is not declared; add `params: {{{param}: <pattern>}}` to the action"


def argv_problems(argv: Sequence[str], params: Collection[str]) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with a command, each with the index of its argument."""
    if argv and not argv[0].startswith("/"):
        yield 0, f"write the absolute path of the program (got {argv[0]!r})"
    for index, argument in enumerate(argv):
        names = placeholders_in(argument)
        for name in names:
            if problem := placeholder_problem(name, params):
                yield index, problem
        if not names:
            continue
        if index == 0:
            yield index, "the program itself may not be a placeholder"
        elif whole_placeholder(argument) is None:
            yield index, f"in {argument!r} the placeholder must be a whole argument of its own"
        elif reader := _reader_of_code(argv, index):
            yield index, f"no placeholder may reach a shell or interpreter ({reader}); call the program itself"


def _reader_of_code(argv: Sequence[str], index: int) -> str | None:
    """Return the word that could take the argument at `index` for code or for a command, or None."""
    if _ALWAYS_CODE.fullmatch(argv[index - 1]):
        return argv[index - 1]
    for place, argument in enumerate(argv[:index]):
        name = _program(argument)
        between = argv[place + 1 : index]
        if name in ORDINARY_WORDS and place > 0 and "/" not in argument:
            if any(_CODE_OPTION.fullmatch(word) for word in between):
                return name
        elif (
            name in NEVER
            or (name in INTERPRETERS and not _has_script(name, between))
            or (name in WRAPPERS and not _has_command(name, between))
        ):
            return name
    return None


def _program(argument: str) -> str:
    """Return the name of the program that an argument would be, without folder and version."""
    word = literal(argument).split(maxsplit=1)[:1]
    if not word or argument.startswith("-") or "=" in word[0]:
        return ""
    name = PurePosixPath(word[0].replace("\\", "/")).name.lower().removesuffix(".exe")
    known = INTERPRETERS | WRAPPERS | NEVER
    return name if name in known else _VERSION.sub("", name)


def _has_script(name: str, words_behind: Sequence[str]) -> bool:
    """Say whether an interpreter is given a file of code before anything else."""
    for word in words_behind:
        if word == "--" or (name in ("python", "pypy") and _FLAG_OF_PYTHON.fullmatch(word)):
            continue
        return word.startswith("/") and not placeholders_in(word)
    return False


def _has_command(name: str, words_behind: Sequence[str]) -> bool:
    """Say whether a wrapper is given a command by its absolute path, which no option could have as its value."""
    paths, before = 0, "--"
    for word in words_behind:
        if placeholders_in(word):
            return False
        if word.startswith("/") and (before in FLAGS_OF_WRAPPERS or not before.startswith("-")):
            paths += 1
        before = word
    return paths > PATHS_OF_WRAPPERS.get(name, 0)
