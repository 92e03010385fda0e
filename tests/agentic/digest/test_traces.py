# ruff: noqa: E501  a sample is read whole

"""Stack traces of every language: the headline names the fault at their root."""

from __future__ import annotations

import random

import pytest

from agentic.digest import digest_log
from agentic.reasoning.rules import Rules
from agentic.types import Event, EventStatus

RULES = Rules()

TRACES: dict[str, tuple[str, str]] = {
    "python chained": (
        "KeyError: 'id'",
        "Traceback (most recent call last):\n"
        '  File "/srv/a.py", line 3, in load\n'
        '    return rows["id"]\n'
        "KeyError: 'id'\n"
        "\n"
        "During handling of the above exception, another exception occurred:\n"
        "\n"
        "Traceback (most recent call last):\n"
        '  File "/srv/a.py", line 9, in main\n'
        "    load()\n"
        '  File "/srv/a.py", line 5, in load\n'
        '    raise LoadError("row 7 is incomplete") from None\n'
        "app.LoadError: row 7 is incomplete\n",
    ),
    "python group": (
        "ValueError: total must be positive",
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "/srv/a.py", line 3, in main\n'
        "  |     async with asyncio.TaskGroup() as tg:\n"
        "  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n"
        "  +-+---------------- 1 ----------------\n"
        "    | Traceback (most recent call last):\n"
        '    |   File "/srv/a.py", line 8, in fetch\n'
        '    |     raise ValueError("total must be positive")\n'
        "    | ValueError: total must be positive\n"
        "    +------------------------------------\n",
    ),
    "java": (
        "Caused by: java.lang.IllegalStateException: ledger is closed",
        'Exception in thread "main" java.lang.RuntimeException: job failed\n'
        "\tat com.x.Job.run(Job.java:12)\n"
        "\tSuppressed: java.io.IOException: close failed\n"
        "\t\tat com.x.Job.close(Job.java:40)\n"
        "Caused by: java.lang.IllegalStateException: ledger is closed\n"
        "\tat com.x.Ledger.add(Ledger.java:7)\n"
        "\t... 3 more\n",
    ),
    "go": (
        "panic: runtime error: index out of range [5] with length 3",
        "panic: runtime error: index out of range [5] with length 3\n"
        "\n"
        "goroutine 1 [running]:\n"
        "main.load(0xc000012345, 0x5)\n"
        "\t/srv/app/main.go:42 +0x1d\n"
        "main.main()\n"
        "\t/srv/app/main.go:10 +0x25\n"
        "exit status 2\n",
    ),
    "node": (
        "[cause]: SyntaxError: Unexpected token } in JSON at position 7",
        "/srv/app/index.js:10\n"
        '    throw new Error("cannot parse row", { cause });\n'
        "    ^\n"
        "\n"
        "Error: cannot parse row\n"
        "    at load (/srv/app/index.js:10:11)\n"
        "    at Object.<anonymous> (/srv/app/index.js:20:1) {\n"
        "  [cause]: SyntaxError: Unexpected token } in JSON at position 7\n"
        "      at JSON.parse (<anonymous>)\n"
        "}\n"
        "\n"
        "Node.js v20.1.0\n",
    ),
    "rust": (
        "thread 'main' panicked at src/main.rs:7:5:",
        "thread 'main' panicked at src/main.rs:7:5:\n"
        "index out of bounds: the len is 3 but the index is 7\n"
        "stack backtrace:\n"
        "   0: rust_begin_unwind\n"
        "             at /rustc/abc/library/std/src/panicking.rs:593:5\n"
        "   1: core::panicking::panic_fmt\n"
        "note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n",
    ),
    "ruby": (
        "undefined method `each' for nil:NilClass (NoMethodError)",
        "/srv/app/load.rb:7:in `fetch': undefined method `each' for nil:NilClass (NoMethodError)\n"
        "\tfrom /srv/app/load.rb:3:in `run'\n"
        "\tfrom /srv/app/load.rb:12:in `<main>'\n",
    ),
    "php": (
        "Uncaught TypeError",
        "PHP Fatal error:  Uncaught TypeError: array_sum(): Argument #1 ($array) must be of type array, null given in /srv/a.php:7\n"
        "Stack trace:\n"
        "#0 /srv/a.php(7): array_sum(NULL)\n"
        "#1 {main}\n"
        "  thrown in /srv/a.php on line 7\n",
    ),
    "dotnet": (
        "System.FormatException: Input string was not in a correct format.",
        "Unhandled exception. System.InvalidOperationException: Job failed\n"
        " ---> System.FormatException: Input string was not in a correct format.\n"
        "   at System.Number.ThrowOverflowOrFormatException()\n"
        "   --- End of inner exception stack trace ---\n"
        "   at App.Main() in /srv/App.cs:line 7\n",
    ),
    "perl": (
        'Can\'t locate object method "run" via package "Job"',
        'Can\'t locate object method "run" via package "Job" at /srv/a.pl line 7.\n'
        " at /srv/a.pl line 7.\n"
        "\tmain::start() called at /srv/a.pl line 12\n",
    ),
    "r": (
        "Error in load(path) : total must be positive",
        "Error in load(path) : total must be positive\nCalls: main -> load -> stop\nExecution halted\n",
    ),
    "scala": (
        "scala.MatchError: Left(7)",
        'Exception in thread "main" scala.MatchError: Left(7) (of class scala.util.Left)\n'
        "\tat Job$.main(Job.scala:7)\n"
        "\tat Job.main(Job.scala)\n",
    ),
    "elixir": (
        "FunctionClauseError",
        "** (FunctionClauseError) no function clause matching in Job.run/1\n"
        "    (app 0.1.0) lib/job.ex:7: Job.run(nil)\n"
        "    (stdlib 4.0) erl_eval.erl:744: :erl_eval.do_apply/7\n",
    ),
    "asan": (
        "heap-use-after-free",
        "=================================================================\n"
        "==4242==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010 at pc 0x0000004f\n"
        "READ of size 4 at 0x602000000010 thread T0\n"
        "    #0 0x4f1234 in load /srv/a.cpp:7:3\n"
        "SUMMARY: AddressSanitizer: heap-use-after-free /srv/a.cpp:7:3 in load\n"
        "==4242==ABORTING\n",
    ),
    "powershell": (
        "Cannot find path",
        "Get-Item : Cannot find path 'C:\\in\\orders.csv' because it does not exist.\n"
        "At C:\\jobs\\load.ps1:7 char:1\n"
        "+ Get-Item C:\\in\\orders.csv\n"
        "+ ~~~~~~~~~~~~~~~~~~~~~~~~~\n"
        "    + CategoryInfo          : ObjectNotFound: (C:\\in\\orders.csv:String) [Get-Item], ItemNotFoundException\n"
        "    + FullyQualifiedErrorId : PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand\n",
    ),
    "windows event": (
        "System.NullReferenceException",
        "Log Name:      Application\n"
        "Source:        .NET Runtime\n"
        "Event ID:      1026\n"
        "Level:         Error\n"
        "Description:\n"
        "Application: Job.exe\n"
        "The process was terminated due to an unhandled exception.\n"
        "Exception Info: System.NullReferenceException: Object reference not set to an instance of an object.\n"
        "   at Job.Program.Main()\n",
    ),
}


