"""The same failure has one signature whatever the night; two causes have two."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from agentic.digest import digest_log
from agentic.digest.masking import mask

Chance = random.Random

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def word(chance: Chance) -> str:
    return "".join(chance.choices(LETTERS, k=chance.randrange(3, 9)))


def ip(chance: Chance) -> str:
    return ".".join(str(chance.randrange(1, 255)) for _ in range(4))


def ip6(chance: Chance) -> str:
    return ":".join(f"{chance.getrandbits(16):x}" for _ in range(8))


def uuid(chance: Chance) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def stamp(chance: Chance) -> str:
    return (
        f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}T"
        f"{chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}.{chance.randrange(1000):03}Z"
    )


def duration(chance: Chance) -> str:
    short = [f"{chance.randrange(1, 900)}ms", f"{chance.uniform(0, 90):.2f}s", f"{chance.randrange(1, 9)}m3s"]
    return chance.choice(
        [*short, f"{chance.randrange(1, 90)} seconds", f"{chance.randrange(2, 5)} minutes", "1 second"]
    )


def temporary(chance: Chance) -> str:
    prefix = chance.choice(["tmp", "tmp.", "pip-build-", ""])
    return f"/tmp/{prefix}{''.join(chance.choices(LETTERS + LETTERS.upper(), k=8))}"


def value(chance: Chance) -> str:
    one = word(chance)
    return chance.choice([one, f"{one} {word(chance)}", str(chance.randrange(9_999)), f"{one}-{chance.randrange(99)}"])


def size(chance: Chance) -> str:
    unit = chance.choice(["B", "KB", "MB", "GB", "KiB", "MiB", "GiB", "bytes"])
    number = chance.choice([f"{chance.randrange(1, 5000)}", f"{chance.uniform(1, 900):.1f}"])
    return f"{number}{chance.choice(['', ' '])}{unit}"


VARIABLES: dict[str, Callable[[Chance], str]] = {
    "STAMP": stamp,
    "DAY": lambda c: f"2026{c.randrange(1, 13):02}{c.randrange(1, 29):02}",
    "DAYPATH": lambda c: f"2026/{c.randrange(1, 13):02}/{c.randrange(1, 29):02}",
    "HOST": lambda c: c.choice([f"db-{c.randrange(1, 40)}.prod.example", f"web{c.randrange(99):02}.eu.example.com"]),
    "NODE": lambda c: f"node-{c.randrange(1, 900)}",
    "IP": lambda c: c.choice([ip, ip6])(c),
    "UUID": uuid,
    "HEX": lambda c: f"{c.getrandbits(160):040x}",
    "PID": lambda c: str(c.randrange(2, 99_999)),
    "PORT": lambda c: str(c.randrange(1_024, 65_535)),
    "COUNT": lambda c: str(c.randrange(2, 9_999)),
    "ADDRESS": lambda c: f"0x{c.getrandbits(48):012x}",
    "DURATION": duration,
    "SIZE": size,
    "TEMP": temporary,
    "USER": lambda c: f"{word(c)}{c.choice(['', '.', '_'])}{word(c)}",
    "VALUE": value,
    "PERCENT": lambda c: f"{c.randrange(1, 100)}%",
}  # fmt: skip

FAILURES = [
    "{STAMP} ERROR [main] could not connect to server {HOST} ({IP}), port {PORT}: Connection refused",
    "psycopg2.OperationalError: connection to {HOST} ({IP}), port {PORT} failed: timeout after {DURATION}",
    "java.net.ConnectException: Call From {HOST}/{IP} to {HOST}:{PORT} failed on connection exception",
    "OSError: [Errno 28] No space left on device: '/srv/spool/{DAYPATH}/part-{COUNT}.csv'",
    "pg_dump: error: could not write {COUNT} bytes to /backup/{DAY}/orders-{DAY}.dump: No space left on device",
    "tar: {TEMP}/archive.tar: Cannot open: No such file or directory",
    "ERROR: could not open {TEMP}: Permission denied",
    "FATAL: password authentication failed for user {USER}",
    "ERROR login failed user={USER} rhost={HOST} session {UUID} pid {PID}",
    'ERROR: invalid input syntax for type integer: "{VALUE}"',
    'ERROR:  value "{VALUE}" is out of range for type smallint',
    "ERROR 1062 (23000): Duplicate entry '{VALUE}' for key 'orders.PRIMARY'",
    "Killed process {PID} (java) total-vm:{COUNT}kB, anon-rss:{COUNT}kB, file-rss:{COUNT}kB",
    "Container {UUID} exceeded its memory limit: {SIZE} of {SIZE} used ({PERCENT})",
    "error: failed to upload {HEX} to s3://bucket/{DAYPATH}/{UUID}.gz after {COUNT} attempts in {DURATION}",
    "fatal: unable to access https://git.example/{USER}/repo.git: The requested URL returned error: 503",
    "panic: runtime error: invalid memory address or nil pointer dereference at {ADDRESS}",
    "task {UUID} on {NODE} failed: {COUNT} rows rejected, {SIZE} written, took {DURATION}",
    "rsync error: timeout in data send/receive (code 30) at io.c({COUNT}) [sender={COUNT}.{COUNT}.{COUNT}]",
    "ERROR worker-{COUNT} lost heartbeat for {DURATION}: giving up after {COUNT} retries",
]


def fill(text: str, chance: Chance) -> str:
    for name, make in VARIABLES.items():
        while f"{{{name}}}" in text:
            text = text.replace(f"{{{name}}}", make(chance), 1)
    return text


NOISE = [
    "{STAMP} INFO loaded {COUNT} rows from {NODE} in {DURATION}",
    "{STAMP} INFO heartbeat of {UUID} ok",
    "{STAMP} DEBUG cache {HEX} {PERCENT} full ({SIZE})",
    "{STAMP} INFO connected to {HOST}:{PORT}",
]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_thousand_nights_of_one_failure_have_one_signature(failure: str) -> None:
    signatures: dict[str, str] = {}
    for night in range(1_000):
        chance = random.Random(night)
        noise = [fill(text, chance) for text in chance.choices(NOISE, k=chance.randrange(2, 6))]
        line = fill(failure, chance)
        signatures.setdefault(digest_log([*noise, line, *noise[:1]], exit_code=1, command="job.sh").signature, line)
    assert len(signatures) == 1, list(signatures.values())[:3] + [mask(line) for line in list(signatures.values())[:3]]


def test_the_order_of_equally_grave_lines_does_not_matter() -> None:
    lines = [f"ERROR step {name} of the load failed" for name in LETTERS]
    seen = set()
    for night in range(50):
        random.Random(night).shuffle(lines)
        seen.add(digest_log(lines).signature)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ORA-00942: table or view does not exist", "ORA-01555: snapshot too old"),
        ("OSError: [Errno 13] Permission denied", "OSError: [Errno 2] Permission denied"),
        ("ValueError: bad total", "KeyError: bad total"),
        ("java.lang.IllegalStateException: closed", "java.lang.IllegalArgumentException: closed"),
        ("request failed with status code 401", "request failed with status code 503"),
        ("HTTPError: 404 Client Error: Not Found", "HTTPError: 403 Client Error: Forbidden"),
        ('ERROR:  relation "orders" does not exist', 'ERROR:  relation "customers" does not exist'),
        ("KeyError: 'customer_id'", "KeyError: 'amount'"),
        ("ModuleNotFoundError: No module named 'numpy'", "ModuleNotFoundError: No module named 'yaml'"),
        ("cat: /srv/in/orders.csv: No such file or directory", "cat: /srv/in/prices.csv: No such file or directory"),
        ("ERROR 1045 (28000): Access denied", "ERROR 1044 (42000): Access denied"),
        ("error: exit status 137", "error: exit status 143"),
        ("sqlstate 40001: failed", "sqlstate 40P01: failed"),
        ("curl: (6) Could not resolve host: a.example", "curl: (7) Failed to connect to a.example"),
        ("rsync error: some failed (code 23) at main.c(1)", "rsync error: some failed (code 12) at main.c(1)"),
        ("src/a.c:10: error C2065: undeclared", "src/a.c:10: error C2143: undeclared"),
        ("grpc error: code = Unavailable", "grpc error: code = PermissionDenied"),
        ("job failed: OutOfMemoryError: Java heap space", "job failed: OutOfMemoryError: Metaspace"),
        ("ERROR: the signal 9 ended the job", "ERROR: the signal 11 ended the job"),
        ("Msg 1205, Level 13, State 51: error", "Msg 18456, Level 13, State 51: error"),
    ],
)  # fmt: skip
def test_two_causes_have_two_signatures(one: str, other: str) -> None:
    assert digest_log(["start", one]).signature != digest_log(["start", other]).signature


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ERROR: 1 test failed", "ERROR: 3 tests failed"),
        ("ERROR Summary: 3 errors in 10 files", "ERROR Summary: 12 errors in 1 file"),
    ],
)
def test_one_and_many_are_the_same_failure(first: str, second: str) -> None:
    assert digest_log([first]).signature == digest_log([second]).signature


def test_three_errors_weigh_as_much_as_twelve_and_none_weighs_nothing() -> None:
    assert digest_log(["compile: 3 errors", "bye"]).headline == "compile: 3 errors"
    assert digest_log(["compile: 0 errors", "bye"]).headline == "bye"
