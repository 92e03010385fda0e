"""Every section and key of `config.yaml`, typed; unknown keys are refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from agentic.planning import DEFAULT_PLAYBOOKS
from agentic.types import Action, ActionKind, Category, Job, Mode, Risk
from settings.calls import ActionSettings, CheckSettings, ProbeSettings, RerunSettings
from settings.section import Count, Seconds, Section, Switch, auto_or_count, auto_or_switch
from settings.source import Source, dotted


class RedisSettings(Section):
    """Where events, incidents and history live."""

    url: str = Field(
        "embedded",
        description="embedded = a real Valkey started and stopped with the program; "
        "or redis://, rediss://, unix://, redis+sentinel://",
    )
    key_prefix: str = Field(
        "agentic",
        pattern=r"^[A-Za-z0-9_.:{}-]{1,64}$",
        description='First part of every key; "{agentic}" for a cluster',
    )
    data_dir: str = Field("./data", description="Folder of the embedded store, relative to the configuration file")


class ApiSettings(Section):
    """The HTTP service."""

    host: str = Field("127.0.0.1", description="Address that `python main.py` listens on")
    port: int = Field(8000, ge=0, le=65535, description="Port that `python main.py` listens on; 0 = any free one")
    public_url: str | None = Field(
        None, pattern=r"^https?://\S+$", description="Address people reach the API under; notifications link to it"
    )
    allowed_hosts: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,253}$")]] = Field(
        default_factory=list,
        description="Further names the service is called by; a request to any other name gets 421",
    )
    max_body_bytes: Count = Field(4 * 1024 * 1024, description="Larger request bodies get 413")
    max_log_bytes: Count = Field(1024 * 1024, description="Longer logs keep their head and tail; the cut is said")
    max_batch: Count = Field(1000, description="Most events in one POST /events")


class QueueSettings(Section):
    """The event queue and its leases."""

    lease_seconds: Seconds = Field(
        30, ge=1, description="A worker that is silent this long loses its events to another"
    )
    max_length: Count = Field(100_000, description="Waiting events; beyond, the API answers 429")
    max_deliveries: Count = Field(5, description="Deliveries of one event before it becomes a dead letter")
    drain_seconds: Seconds = Field(20, description="How long a stopping worker may finish what it has in hand")
    max_dead: Count = Field(10_000, description="Dead letters kept")
    dedup_days: Seconds = Field(7, description="How long an event id is remembered after its record is written")


class WorkerSettings(Section):
    """One worker process."""

    concurrency: Count = Field(32, description="Events in hand at once")
    id: str | None = Field(None, description="Name of this worker; default: host and process id")
    heartbeat_file: str | None = Field(
        None, description="Touched after each heartbeat that the store took; health checks look at its age"
    )


class LlmSettings(Section):
    """The local model, which reads what rules cannot."""

    enabled: Annotated[Literal["auto"] | bool, BeforeValidator(auto_or_switch)] = Field(
        "auto", description="auto = use it when it answers | true | false"
    )
    base_url: str = Field("http://localhost:1234/v1", description="An OpenAI-compatible server, with /v1")
    model: str = Field("auto", description="auto = the model that is loaded")
    api_key: str | None = Field(None, description="Bearer token, when the server asks for one; use ${NAME}")
    context_tokens: Annotated[Literal["auto"] | Count, BeforeValidator(auto_or_count)] = Field(
        "auto", description="auto = ask the server"
    )
    max_output_tokens: Count = 500
    deadline_seconds: Seconds = Field(180, description="For one question in all")
    concurrency: Count = Field(1, description="Questions under way at once, in each worker")
    max_wait_seconds: Seconds = Field(
        900, description="Longest time a failure waits for a model that is busy with others; then it goes on without"
    )


class JobSettings(Section):
    """What may be done for one job."""

    id: str = Field(description='The job_id of its events; "*" is every other job')
    mode: Mode = Field(Mode.SUGGEST, description="observe | suggest | approve | auto")
    safe_to_rerun: Switch = Field(False, description="The job's contract: without it no rerun happens by itself")
    rerun: RerunSettings | None = Field(None, description="How to start the job again")
    verify: CheckSettings | None = Field(None, description="How to see that the job is well")
    playbooks: dict[Category, list[str]] = Field(default_factory=dict, description="Override the global ones")
    params: dict[str, str] = Field(default_factory=dict, description="Values of {param.NAME} for this job")
    max_actions_per_hour: int | None = Field(
        None, ge=0, description="Instead of policy.max_actions_per_job_per_hour for this job"
    )

    def to_job(self) -> Job:
        """Turn it into the type that the core knows."""
        rerun = None
        if self.rerun is not None:
            rerun = Action(
                name="rerun",
                kind=ActionKind.RETRY,
                description=f"Run {self.id} again",
                effector=self.rerun.effector or "command",
                settings=self.rerun.call_settings(),
                risk=Risk.SAFE,  # whether it may run by itself is the job's word, safe_to_rerun
                idempotent=False,
                timeout_seconds=self.rerun.timeout_seconds,
                probe=self.rerun.probe.to_check() if self.rerun.probe else None,
            )
        return Job(
            id=self.id,
            mode=self.mode,
            safe_to_rerun=self.safe_to_rerun,
            rerun=rerun,
            verify=self.verify.to_check() if self.verify else None,
            playbooks={category: tuple(names) for category, names in self.playbooks.items()},
            params=self.params,
            max_actions_per_hour=self.max_actions_per_hour,
        )


class PolicySettings(Section):
    """Limits on acting without a person."""

    max_actions_per_job_per_hour: int = Field(6, ge=0)
    max_actions_per_hour: int = Field(60, ge=0)
    max_reruns_per_failure: int = Field(3, ge=0, description="Reruns of one failure, counted across run ids")
    min_confidence: int = Field(70, ge=0, le=100, description="Of a model-made diagnosis, for acting without a person")
    approve_within_seconds: Seconds = Field(
        86_400, description="How long a plan waits for a person; then it is given up"
    )
    freeze: list[dict[str, Any]] = Field(default_factory=list, description="Maintenance windows")


class HttpSettings(Section):
    """Where AutoRemedy may send requests."""

    allowed_hosts: list[str] = Field(default_factory=lambda: ["127.0.0.1"])


class PartSettings(BaseModel):
    """A pluggable part: `use` names it, everything else is handed to it."""

    model_config = ConfigDict(extra="allow", frozen=True)
    use: str = Field(description='A built-in name or "package.module:Class"')

    def options(self) -> dict[str, Any]:
        """Return everything written beside `use`."""
        return dict(self.model_extra or {})


class HistorySettings(Section):
    """How much is kept."""

    max_length: Count = Field(100_000, description="Records; the oldest go first")


class RedactionSettings(Section):
    """Secrets besides the well-known kinds."""

    patterns: dict[str, str] = Field(
        default_factory=dict, description="Kind -> RE2 pattern; group 1, if any, is the secret"
    )
    key: str | None = Field(
        None, description="Key of the hash in the marks; default: one that the store makes and keeps; use ${NAME}"
    )

    def mark_key(self) -> bytes:
        """Return the key as the redactor takes it; empty where the store keeps one."""
        return (self.key or "").encode()


class LabSettings(Section):
    """The fault lab that `python main.py` runs beside the worker."""

    enabled: Switch = Field(True, description="Break small real jobs so that one can watch them heal")
    interval_seconds: Seconds = Field(20, description="Time between two faults")


class Settings(Section):
    """The whole of `config.yaml`."""

    version: Literal[1] = 1
    redis: RedisSettings = RedisSettings()
    api: ApiSettings = ApiSettings()
    queue: QueueSettings = QueueSettings()
    worker: WorkerSettings = WorkerSettings()
    llm: LlmSettings = LlmSettings()
    jobs: list[JobSettings] = Field(default_factory=list)
    actions: dict[str, ActionSettings] = Field(default_factory=dict)
    probes: dict[str, ProbeSettings] = Field(default_factory=dict, description="Name -> check the model may ask for")
    playbooks: dict[Category, list[str]] = Field(default_factory=dict)
    policy: PolicySettings = PolicySettings()
    http: HttpSettings = HttpSettings()
    notifications: list[PartSettings] = Field(default_factory=lambda: [PartSettings(use="console")])
    sensors: list[PartSettings] = Field(default_factory=list)
    reasoning: list[PartSettings] = Field(
        default_factory=lambda: [
            PartSettings(use="precedent"),
            PartSettings(use="rules"),
            PartSettings(use="llm"),
        ]
    )
    effectors: dict[str, PartSettings] = Field(default_factory=dict, description="Name -> effector of your own")
    knowledge: list[str] = Field(default_factory=list, description="Folders with failure signatures of your own")
    history: HistorySettings = HistorySettings()
    redaction: RedactionSettings = RedactionSettings()
    lab: LabSettings = LabSettings()
    _base_dir: Path = PrivateAttr(Path())
    _source: Source | None = PrivateAttr(None)

    def read_from(self, source: Source, base_dir: Path) -> Settings:
        """Remember where these settings were written; returns itself."""
        self._source, self._base_dir = source, base_dir
        return self

    def located(self, path: tuple[str | int, ...], message: str) -> str:
        """Return a mistake with the place where its setting was written, as far as that is known."""
        if self._source is None:
            return f"{dotted(path)}: {message}" if path else message
        return self._source.located(path, message)

    def file(self) -> str | None:
        """Return the name of the file they were read from; None when there was none."""
        return self._source.name if self._source is not None and self._source.written else None

    def base_dir(self) -> Path:
        """The folder that relative paths and plugin modules are looked up in."""
        return self._base_dir

    def filled_in(self) -> Sequence[tuple[tuple[str | int, ...], str, str]]:
        """Return what `${NAME}` took from the environment: where, the name, the value."""
        return self._source.filled if self._source is not None else ()

    def data_dir(self) -> Path:
        """The embedded store's folder, absolute."""
        return (self.base_dir() / self.redis.data_dir).resolve()

    def store_limits(self) -> dict[str, float]:
        """Return the bounds of the store by the names it knows."""
        return {
            "lease_seconds": self.queue.lease_seconds,
            "max_waiting": self.queue.max_length,
            "max_deliveries": self.queue.max_deliveries,
            "max_dead": self.queue.max_dead,
            "max_history": self.history.max_length,
            "dedup_days": self.queue.dedup_days,
            "max_payload_bytes": 4 * self.api.max_body_bytes,  # what is stored may be longer than what was sent
        }

    def declared_actions(self) -> dict[str, Action]:
        """Return the operator's actions as the core knows them."""
        return {name: action.to_action(name) for name, action in self.actions.items()}

    def declared_probes(self) -> dict[str, Action]:
        """Return the checks that the model may ask for, as the effectors know them."""
        return {name: probe.to_action(name) for name, probe in self.probes.items()}

    def all_playbooks(self) -> dict[Category, tuple[str, ...]]:
        """Return the plan of every category: the shipped one unless the file has another."""
        return {**DEFAULT_PLAYBOOKS, **{category: tuple(names) for category, names in self.playbooks.items()}}

    def with_model(self, enabled: Literal["auto"] | bool) -> Settings:
        """Return the same settings with the model switched otherwise."""
        return self.model_copy(update={"llm": self.llm.model_copy(update={"enabled": enabled})})

    def job_for(self, job_id: str) -> Job:
        """Return what was said about a job: its own entry, else the one for every other job."""
        jobs = {job.id: job for job in self.jobs}
        entry = jobs.get(job_id) or jobs.get("*") or JobSettings(id="*")
        return entry.to_job()
