"""A digest shows what a person would look for, under a signature that stays."""

from __future__ import annotations

import itertools
import random
import time

import pytest

from agentic.digest import clean_lines, digest_log, split_log
from agentic.words import words


def failing_log(chance: random.Random) -> list[str]:
    """One failure as it looks on another day, on another host, after other noise."""
    day, pid, host = chance.randrange(1, 28), chance.randrange(1000, 60000), f"web{chance.randrange(1, 40):02}"
    stamp = f"2024-{chance.randrange(1, 13):02}-{day:02} 0{chance.randrange(10)}:{chance.randrange(10, 60)}:11"
    noise = [f"{stamp},{n:03} INFO [worker-{n}] loaded {chance.randrange(9999)} rows" for n in range(9)]
    chance.shuffle(noise)
    noise = noise[: chance.randrange(3, 9)]
    return [
        *noise,
        f"{stamp},004 ERROR [main] job {chance.getrandbits(48):012x} on {host}.a.example (pid {pid}) failed",
        f"psycopg2.OperationalError: connection to 10.0.{chance.randrange(255)}.{chance.randrange(255)}, "
        f"port {chance.randrange(1024, 9000)} failed: Connection refused",
        *noise[:2],
    ]


def test_the_same_failure_has_one_signature_whatever_the_day_host_and_noise() -> None:
    chance = random.Random(11)
    assert len({digest_log(failing_log(chance)).signature for _ in range(1_000)}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ORA-01017: invalid username/password", "ORA-12541: TNS:no listener"),
        ("requests: HTTP status 429 for url", "requests: HTTP status 503 for url"),
        ("OSError: [Errno 28] writing", "OSError: [Errno 13] writing"),
        ("error: disk full", "error: connection refused"),
        ("src/a.ts(1,2): error TS2304: x", "src/a.ts(1,2): error TS2551: x"),
        ("psql: error 28P01 in session", "psql: error 42P01 in session"),
    ],
)
def test_two_causes_in_one_tool_have_two_signatures(one: str, other: str) -> None:
    assert digest_log(["start", one]).signature != digest_log(["start", other]).signature


def test_a_redacted_secret_does_not_change_the_signature() -> None:
    first = digest_log(["error: login with password=[REDACTED:password:abcd] denied"])
    second = digest_log(["error: login with password=[REDACTED:password:09ff] denied"])
    assert first.signature == second.signature


def test_silent_logs_of_different_runs_are_different_incidents() -> None:
    same = digest_log([], exit_code=1, command="a.sh", context="a failed").signature
    assert digest_log([], exit_code=1, command="a.sh", context="a failed").signature == same
    assert digest_log([], exit_code=2, command="a.sh", context="a failed").signature != same
    assert digest_log([], exit_code=1, command="b.sh", context="a failed").signature != same
    assert digest_log([], exit_code=1, command="a.sh", context="b failed").signature != same


def test_the_headline_is_the_line_a_person_would_quote() -> None:
    log = [
        "2024-01-01 10:00:00 INFO starting",
        "Traceback (most recent call last):",
        '  File "a.py", line 4, in <module>',
        "ValueError: total must be positive",
        "INFO 0 errors in cleanup",
        "ERROR: Job failed: exit code 1",
    ]
    assert digest_log(log).headline == "ValueError: total must be positive"


def test_the_excerpt_keeps_the_proof_within_its_budget_and_numbers_lines_as_received() -> None:
    log = [f"INFO step {n} of the load went on as planned" for n in range(5_000)]
    log[3_210] = "ERROR: could not extend file: No space left on device"
    digest = digest_log(log, budget_tokens=500)
    assert {line.line: line.text for line in digest.excerpt}[3_210] == log[3_210]
    assert sum(len(line.text) for line in digest.excerpt) <= 500 * 4
    assert digest.total_lines == 5_000
    assert digest.dropped_lines == 5_000 - len(digest.excerpt)
    assert [line.line for line in digest.excerpt] == sorted(line.line for line in digest.excerpt)


