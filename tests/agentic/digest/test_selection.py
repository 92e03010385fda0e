"""Of a log of any size a bounded part is kept: head, tail, and whatever may prove the cause."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic.digest import Selection, Selector, decode_log, digest_log, split_log
from agentic.digest.selection import WHOLE_BYTES
from agentic.reasoning.literals import needed_literals
from agentic.reasoning.rules import Rules, shipped
from agentic.types import Category, Event, EventStatus, Job, Situation

RULES = Rules()
SCOUT = RULES.scout()
PROOF = b"ERROR: could not extend file base/1/2: No space left on device"


def select(data: bytes, piece: int = 100_000) -> Selection:
    selector = Selector(lambda: SCOUT)
    for start in range(0, len(data), piece):
        selector.feed(data[start : start + piece])
    return selector.close()


def calm(lines: int) -> list[bytes]:
    return [b"2024-05-01 10:00:%02d INFO step %d went on as planned" % (n % 60, n) for n in range(lines)]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("place", [0, 1, 17, 20_011, 33_333, 49_990, 49_999])
def test_the_proving_line_is_kept_wherever_it_stands_with_its_true_number(place: int, line_end: bytes) -> None:
    lines = calm(50_000)
    lines[place] = PROOF
    kept = select(line_end.join(lines) + line_end)
    assert not kept.whole
    assert kept.total_lines == 50_000
    assert kept.numbers[kept.lines.index(PROOF.decode())] == place
    assert all(text in ("", lines[number].decode()) for text, number in zip(kept.lines, kept.numbers, strict=True))


def test_evidence_and_excerpt_have_the_numbers_of_the_log_as_received() -> None:
    lines = calm(60_000)
    lines[31_234] = PROOF
    kept = select(b"\n".join(lines))
    digest = digest_log(kept.lines, numbers=kept.number_of, total_lines=kept.total_lines)
    event = Event(event_id="e", job_id="j", status=EventStatus.FAILED)
    decision = RULES.decide(Situation(event=event, digest=digest, job=Job(id="j")))
    assert decision is not None
    assert decision.diagnosis.category is Category.DISK_FULL
    assert decision.diagnosis.evidence == (31_234,)
    assert PROOF.decode() in {line.text for line in digest.excerpt if line.line == 31_234}
    assert digest.total_lines == 60_000


def test_a_fault_that_no_rule_knows_is_kept_too() -> None:
    lines = calm(50_000)
    lines[25_000] = b"FATAL: the flux capacitor is misaligned"
    assert "FATAL: the flux capacitor is misaligned" in select(b"\n".join(lines)).lines


def test_the_proof_is_kept_among_thousands_of_complaints() -> None:
    chance = random.Random(3)
    lines = [b"ERROR item %x of batch %d is skipped, going on" % (chance.getrandbits(40), n) for n in range(60_000)]
    lines[41_000] = b"fatal: unable to access the remote: Could not resolve host: git.example"
    kept = select(b"\n".join(lines))
    assert kept.numbers[kept.lines.index(lines[41_000].decode())] == 41_000


def test_an_exit_code_is_not_hidden_by_the_same_line_with_zero() -> None:
    lines = [
        b"2024-05-01 10:00:00 INFO job %06d of the night ended with exit code 0 on node seven" % n
        for n in range(50_000)
    ]
    lines[30_000] = b"2024-05-01 10:00:00 INFO job 030000 of the night ended with exit code 9 on node seven"
    forms = Selector(lambda: SCOUT)
    forms.feed(b"\n".join(lines) + b"\n")
    seen = [forms._not_often_seen(b"\n".join(part) + b"\n", 0).text for part in (lines[:100], lines[30_000:30_001])]
    assert b"exit code 9" in seen[1]


def test_a_small_log_is_kept_whole_as_it_is() -> None:
    raw = b"one\r\n\x1b[31mtwo\x1b[0m\nthree"
    assert select(raw) == Selection(("one", "\x1b[31mtwo\x1b[0m", "three"), (0, 1, 2), 3, whole=True)
    assert select(b"").lines == ()


def test_what_is_kept_is_bounded_whatever_comes() -> None:
    chance = random.Random(1)
    words = [bytes(chance.choices(b"abcdefghij ", k=9)) for _ in range(300)]
    for make in (
        lambda: b"\n" * 500_000,
        lambda: b"x" * 1_000_000,
        lambda: b"ERROR " + b" ".join(chance.choices(words, k=80_000)) + b"\n",
        lambda: b"\n".join(b"ERROR " + b" ".join(chance.choices(words, k=5)) for _ in range(15_000)),
        lambda: b"\n".join(b"No space left on device " + b"y" * 5000 for _ in range(200)),
    ):
        kept = select(b"".join(make() for _ in range(4)))
        assert sum(len(line) + 1 for line in kept.lines) < 6_000_000
        assert len(kept.lines) < 40_000


def test_a_line_without_end_is_one_line_and_its_proof_is_seen() -> None:
    data = b"x=1 " * 300_000 + PROOF + b" y=2 " * 300_000 + b"\nlast\n"
    kept = select(data)
    assert kept.total_lines == 2
    assert kept.numbers[-1] == 1 and kept.lines[-1] == "last"
    assert any(
        "No space left on device" in line and number == 0 for line, number in zip(kept.lines, kept.numbers, strict=True)
    )


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "latin-1", "cp1252", "utf-8-sig"]
)
@pytest.mark.parametrize("large", [False, True])
def test_every_encoding_is_read(encoding: str, large: bool) -> None:
    text = "starting the nightly load of all tables\nFehler: Zugriff verweigert für Müller\nthe end of it\n"
    filler = "the load goes on as planned and nothing is wrong\n" * (WHOLE_BYTES // 40 if large else 0)
    kept = select((text + filler).encode(encoding))
    assert kept.lines[:3] == tuple(text.splitlines())
    assert kept.whole is not large


def test_lines_in_different_encodings_are_each_read_in_theirs() -> None:
    raw = "größer\n".encode() + "größer\n".encode("cp1252") + "größer ".encode() + b"\xff\n"
    assert decode_log(raw).split("\n")[:2] == ["größer", "größer"]


def test_a_private_key_in_the_middle_is_not_kept_readable() -> None:
    body = [b"MIIEpAIBAAKCAQEA%060d" % n for n in range(40)]
    lines = calm(50_000)
    lines[30_000:30_042] = [b"-----BEGIN RSA PRIVATE KEY-----", *body, b"-----END RSA PRIVATE KEY-----"]
    lines[30_020] = b"ERROR: cannot write: No space left on device"
    kept = select(b"\n".join(lines))
    assert "ERROR: cannot write: No space left on device" in kept.lines
    assert not any("MIIEpAIBAAKCAQEA" in line for line in kept.lines)


def test_every_example_of_every_signature_is_seen_by_the_scout() -> None:
    missed = []
    for signature in shipped():
        for example in signature.matches:
            text = example.encode() + b"\n"
            if not SCOUT.runs(text):
                missed.append((signature.name, example))
    assert not missed


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("no space left", {"no space left"}),
        ("connection (?:refused|reset)", {"connection refused", "connection reset"}),
        (r"ORA-\d{5}", {"ora-"}),
        (r"\bE(?:NOSPC|DQUOT)\b", {"enospc", "edquot"}),
        (r"(?:the )?disk is full", {"the disk is full", "disk is full"}),
        (r"\d+ of \d+", {" of "}),
        (r"a.?b", None),
        (r"[abc]+", None),
        (r"quota(?: of \d+)?", {"quota"}),
    ],
)
def test_a_pattern_cannot_match_without_its_literals(pattern: str, literals: set[str] | None) -> None:
    assert needed_literals(pattern) == literals


HOSTILE: dict[str, Callable[[], bytes]] = {
    "one long line": lambda: b"error connection to host " * 80_000,
    "deep nesting": lambda: b'{"a":[' * 300_000,
    "carriage returns": lambda: b"\r" * 2_000_000,
    "colours": lambda: b"\x1b[31m\x1b[" * 250_000,
    "zeros": lambda: b"\0" * 2_000_000,
    "bytes": lambda: bytes(range(256)) * 8_000,
    "empty lines": lambda: b"\n" * 2_000_000,
    "half a character": lambda: "語".encode()[:2] * 900_000,
    "escapes that never end": lambda: b"\x1b]0;" * 500_000,
    "zero width": lambda: "\u200b\u202e\u2066error".encode() * 200_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_logs_are_read_without_fuss(name: str) -> None:
    kept = select(HOSTILE[name]())
    assert digest_log(kept.lines, numbers=kept.number_of, total_lines=kept.total_lines).model_dump_json()
    assert json.dumps(kept.lines)
    assert "\n".join([*kept.lines, "end"]).encode("utf-8")
    assert kept.total_lines >= 1


PIECES = st.sampled_from(
    [
        *(b"\n", b"\r\n", b"\r", b"\x1b[31m", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1e\n", b"\x85", b"a" * 5_000),
        *(b"ERROR: no space left on device", b"\n" * 900, b"x" * 300_000, b"2024-05-01 10:00:00 INFO fine\n" * 2_000),
        *(b"-----BEGIN PRIVATE KEY-----", "\u202eß語".encode()),
    ]
)


@settings(max_examples=25)
@given(st.lists(PIECES | st.binary(max_size=50), max_size=12), st.integers(1_000, 400_000), st.integers(0, 2**32))
def test_no_bytes_break_it_and_the_lines_are_counted(parts: list[bytes], piece: int, seed: int) -> None:
    chance = random.Random(seed)
    data = b"".join(chance.choice(parts) for _ in range(8) if parts) + b"begin\n" * (WHOLE_BYTES // 6 + 1)
    if b"\0" in data[:4096] or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = b"begin\n" + data
    kept = select(data, piece)
    assert kept.lines[-1] == "begin"
    if kept.numbers[0] == 0 and decode_log(data[:4096])[:1].isascii():
        assert kept.total_lines == data.count(b"\n")
        assert kept.numbers[-1] == kept.total_lines - 1
    assert list(kept.numbers) == sorted(kept.numbers)


@settings(max_examples=60)
@given(st.binary(max_size=3_000))
def test_any_bytes_are_text_line_by_line(raw: bytes) -> None:
    lines = split_log(decode_log(raw))
    assert digest_log(lines).total_lines == len(lines)
