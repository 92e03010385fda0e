"""Run the rules over a folder of labelled failures and print how often they are right.

usage: python benchmarks/corpus.py FOLDER [FOLDER ...] [--errors N] [--only ID]

Each FOLDER holds `failures_dev.jsonl` and `score.py`. No model is asked. The calibration is that of all together.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from agentic.digest import Redactor, digest_log
from agentic.planning import Planner
from agentic.reasoning.rules import Rules, unknown
from agentic.types import Decision, Event, EventStatus, Job, Situation


def predict(case: dict[str, Any], rules: Rules, redactor: Redactor) -> dict[str, Any]:
    """Return a prediction in the form the scorer reads, as the product would answer."""
    run = case["job"]
    log = redactor.lines(case["log"])
    command = redactor.text(run["command"]) if run["command"] else None
    event = Event(
        event_id=case["id"],
        job_id=run["name"],
        status=EventStatus.FAILED,
        log=tuple(log),
        command=command,
        exit_code=run["exit_code"],
    )
    digest = digest_log(log, exit_code=event.exit_code, command=command, context=event.job_id)
    situation = Situation(event=event, digest=digest, job=Job(id=event.job_id))
    decision = rules.decide(situation) or Decision(diagnosis=unknown(situation))
    diagnosis = decision.diagnosis
    return {
        "id": case["id"],
        "category": diagnosis.category.value,
        "evidence": list(diagnosis.evidence),
        "actions": [action.kind.value for action in Planner({}, {}).plan(decision, situation.job)],
        "confidence": diagnosis.confidence,
        "root_cause": diagnosis.root_cause,
        "source": diagnosis.source,
        "redacted": log,
    }


def main() -> int:
    """Predict, score, and show what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--errors", type=int, default=0)
    parser.add_argument("--only", help="show the prediction of one case")
    options = parser.parse_args()
    rules, redactor = Rules(), Redactor()
    answered: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for folder in options.folders:
        text = (folder / "failures_dev.jsonl").read_text(encoding="utf-8")
        cases = [json.loads(line) for line in text.splitlines() if line.strip()]
        started = time.perf_counter()
        predictions = [predict(case, rules, redactor) for case in cases]
        seconds = time.perf_counter() - started
        answered += zip(cases, predictions, strict=True)
        if not options.only:
            _score(folder, predictions)
            print(f"{len(cases)} cases, {1000 * seconds / len(cases):.1f} ms each")
    if options.only:
        print(json.dumps([p | {"redacted": None} for _, p in answered if p["id"] == options.only], indent=1))
        return 0
    _calibration(answered)
    _errors(answered, options.errors)
    return 0


def _score(folder: Path, predictions: list[dict[str, Any]]) -> None:
    """Print the figures of a folder's own scorer."""
    with tempfile.TemporaryDirectory() as scratch:
        answers = Path(scratch) / "predictions.jsonl"
        answers.write_text("".join(json.dumps(p) + "\n" for p in predictions), encoding="utf-8")
        subprocess.run([sys.executable, folder / "score.py", "--pred", answers], check=True)


def _errors(answered: list[tuple[dict[str, Any], dict[str, Any]]], most: int) -> None:
    """Print the cases with another category or without a proving line."""
    for case, prediction in answered:
        right = case["category"] == prediction["category"]
        hit = set(case["evidence"]) & set(prediction["evidence"][:3])
        if most and (not right or not hit):
            most -= 1
            print(
                f"{case['id']} {case['category']} -> {prediction['category']} {prediction['confidence']} "
                f"{prediction['source']} evidence {prediction['evidence'][:3]} of {case['evidence'][:4]}"
            )


def _calibration(answered: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """Print how often the rules are right at each level of confidence."""
    for low, high in ((0, 59), (60, 69), (70, 79), (80, 89), (90, 100)):
        chosen = [
            case["category"] == p["category"]
            for case, p in answered
            if low <= p["confidence"] <= high and p["source"] != "none"
        ]
        if chosen:
            print(f"confidence {low:3}-{high:3}: {sum(chosen)} of {len(chosen)} right")


if __name__ == "__main__":
    sys.exit(main())