def test_templates_count_lines_that_differ_only_in_ids() -> None:
    log = [f"ERROR upload of part {n} failed" for n in range(50)] + ["INFO done"]
    template = digest_log(log).templates[0]
    assert template.count == 50 and template.first_line == 0


def test_colours_progress_bars_and_control_characters_go_and_numbers_stay() -> None:
    log = [
        "\x1b[31;1mError: no\x1b[0m",
        "10%\r50%\r100% done",
        "50% [==>   ]\rERROR: broke off\r",
        "\ufeffbyte order mark",
        "\x1b]0;title\x07text",
        "a\x00b\x08c",
        "plain",
    ]
    assert clean_lines(log) == [
        "Error: no",
        "100% done",
        "ERROR: broke off",
        "byte order mark",
        "text",
        "ac",
        "plain",
    ]


def test_line_ends_of_windows_and_a_missing_last_line_end_make_no_difference() -> None:
    assert split_log("a\r\nb\r\n") == split_log("a\nb") == ["a", "b"]
    assert split_log("") == [] and split_log("\n") == [""]
    assert split_log("10%\r100%\nok") == ["10%\r100%", "ok"]


@pytest.mark.parametrize("log", [[], [""], ["\x00" * 50], ["\ud800"], ["   "] * 3, ["x" * 1_000_000]])
def test_odd_logs_digest_without_fuss(log: list[str]) -> None:
    digest = digest_log(log)
    assert digest.signature and digest.total_lines == len(log)
    assert digest.model_dump_json()


def test_hostile_lines_cost_no_more_than_their_size() -> None:
    def seconds(repeats: int) -> float:
        log = [text * repeats + " error" for text in (" ", "a", "a.", "http://", "([{", "\x1b[", "9", "10:00:00 ")]
        started = time.process_time()
        digest_log(log)
        return time.process_time() - started

    seconds(100)
    small, large = min(seconds(2_000) for _ in range(3)), min(seconds(32_000) for _ in range(3))
    assert large < 80 * max(small, 0.001)


STAMPS = (
    "2024-05-01 10:00:00",
    "2024-05-01T10:00:00Z",
    "2024-05-01T10:00:00.123456+02:00",
    "2024-05-01 10:00:00,123",
    "2024-05-01 10:00:00.123 UTC",
    "2024-05-01 10:00:00 CEST",
    "[2024-05-01 10:00:00]",
    "2024/05/01 10:00:00",
    "2024.05.01 10:00",
    "01/May/2024:10:00:00 +0000",
    "05/01/24 10:00:00",
    "24/05/01 10:00:00",
    "May  1 10:00:00",
    "Wed May  1 10:00:00 2024",
    "<13>May  1 10:00:00",
    "10:00:00",
    "[10:00:00.123]",
    "240501 100000 7",
    "[    4.123456]",
    "1714557600",
    "1714557600.123",
)
LEVELS = words(
    "TRACE DEBUG INFO NOTICE WARN WARNING ERRO ERROR ERR SEVERE CRIT CRITICAL ALERT EMERG FATAL PANIC Error error E"
)


FORMS = ("{} {}: {}", "{} {} {}", "{} [{}] {}", "{} | {:8} | {}", "{}|{}|{}", "{} - {} - {}")


@pytest.mark.parametrize("stamp", STAMPS)
def test_no_word_of_the_headline_is_cut(stamp: str) -> None:
    message = "backup: cannot write the dump"
    for level, form in itertools.product(LEVELS, FORMS):
        headline = digest_log([form.format(stamp, level, message)]).headline
        assert headline.endswith(message), headline
        before = headline.removesuffix(message).strip(" |:-[]")
        assert before in ("", level, stamp, f"{stamp}|{level}"), headline


@pytest.mark.parametrize("word", ["HOST", "REST", "TEST", "POST", "LAST", "PART", "RING", "BEST", "1234567890abcdef"])
def test_a_message_in_capitals_is_not_taken_for_a_time_zone(word: str) -> None:
    assert digest_log([f"2024-05-01 10:00:00 {word} failed"]).headline == f"{word} failed"
