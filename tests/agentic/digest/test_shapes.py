"""Templates remembered by shape are those that a fresh look would give."""

from __future__ import annotations

import random

import pytest

from agentic.digest.masking import _mask, _template_of_shape, mask

LINES = [
    "2026-03-06 09:00:44 INFO  copied part 3 of 18, 353782 bytes",
    "ERROR cannot connect to db-17.example.com:5432: Connection refused (10.1.2.3:5432)",
    "HTTP/1.1 404 Not Found from host web12 after 31 ms",
    "HTTP/1.1 status 503, try 4",
    "ORA-01555: snapshot too old: rollback segment number 12",
    "exit code 137 after 12:33:01",
    "psycopg2.OperationalError: SQLSTATE 08006 (port 5432)",
    "E0122 14:21:11.123456    1234 main.go:77] failed with errno 28",
    "user7 logged in from 192.168.0.17 with token [REDACTED:token:ab12]",
    "error TS2345: argument 3 of job 0f3a9c77-1111-4222-8333-0123456789ab",
    "[  12.345678] Out of memory: Killed process 4242 (java) total-vm:812344kB",
    "Mon 22 Nov at 10:00:01 commit 4f2a9bc01d done in 12.5s",
]


def other_digits(line: str, chance: random.Random) -> str:
    return "".join(chance.choice("0123456789") if ch.isdigit() else ch for ch in line)


@pytest.mark.parametrize("line", LINES)
def test_a_remembered_shape_gives_the_template_that_a_fresh_look_gives(line: str) -> None:
    chance = random.Random(7)
    for _ in range(200):
        varied = other_digits(line, chance)
        assert mask(varied) == _mask(varied)


def test_lines_of_one_shape_are_looked_at_once() -> None:
    _template_of_shape.cache_clear()
    assert {mask(f"copied part {number} of 90") for number in range(10, 90)} == {"copied part <n> of <n>"}
    assert _template_of_shape.cache_info().misses == 1


def test_codes_of_one_shape_keep_their_own_templates() -> None:
    assert mask("job ended with exit code 137") != mask("job ended with exit code 143")
