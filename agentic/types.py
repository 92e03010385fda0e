"""What exists on the way from a report to its record: one frozen type per stage.

Every type is immutable and turns into JSON and back without loss. An *event* is a report from
outside; an *incident* is its handling; an *action* is declared by the operator; a *step* is an
action placed in a plan; an *outcome* is the record of what a step really did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SkipValidation


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class Frozen(BaseModel):
    """Base of every stage: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Category(StrEnum):
    """The root cause of a failure, from the closed taxonomy."""

    OUT_OF_MEMORY = "out_of_memory"
    DISK_FULL = "disk_full"
    NETWORK_ERROR = "network_error"
    DNS_FAILURE = "dns_failure"
    DEPENDENCY_UNAVAILABLE = "dependency_unavailable"
    TIMEOUT = "timeout"
    AUTH_FAILURE = "auth_failure"
    PERMISSION_DENIED = "permission_denied"
    RATE_LIMITED = "rate_limited"
    RESOURCE_QUOTA = "resource_quota"
    MISSING_FILE_OR_DATA = "missing_file_or_data"
    BAD_DATA_OR_SCHEMA = "bad_data_or_schema"
    CONFIG_ERROR = "config_error"
    CODE_ERROR = "code_error"
    LOCK_CONTENTION = "lock_contention"
    IMAGE_OR_PACKAGE_UNAVAILABLE = "image_or_package_unavailable"
    CERTIFICATE_ERROR = "certificate_error"
    NODE_LOST_OR_PREEMPTED = "node_lost_or_preempted"
    CANCELLED_BY_OPERATOR = "cancelled_by_operator"
    HARDWARE_OR_STORAGE_ERROR = "hardware_or_storage_error"
    NOT_A_FAILURE = "not_a_failure"
    UNKNOWN = "unknown"


class ActionKind(StrEnum):
    """What an action is meant to achieve, from the closed taxonomy of remedies."""

    RETRY = "retry"
    RETRY_WITH_BACKOFF = "retry_with_backoff"
    WAIT_FOR_DEPENDENCY_THEN_RERUN = "wait_for_dependency_then_rerun"
    RERUN_ON_OTHER_NODE = "rerun_on_other_node"
    FREE_DISK_SPACE = "free_disk_space"
    INCREASE_RESOURCES = "increase_resources"
    EXTEND_TIMEOUT = "extend_timeout"
    RELEASE_STALE_LOCK = "release_stale_lock"
    RESTART_SERVICE = "restart_service"
    RENEW_CERTIFICATE = "renew_certificate"
    FIX_CREDENTIALS = "fix_credentials"
    FIX_PERMISSIONS = "fix_permissions"
    FIX_CONFIG = "fix_config"
    FIX_CODE = "fix_code"
    FIX_DATA = "fix_data"
    ESCALATE_TO_HUMAN = "escalate_to_human"
    NOTIFY = "notify"
    NO_OP = "no_op"


class EventStatus(StrEnum):
    """What the reporter says happened to the run, after synonyms are folded."""

    FAILED = "failed"
    TIMEOUT = "timeout"
    STUCK = "stuck"
    LATE = "late"
    OVERRUN = "overrun"
    KILLED = "killed"
    STARTED = "started"
    SUCCEEDED = "succeeded"

    @property
    def is_failure(self) -> bool:
        """Only failures may lead to an action; this property is the one place that says which they are."""
        return self not in (EventStatus.STARTED, EventStatus.SUCCEEDED)


class Event(Frozen):
    """One accepted report about one run of a job, secrets already redacted."""

    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="keys")  # a log line hardly comes twice

    event_id: str
    job_id: str
    status: EventStatus
    event_type: str = "job_issue"
    log: tuple[str, ...] = ()
    details: dict[str, Any] = Field(default_factory=dict)
    run_id: str | None = None
    attempt: int | None = None
    exit_code: int | None = None
    command: str | None = None
    host: str | None = None
    source: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    started_at: datetime | None = None
    finished_at: datetime | None = None
    occurred_at: datetime | None = None
    duration_seconds: float | None = None
    received_at: datetime = Field(default_factory=utc_now)

    @property
    def lineage(self) -> str | None:
        """The event whose remedy started this run, or None for a run that started by itself."""
        return self.labels.get(LINEAGE_LABEL)


