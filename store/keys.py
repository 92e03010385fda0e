"""Every key name in one place; the scripts get theirs from here too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names behind a prefix; in a cluster the prefix is a hash tag, so that all share one slot."""

    prefix: str = "agentic"

    SINGLE = {  # noqa: RUF012 - a constant table, in the order of the docs
        "events": "list: raw JSON of waiting events; anyone may RPUSH, workers take from the left",
        "arrivals": "string: number of the latest arrival; tells whether a success came after a failure",
        "history": "list: one JSON record per event, oldest first; anyone may LRANGE",
        "dead": "list: payloads that could not be processed, with the reason, oldest first",
        "payloads": "hash: event id -> payload, from its first claim until its record",
        "leases": "zset: incident in hand -> end of its lease (ms, the server's clock)",
        "delayed": "zset: incident put aside -> when it is due (ms)",
        "waiting": "zset: incident that waits for a person -> when the question expires (ms)",
        "open": "zset: incident without a record yet -> when it was received (ms)",
        "claims": "hash: worker -> its last claim, which makes a claim repeatable",
        "fence": "string: highest fence given so far",
        "history:seq": "string: number of records ever written",
        "history:ids": "zset: event id -> number of its record",
        "workers": "zset: worker -> last seen (ms); for people, never for decisions",
        "worker-info": "hash: worker -> JSON about it",
        "totals": "hash: metric and label -> total over all workers",
        "jobs": "zset: job id -> last report (ms)",
        "paused": "hash: who paused automatic actions, when and why",
        "budget": "zset: effect begun -> when (ms); all jobs",
        "mark-key": "string: key of the hash in the marks that stand for secrets, made once",
        "llm": "string: JSON about the model server, as the workers last saw it",
    }
    PER_ID = {  # noqa: RUF012
        "incident": "hash, by event id: state, fence, deliveries, progress of one event's handling",
        "fx": "hash, by event id: the effect journal: intention, result and nonce of each step",
        "feedback": "list, by event id: what people said of its record",
        "job": "hash, by job id: counts and the last report",
        "budget-job": "zset, by job id: effects begun for the job in the last hour",
        "awaiting": "set, by job id: incidents that a success of the job would prove healed",
        "memory": "list, by signature: earlier incidents, newest first",
        "lessons": "list, by signature: corrections by people, newest first",
        "answer": "hash, by signature: a model's answer to its question, for the next failures of that kind",
        "asking": "string, by signature: event and fence of whoever asks a model now; ends with the deadline",
        "askers": "set, by signature: incidents put aside until that answer is there",
        "by-job": "zset, by job id: event id -> number of its record",
        "by-status": "zset, by status: event id -> number of its record",
        "by-category": "zset, by category: event id -> number of its record",
    }

    def single(self, name: str) -> str:
        """Return a key there is one of."""
        if name not in self.SINGLE:
            raise KeyError(name)
        return f"{self.prefix}:{name}"

    def of(self, kind: str, identity: str) -> str:
        """Return the key of one event, job, signature …"""
        if kind not in self.PER_ID:
            raise KeyError(kind)
        return f"{self.prefix}:{kind}:{identity}"

    def lua_prelude(self) -> str:
        """Return Lua definitions of every name, so that no script spells one out."""
        lines = [f'local {_lua(name)} = "{self.single(name)}"' for name in self.SINGLE]
        lines += [
            f'local function {_lua(kind)}_key(id) return "{self.prefix}:{kind}:" .. id end' for kind in self.PER_ID
        ]
        return "\n".join(lines)


def _lua(name: str) -> str:
    return name.replace(":", "_").replace("-", "_")
