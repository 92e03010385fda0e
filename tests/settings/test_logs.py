"""Log lines as a program reads them: one JSON object a line, in order, none lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
BEGIN = """
import asyncio, logging, os, threading
import structlog
from settings.logs import set_up_logs
set_up_logs()
log = structlog.get_logger()
"""


def lines_of(program: str) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", BEGIN + program], cwd=ROOT, capture_output=True, timeout=30)
    assert done.stdout == b""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_lines_come_in_the_order_in_which_they_were_said_wherever_that_was() -> None:
    program = """
log.info("before")
async def main():
    for number in range(50):
        log.info("in the loop", number=number, text="x" * 300)
    thread = threading.Thread(target=lambda: log.info("in a thread"))
    thread.start()
    thread.join()
    log.info("last turn")
asyncio.run(main())
log.info("after")
"""
    said = [line["event"] for line in lines_of(program)]
    assert said == ["before", *["in the loop"] * 50, "in a thread", "last turn", "after"]


def test_bad_news_is_written_at_once_with_what_was_said_before_it() -> None:
    program = """
async def main():
    log.info("first")
    log.error("second")
    os._exit(1)  # as if it had been killed
asyncio.run(main())
"""
    assert [(line["event"], line["level"]) for line in lines_of(program)] == [("first", "info"), ("second", "error")]


def test_a_line_says_when_how_bad_and_what_broke() -> None:
    program = """
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broke", number=float("inf"), thing=object)
logging.getLogger("autoremedy").info("from %s", "the library")
"""
    own, library = lines_of(program)
    assert own["level"] == "error"
    assert "ZeroDivisionError" in own["exception"]
    assert own["number"] == "Infinity"
    assert own["thing"] == "<class 'object'>"
    assert own["ts"].endswith("Z")
    assert own["ts"][:13] <= library["ts"][:13]
    assert (library["event"], library["level"]) == ("from the library", "info")