LINEAGE_LABEL = "autoremedy.lineage"
"""Label that a rerun started by a remedy carries: the id of the event it was started for."""


class Line(Frozen):
    """A log line by its 0-based number in the log as received."""

    line: int
    text: str


class Template(Frozen):
    """Log lines that differ only in ids, numbers or times, with how many there were."""

    text: str
    count: int
    first_line: int


class LogDigest(Frozen):
    """What is worth reading in a log: its signature, headline and numbered excerpt."""

    signature: str
    headline: str = ""
    excerpt: tuple[Line, ...] = ()
    templates: tuple[Template, ...] = ()
    total_lines: int = 0
    dropped_lines: int = 0
    lines: Annotated[tuple[str, ...], SkipValidation] = Field(default=(), exclude=True, repr=False)
    """The whole log cleaned of colours and control characters, index = line number; never stored."""
    numbers: Annotated[tuple[int, ...], SkipValidation] = Field(default=(), exclude=True, repr=False)
    """Of a log too long to keep: the number in the log as received of each of `lines`. Empty when they are all."""

    def numbered(self) -> Iterator[tuple[int, str]]:
        """Return each of `lines` after its number in the log as received, which is what evidence names."""
        return zip(self.numbers or range(len(self.lines)), self.lines, strict=True)


class Diagnosis(Frozen):
    """What went wrong and the lines that prove it."""

    category: Category
    root_cause: str
    confidence: int = Field(ge=0, le=100)
    evidence: tuple[int, ...] = ()
    source: str
    """`rule:NAME`, `precedent:EVENT_ID`, `llm:MODEL`, `module:NAME` or `none`."""
    ruled_out: tuple[str, ...] = ()


class Decision(Frozen):
    """A reasoning module's answer: the diagnosis, and the actions if it chooses other than the playbook."""

    diagnosis: Diagnosis
    actions: tuple[str, ...] | None = None
    """Names from the menu in order, or None to take the playbook of the category."""
    note: str | None = None


class ProbeAnswer(Frozen):
    """What a check that the model asked for said, as the model got to read it."""

    name: str
    text: str


class ModelCall(Frozen):
    """One question to a model, answered or not."""

    model: str
    prompt_hash: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    duration_seconds: float = 0.0
    finish_reason: str | None = None
    attempts: int = 1
    raw: str = ""
    """What the model said: redacted, shortened, and still untrusted."""
    error: str | None = None
    """Why it gave no usable answer, by the names of docs/lm-studio.md."""
    probe: ProbeAnswer | None = None
    """The check that it asked for instead of answering."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Risk(StrEnum):
    """How much an action can harm, declared by the operator."""

    OBSERVE = "observe"
    SAFE = "safe"
    RISKY = "risky"


class Mode(StrEnum):
    """How far AutoRemedy may go for a job."""

    OBSERVE = "observe"
    SUGGEST = "suggest"
    APPROVE = "approve"
    AUTO = "auto"


class Check(Frozen):
    """A read-only test that a remedy helped."""

    effector: str
    settings: dict[str, Any] = Field(default_factory=dict)
    within_seconds: float = 300.0
    timeout_seconds: float = 60.0


class Action(Frozen):
    """A remedy the operator declared; nothing else can ever be executed."""

    name: str
    kind: ActionKind
    description: str = ""
    effector: str | None = None
    """Name of an effector, or None: then the action is a proposal in words for a person."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What the effector needs (argv, url …), exactly as written in the configuration."""
    params: dict[str, str] = Field(default_factory=dict)
    """Declared parameters: name to the RE2 pattern its whole value must match."""
    jobs: tuple[str, ...] = ()
    """The jobs it may be used for; empty means every job."""
    risk: Risk = Risk.RISKY
    idempotent: bool = False
    timeout_seconds: float = 60.0
    undo: str | None = None
    verify: Check | None = None
    probe: Check | None = None
    """Tells whether the effect happened, when nobody saw its answer."""

    def serves(self, job_id: str) -> bool:
        """Say whether the operator declared this action for that job."""
        return not self.jobs or job_id in self.jobs


