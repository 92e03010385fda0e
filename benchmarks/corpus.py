"""Run the rules over a folder of labelled failures and print how often they are right.

usage: python benchmarks/corpus.py FOLDER [--errors N] [--only ID] [--leave-out] [--full]

FOLDER holds `failures_dev.jsonl` (or other `*.jsonl` of that form) and `score.py`. No model is asked.
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
from agentic.reasoning.signatures import BUILT_IN
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
    parser.add_argument("folder", type=Path)
    parser.add_argument("--errors", type=int, default=0, help="show so many wrong answers")
    parser.add_argument("--only", help="show the prediction of one case")
    parser.add_argument("--full", action="store_true", help="print all the scorer's figures too")
    parser.add_argument("--leave-out", action="store_true", help="print what is right without parts of the knowledge")
    options = parser.parse_args()
    found = _case_file(options.folder)
    if found is None:
        print(
            f"{options.folder} holds no labelled failures: a folder with failures_dev.jsonl and score.py is needed. "
            "It is not part of this repository; name yours with `make corpus CORPUS=DIR`.",
            file=sys.stderr,
        )
        return 2
    cases = [json.loads(line) for line in found.read_text(encoding="utf-8").splitlines() if line.strip()]
    rules, redactor = Rules(), Redactor()
    started = time.process_time()
    predictions = [predict(case, rules, redactor) for case in cases]
    seconds = time.process_time() - started
    if options.only:
        print(json.dumps([p | {"redacted": None} for p in predictions if p["id"] == options.only], indent=1))
        return 0
    scored = _score(found, predictions, show=options.full)
    _table(scored, cases, predictions)
    print(f"{len(cases)} cases, {1000 * seconds / len(cases):.1f} ms of processor time each\n")
    _reliability(cases, predictions)
    _errors(cases, predictions, options.errors)
    if options.leave_out:
        _leave_out(cases, predictions, redactor)
    return 0


def _case_file(folder: Path) -> Path | None:
    if not folder.is_dir() or not (folder / "score.py").is_file():
        return None
    named = folder / "failures_dev.jsonl"
    return named if named.is_file() else next(iter(sorted(folder.glob("*.jsonl"))), None)


def _score(cases: Path, predictions: list[dict[str, Any]], *, show: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        answers = Path(scratch) / "predictions.jsonl"
        answers.write_text("".join(json.dumps(p) + "\n" for p in predictions), encoding="utf-8")
        argv = [sys.executable, str(cases.parent / "score.py"), "--pred", str(answers), "--cases", str(cases)]
        if show:
            subprocess.run(argv, check=True)
        done = subprocess.run([*argv, "--json"], check=True, capture_output=True)
    scored: dict[str, Any] = json.loads(done.stdout)
    return scored


def _table(scored: dict[str, Any], cases: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> None:
    """Print the figures that are promised, with what they count."""
    whole = scored["all"]
    for name, figure in (
        ("category accuracy", whole["category_accuracy"]),
        ("evidence hit@3", whole["evidence_hit@3"]),
        ("action_specific@1", whole["action_specific@1"]),
        ("unsafe_action_any", whole["unsafe_action_any"]),
        ("secret recall", scored["redaction"]["secret_recall"]),
    ):
        if not figure["n"]:
            print(f"{name:24}     -    nothing of it in this folder")
            continue
        low, high = figure["ci95"]
        interval = f"95 % interval {100 * low:.0f}-{100 * high:.0f} %"
        print(f"{name:24} {100 * figure['value']:5.1f} %  {figure['k']} of {figure['n']}, {interval}")
    print(f"{'macro F1':24} {scored['category_macro_f1']:5.3f}")
    changed, clean = _clean_lines_changed(cases, predictions)
    print(f"{'clean lines changed':24} {changed:5}    of {clean}")
    followed, tempted = _injections(cases, predictions)
    print(f"{'injections followed':24} {followed:5}    of {tempted}")


def _clean_lines_changed(cases: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> tuple[int, int]:
    """Count the lines without any planted secret that redaction changed, and all such lines."""
    changed = clean = 0
    for case, prediction in zip(cases, predictions, strict=True):
        secrets = case.get("secrets") or []
        for before, after in zip(case["log"], prediction["redacted"], strict=True):
            if not any(secret in before for secret in secrets):
                clean += 1
                changed += before != after
    return changed, clean


def _injections(cases: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> tuple[int, int]:
    """Count the logs that try to steer their reader, and those with which that changed the answer for the worse."""
    followed = tempted = 0
    for case, prediction in zip(cases, predictions, strict=True):
        kinds = case.get("hard_kind") or []
        if "prompt_injection" not in ([kinds] if isinstance(kinds, str) else kinds):
            continue
        tempted += 1
        right = {case["category"], *(case.get("also_acceptable_categories") or [])}
        unsafe = set(case.get("unacceptable_actions") or []) & set(prediction["actions"])
        followed += prediction["category"] not in right or bool(unsafe)
    return followed, tempted


def _reliability(cases: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> None:
    """Print how often the rules are right at each level of confidence."""
    print("confidence   right     of  share")
    for low, high in ((90, 100), (80, 89), (70, 79), (60, 69), (50, 59), (0, 49)):
        chosen = [
            case["category"] == p["category"]
            for case, p in zip(cases, predictions, strict=True)
            if low <= p["confidence"] <= high
        ]
        if chosen:
            print(f"{low:4} to {high:3} {sum(chosen):8} {len(chosen):6} {100 * sum(chosen) / len(chosen):4.0f} %")


def _errors(cases: list[dict[str, Any]], predictions: list[dict[str, Any]], most: int) -> None:
    for case, prediction in zip(cases, predictions, strict=True):
        right = case["category"] == prediction["category"]
        hit = set(case["evidence"]) & set(prediction["evidence"][:3])
        if most and (not right or not hit):
            most -= 1
            print(
                f"{case['id']} {case['category']} -> {prediction['category']} {prediction['confidence']} "
                f"{prediction['source']} evidence {prediction['evidence'][:3]} of {case['evidence'][:4]}"
            )


def _leave_out(cases: list[dict[str, Any]], predictions: list[dict[str, Any]], redactor: Redactor) -> None:
    """Print what is still right without each file of knowledge, and without the signature that decided each case.

    A stand-in for failures never seen: a right answer that hangs on one signature was perhaps written for its log.
    """
    print("\nwithout file        right  only this file knew")
    for path in sorted(BUILT_IN.glob("*.yaml")):
        rules = Rules(leave_out=[path.stem])
        without = [predict(case, rules, redactor) for case in cases]
        right = sum(_right(case, p) for case, p in zip(cases, without, strict=True))
        before = sum(_right(case, p) for case, p in zip(cases, predictions, strict=True))
        print(f"{path.stem:18} {100 * right / len(cases):4.0f} %  {before - right}")
    by_name: dict[str, list[dict[str, Any]]] = {}
    for case, prediction in zip(cases, predictions, strict=True):
        if _right(case, prediction) and prediction["source"].startswith("rule:"):
            by_name.setdefault(prediction["source"].removeprefix("rule:"), []).append(case)
    kept = total = 0
    alone: list[str] = []
    for name, decided in sorted(by_name.items()):
        rules = Rules(leave_out=[name])
        still = [_right(case, predict(case, rules, redactor)) for case in decided]
        kept, total = kept + sum(still), total + len(still)
        if not all(still):
            alone.append(f"{name} ({len(still) - sum(still)})")
    print(f"\nright without the signature that decided: {kept} of {total}")
    print(f"known by one signature alone: {', '.join(alone) or 'none'}")


def _right(case: dict[str, Any], prediction: dict[str, Any]) -> bool:
    return bool(case["category"] == prediction["category"])


if __name__ == "__main__":
    sys.exit(main())
