"""`autoremedy eval`: rules, model and both on labelled failures, so that a model can be chosen by numbers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.state import AsJson
from cli.terminal import clean, complain, print_json, quiet_logs

if TYPE_CHECKING:
    from cli.eval.cases import Case
    from cli.eval.results import Result, ResultFile, Run
    from cli.eval.running import Bench
    from cli.eval.scoring import Figures, Share
    from config import Settings
    from llm import ServerState

INCOMPLETE, USAGE_ERROR, INTERRUPTED = 1, 2, 130
EXAMPLES = 100
"""Cases taken of the shipped examples when no folder is named."""

Price = tuple[float, float]


def evaluate(
    corpus: Annotated[
        Path | None, typer.Option(help="Folder of labelled failures; default: examples of the shipped rules.")
    ] = None,
    model_only: Annotated[bool, typer.Option("--model-only", help="Only what the model says by itself.")] = False,
    rules_only: Annotated[bool, typer.Option("--rules-only", help="Only what the rules say.")] = False,
    both: Annotated[bool, typer.Option("--both", help="Only rules first and the model where they are unsure.")] = False,
    out: Annotated[
        Path, typer.Option(help="Results, a line a case. A run that was stopped goes on from there.")
    ] = Path("autoremedy-eval.jsonl"),
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many cases, spread over the folder.")] = None,
    price_per_million_tokens: Annotated[
        str | None, typer.Option(metavar="IN,OUT", help="Price of a million tokens read and written.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Default: AUTOREMEDY_CONFIG, else ./config.yaml.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure rules, model and both on labelled failures: how often right, how safe, how fast, at what cost.

    Exit code 0: every case has its result; 1: some have none (run the same again); 2: it could not be measured.
    """
    from cli.config_commands import settings_of
    from cli.eval.cases import CaseError
    from cli.eval.running import MODES

    chosen = [mode for mode, wanted in zip(MODES, (rules_only, model_only, both), strict=True) if wanted] or [*MODES]
    price = _price(price_per_million_tokens)
    settings = settings_of(config)
    try:
        with quiet_logs():
            measured = asyncio.run(_measure(settings, corpus, limit, out, chosen))
    except (CaseError, OSError) as error:
        complain(str(error))
        raise typer.Exit(USAGE_ERROR) from None
    except KeyboardInterrupt:
        complain(f"stopped; what is done stands in {out}, and the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    measured.show(price, as_json)
    if not measured.complete:
        raise typer.Exit(INCOMPLETE)


class _Measured:
    """What was measured, for printing."""

    def __init__(self, cases: Sequence[Case], file: ResultFile) -> None:
        self._cases = cases
        self._file = file
        self.runs: list[tuple[Run, ServerState | None]] = []
        self.complaints: list[str] = []

    @property
    def complete(self) -> bool:
        """Every case has a result in every run that was asked for."""
        return not self.complaints

    def show(self, price: Price | None, as_json: bool) -> None:
        """Write the figures; what has no result is said on stderr."""
        from cli.eval.scoring import figures

        found = [(run, state, figures(self._cases, self._results(run), price)) for run, state in self.runs]
        if as_json:
            runs = [_run_as_json(run, state, figure) for run, state, figure in found]
            print_json({"cases": len(self._cases), "out": str(self._file.path), "runs": runs})
        elif found:
            _table(len(self._cases), found)
        for sentence in self.complaints:
            complain(sentence)

    def check(self, run: Run, stopped_by: str | None) -> None:
        """Note what a run still lacks."""
        results = self._results(run)
        failed = sum(result.error is not None for result in results.values())
        missing = len(self._cases) - len(results)
        if stopped_by is not None:
            advice = _advice(stopped_by)
            self.complaints.append(f"{run.mode}: stopped after three errors in a row ({stopped_by}): {advice}")
        if failed or missing:
            self.complaints.append(
                f"{run.mode}: {failed} of {len(self._cases)} cases ended with an error of the server and {missing} "
                "were not put; run the same command again to ask them"
            )

    def _results(self, run: Run) -> Mapping[str, Result]:
        return self._file.results(run, self._cases)


async def _measure(
    settings: Settings, corpus: Path | None, limit: int | None, out: Path, modes: Sequence[str]
) -> _Measured:
    from agentic.reasoning.rules import Rules
    from cli.eval.cases import cases_of, examples_of, not_kinds, spread
    from cli.eval.results import ResultFile
    from cli.eval.running import Bench
    from config import worker_environment
    from settings.offline import offline

    found = cases_of(corpus) if corpus is not None else examples_of(Rules().signatures)
    cases = spread(found, limit if corpus is not None else limit or EXAMPLES)
    if unknown := not_kinds(cases):
        complain(f"no kind of action, so never found unsafe: {', '.join(map(clean, unknown))} (unacceptable_actions)")
    # The checks that the model may ask for look at this machine, which the cases know nothing of.
    own = offline(settings, worker_environment(), use_model=modes != ["rules"], instead={"probes": ()})
    bench = Bench(settings, own, cases, ResultFile(out))
    measured = _Measured(cases, bench.file)
    if bench.file.unreadable:
        complain(f"{bench.file.unreadable} lines of {out} cannot be read and are passed over")
    try:
        for mode in modes:
            await _run(bench, mode, measured)
    finally:
        await own.close()
    return measured


async def _run(bench: Bench, mode: str, measured: _Measured) -> None:
    state = await bench.look() if mode != "rules" else None
    if mode != "rules" and (state is None or not state.ready):
        why = f"{state.kind}: {state.detail}. {state.advice}" if state else "`reasoning` has no llm"
        measured.complaints.append(f"{mode}: the model cannot be asked: {why}")
        return
    run = bench.run_of(mode, state)
    measured.runs.append((run, state))
    with _progress(mode, len(bench.cases)) as advance:
        stopped_by = await bench.measure(run, advance)
    measured.check(run, stopped_by)


@contextmanager
def _progress(mode: str, total: int) -> Iterator[Callable[[Result], None]]:
    """Show a bar where a person is looking."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(mode, total=total)
        yield lambda result: bar.advance(task, 0 if result.error else 1)


def _advice(kind: str) -> str:
    from llm.errors import ADVICE, Kind

    return ADVICE[Kind(kind)]


def _price(told: str | None) -> Price | None:
    if told is None:
        return None
    try:
        prompt, completion = map(float, told.split(","))
    except ValueError:
        raise typer.BadParameter("write two prices, such as --price-per-million-tokens 0.15,0.60") from None
    if not (0 <= prompt < float("inf") and 0 <= completion < float("inf")):
        raise typer.BadParameter("a price is a number from 0 on")
    return prompt, completion


def _run_as_json(run: Run, state: ServerState | None, found: Figures) -> dict[str, Any]:
    content = asdict(found)
    for name in ("accuracy", "accepted", "evidence_at_1", "evidence_at_3", "unsafe", "unknown", "asked"):
        share: Share = getattr(found, name)
        content[name] = {"value": share.value, "hits": share.hits, "of": share.of, "interval_95": share.interval}
    server = {"server": state.server, "context_tokens": state.context_tokens} if state else {}
    return {"mode": run.mode, "run": run.id, "model": run.model, **server, **content}


def _table(total: int, found: Sequence[tuple[Run, ServerState | None, Figures]]) -> None:
    from cli.pages import table
    from cli.terminal import console

    rows = [(name, *(tell(figure) for _, _, figure in found)) for name, tell in _ROWS]
    out = console()
    out.print(table((f"{total} cases", *(run.mode for run, _, _ in found)), rows, keep=range(len(found) + 1)))
    for run, state, _ in found:
        if state is not None:
            context = f", {state.context_tokens} tokens of context" if state.context_tokens else ""
            out.print(f"{run.mode}: {clean(run.model)} on {clean(state.server)}{context}", style="dim", soft_wrap=True)
    if any(figure.asked.hits for _, _, figure in found):
        out.print(
            "Tokens, seconds and cost are of failures of as many kinds: a kind that was answered is not asked again.",
            style="dim",
            soft_wrap=True,
        )


def _percent(share: Share) -> str:
    if share.value is None or share.interval is None:
        return "-"
    low, high = share.interval
    return f"{100 * share.value:.1f} % ({share.hits} of {share.of}; {100 * low:.0f} to {100 * high:.0f})"


def _count(share: Share) -> str:
    return f"{share.hits} of {share.of}" if share.of else "-"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _kinds(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items())) or "0"


_ROWS: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("scored", lambda f: str(f.cases)),
    ("errors of the server", lambda f: _kinds(f.errors)),
    ("category right", lambda f: _percent(f.accuracy)),
    ("  or acceptable", lambda f: _percent(f.accepted)),
    ("macro F1", lambda f: _number(f.macro_f1, ".3f")),
    ("evidence hit@1", lambda f: _percent(f.evidence_at_1)),
    ("evidence hit@3", lambda f: _percent(f.evidence_at_3)),
    ("unsafe actions", lambda f: _count(f.unsafe)),
    ("needless unknowns", lambda f: _count(f.unknown)),
    ("asked the model", lambda f: _count(f.asked)),
    ("unusable answers", lambda f: _kinds(f.unusable)),
    ("tokens in / out a case", lambda f: f"{_number(f.prompt_tokens, '.0f')} / {_number(f.completion_tokens, '.0f')}"),
    ("seconds a case, median", lambda f: _number(f.seconds_median, ".3f")),
    ("seconds a case, p95", lambda f: _number(f.seconds_p95, ".3f")),
    ("machine seconds, 1,000 events", lambda f: _number(f.seconds_per_1000, ",.0f")),
    ("cost, 1,000 events", lambda f: _number(f.cost_per_1000, ",.4g")),
)
