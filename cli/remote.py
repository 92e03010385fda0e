"""The API as the command line sees it: answers as plain data, failures as one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

import httpx
import typer

from cli.exec.config import read_config
from cli.terminal import complain

PAGE = 100


class Remote:
    """One API at one address."""

    def __init__(self, url: str | None = None, timeout_seconds: float = 30.0) -> None:
        self.url = (url or read_config().url).rstrip("/")
        # Proxy variables are for the internet; our own API must not be asked for through one.
        self._client = httpx.Client(timeout=httpx.Timeout(timeout_seconds, connect=5.0), trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON at a path; ends the program with a sentence when that is not possible."""
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        return self._json(self.request("GET", path, params=given))

    def post(self, path: str, content: Any) -> Any:
        """Post JSON and return the answer; ends the program with a sentence when that is not possible."""
        return self._json(self.request("POST", path, json=content))

    def pages(self, path: str, name: str, limit: int, parameters: Mapping[str, Any]) -> Iterator[Any]:
        """Yield up to `limit` entries, page by page."""
        cursor = None
        while limit > 0:
            page = self.get(path, {**parameters, "limit": min(limit, PAGE), "cursor": cursor})
            yield from page[name]
            limit -= len(page[name])
            cursor = page.get("next_cursor")
            if cursor is None or not page[name]:
                return

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request and return the answer, whatever its status."""
        try:
            return self._client.request(method, self.url + path, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            complain(
                f"AutoRemedy does not answer at {self.url} ({reason}). "
                "Start it, or say where it is with --url or AUTOREMEDY_URL."
            )
            raise typer.Exit(1) from None

    def _json(self, response: httpx.Response) -> Any:
        if not response.is_success:
            self.refuse(response)
        try:
            return response.json()
        except ValueError:
            complain(f"{self.url} answered with something that is not JSON; is it AutoRemedy?")
            raise typer.Exit(1) from None

    def refuse(self, response: httpx.Response) -> NoReturn:
        """End the program with what the API said."""
        complain(f"{self.url} said {problem_in(response)}")
        raise typer.Exit(1)


def problem_in(response: httpx.Response) -> str:
    """Return an error answer in one sentence, with each field that is wrong."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return f"{response.status_code} {response.reason_phrase}"
    said = f"{response.status_code}: {problem.get('detail') or problem.get('title') or response.reason_phrase}"
    for error in problem.get("errors") or ():
        where = error.get("pointer") or error.get("parameter") or "/"
        line = f"{where}: {error.get('message')}"
        if line not in said:
            said += f"\n  {line}"
    wait = response.headers.get("retry-after")
    return f"{said} (try again in {wait} s)" if wait else said
