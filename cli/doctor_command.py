"""`autoremedy doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.findings import Finding
from cli.state import AsJson, State
from cli.store_facts import keeps_in_words, pause_in_words, risks_of, server_in_words
from cli.terminal import clean, print_json

ADVICE = {
    "store": "Look at redis.url in config.yaml and whether that server runs.",
    "queue": "Start more workers: python -m agentic_worker.main",
    "workers": "Start one: python -m agentic_worker.main (python main.py runs everything in one).",
    "llm": "Start the model server, or set llm.enabled: false. Rules work without it.",
}
NEEDED = ("store", "queue", "workers")
"""Without one of these failures are not handled; anything else makes it only less good."""


def doctor(
    context: typer.Context,
    ask: Annotated[
        bool | None,
        typer.Option(
            "--ask/--no-ask",
            help="Put a small question to the model, however long it takes, or none. Default: one of "
            "20 seconds at most, unless that would make a model load.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check configuration, API, store, workers, model and waiting reports; one line each.

    The model is looked at from here, by config.yaml alone, so that this works while nothing else runs.
    """
    state: State = context.find_root().obj
    findings = [_configuration(), *_service(state.url), *_model(ask), _spool()]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    from rich.text import Text

    from cli.terminal import console

    styles = {"ok": "green", "warning": "yellow", "bad": "bold red"}
    out = console()
    for finding in findings:
        mark = Text(f"{finding.state:<8}", style=styles[finding.state])
        advice = f" {clean(finding.advice)}" if finding.advice else ""
        out.print(Text.assemble(mark, f"{finding.name:<9}", clean(finding.detail), advice), soft_wrap=True)


def _configuration() -> Finding:
    from agentic.errors import ConfigError
    from cli.config_commands import checked

    try:
        settings, warnings = checked()
    except ConfigError as error:
        first, *others = str(error).splitlines()
        more = f" (and {len(others)} more)" if others else ""
        return Finding("config", "bad", first + more, "Correct it; autoremedy config check lists everything.")
    if warnings:
        more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
        return Finding("config", "warning", warnings[0] + more, "autoremedy config check lists everything.")
    if settings.file() is None:
        return Finding("config", "ok", "There is no config.yaml here; the built-in settings hold.")
    return Finding("config", "ok", f"No mistake in {settings.file()}.")


def _model(ask: bool | None) -> list[Finding]:
    import asyncio

    from agentic.errors import ConfigError
    from cli.model_check import check_model
    from config import load_settings

    try:
        settings = load_settings()
    except ConfigError:
        return []  # what is wrong with it has been said
    return asyncio.run(check_model(settings.llm, ask))


def _service(url: str | None) -> list[Finding]:
    import httpx

    from cli.exec.config import read_config

    url = (url or read_config().url).rstrip("/")
    try:
        response = httpx.get(url + "/health", timeout=10.0, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        advice = "Start it (python main.py, or uvicorn api.main:app), or say where it is with --url or AUTOREMEDY_URL."
        return [Finding("api", "bad", f"No answer at {url} ({reason}).", advice + _other_port(url))]
    try:
        checks: dict[str, dict[str, Any]] = response.json()["checks"]
        found = [_check(name, checks[name]) for name in checks if name != "actions"]
    except (ValueError, KeyError, TypeError, AttributeError):
        detail = f"{url} answers {response.status_code}, but not as AutoRemedy does."
        return [Finding("api", "bad", detail, "Is something else listening there? Look at --url and AUTOREMEDY_URL.")]
    status = _status(url)
    store = status.get("store")
    if store:
        found = [_store(store) if one.name == "store" and one.state == "ok" else one for one in found]
    if status.get("paused"):
        detail = f"Automatic actions are paused {pause_in_words(status['paused'])}."
        found.append(Finding("actions", "warning", detail, "autoremedy resume allows them again."))
    return [Finding("api", "ok", f"Answers at {url}."), *found]


def _other_port(url: str) -> str:
    """Say where the settings have the API listen, should that be elsewhere on this machine."""
    import httpx

    from agentic.errors import ConfigError
    from config import load_settings

    try:
        port, asked = load_settings().api.port, httpx.URL(url)
    except (ConfigError, httpx.InvalidURL):
        return ""
    if asked.host not in ("127.0.0.1", "localhost") or asked.port in (None, port):
        return ""
    return f" The settings say port {port}: --url http://{asked.host}:{port}"


def _status(url: str) -> Mapping[str, Any]:
    """Return what the health check leaves out; nothing when it cannot be had, for which /health has the reason."""
    import httpx

    try:
        status = httpx.get(url + "/status", timeout=10.0, trust_env=False).raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


def _store(store: Mapping[str, Any]) -> Finding:
    risks = risks_of(store)
    server = server_in_words(store)
    if not risks:
        return Finding("store", "ok", f"{server} answers; {keeps_in_words(store)}.")
    return Finding("store", "warning", f"{server} answers; " + ". ".join(risk.rstrip(".") for risk in risks) + ".")


def _check(name: str, check: dict[str, Any]) -> Finding:
    detail = str(check.get("detail", ""))
    if check.get("ok"):
        return Finding(name, "ok", detail)
    return Finding(name, "bad" if name in NEEDED else "warning", detail, ADVICE.get(name, ""))


def _spool() -> Finding:
    from cli.exec.config import read_config
    from cli.exec.spool import Spool

    spool = Spool(read_config().spool_folders)
    waiting, rejected = len(spool.waiting()), spool.rejected()
    if rejected:
        detail = f"{len(rejected)} reports of this user were refused by the API, {waiting} wait."
        advice = f"The reasons lie in {rejected[0].parent}; autoremedy events flush --retry-rejected sends them again."
        return Finding("reports", "warning", detail, advice)
    if waiting:
        detail = f"{waiting} reports of this user wait on this machine."
        return Finding("reports", "warning", detail, "The next run sends them, or now: autoremedy events flush")
    return Finding("reports", "ok", "No report of this user waits on this machine.")
