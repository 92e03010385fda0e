"""The `autoremedy` command."""

import sys


def main() -> None:
    """Run the command; `exec` takes a short cut past everything that is slow to import."""
    if sys.argv[1:2] == ["exec"]:
        from cli.exec.wrapper import main as run_wrapped

        sys.exit(run_wrapped(sys.argv[2:]))
    from cli.commands import app

    app()
