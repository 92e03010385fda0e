"""What a user installs is what the project says: requirements, lock, commands."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SHIPPED = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
LOCK = (ROOT / "requirements.lock").read_text()
PINS = [Requirement(line) for line in re.findall(r"(?m)^([A-Za-z0-9][^\\\n]*?)\s*\\$", LOCK)]


def requirements_of(lines: list[str]) -> set[Requirement]:
    return {Requirement(line) for line in lines if line.strip() and not line.lstrip().startswith("#")}


def test_requirements_txt_says_the_same_as_the_project() -> None:
    written = requirements_of((ROOT / "requirements.txt").read_text().splitlines())

    assert written == requirements_of(PROJECT["project"]["dependencies"])


def test_every_requirement_is_locked_at_a_version_that_satisfies_it() -> None:
    locked = {canonicalize_name(pin.name): pin for pin in PINS}

    for wanted in requirements_of(PROJECT["project"]["dependencies"]):
        pin = locked[canonicalize_name(wanted.name)]
        (version,) = [spec.version for spec in pin.specifier]
        assert wanted.specifier.contains(version), f"{pin} does not satisfy {wanted}; run make lock"


def test_every_locked_package_is_pinned_exactly_and_has_hashes() -> None:
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", LOCK)[1:]

    assert len(blocks) == len(PINS) > 20
    for block in blocks:
        assert re.match(r"[\w.-]+==\S+", block), block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements.txt"])
def test_requirement_files_name_no_address(name: str) -> None:
    text = (ROOT / name).read_text()

    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links|--trusted-host", text)


def test_no_requirement_shares_a_name_with_a_package_of_ours() -> None:
    ours = {canonicalize_name(name) for name in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]}

    assert not ours & {canonicalize_name(pin.name) for pin in PINS}


def test_the_wheel_ships_every_package_of_ours() -> None:
    shipped = set(SHIPPED)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert packages <= shipped
    assert {"config.py", "main.py"} <= shipped


def test_the_licence_is_there_and_is_the_one_that_is_declared() -> None:
    assert PROJECT["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


# -- make -------------------------------------------------------------------------------------------

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed here")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", **environment}
    return subprocess.run(
        [str(shutil.which("make")), *arguments],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@needs_make
def test_make_alone_lists_the_commands(checkout: Path) -> None:
    shown = make(checkout)

    assert shown.returncode == 0
    assert {"install", "run", "test", "check", "bench", "lock"} <= set(re.findall(r"make (\w+)", shown.stdout))


@needs_make
def test_an_old_python_is_refused_in_words(checkout: Path) -> None:
    old = program(checkout / "old" / "python3", "#!/bin/sh\nexit 1\n")

    refused = make(checkout, "install", f"PYTHON={old}")

    assert refused.returncode != 0
    assert "AutoRemedy needs Python 3.11 or newer" in refused.stderr
    assert not (checkout / ".venv").exists()


@needs_make
def test_a_python_without_venv_is_refused_in_words(checkout: Path) -> None:
    half = program(
        checkout / "half" / "python3",
        f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"\n',
    )

    refused = make(checkout, "install", f"PYTHON={half}")

    assert refused.returncode != 0
    assert "cannot make virtual environments" in refused.stderr


@needs_make
def test_the_first_python_that_is_new_enough_is_taken(checkout: Path) -> None:
    old = program(checkout / "old" / "python3", "#!/bin/sh\nexit 1\n")

    made = make(checkout, ".venv/.venv", f"PYTHON={old} {sys.executable}")

    assert made.returncode == 0, made.stderr
    assert (checkout / ".venv/bin/python").exists()
    again = make(checkout, ".venv/.venv", f"PYTHON={old} {sys.executable}")
    assert "up to date" in again.stdout


@needs_make
@pytest.mark.parametrize("how", ["argument", "environment"])
def test_make_run_hands_the_port_to_the_program(checkout: Path, how: str) -> None:
    program(checkout / ".venv" / "bin" / "python", '#!/bin/sh\necho "$@" on "$PORT"\n')
    for stamp in (".venv", ".runtime"):
        (checkout / ".venv" / stamp).touch()

    ran = make(checkout, "run", "PORT=9123") if how == "argument" else make(checkout, "run", PORT="9123")

    assert "main.py on 9123" in ran.stdout


def test_continuous_integration_runs_the_same_commands_as_people() -> None:
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & stat.S_IXUSR
    text = script.read_text()
    assert "set -euo pipefail" in text
    assert "make check" in text
    assert "make test" in text
