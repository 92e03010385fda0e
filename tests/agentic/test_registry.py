"""Parts are found by name, checked, built from their options, and their mistakes are explained."""

import asyncio
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from agentic.contracts import Effector, Sensor
from agentic.effectors.command import Command
from agentic.errors import PluginError
from agentic.registry import BUILT_IN, CONTRACTS, call, find, load
from notifications import Notifier


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Write a module of the user's own beside the configuration and return how to name it."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text: str) -> str:
        name = f"mine_{uuid.uuid4().hex[:8]}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


SENSOR = """
from pathlib import Path
from agentic.contracts import Sensor

class Watch(Sensor):
    def __init__(self, path: Path, every: int = 5, *, redactor=None):
        self.path, self.every, self.redactor = path, every, redactor
    def get_event(self):
        return None

class Half(Sensor):
    def look(self): ...

class Stranger:
    def get_event(self): ...

class Fussy(Sensor):
    def __init__(self):
        raise ValueError("the folder /data is not there")
    def get_event(self): ...

class Anything(Sensor):
    def __init__(self, **options):
        self.options = options
    def get_event(self): ...

def make(): ...
"""


def test_a_part_of_ones_own_is_found_beside_the_configuration(parts, tmp_path):
    module = parts(SENSOR)
    sensor = load("sensors", f"{module}:Watch", {"path": "x", "every": 7}, tmp_path, {"redactor": "R", "other": 1})
    assert isinstance(sensor, Sensor)
    assert (sensor.path, sensor.every, sensor.redactor) == (Path("x"), 7, "R")


def test_an_option_the_operator_wrote_wins_over_what_the_program_gives(parts, tmp_path):
    sensor = load("sensors", f"{parts(SENSOR)}:Watch", {"path": "x", "redactor": "own"}, tmp_path, {"redactor": "R"})
    assert sensor.redactor == "own"


def test_what_the_program_gives_is_not_pushed_on_a_part_that_takes_anything(parts, tmp_path):
    sensor = load("sensors", f"{parts(SENSOR)}:Anything", {"a": 1}, tmp_path, {"redactor": "R"})
    assert sensor.options == {"a": 1}


@pytest.mark.parametrize(
    ("what", "options", "words"),
    [
        ("Wotch", {}, "there is no class 'Wotch' in "),
        ("Wotch", {}, 'did you mean "Watch"'),
        ("Half", {}, "Half has no method get_event(); every Sensor needs it"),
        ("Stranger", {}, "Stranger must be a subclass of Sensor: `from agentic.contracts import Sensor`"),
        ("make", {}, "is not a class"),
        ("Fussy", {}, "the folder /data is not there"),
        ("Watch", {}, "needs the option 'path'; write `path: …`"),
        (
            "Watch",
            {"path": "x", "evry": 1},
            "unknown option 'evry'; did you mean \"every\"?; it takes path, every",
        ),
        ("Watch", {"path": "x", "every": "soon"}, "option 'every': Input should be a valid integer"),
        ("Fussy", {"a": 1}, "it takes no options"),
    ],
)
def test_a_mistake_is_explained_with_what_to_change(parts, tmp_path, what, options, words):
    use = f"{parts(SENSOR)}:{what}"
    with pytest.raises(PluginError) as raised:
        load("sensors", use, options, tmp_path)
    assert str(raised.value).startswith(f"{use}: ")
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_thing_at_all", "needs the module 'no_such_thing_at_all'; install it"),
        ("1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("def broken(:", "failed: SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(parts, tmp_path, text, words):
    with pytest.raises(PluginError) as raised:
        load("sensors", f"{parts(text)}:X", {}, tmp_path)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ("no_such_module_here:X", "there is no module 'no_such_module_here' in "),
        ("agentic.nope:X", "there is no module 'agentic.nope'"),
        ("a b:X", 'write it as "package.module:Class"'),
        ("../evil:X", 'write it as "package.module:Class"'),
        ("mod:", 'write it as "package.module:Class"'),
    ],
)
def test_a_name_that_leads_nowhere_says_where_was_looked(tmp_path, use, words):
    with pytest.raises(PluginError) as raised:
        load("sensors", use, {}, tmp_path)
    assert words in str(raised.value)


def test_an_unknown_short_name_lists_what_there_is():
    with pytest.raises(PluginError) as raised:
        load("notifiers", "webhok")
    assert 'did you mean "webhook"?' in str(raised.value)
    assert "known: console, webhook" in str(raised.value)


def test_a_module_of_ones_own_cannot_take_the_place_of_a_built_in(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "agentic.py").write_text("raise RuntimeError('shadowed')")
    assert isinstance(load("effectors", "agentic.effectors.command:Command", {}, tmp_path), Command)


def test_an_installed_package_brings_parts_by_entry_point(parts, tmp_path, monkeypatch):
    module = parts(SENSOR)
    info = tmp_path / "their_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-parts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[autoremedy.sensors]\nwatch = {module}:Watch\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load("sensors", "watch", {"path": "x"}).path == Path("x")
    with pytest.raises(PluginError, match=r"known: log_file, watch; or write"):
        load("sensors", "nope")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind, names in BUILT_IN.items()
        for name in names
        if kind != "reasoning"  # theirs are tested beside them
    ],
)
def test_every_built_in_keeps_its_contract(kind, name):
    assert issubclass(find(kind, name), CONTRACTS[kind])


def test_built_ins_are_built_like_any_other_part():
    command = load("effectors", "command", {}, None, {"environ": {"PATH": "/bin"}, "notifiers": {}})
    console = load("notifiers", "console", {"stream": "stdout"})
    assert isinstance(command, Effector)
    assert isinstance(console, Notifier)
    with pytest.raises(PluginError, match="option 'stream': Input should be 'stderr' or 'stdout'"):
        load("notifiers", "console", {"stream": "printer"})
    with pytest.raises(PluginError, match=r"url: write http:// or https://"):
        load("notifiers", "webhook", {"url": "ftp://x"})


async def test_a_plain_function_runs_in_a_thread_of_its_own_and_a_coroutine_on_the_loop():
    async def coroutine():
        return threading.current_thread()

    assert await call(threading.current_thread) is not threading.current_thread()
    assert await call(coroutine) is threading.current_thread()
    assert await call(lambda: coroutine()) is threading.current_thread()


async def test_many_blocking_parts_do_not_wait_for_each_other():
    began = time.monotonic()
    await asyncio.gather(*(call(time.sleep, 0.3) for _ in range(50)))
    assert time.monotonic() - began < 2


async def test_errors_of_a_plain_function_reach_the_caller():
    def fail():
        raise KeyError("x")

    def stop():
        raise StopIteration

    with pytest.raises(KeyError):
        await call(fail)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await call(stop)


async def test_cancelling_stops_waiting_for_a_plain_function():
    released = threading.Event()
    task = asyncio.create_task(call(released.wait, 30))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    released.set()
