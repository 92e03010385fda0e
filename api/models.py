"""The shapes of requests and answers besides the report itself; the docs page shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from agentic.report import NAME_PATTERN
from agentic.types import Category, HistoryRecord, Line, Precedent, Step
from agentic.unseen import visible_text


def _shown_text(value: Any) -> Any:
    return visible_text(value) if isinstance(value, str) else value


Text = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=NAME_PATTERN)]
LongText = Annotated[str, BeforeValidator(_shown_text)]
"""Any text; what does not show, or turns the direction of others, is taken out of it."""


class Strict(BaseModel):
    """A request body: no conversion, no unknown field."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class FeedbackIn(Strict):
    """What a person says about how an event was handled."""

    event_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
    user: Text = Field(description="Who says so")
    rating: int = Field(ge=1, le=5, description="1 = harmful … 5 = just right")
    comment: LongText | None = Field(None, max_length=4000)
    verdict: Literal["right", "wrong", "partly"] | None = Field(None, description="Was the diagnosis right?")
    correct_category: Category | None = Field(None, description="The root cause it really was")
    correct_action: Text | None = Field(None, description="Name or kind of the action that would have been right")
    evidence_lines: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field(
        default_factory=list, max_length=1000, description="0-based numbers of the log lines that prove it"
    )


class ApproveIn(Strict):
    """A person allows a plan."""

    plan_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="Of the plan as it was shown: if it has changed since, nothing is approved"
    )
    user: Text = Field(description="Who says so")


class RejectIn(Strict):
    """A person forbids a plan."""

    user: Text = Field(description="Who says so")
    reason: LongText | None = Field(None, max_length=1000)


class Decided(BaseModel):
    """The word is kept; the incident goes on."""

    status: Literal["approved", "rejected"]
    event_id: str
    links: Links


class PauseIn(Strict):
    """Who turns the switch, and why."""

    user: Text = "api"
    reason: LongText | None = Field(None, max_length=1000)


class ProblemItem(BaseModel):
    """One thing that is wrong: in the body (`pointer`) or in the query (`parameter`)."""

    code: str
    message: str
    pointer: str | None = Field(None, description="JSON pointer into the body")
    parameter: str | None = None


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = Field(description="urn:autoremedy:problem: and a word that stays the same")
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[ProblemItem] = Field(default_factory=list)


class Links(BaseModel):
    """Where to look next."""

    history: str
    incident: str


class Accepted(BaseModel):
    """The store has the event."""

    status: Literal["submitted", "duplicate"]
    event_id: str
    links: Links


class BatchItem(BaseModel):
    """What became of one event of a batch."""

    status: Literal["submitted", "duplicate", "full", "rejected"]
    event_id: str | None = None
    links: Links | None = None
    errors: list[ProblemItem] | None = None


class BatchAnswer(BaseModel):
    """One result for each event, in the order they came."""

    submitted: int
    duplicate: int
    full: int
    rejected: int
    results: list[BatchItem]


class Stored(BaseModel):
    """The feedback is kept."""

    status: Literal["stored"]
    event_id: str
    links: Links


class HistoryPage(BaseModel):
    """Records, and the cursor of the next page."""

    records: list[HistoryRecord]
    next_cursor: str | None


class Precedents(BaseModel):
    """Earlier incidents that looked the same."""

    precedents: list[Precedent]


class TimelineEntry(BaseModel):
    """One moment of an incident."""

    at: datetime | None
    what: str
    detail: str


class IncidentOut(BaseModel):
    """The handling of one event, as it stands now."""

    model_config = ConfigDict(extra="allow")
    event_id: str
    job_id: str | None
    state: str
    deliveries: int
    owner: str | None


class IncidentDetail(IncidentOut):
    """One incident with its plan and timeline, and its record once there is one."""

    plan: list[Step] | None
    evidence: list[Line] | None = Field(description="The lines that prove the cause")
    timeline: list[TimelineEntry]
    record: HistoryRecord | None


class IncidentPage(BaseModel):
    """Incidents, and the cursor of the next page."""

    incidents: list[IncidentOut]
    next_cursor: str | None


class JobOut(BaseModel):
    """What is known of one job."""

    model_config = ConfigDict(extra="allow")
    job_id: str


class JobList(BaseModel):
    """Every job that was heard of."""

    jobs: list[JobOut]


class DeadLetter(BaseModel):
    """A payload or event that could not be processed, and why."""

    model_config = ConfigDict(extra="allow")
    event_id: str
    reason: str
    payload: str | None = Field(None, description="Its beginning, without secrets")
    payload_bytes: int | None = Field(None, description="How long it is as it came")
    payload_cut: bool | None = None


class DeadPage(BaseModel):
    """Dead letters, and the cursor of the next page."""

    dead: list[DeadLetter]
    next_cursor: str | None


class PauseState(BaseModel):
    """Whether automatic actions may begin."""

    paused: bool


class Check(BaseModel):
    """One thing that was looked at."""

    ok: bool
    detail: str


class Readiness(BaseModel):
    """Whether requests can be served, and what is missing."""

    status: Literal["ready", "degraded", "unavailable"]
    checks: dict[str, Check]


class Health(BaseModel):
    """How things are, in a sentence for people."""

    status: Literal["ok", "degraded", "down"]
    summary: str
    checks: dict[str, Check]


class Status(BaseModel):
    """Queue, workers, store and model, as they stand now."""

    model_config = ConfigDict(extra="allow")
    version: str
    uptime_seconds: float
    queue_depth: int
    workers: list[dict[str, Any]]
