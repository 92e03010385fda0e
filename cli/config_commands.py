"""Checking and showing the configuration, and its JSON Schema for editors."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.state import AsJson
from cli.terminal import clean, clean_lines, print_json

if TYPE_CHECKING:
    from config import Settings

config = typer.Typer(help="Check and show the configuration.", no_args_is_help=True)

CONFIG_ERROR = 78
"""EX_CONFIG of sysexits.h."""
SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"

File = Annotated[
    Path | None, typer.Argument(help="Default: AUTOREMEDY_CONFIG, else ./config.yaml.", show_default=False)
]


def settings_of(file: Path | None) -> Settings:
    """Return the settings; ends the program with a line for each mistake."""
    from config import load_settings

    with config_errors():
        return load_settings(file)


@contextlib.contextmanager
def config_errors() -> Iterator[None]:
    """End the program with a line for each mistake in the configuration."""
    from agentic.errors import ConfigError

    try:
        yield
    except ConfigError as error:
        print(clean_lines(str(error)), file=sys.stderr)
        raise typer.Exit(CONFIG_ERROR) from None


@config.command()
def check(file: File = None) -> None:
    """Say whether the configuration is right, and where it is not: all that a worker would refuse at its start."""
    with config_errors():
        settings, warnings = checked(file)
    for warning in warnings:
        print(clean_lines(warning), file=sys.stderr)
    many = "" if not warnings else f" ({len(warnings)} warning{'' if len(warnings) == 1 else 's'})"
    print(f"ok: {clean(in_words(settings))}{many}")


def checked(file: Path | None = None) -> tuple[Settings, list[str]]:
    """Read the settings and build every part of them as a worker does, connecting nowhere.

    Returns them with what looks odd without being wrong. Raises ConfigError with a line for each mistake.
    """
    from config import load_settings, worker_environment
    from settings.parts import build_parts

    settings = load_settings(file)
    build_parts(settings, worker_environment())
    return settings, list(_absent_programs(settings))


def in_words(settings: Settings) -> str:
    """Say which file was read."""
    return settings.file() or "no config.yaml here; the built-in settings hold"


def _absent_programs(settings: Settings) -> Iterator[str]:
    """Yield a line for each program that does not exist here; it may where the worker runs."""
    from settings.parts import calls_of

    for path, action in calls_of(settings):
        argv = action.settings.get("argv") if action.effector == "command" else None
        if not argv:
            continue
        program = Path(argv[0])
        if not program.is_file():
            what = "does not exist on this machine"
        elif not os.access(program, os.X_OK):
            what = "may not be run by this user on this machine"
        else:
            continue
        yield settings.located((*path, "argv", 0), f"warning: {program} {what}; it has to where the worker runs")


@config.command()
def schema() -> None:
    """Write the JSON Schema of config.yaml, for editors."""
    sys.stdout.write(schema_text())


def schema_text() -> str:
    """Return the JSON Schema as it lies in schema/config.schema.json."""
    from settings.models import Settings

    content = Settings.model_json_schema(by_alias=True)
    content = {"$schema": SCHEMA_ID, **content, "title": "AutoRemedy config.yaml"}
    return json.dumps(content, indent=2) + "\n"


@config.command()
def show(file: File = None, as_json: AsJson = False) -> None:
    """Show the configuration in force, defaults and environment included, without its secrets."""
    import yaml

    from agentic.digest import Redactor
    from settings.secrets import secret_patterns

    settings = settings_of(file)
    redactor = Redactor(secret_patterns(settings))
    plain: dict[str, Any] = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    redaction = plain.pop("redaction")  # patterns that find secrets look like secrets
    if "key" in redaction:
        redaction["key"] = "[hidden]"
    shown = {**redactor.value(plain), "redaction": redaction}
    if as_json:
        print_json(shown)
    else:
        print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")
