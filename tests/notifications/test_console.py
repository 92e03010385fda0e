"""The console writes blocks that are safe to look at."""

import io

import pytest

from notifications import Message, NotifyError, Severity
from notifications.console import Console, render

MESSAGE = Message(
    title="nightly: failed",
    body="/var is full\nLine 41: No space left on device",
    severity=Severity.ERROR,
    event_id="ev-1",
    job_id="nightly",
    category="disk_full",
    links={"incident": "http://127.0.0.1:8000/incidents/ev-1"},
    fields={"host": "db1", "exit code": "28"},
)


def test_a_message_is_one_readable_block(capsys):
    Console().send(MESSAGE)
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err == (
        "● ERROR  nightly: failed\n"
        "  /var is full\n"
        "  Line 41: No space left on device\n"
        "  job: nightly\n"
        "  category: disk_full\n"
        "  event: ev-1\n"
        "  host: db1\n"
        "  exit code: 28\n"
        "  incident: http://127.0.0.1:8000/incidents/ev-1\n"
    )


def test_it_can_write_to_stdout(capsys):
    Console("stdout").send(MESSAGE)
    assert "nightly: failed" in capsys.readouterr().out


def test_colour_is_for_terminals_only(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen, pipe = Terminal(), io.StringIO()
    for stream in (screen, pipe):
        monkeypatch.setattr("sys.stderr", stream)
        Console().send(MESSAGE)
    assert screen.getvalue().startswith("\x1b[1;31m● ERROR  nightly: failed\x1b[0m\n")
    assert "\x1b" not in pipe.getvalue()


@pytest.mark.parametrize("place", ["title", "body", "job_id", "category", "event_id"])
def test_nothing_in_a_message_can_steer_the_terminal(place):
    evil = "a\x1b[2J\x1b]0;pwned\x07\x9b31mb\rc\x08d\x00\u202ee\u2066f"
    text = render(Message(**{"title": "t", "body": "b", place: evil}), colour=False)
    assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066" for c in text)
    assert "pwned" not in text


def test_a_title_cannot_forge_a_second_message():
    text = render(Message(title="x\n● INFO  all is well", body=""), colour=False)
    assert text == "● ERROR".replace("ERROR", "INFO") + "  x ● INFO all is well\n"


def test_a_terminal_that_cannot_show_a_letter_still_gets_the_message(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stderr", io.TextIOWrapper(raw, encoding="ascii"))
    Console().send(Message(title="größe", body=""))
    assert raw.getvalue() == b"? INFO  gr??e\n"


def test_a_closed_stream_is_a_permanent_failure(monkeypatch):
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr("sys.stderr", stream)
    with pytest.raises(NotifyError) as raised:
        Console().send(MESSAGE)
    assert raised.value.permanent
