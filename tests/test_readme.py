"""The README is true to the letter: its commands are run as printed, its settings are read."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import load_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ELSEWHERE = ("git clone", "make run", "docker compose", "REDIS_URL=")
"""Beginnings of commands that other tests run: the programs themselves, and the containers."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Return the commands of all bash blocks, continued lines and quoted bodies joined."""
    found: list[str] = []
    for block in blocks("bash"):
        joined = ""
        for line in block.splitlines():
            joined += line + "\n"
            if joined.count("'") % 2 == 0 and not line.endswith("\\"):
                found.append(joined.strip())
                joined = ""
    return [command for command in found if command]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A running AutoRemedy with the shipped settings, but for its port and the lab."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copy(ROOT / "config.yaml", folder)
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = int(server.getsockname()[1])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": str(number)}
    with (folder / "log").open("wb") as output:
        program = subprocess.Popen(
            [sys.executable, str(ROOT / "main.py")],
            cwd=folder,
            env={**environment, "AUTOREMEDY_LAB__ENABLED": "false", "AUTOREMEDY_LLM__ENABLED": "false"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            ends = time.monotonic() + 90
            while time.monotonic() < ends and "worker.started" not in (folder / "log").read_text():
                time.sleep(0.1)
            yield number
        finally:
            program.send_signal(signal.SIGTERM)
            assert program.wait(30) == 0


def run(command: str, port: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a README command as printed, but for the places where things lie on this machine."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "AUTOREMEDY_URL": f"http://127.0.0.1:{port}",
    }
    here = command.replace(".venv/bin/autoremedy", f"{sys.executable} -m cli").replace(":8000", f":{port}")
    return subprocess.run(["/bin/bash", "-c", here], env=environment, cwd=folder, capture_output=True, text=True)


def test_every_command_of_the_readme_works(port: int, tmp_path: Path) -> None:
    (tmp_path / "some.log").write_text("connect to db: Connection refused\n")
    event_id = ""
    ran = 0
    for command in commands():
        if command.startswith(ELSEWHERE):
            continue
        done = run(command.replace("/path/to/some.log", "some.log").replace("EVENT_ID", event_id), port, tmp_path)
        expected = 2 if " exec " in command else 0  # tar's own exit code comes through
        assert done.returncode == expected, f"{command}\n{done.stdout}{done.stderr}"
        if " exec " in command:
            assert "tar:" in done.stderr
        if " history --limit 1 " in command:
            assert "disk_full" in done.stdout
            event_id = done.stdout.split()[-1]
        ran += 1
    assert ran >= 5, "the README has commands to run"
    assert event_id


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_piece_of_settings_is_accepted(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("version: 1\n" + text)
    load_settings(file, environ={})


def test_every_link_leads_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
