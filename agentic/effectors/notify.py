"""Tells people, over the channels the operator configured."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from agentic.contracts import Effector, EffectRequest, EffectResult, Proposal
from agentic.effectors.output import one_line, plain
from agentic.errors import ConfigError
from agentic.planning import TELLING_KINDS
from agentic.registry import call
from agentic.types import Action, ActionKind, Diagnosis, Step, Verdict
from notifications import Message, Notifier, NotifyError, Severity

QUOTED_LINES = 3
KEYS = frozenset({"channels", "message", "delay_seconds"})


class Notify(Effector):
    """Hands one message to every channel, or to those in `channels`; done when at least one took it."""

    def __init__(self, *, notifiers: Mapping[str, Notifier], link_base: str | None = None) -> None:
        self._notifiers = notifiers
        self._link_base = link_base.rstrip("/") if link_base else None

    async def execute(self, request: EffectRequest) -> EffectResult:
        """Send the message to all its channels at once."""
        names = self._channels(request)
        if request.dry_run:
            return EffectResult.rehearsed(f"would {self.preview(request)}")
        if not names:
            return EffectResult.failed("no channel is configured; add one under `notifications:`")
        message = message_for(request, self._link_base)
        failures = await asyncio.gather(*(self._send(name, message, request.timeout_seconds) for name in names))
        reached = [name for name, failure in zip(names, failures, strict=True) if failure is None]
        missed = [f"{name}: {failure}" for name, failure in zip(names, failures, strict=True) if failure]
        said = "; ".join(([f"told {', '.join(reached)}"] if reached else []) + missed)
        return EffectResult.done(said) if reached else EffectResult.failed(said)

    def preview(self, request: EffectRequest) -> str:
        """Say which channels would be told what."""
        channels = ", ".join(self._channels(request)) or "nobody (no channel is configured)"
        return f"tell {channels}: {one_line(_title(request))}"

    def check(self, action: Action) -> None:
        """Raise ConfigError when the action names a channel that does not exist."""
        for key in action.settings:
            if key not in KEYS:
                raise ConfigError(f"{key}: the notify effector does not know this key; it knows channels, message")
        for name in action.settings.get("channels", ()):
            if name not in self._notifiers:
                known = ", ".join(self._notifiers) or "none"
                raise ConfigError(f"channels: there is no channel {name!r} under `notifications`; known: {known}")

    def _channels(self, request: EffectRequest) -> Sequence[str]:
        wanted: Sequence[str] = request.action.settings.get("channels") or list(self._notifiers)
        return [name for name in wanted if name in self._notifiers]

    async def _send(self, name: str, message: Message, timeout_seconds: float) -> str | None:
        """Send over one channel: None, or why it failed. A channel of the operator's own may raise anything."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await call(self._notifiers[name].send, message)
        except TimeoutError:
            return f"took longer than {timeout_seconds:g} s"
        except NotifyError as error:
            return one_line(str(error))
        except Exception as error:  # noqa: BLE001 - one broken channel must not keep the others from being told
            return one_line(f"{type(error).__name__}: {error}")
        return None


def message_for(request: EffectRequest, link_base: str | None = None) -> Message:
    """Return what a person woken by it needs: what, why with the proving lines, what was done, what is asked."""
    event, diagnosis = request.event, request.diagnosis
    asks = request.action.kind is ActionKind.ESCALATE_TO_HUMAN
    category = diagnosis.category.value if diagnosis else ""
    body = [plain(request.action.settings.get("message", ""))]
    body += _cause(diagnosis)
    body += [f"Line {quoted.line}: {one_line(quoted.text, 300)}" for quoted in request.evidence[:QUOTED_LINES]]
    body += [f"{done.name}: {done.status.value}. {one_line(done.detail, 200)}" for done in request.outcomes]
    if request.proposal is not None:
        body += _asked(request.proposal, event.event_id)
    elif asks:
        body.append("Please look at it: nothing more happens by itself.")
    facts = {"run": event.run_id, "host": event.host, "exit code": event.exit_code}
    return Message(
        title=_title(request),
        body="\n".join(line for line in body if line),
        severity=Severity.ERROR if asks else Severity.WARNING,
        event_id=event.event_id,
        job_id=event.job_id,
        category=category,
        links={"incident": f"{link_base}/incidents/{event.event_id}"} if link_base else {},
        fields={name: str(value) for name, value in facts.items() if value is not None},
        id=request.key,
    )


def _title(request: EffectRequest) -> str:
    event, diagnosis = request.event, request.diagnosis
    what = f", {diagnosis.category.replace('_', ' ')}" if diagnosis else ""
    return f"{event.job_id}: {event.status}{what}{', a plan waits for you' if request.proposal else ''}"


def _asked(proposal: Proposal, event_id: str) -> list[str]:
    """Say what would be run, word for word, and how to allow or forbid it."""
    steps = [step for step in proposal.steps if step.decision in (Verdict.ASK, Verdict.AUTO)]
    remedies = [step for step in steps if step.kind not in TELLING_KINDS]
    return [
        "To be approved:",
        *(line for step in remedies for line in _in_words(step)),
        f"Until {proposal.until:%Y-%m-%d %H:%M} UTC: autoremedy approve {event_id}",
        f"or: autoremedy reject {event_id}",
    ]


def _in_words(step: Step) -> Iterator[str]:
    yield f"  {step.step}. {step.name}: {one_line(step.preview or step.name, 300)}"
    if step.undo:
        yield f"     should it not help: {one_line(step.undo, 300)}"


def _cause(diagnosis: Diagnosis | None) -> list[str]:
    if diagnosis is None or diagnosis.source == "none":
        return [one_line(diagnosis.root_cause, 300) if diagnosis else "The cause is not known."]
    return [f"{one_line(diagnosis.root_cause, 300)} ({diagnosis.confidence} % sure, {diagnosis.source})"]
