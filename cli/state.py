"""What every command is given by the options before its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cli.remote import Remote

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


@dataclass(frozen=True)
class State:
    """The global options."""

    url: str | None = None

    def remote(self, timeout_seconds: float = 30.0) -> Remote:
        """Return the API that was asked for."""
        from cli.remote import Remote

        return Remote(self.url, timeout_seconds)


def remote_of(context: typer.Context, timeout_seconds: float = 30.0) -> Remote:
    """Return the API that this call of the program is about."""
    root = context.find_root()
    state: State = root.obj
    remote = state.remote(timeout_seconds)
    root.call_on_close(remote.close)
    return remote
