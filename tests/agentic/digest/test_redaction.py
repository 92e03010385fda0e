"""Secrets leave a log; everything else stays as it was."""

from __future__ import annotations

import random
import re
import string
import time

import pytest

from agentic.digest import Redactor
from agentic.errors import ConfigError

MARK = re.compile(r"\[REDACTED:[a-z_]+:[0-9a-f]{4}\]")

SECRETS = [
    ("AKIA" + "IOSFODNN7EXAMPLE", "using key {} now"),
    ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = {}"),
    ("ghp_" + "a1B2" * 9, "remote: {} denied"),
    ("glpat-" + "abcdefghij0123456789", "token {}"),
    ("xoxb-" + "123456789012-abcdefghijkl", "slack {}"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "got {} back"),
    ("AIza" + "SyA1234567890abcdefghijklmnopqrstuv", "url?key={}"),
    ("sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc", "stripe {}"),
    ("npm_" + "a1B2" * 9, "//registry/:_authToken={}"),
    ("T0AB12/B0CD34/q7Lw2ZrT9sVx4NbM1k", "POST https://hooks.chat.example/services/{}"),
    ("hunter2", "password: {}"),
    ("hunter2", "  db_password: {}"),
    ("hunter2", '{{"password": "{}", "user": "bob"}}'),
    ("hunter2", '{{\\"password\\":\\"{}\\"}}'),
    ("hunter2", "DB_PASSWORD={} ./run"),
    ("hunter2", "tool --password {} --host a"),
    ("hunter2", "tool --password={}"),
    ("hunter2", "mysqldump -u root -p{} shop"),
    ("hunter2", "['tool', '--password', '{}']"),
    ("hunter2", "<password>{}</password>"),
    ("hello world", "password='{}'"),
    ("s3cr3tPw", "postgres://u:{}@db.example/shop"),
    ("p@ss:w0rd", "amqp://u:{}@mq.example:5672/v"),
    ("pw1", "redis://:{}@cache:6379/0"),
    ("rootpw", "root:{}@tcp(127.0.0.1:3306)/app"),
    ("dXNlcjpwYXNz", "Authorization: Basic {}"),
    ("opaque123token", "authorization: Bearer {}"),
    ("abcd1234efgh", "Cookie: session={}; theme=dark"),
    ("4111 1111 1111 1111", "card {} declined"),
    ("4242424242424242", "pan={}"),
    ("Zx9Qm2", "curl -u admin:{} https://x.example"),
    ("Qwerty!23", "Server=db;User Id=sa;Password={};Encrypt=true"),
    ("abc/def+ghiJKL0123456789==", "AccountKey={};EndpointSuffix=core"),
    ("tiger", "sqlplus scott/{}@db1"),
    ("s3cret", "CREATE USER a IDENTIFIED BY '{}'"),
    ("8f14e45fceea167a5a36dedd4bea2543", "X-Api-Key: {}"),
    ("kdjfhgkdjfhgksdjfhgk", "export API_TOKEN={}"),
    ("kdjfhgkdjfhgksdjfhgk", "export SECRET_KEY='{}'"),
    ("mypass", "sshpass -p {} ssh host"),
    ("$2b$12$" + "abcdefghijklmnopqrstuv", "hash {}"),
]

CLEAN = [
    "using password: YES",
    "Enter password:",
    "error: token expired",
    'password authentication failed for user "bob"',
    "Basic authentication required",
    "invalid token: unexpected EOF at line 3",
    "secretName: db-credentials",
    'Error: secret "db-pass" not found',
    "password: incorrect",
    "PWD=/builds/a/b",
    "commit 8f14e45fceea167a5a36dedd4bea2543aaaaaaaa",
    "http://host:80/a@b",
    "password_file=/run/secrets/pw",
    "max_tokens=4096",
    "2025-01-01T10:00:00Z blk_4111111111111111",
    "ssh://git@forge.example/x",
    "Unexpected token < in JSON",
    "passed=12 failed=3",
    "token: ${TOKEN}",
    "docker run -p 8080:80 nginx",
    "trace_id=8f14e45fceea167a5a36dedd4bea2543",
    "PASS: test_login",
    "compass=3",
    "token bucket: 10/s",
    "cache key 4929 of 8812",
]


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor()


@pytest.mark.parametrize(("secret", "line"), SECRETS, ids=[line[:40] for _, line in SECRETS])
def test_a_secret_is_replaced_by_a_mark(redactor: Redactor, secret: str, line: str) -> None:
    redacted = redactor.text(line.format(secret))
    assert secret not in redacted
    assert MARK.search(redacted)


@pytest.mark.parametrize("line", CLEAN)
def test_a_line_without_a_secret_stays_as_it_is(redactor: Redactor, line: str) -> None:
    assert redactor.text(line) == line


def test_redacting_twice_changes_nothing(redactor: Redactor) -> None:
    once = redactor.lines([line.format(secret) for secret, line in SECRETS])
    assert redactor.lines(once) == once


