"""The options of `autoremedy exec`, read by hand: argparse would cost a tenth of the time we may take."""

from __future__ import annotations

USAGE = "usage: autoremedy exec [--job ID] [--url URL] [--run-id ID] [--label K=V]... [--timeout S] [--] CMD ..."
HELP = f"""{USAGE}

Run CMD exactly as it would run by itself, and report how it ended.

  --job ID        name of the job (default: the name of the program or script)
  --url URL       where AutoRemedy listens (default: AUTOREMEDY_URL, else http://127.0.0.1:8000)
  --run-id ID     name of this run (default: made up)
  --label K=V     label on the report; may be given several times
  --timeout S     end CMD after S seconds (TERM, ten seconds later KILL) and report `timeout`
  --no-capture    do not read the output of CMD; for programs that take over the terminal
  -h, --help      show this

The exit code is that of CMD; 128+N when signal N ended it, 127 when it was not found, 126 when it
could not be run. When AutoRemedy cannot be reached the report waits on disk and is sent with the next one.
"""


class UsageError(Exception):
    """The options cannot be understood; the message says what is wrong."""


class Options:
    """What was asked for."""

    __slots__ = ("argv", "capture", "help", "job", "labels", "run_id", "timeout", "url")

    def __init__(self) -> None:
        self.job: str | None = None
        self.url: str | None = None
        self.run_id: str | None = None
        self.labels: dict[str, str] = {}
        self.timeout: float | None = None
        self.capture = True
        self.help = False
        self.argv: list[str] = []


def parse(arguments: list[str]) -> Options:
    """Read the options up to `--` or the first word that is none; everything after is the command's own."""
    options = Options()
    rest = list(arguments)
    while rest:
        word = rest[0]
        if word == "--":
            rest.pop(0)
            break
        if not word.startswith("-") or word == "-":
            break
        rest.pop(0)
        name, equals, value = word.partition("=")
        if name in ("-h", "--help"):
            options.help = True
            return options
        if name == "--no-capture" and not equals:
            options.capture = False
            continue
        if name not in ("--job", "--url", "--run-id", "--label", "--timeout"):
            raise UsageError(f"unknown option {word}; write `--` before a command that begins with a dash")
        if not equals:
            if not rest:
                raise UsageError(f"{name} needs a value")
            value = rest.pop(0)
        _take(options, name, value)
    if not rest:
        raise UsageError("no command given")
    options.argv = rest
    return options


def _take(options: Options, name: str, value: str) -> None:
    if not value.strip():
        raise UsageError(f"{name} needs a value")
    if name == "--job":
        options.job = value
    elif name == "--url":
        options.url = value
    elif name == "--run-id":
        options.run_id = value
    elif name == "--label":
        key, equals, text = value.partition("=")
        if not key or not equals:
            raise UsageError(f"--label wants K=V, got {value}")
        options.labels[key] = text
    else:
        options.timeout = _seconds(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise UsageError(f"--timeout wants a number of seconds, got {value}")
    return seconds


_SHELLS = ("sh", "bash", "dash", "zsh", "ksh")
_INTERPRETERS = (*_SHELLS, "python", "python3", "perl", "ruby", "node", "php", "Rscript")
_PREFIXES = ("env", "nice", "ionice", "nohup", "time", "setsid", "chronic")


def job_name(argv: list[str]) -> str:
    """Name a job after its program: the script rather than its interpreter, never a path."""
    words = [_base(word) for word in argv]
    for index, word in enumerate(words):
        if word in _PREFIXES and index + 1 < len(words):
            continue
        if word.startswith("-") or "=" in word or word.isdigit():  # env A=1 nice -n 5
            continue
        if word in _INTERPRETERS or word.startswith("python3."):
            return _script(argv[index + 1 :], ("-c",) if word in _SHELLS else ("-c", "-e")) or word
        return word
    return words[0]


def _script(arguments: list[str], inline: tuple[str, ...]) -> str | None:
    """Return the script or module among an interpreter's arguments, if it is told plainly."""
    for index, word in enumerate(arguments):
        if word == "-m" and index + 1 < len(arguments):
            return arguments[index + 1]
        if word in inline:
            return None
        if not word.startswith("-"):
            return _base(word)
    return None


def _base(word: str) -> str:
    return word.rstrip("/").rpartition("/")[2] or word