class Job(Frozen):
    """What the operator said about one job: how far to go and what is safe."""

    id: str
    mode: Mode = Mode.SUGGEST
    safe_to_rerun: bool = False
    rerun: Action | None = None
    verify: Check | None = None
    playbooks: dict[Category, tuple[str, ...]] = Field(default_factory=dict)
    params: dict[str, str] = Field(default_factory=dict)
    """Values of `{param.NAME}`; they win over an event's labels."""
    max_actions_per_hour: int | None = None
    """Instead of the policy's limit per job."""


class Feedback(Frozen):
    """What a person says about a record."""

    event_id: str
    user: str
    rating: int = Field(ge=1, le=5)
    comment: str | None = None
    verdict: str | None = None
    """`right`, `wrong` or `partly`."""
    correct_category: Category | None = None
    correct_action: str | None = None
    evidence_lines: tuple[int, ...] = ()
    at: datetime = Field(default_factory=utc_now)


class Precedent(Frozen):
    """An earlier incident with the same signature, and what people said of it."""

    event_id: str
    job_id: str
    category: Category
    root_cause: str = ""
    tried: tuple[str, ...] = ()
    """Names of the actions that ran, in order."""
    status: str
    verified: bool = False
    feedback: tuple[Feedback, ...] = ()
    at: datetime


class Situation(Frozen):
    """Everything a reasoning module may look at when it decides."""

    event: Event
    digest: LogDigest
    job: Job
    precedents: tuple[Precedent, ...] = ()
    menu: Mapping[str, Action] = Field(default_factory=dict)
    """The actions that exist for this job, by name. A decision may name only these."""
    suspicion: Decision | None = None
    """The best answer so far that was not confident enough, from an earlier module of the chain."""


class Verdict(StrEnum):
    """What the guard says about one step."""

    AUTO = "auto"
    ASK = "ask"
    APPROVED = "approved"
    """A person was asked, and allowed it."""
    PROPOSE = "propose"
    REFUSE = "refuse"


class Step(Frozen):
    """An action placed in a plan, with what the guard said about it."""

    step: int
    name: str
    kind: ActionKind
    effector: str | None = None
    params: dict[str, str] = Field(default_factory=dict)
    risk: Risk
    decision: Verdict
    reason: str
    preview: str | None = None
    """Exactly what would be run, in words a person can check."""
    undo: str | None = None
    """The same of the declared undo, which is run should the step not help."""


class Approval(Frozen):
    """What a person said of a plan they were asked about; `expired` when nobody said anything in time."""

    verdict: str
    by: str = ""
    why: str = ""
    plan_hash: str = ""
    at: datetime | None = None


class OutcomeStatus(StrEnum):
    """How a step ended."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    DRY_RUN = "dry_run"
    SKIPPED = "skipped"


class Outcome(Frozen):
    """The record of what one step really did."""

    step: int
    name: str
    status: OutcomeStatus
    detail: str = ""
    started_at: datetime | None = None
    duration_seconds: float = 0.0


class VerificationStatus(StrEnum):
    """Whether a remedy was shown to have helped."""

    VERIFIED = "verified"
    FAILED = "failed"
    PENDING = "pending"
    NOT_CONFIGURED = "not_configured"


class Verification(Frozen):
    """The proof, or its absence, that the remedy helped."""

    status: VerificationStatus
    how: str = ""
    at: datetime | None = None


class RecordStatus(StrEnum):
    """How the handling of one event ended."""

    RESOLVED = "resolved"
    REMEDIATED = "remediated"
    SUGGESTED = "suggested"
    ESCALATED = "escalated"
    REJECTED = "rejected"
    IGNORED = "ignored"
    UNKNOWN = "unknown"
    DEAD = "dead"


class HistoryRecord(Frozen):
    """What is kept of one event for ever: exactly one per event."""

    schema_version: int = Field(default=1, alias="schema")
    event_id: str
    job_id: str
    status: RecordStatus
    event: Event | None = None
    digest: LogDigest | None = None
    diagnosis: Diagnosis | None = None
    actions: tuple[Step, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    verification: Verification | None = None
    approval: Approval | None = None
    feedback: tuple[Feedback, ...] = ()
    reason: str = ""
    deliveries: int = 1
    worker: str = ""
    received_at: datetime
    finished_at: datetime
    timings: dict[str, float] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    model_calls: tuple[ModelCall, ...] = ()
    made_by: dict[str, str] = Field(default_factory=dict)
    """What the decision depends on beside the event, by short hashes: `version`, `rules`, `prompts`, `settings`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True, protected_namespaces=()
    )
