"""From a diagnosis to steps: which actions exist for a job, and which of them a category calls for."""

from __future__ import annotations

from collections.abc import Mapping

from agentic.types import Action, ActionKind, Category, Decision, Job, Risk

ESCALATE = Action(
    name="escalate",
    kind=ActionKind.ESCALATE_TO_HUMAN,
    description="Tell a person",
    effector="notify",
    risk=Risk.OBSERVE,
    idempotent=True,
    timeout_seconds=60,
)
NOTIFY = ESCALATE.model_copy(update={"name": "notify", "kind": ActionKind.NOTIFY})
ASK = ESCALATE.model_copy(update={"name": "ask", "description": "Ask a person to approve the plan"})
NO_OP = Action(name="no_op", kind=ActionKind.NO_OP, description="Nothing to do", risk=Risk.OBSERVE, idempotent=True)
BUILT_IN = {action.name: action for action in (ESCALATE, NOTIFY, NO_OP)}
BUILT_IN_NAMES = frozenset({*BUILT_IN, "rerun"})
RERUN_KINDS = frozenset(
    {
        ActionKind.RETRY,
        ActionKind.RETRY_WITH_BACKOFF,
        ActionKind.WAIT_FOR_DEPENDENCY_THEN_RERUN,
        ActionKind.RERUN_ON_OTHER_NODE,
    }
)
TELLING_KINDS = frozenset({ActionKind.ESCALATE_TO_HUMAN, ActionKind.NOTIFY, ActionKind.NO_OP})

DEFAULT_PLAYBOOKS: dict[Category, tuple[str, ...]] = {
    Category.OUT_OF_MEMORY: ("increase_resources", "rerun", "escalate"),
    Category.DISK_FULL: ("free_disk_space", "rerun", "escalate"),
    Category.NETWORK_ERROR: ("retry_with_backoff", "escalate"),
    Category.DNS_FAILURE: ("retry_with_backoff", "escalate"),
    Category.DEPENDENCY_UNAVAILABLE: ("wait_for_dependency_then_rerun", "escalate"),
    Category.TIMEOUT: ("extend_timeout", "rerun", "escalate"),
    Category.AUTH_FAILURE: ("fix_credentials", "escalate"),
    Category.PERMISSION_DENIED: ("fix_permissions", "escalate"),
    Category.RATE_LIMITED: ("retry_with_backoff", "escalate"),
    Category.RESOURCE_QUOTA: ("increase_resources", "rerun", "escalate"),
    Category.MISSING_FILE_OR_DATA: ("fix_data", "escalate"),
    Category.BAD_DATA_OR_SCHEMA: ("fix_data", "escalate"),
    Category.CONFIG_ERROR: ("fix_config", "escalate"),
    Category.CODE_ERROR: ("fix_code", "escalate"),
    Category.LOCK_CONTENTION: ("retry_with_backoff", "escalate"),
    Category.IMAGE_OR_PACKAGE_UNAVAILABLE: ("fix_config", "escalate"),
    Category.CERTIFICATE_ERROR: ("renew_certificate", "escalate"),
    Category.NODE_LOST_OR_PREEMPTED: ("retry_with_backoff", "escalate"),
    Category.CANCELLED_BY_OPERATOR: ("no_op",),
    Category.HARDWARE_OR_STORAGE_ERROR: ("rerun_on_other_node", "escalate"),
    Category.NOT_A_FAILURE: ("no_op",),
    Category.UNKNOWN: ("escalate",),
}
"""The plan of each category where the configuration has none; names of actions or of kinds."""


