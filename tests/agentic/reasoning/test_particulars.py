"""What a line names is found wherever its tool puts it, and no other word is taken for it."""

from __future__ import annotations

import pytest

from agentic.reasoning.causes import particulars_for, render
from agentic.reasoning.particulars import KINDS, find_particular


@pytest.mark.parametrize(
    ("kind", "line", "found"),
    [
        ("path", "cat: /no/such/file: No such file or directory", "/no/such/file"),
        ("path", "tar: archive.tar: Cannot open: No such file or directory", "archive.tar"),
        ("path", "cp: cannot stat 'my orders': No such file or directory", "my orders"),
        ("path", "bash: line 4: ./run.sh: Permission denied", "./run.sh"),
        ("path", "OSError: [Errno 28] No space left on device: 'out/part-7'", "out/part-7"),
        ("path", "Access to the path 'C:\\out\\a.txt' is denied.", "C:\\out\\a.txt"),
        (
            "path",
            "sync.rb:3:in `read': No such file or directory @ rb_sysopen - prices.json (Errno::ENOENT)",
            "prices.json",
        ),
        ("path", "java.io.IOException: No space left on device", ""),
        ("path", "gzip: stdin: unexpected end of file", ""),
        ("path", "waited 97h41m12.338104s for the lock", ""),
        ("path", "cannot open '[REDACTED:password:00aa]'", ""),
        ("host", "getaddrinfo ENOTFOUND reg.none.invalid", "reg.none.invalid"),
        ("host", "ping: db7: Name or service not known", "db7"),
        ("host", "fatal: Authentication failed for 'https://u@forge.example/a.git/'", "forge.example"),
        ("host", "Failed to connect to the host via ssh: no reply", ""),
        ("host", "socket.gaierror: [Errno -2] Name or service not known", ""),
        ("target", 'connection to server at "10.0.0.4", port 5432 failed', "10.0.0.4:5432"),
        ("target", "HTTPSConnectionPool(host='a.example', port=443): Read timed out.", "a.example:443"),
        ("target", "read tcp 10.0.0.2:5412->10.0.0.9:443: connection reset", "10.0.0.9:443"),
        ("target", "ssh: connect to host web9 port 22: No route to host", "web9:22"),
        ("port", "listen EADDRINUSE: address already in use :::8080", "8080"),
        ("user", 'role "etl" does not exist', "etl"),
        ("user", "Incorrect username or password was specified", ""),
        ("constraint", 'duplicate key value violates unique constraint "orders_pkey"', "orders_pkey"),
        ("place", "jq: parse error: unmatched '}' at line 3, column 9", "line 3, column 9"),
        ("place", "/src/Order.cs(14,9): error CS0103", "/src/Order.cs(14,9)"),
        ("value", 'invalid input syntax for type integer: "n/a"', "n/a"),
        ("unit", "Unit jobx.service not found.", "jobx.service"),
        ("device", "dd: error reading '/dev/sdb': Input/output error", "/dev/sdb"),
        ("test", "--- FAIL: TestTotal (0.00s)", "TestTotal"),
        ("symbol", "./main.go:12:9: undefined: totl", "totl"),
    ],
)
def test_a_particular_is_found_by_its_kind(kind: str, line: str, found: str) -> None:
    assert find_particular(kind, line) == found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_any_line_can_be_searched(kind: str) -> None:
    for line in ("", " ", "a" * 100_000, "/" * 50_000, "'\"`" * 10_000, "x: " * 20_000, "\ufffd:1"):
        assert isinstance(find_particular(kind, line), str)


def test_an_optional_part_goes_with_its_particular() -> None:
    cause = "The archive[ {path}] is damaged[ ({place})]"
    assert render(cause, {}) == "The archive is damaged"
    assert render(cause, {"path": "a.zip"}) == "The archive a.zip is damaged"
    assert render(cause, {"path": "a.zip", "place": "line 3"}) == "The archive a.zip is damaged (line 3)"


def test_the_place_may_stand_on_the_line_below() -> None:
    lines = ["error[E0382]: borrow of moved value", " --> src/main.rs:7:20"]
    assert particulars_for("It does not compile[ ({place})]", {}, lines) == {"place": "src/main.rs:7:20"}


def test_a_word_of_the_sentence_is_not_a_name() -> None:
    assert particulars_for("The image {image|of the job}", {"image": "to"}, ["error pulling image to cache"]) == {}
