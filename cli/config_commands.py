"""Checking and showing the configuration, and its JSON Schema for editors."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.state import AsJson
from cli.terminal import clean_lines, print_json

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
    """Say whether the configuration is right, and where it is not."""
    settings_of(file)
    print("ok")


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

    settings = settings_of(file)
    redactor = Redactor(settings.redaction.patterns)
    plain: dict[str, Any] = settings.model_dump(mode="json", by_alias=True, exclude_none=True)
    patterns = plain.pop("redaction")  # patterns that find secrets look like secrets
    shown = {**redactor.value(plain), "redaction": patterns}
    if as_json:
        print_json(shown)
    else:
        print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), end="")
