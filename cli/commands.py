"""The commands. Each imports what it needs when it runs, so that `--help` comes at once."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.approval_commands import approve, reject
from cli.config_commands import config
from cli.diagnose_command import diagnose
from cli.doctor_command import doctor
from cli.eval_command import evaluate
from cli.event_commands import events
from cli.history_commands import dead, feedback, history, incidents, jobs, pause, resume, status
from cli.replay_command import replay
from cli.state import State

app = typer.Typer(
    name="autoremedy",
    help="Self-healing for batch jobs: what failed, why, and what was done about it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(help="Where AutoRemedy listens (default: AUTOREMEDY_URL, else http://127.0.0.1:8000)."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and end.")
    ] = False,
) -> None:
    """Self-healing for batch jobs: what failed, why, and what was done about it."""
    context.obj = State(url)


@app.command(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    help="Run a command exactly as by itself, and report how it ended (autoremedy exec --help).",
)
def run_command(context: typer.Context) -> None:
    """Hand over to the wrapper; `autoremedy exec …` comes here only when an option stands before `exec`."""
    from cli.exec.wrapper import main as run_wrapped

    url = context.obj.url
    raise typer.Exit(run_wrapped([*(["--url", url] if url else []), *context.args]))


@app.command()
def version() -> None:
    """Print the version."""
    from agentic import __version__

    print(__version__)


app.command()(diagnose)
app.command()(doctor)
app.command()(replay)
app.command("eval")(evaluate)
app.command()(status)
app.command()(feedback)
app.command()(jobs)
app.command()(approve)
app.command()(reject)
app.command()(pause)
app.command()(resume)
app.add_typer(history, name="history")
app.add_typer(incidents, name="incidents")
app.add_typer(dead, name="dead")
app.add_typer(events, name="events")
app.add_typer(config, name="config")
