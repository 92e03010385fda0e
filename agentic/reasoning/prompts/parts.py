"""What a question to a model is made of: the menu, the checks, the facts of the run, the hints; all made harmless."""

from __future__ import annotations

from collections.abc import Sequence

from agentic.probing import Probe
from agentic.reasoning.prompts.untrusted import harmless
from agentic.types import Action, Precedent, Situation

LONG_MENU = 12
"""From here on the menu is shown without descriptions."""
MAX_PRECEDENTS = 3


def menu_text(menu: Sequence[Action]) -> str:
    """Return the remedies, numbered from 1."""
    rows = []
    for number, action in enumerate(menu, 1):
        row = f"{number}. {action.name}"
        if action.kind.value != action.name:
            row += f" [{action.kind}]"
        if len(menu) < LONG_MENU and action.description:
            row += f": {harmless(action.description, 100)}"
        rows.append(row)
    return "\n".join(rows) or "(empty: actions must be [])"


def probe_menu(probes: Sequence[Probe]) -> str:
    """Return the checks that may be asked for, numbered from 1, with how to; nothing when there are none."""
    if not probes:
        return ""
    rows = (f"{n}. {harmless(p.name, 60)}: {harmless(p.description, 100)}" for n, p in enumerate(probes, 1))
    return "\nIf one of these checks would decide, put its number into need; otherwise 0.\n" + "\n".join(rows)


def facts(situation: Situation) -> str:
    """Return what was reported of the run, one fact a line; all of it is untrusted."""
    event = situation.event
    facts = {
        "job": event.job_id,
        "status": event.status.value,
        "exit code": event.exit_code,
        "command": event.command,
        "seconds": round(event.duration_seconds) if event.duration_seconds is not None else None,
        "lines in the log": situation.digest.total_lines,
    }
    return "\n".join(f"{name}: {harmless(str(value), 200)}" for name, value in facts.items() if value is not None)


def hints(situation: Situation) -> str:
    """Return what rules and earlier incidents say, in words of our own only."""
    hints = []
    if situation.suspicion is not None:
        suspected = situation.suspicion.diagnosis
        where = ", ".join(str(line) for line in suspected.evidence[:5])
        hints.append(
            f"A rule suspects {suspected.category}{f' because of line {where}' if where else ''}; it is not sure."
        )
    hints += [_precedent(precedent) for precedent in situation.precedents[:MAX_PRECEDENTS]]
    return "".join(f"\n{hint}" for hint in hints)


def _precedent(precedent: Precedent) -> str:
    tried = ", ".join(harmless(name, 60) for name in precedent.tried[:4]) or "nothing"
    hint = f"An earlier failure that looked the same was {precedent.category}; tried: {tried}; it ended "
    hint += "healed." if precedent.verified else f"{harmless(precedent.status, 20)}."
    for said in precedent.feedback[-1:]:
        if said.verdict in ("right", "wrong", "partly"):
            hint += f" A person called that {said.verdict}."
        if said.correct_category is not None:
            hint += f" A person corrected it to {said.correct_category}."
    return hint