def test_a_private_key_is_emptied_and_keeps_its_lines(redactor: Redactor) -> None:
    log = [
        "writing key",
        "-----BEGIN RSA PRIVATE KEY-----",
        "MIIEpAIBAAKCAQEAy8Dbv8prpJ",
        "Hq9zqZ==",
        "-----END RSA PRIVATE KEY-----",
        "done",
    ]
    redacted = redactor.lines(log)
    assert len(redacted) == len(log)
    assert redacted[0] == "writing key" and redacted[5] == "done"
    assert "MIIEpAIBAAKCAQEAy8Dbv8prpJ" not in "".join(redacted) and "Hq9zqZ==" not in "".join(redacted)


def test_a_private_key_on_one_line_is_emptied(redactor: Redactor) -> None:
    line = 'key: "-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\nabc\\n-----END PRIVATE KEY-----\\n"'
    assert "MIIEvQ" not in redactor.text(line)


def test_a_private_key_cut_off_at_the_end_is_emptied(redactor: Redactor) -> None:
    log = ["-----BEGIN EC PRIVATE KEY-----", "MHcCAQEEIIrYSSNQFaA2Hwf1duRS"]
    assert "MHcCAQEE" not in "".join(redactor.lines(log))


def test_equal_secrets_get_equal_marks_and_the_key_changes_them() -> None:
    first, second = Redactor(key=b"one").lines(["password=abc123", "PGPASSWORD=abc123"])
    assert MARK.findall(first) == MARK.findall(second)
    other = Redactor(key=b"two").text("password=abc123")
    assert other != first


def test_a_key_of_the_installation_is_taken_unless_one_was_configured() -> None:
    free, configured = Redactor(), Redactor(key=b"mine")
    before = configured.text("password=abc123")
    for redactor in (free, configured):
        redactor.take_key(b"of the store")
    assert free.text("password=abc123") == Redactor(key=b"of the store").text("password=abc123") != before
    assert configured.text("password=abc123") == before


def test_data_is_walked_and_names_of_keys_tell(redactor: Redactor) -> None:
    data = {
        "user": "bob",
        "password": "a b",
        "n": 4,
        "list": [{"api_key": "zz top"}, "DB_PASSWORD=abc"],
        "max_tokens": 7,
        "none": None,
    }
    redacted = redactor.value(data)
    assert redacted["user"] == "bob" and redacted["n"] == 4 and redacted["max_tokens"] == 7
    assert MARK.fullmatch(redacted["password"])
    assert MARK.fullmatch(redacted["list"][0]["api_key"])
    assert "abc" not in redacted["list"][1]


def test_own_patterns_are_used_and_the_group_s_is_the_secret() -> None:
    own = Redactor({"badge": r"badge (?P<s>[0-9]{6})"})
    assert re.fullmatch(r"badge \[REDACTED:badge:[0-9a-f]{4}\] seen", own.text("badge 123456 seen"))


@pytest.mark.parametrize("pattern", ["(", r"a(?=b)", r"(a)\1", "x*"])
def test_a_wrong_own_pattern_is_a_config_error_that_names_it(pattern: str) -> None:
    with pytest.raises(ConfigError, match="badge"):
        Redactor({"badge": pattern})


def test_any_text_survives_with_its_number_of_lines(redactor: Redactor) -> None:
    chance = random.Random(4)
    alphabet = string.printable + "äß日本\ud800\u0000:@=/\"'"
    for _ in range(200):
        lines = ["".join(chance.choices(alphabet, k=60)).replace("\n", " ") for _ in range(5)]
        assert len(redactor.lines(lines)) == 5


def test_lines_that_contain_line_breaks_stay_apart(redactor: Redactor) -> None:
    assert redactor.lines(["a\nb", "password=abc123", "c"])[2] == "c"


def test_hostile_lines_cost_no_more_than_their_size(redactor: Redactor) -> None:
    def seconds(repeats: int) -> float:
        log = ["password" * repeats, "http://" * repeats, "a:" * repeats + "@", "\"'\\" * repeats]
        started = time.perf_counter()
        redactor.lines(log)
        return time.perf_counter() - started

    seconds(100)
    small, large = min(seconds(1_000) for _ in range(3)), min(seconds(16_000) for _ in range(3))
    # Quadratic work would take 256 times as long for 16 times the text.
    assert large < 80 * max(small, 0.001)


def test_what_was_clean_before_is_clean_again_and_a_secret_is_never_remembered() -> None:
    redactor = Redactor()
    for _ in range(2):
        assert redactor.text("/usr/local/bin/backup.sh --all") == "/usr/local/bin/backup.sh --all"
        assert "hunter22" not in redactor.text("backup.sh --password=hunter22")
    assert redactor._clean == {"/usr/local/bin/backup.sh --all"}


def test_the_memory_of_clean_texts_stays_small() -> None:
    redactor = Redactor()
    for number in range(10_000):
        redactor.text(f"host-{number}")
    assert len(redactor._clean) <= 4096
