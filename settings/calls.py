"""What an effector may be told to do: actions, checks, reruns and the model's probes, as they are written."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from agentic.types import Action, ActionKind, Check, Risk
from settings.section import Seconds, Section, Switch


class EffectorCall(Section):
    """What an effector is to do; which keys apply depends on the effector."""

    effector: str | None = Field(None, description="command | http | rerun | notify, or a name from `effectors`")
    argv: list[str] | None = Field(
        None, description="command: program (absolute path) and arguments; no shell is involved"
    )
    cwd: str | None = Field(None, description="command: folder to run in")
    env: dict[str, str] | None = Field(None, description="command: environment besides PATH, HOME, LANG and TZ")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = Field(None, description="http: default POST")
    url: str | None = Field(None, description="http: where to; its host must be in http.allowed_hosts")
    headers: dict[str, str] | None = Field(None, description="http: extra headers")
    json_body: dict[str, Any] | None = Field(None, alias="json", description="http: JSON body")
    expect_status: list[int] | None = Field(None, description="http: statuses that mean success; default any 2xx")
    delay_seconds: Seconds | None = Field(None, description="rerun: wait this long first; doubles with each attempt")
    channels: list[str] | None = Field(None, description="notify: names of channels; default all")
    settings: dict[str, Any] | None = Field(None, description="Whatever an effector of your own needs")
    timeout_seconds: Seconds = 60

    def call_settings(self) -> dict[str, Any]:
        """Return only what was written, by the names the effectors know."""
        written = self.model_dump(
            by_alias=True,
            exclude_none=True,
            exclude={"effector", "settings", "timeout_seconds", *_BESIDE_THE_CALL},
        )
        return {**written, **(self.settings or {})}


_BESIDE_THE_CALL = (
    "kind",
    "description",
    "risk",
    "idempotent",
    "jobs",
    "undo",
    "verify",
    "probe",
    "params",
    "within_seconds",
)


class CheckSettings(EffectorCall):
    """A read-only test that a remedy helped."""

    within_seconds: Seconds = Field(300, description="The check is repeated until it passes or this time is over")

    def to_check(self) -> Check:
        """Turn it into the type that the core knows."""
        return Check(
            effector=self.effector or "command",
            settings=self.call_settings(),
            within_seconds=self.within_seconds,
            timeout_seconds=self.timeout_seconds,
        )


class ActionSettings(EffectorCall):
    """A remedy: the closed list of everything that can ever be executed."""

    kind: ActionKind | None = Field(None, description="Kind from the taxonomy; default: the action's name")
    description: str = Field("", description="What a person reads before approving")
    risk: Risk = Field(Risk.RISKY, description="observe | safe | risky")
    idempotent: Switch = Field(False, description="true only if running it twice does no harm")
    jobs: list[str] = Field(default_factory=list, description="The only jobs it may be used for; empty = every job")
    undo: str | None = Field(None, description="Name of the action that takes this one back")
    verify: CheckSettings | None = None
    probe: CheckSettings | None = Field(None, description="Tells whether it happened, when nobody saw its answer")
    params: dict[str, str] = Field(
        default_factory=dict, description="Name -> pattern of {param.NAME}; value from the job or a label"
    )

    def to_action(self, name: str) -> Action:
        """Turn it into the type that the core knows."""
        return Action(
            name=name,
            kind=self.kind or ActionKind(name),
            description=self.description,
            effector=self.effector,
            settings=self.call_settings(),
            params=self.params,
            jobs=tuple(self.jobs),
            risk=self.risk,
            idempotent=self.idempotent,
            timeout_seconds=self.timeout_seconds,
            undo=self.undo,
            verify=self.verify.to_check() if self.verify else None,
            probe=self.probe.to_check() if self.probe else None,
        )


class ProbeSettings(EffectorCall):
    """A read-only check that the model may ask for by its number."""

    effector: Literal["command", "http"] = Field(description="command | http (GET)")
    description: str = Field(min_length=1, max_length=100, description="What it tells; the model chooses by it")
    risk: Literal["observe"] = Field(description="observe: your word that it only looks and changes nothing")
    jobs: list[str] = Field(default_factory=list, description="The only jobs it may be used for; empty = every job")
    timeout_seconds: Seconds = Field(10, le=60, description="How long it may take")

    def to_action(self, name: str) -> Action:
        """Turn it into the harmless action that an effector carries out."""
        settings = self.call_settings()
        if self.effector == "http":
            settings["method"] = "GET"
        return Action(
            name=name,
            kind=ActionKind.NO_OP,
            description=self.description,
            effector=self.effector,
            settings=settings,
            jobs=tuple(self.jobs),
            risk=Risk.OBSERVE,
            idempotent=True,
            timeout_seconds=self.timeout_seconds,
        )


class RerunSettings(EffectorCall):
    """How to start a job again."""

    probe: CheckSettings | None = Field(None, description="Tells whether the run exists, when nobody saw its answer")