def surrounded(trace: str) -> list[str]:
    return ["2024-05-01 10:00:00 INFO start", *trace.rstrip("\n").split("\n"), "Job failed"]


@pytest.mark.parametrize("language", TRACES)
def test_the_headline_is_the_fault_at_the_root(language: str) -> None:
    said, trace = TRACES[language]
    assert said in digest_log(surrounded(trace)).headline


@pytest.mark.parametrize("language", TRACES)
def test_a_trace_is_no_riddle_and_its_evidence_lies_inside_it(language: str) -> None:
    log = surrounded(TRACES[language][1])
    found = RULES.diagnose(
        Event(event_id="e", job_id="j", status=EventStatus.FAILED, exit_code=1), digest_log(log).lines
    )
    assert found is not None
    assert 0 < found.evidence[0] < len(log) - 1


@pytest.mark.parametrize("language", TRACES)
def test_other_line_numbers_and_addresses_are_the_same_failure(language: str) -> None:
    chance = random.Random(3)
    log = surrounded(TRACES[language][1])
    moved = [
        "".join(chance.choice("123456789") if ch in "23456789" else ch for ch in line)
        if line.lstrip().startswith(("at ", "File ", "#", "0:", "1:", "from ", "/srv/app/main.go"))
        else line
        for line in log
    ]
    assert digest_log(moved).signature == digest_log(log).signature