class Planner:
    """Knows every declared action and playbook, and turns decisions into plans."""

    def __init__(self, actions: Mapping[str, Action], playbooks: Mapping[Category, tuple[str, ...]]) -> None:
        self._actions = dict(actions)
        self._playbooks = {**DEFAULT_PLAYBOOKS, **playbooks}

    def menu(self, job: Job) -> dict[str, Action]:
        """Return every action that exists for a job: built in, its rerun, and the declared ones."""
        reruns = [job.rerun] if job.rerun else []
        declared = [action for action in self._actions.values() if action.serves(job.id)]
        return {action.name: action for action in (*BUILT_IN.values(), *reruns, *declared)}

    def plan(self, decision: Decision, job: Job) -> tuple[Action, ...]:
        """Return the actions a decision calls for, in order, each at most once.

        A plan ends with telling a person unless it does nothing on purpose.
        """
        category = decision.diagnosis.category
        names = decision.actions
        if names is None:
            names = job.playbooks.get(category, self._playbooks[category])
        plan: dict[str, Action] = {}
        for name in names:
            action = self._find(name, job)
            if action is None and decision.actions is not None:
                action = _gone(name)
            if action is not None:
                plan.setdefault(action.name, action)
        if not plan:
            plan[ESCALATE.name] = ESCALATE
        taught = decision.diagnosis.source.startswith("precedent:")
        if taught and not any(action.kind in TELLING_KINDS - {ActionKind.NO_OP} for action in plan.values()):
            plan[NOTIFY.name] = NOTIFY  # feedback, which anybody can give, must not lead where nobody is told
        return tuple(plan.values())

    def _find(self, name: str, job: Job) -> Action | None:
        """Find an action by name or kind; a kind nobody declared becomes a proposal in words."""
        if name in BUILT_IN:
            return BUILT_IN[name]
        if name == "rerun":
            return job.rerun
        if name in self._actions:
            action = self._actions[name]
            return action if action.serves(job.id) else None
        if name not in _KINDS:
            return None
        kind = ActionKind(name)
        for action in self._actions.values():
            if action.kind is kind and action.serves(job.id):
                return action
        if kind is ActionKind.ESCALATE_TO_HUMAN:
            return ESCALATE
        if kind in RERUN_KINDS and job.rerun is not None and kind is not ActionKind.RERUN_ON_OTHER_NODE:
            return job.rerun.model_copy(update={"name": name, "kind": kind})
        return Action(name=name, kind=kind, description=PROPOSALS[kind])


_KINDS = frozenset(kind.value for kind in ActionKind)


def _gone(name: str) -> Action:
    """Stand in for an action that was decided on and has since left the settings: the steps keep their numbers."""
    return Action(name=name, kind=ActionKind.FIX_CONFIG, description=f"The settings no longer declare {name}")


PROPOSALS: dict[ActionKind, str] = {
    ActionKind.RETRY: "Run the job again",
    ActionKind.RETRY_WITH_BACKOFF: "Wait, then run the job again; wait longer each time",
    ActionKind.WAIT_FOR_DEPENDENCY_THEN_RERUN: "Wait until the service it needs answers, then run the job again",
    ActionKind.RERUN_ON_OTHER_NODE: "Run the job on another machine",
    ActionKind.FREE_DISK_SPACE: "Make room on the volume that is full",
    ActionKind.INCREASE_RESOURCES: "Give the job more of the resource it ran out of",
    ActionKind.EXTEND_TIMEOUT: "Give the job more time",
    ActionKind.RELEASE_STALE_LOCK: "Release the lock after making sure that its holder is gone",
    ActionKind.RESTART_SERVICE: "Restart the service it needs",
    ActionKind.RENEW_CERTIFICATE: "Renew the certificate, or trust the right authority",
    ActionKind.FIX_CREDENTIALS: "Replace the credential that was refused",
    ActionKind.FIX_PERMISSIONS: "Grant just the permission that is missing",
    ActionKind.FIX_CONFIG: "Correct the configuration",
    ActionKind.FIX_CODE: "Correct the program",
    ActionKind.FIX_DATA: "Deliver or correct the input",
    ActionKind.ESCALATE_TO_HUMAN: "Tell a person",
    ActionKind.NOTIFY: "Tell a person",
    ActionKind.NO_OP: "Nothing to do",
}
