"""The queue's protocol in plain Python, as docs/reliability.md tells it: what each script must answer and change.

Time is a number here. The tests give the scripts the same one by replacing the clock in their texts before they
are loaded; the shipped scripts know no other clock than the server's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LEASE = 1000
SUSPECT = 3


@dataclass
class Step:
    """One line of an effect journal."""

    state: str
    nonce: str
    at: int
    outcome: str = ""


@dataclass
class Incident:
    """One event's handling."""

    state: str = "queued"
    nonce: str | None = None
    mark: tuple[int, str] | None = None
    fence: str = ""
    deliveries: int = 0
    counted: bool = False
    released: bool = False
    saved: int = 0
    claimed_ms: int = 0
    arrival: int = 0
    score: int = 0
    """End of the lease, due time or expiry: whichever set it stands in."""
    plan: str = ""
    expires: int = 0
    word: tuple[str, str, str] | None = None
    """Verdict, plan and user of the last decision."""
    replay: str = ""
    progress: dict[str, str] = field(default_factory=dict)
    journal: dict[str, Step] = field(default_factory=dict)
    late: dict[str, str] = field(default_factory=dict)


@dataclass
class Model:
    """All state that the scripts keep, and each script as a method."""

    now: int = 1_000_000
    fence: int = 0
    arrivals: int = 0
    events: list[tuple[str, str]] = field(default_factory=list)
    incidents: dict[str, Incident] = field(default_factory=dict)
    claims: dict[str, tuple[str, str, list[str]]] = field(default_factory=dict)
    watching: set[str] = field(default_factory=set)
    well: tuple[int, str, int] = (-1, "", 0)
    """When the job's latest success was told, which one it is, and when that arrived."""
    asking: tuple[str, ...] = ()
    """Event and fence of whoever asks a model."""
    answer: tuple[str, str] | None = None
    """By whom, and what."""
    askers: set[str] = field(default_factory=set)
    records: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)

    def holds(self, event_id: str, fence: str) -> bool:
        have = self.incidents.get(event_id)
        return have is not None and have.state == "running" and have.fence == fence

    def _arrival(self) -> int:
        self.arrivals = max(self.arrivals + 1, self.now * 1000)
        return self.arrivals

    def enqueue(self, most: int, nonce: str, items: list[tuple[str, str]]) -> list[str]:
        answers = []
        for number, (event_id, raw) in enumerate(items):
            mine, have = f"{nonce}:{3 + 2 * number}", self.incidents.get(event_id)
            if have is not None:
                answers.append("queued" if have.nonce == mine else "duplicate")
            elif len(self.events) >= most:
                answers.append("full")
            else:
                self.incidents[event_id] = Incident(nonce=mine, mark=mark_of(raw), arrival=self._arrival())
                self.events.append((event_id, raw))
                answers.append("queued")
        return answers

    def claim(self, worker: str, nonce: str, most: int, suspects: int) -> list[tuple[str, int, bool]]:
        last = self.claims.get(worker)
        if last is not None:
            if last[0] == nonce:
                return self._described([event_id for event_id in last[2] if self.holds(event_id, last[1])])
            if last[0].rpartition("-")[0] == nonce.rpartition("-")[0] and _number(nonce) < _number(last[0]):
                return []
        mine = str(max(self.fence + 1, self.now * 1000))
        taken: list[str] = []
        for place in ("delayed", "running", "waiting"):
            for event_id in self._due(place, most - len(taken)):
                have = self.incidents[event_id]
                counts = place == "running" or have.released
                if have.deliveries + counts >= SUSPECT:
                    if suspects < 1:
                        have.score = self.now + 100
                        continue
                    suspects -= 1
                if place == "waiting":
                    have.word = ("expired", *(have.word[1:] if have.word else ("", "")))
                    have.progress["approval"] = "expired"
                self._hold(have, mine, have.deliveries + counts, counted=bool(counts))
                have.released = False
                taken.append(event_id)
        room = most - len(taken)
        payloads, self.events = self.events[:room], self.events[room:]
        for place_in_line, (named, raw) in enumerate(payloads, 1):
            event_id = named or f"raw-{mine}-{place_in_line}"
            known = self.incidents.get(event_id)
            if known is None or (known.state == "queued" and known.mark in (None, mark_of(raw))):
                if known is None:
                    known = self.incidents[event_id] = Incident(arrival=self._arrival())
                self._hold(known, mine, 1, counted=True)
                taken.append(event_id)
        if taken:
            self.fence = int(mine)
            self.claims[worker] = (nonce, mine, taken)
        return self._described(taken)

    def _described(self, ids: list[str]) -> list[tuple[str, int, bool]]:
        return [(name, self.incidents[name].deliveries, self.incidents[name].nonce is not None) for name in ids]

    def _due(self, state: str, most: int) -> list[str]:
        due = sorted((i.score, name) for name, i in self.incidents.items() if i.state == state and i.score <= self.now)
        return [name for _, name in due[: max(0, most)]]

    def _hold(self, have: Incident, fence: str, deliveries: int, *, counted: bool) -> None:
        have.state, have.fence, have.deliveries, have.counted = "running", fence, deliveries, counted
        have.score, have.claimed_ms, have.saved = self.now + LEASE, self.now, 0

    def beat(self, held: list[tuple[str, str]]) -> list[str]:
        lost = []
        for event_id, fence in held:
            if self.holds(event_id, fence):
                self.incidents[event_id].score = self.now + LEASE
            elif event_id not in self.incidents or self.incidents[event_id].fence != fence:
                lost.append(event_id)
        return lost

    def save(self, event_id: str, fence: str, number: int, value: str) -> str:
        if not self.holds(event_id, fence):
            return "fenced"
        have = self.incidents[event_id]
        if number > have.saved:
            have.saved, have.progress["note"] = number, value
        return "ok"

    def begin(self, event_id: str, fence: str, step: str, nonce: str, idempotent: bool) -> tuple[str, str]:
        if not self.holds(event_id, fence):
            return "fenced", ""
        have = self.incidents[event_id]
        line = have.journal.get(step)
        if line is not None and line.state == "done":
            return "done", line.outcome
        if line is not None and line.nonce != nonce and not idempotent:
            return "unknown", str(self.now - line.at)
        if line is None or line.nonce != nonce:
            have.journal[step] = Step("intent", nonce, self.now)
        have.score = self.now + LEASE
        return "go", ""

    def result(self, event_id: str, fence: str, step: str, nonce: str, outcome: str, kind: str) -> str:
        have = self.incidents.get(event_id)
        line = have.journal.get(step) if have is not None else None
        if kind != "never_sent" and line is not None and (line.state, line.nonce) == ("done", nonce):
            return "ok"
        if have is None or not self.holds(event_id, fence):
            if have is not None and kind == "done":
                have.late.setdefault(step, outcome)
            return "fenced"
        own = line is not None and (line.state, line.nonce) == ("intent", nonce)
        if kind == "never_sent":
            if own:
                del have.journal[step]
            return "ok"
        if line is None and kind == "done":
            line = have.journal[step] = Step("intent", nonce, self.now)
            own = True
        if line is not None and (own or (kind == "found" and line.state == "intent")):
            line.state, line.nonce, line.outcome = "done", nonce, outcome
            return "ok"
        return "unasked"

    def defer(self, event_id: str, fence: str, wait: int, watch: str) -> str:
        answer = self._end_holding(event_id, fence, "delayed")
        if answer != "now":
            return answer
        have = self.incidents[event_id]
        have.score = self.now + wait
        if watch == "answer" and self.asking:
            self.askers.add(event_id)
        elif watch == "answer":
            have.score = self.now
        elif watch == "job" and self.well[0] >= have.claimed_ms and self.well[2] > have.arrival:
            have.progress["recovered_by"], have.score = self.well[1], self.now
        elif watch == "job":
            self.watching.add(event_id)
        return "ok"

    def ask(self, event_id: str, fence: str, by: str, may: str) -> tuple[str, str, str]:
        if not self.holds(event_id, fence):
            return "fenced", "", ""
        if self.answer is not None and by in ("", self.answer[0]):
            return "answered", self.answer[1], ""
        if may == "look":
            return "none", "", ""
        if self.asking and self.asking[0] != event_id:
            return "wait", "", self.asking[0]
        if may == "wait":
            return "busy", "", ""
        self.asking = (event_id, fence)
        return "go", "", ""

    def answered(self, event_id: str, fence: str, by: str, answer: str) -> str:
        if self.asking != (event_id, fence):
            return "late"
        self.asking = ()
        if answer:
            self.answer = (by, answer)
        for name in self.askers:
            if self.incidents[name].state == "delayed":
                self.incidents[name].score = self.now
        self.askers.clear()
        return "ok"

    def release(self, event_id: str, fence: str) -> str:
        answer = self._end_holding(event_id, fence, "delayed")
        if answer != "now":
            return answer
        have = self.incidents[event_id]
        have.score = self.now
        if have.counted:
            have.deliveries, have.released = have.deliveries - 1, True
        return "ok"

    def park(self, event_id: str, fence: str, plan: str, wait: int, watch: str) -> str:
        have = self.incidents.get(event_id)
        if have is not None and have.fence == fence and have.state in ("waiting", "delayed") and have.plan == plan:
            return "ok"
        if have is None or not self.holds(event_id, fence):
            return "fenced"
        if have.word is not None and have.word[:2] == ("approved", plan):
            return "approved"
        have.plan, have.word = plan, None
        have.progress.pop("approval", None)
        if watch and self.well[0] >= have.claimed_ms and self.well[2] > have.arrival:
            have.state, have.score = "delayed", self.now
            have.progress["recovered_by"] = self.well[1]
            return "ok"
        have.state, have.score = "waiting", self.now + wait
        have.expires = have.score
        if watch:
            self.watching.add(event_id)
        return "ok"

    def _end_holding(self, event_id: str, fence: str, state: str) -> str:
        have = self.incidents.get(event_id)
        if have is None or have.fence != fence or have.state not in ("running", state):
            return "fenced"
        if have.state == state:
            return "ok"
        have.state = state
        return "now"

    def approve(self, event_id: str, verdict: str, plan: str, who: str) -> str:
        have = self.incidents.get(event_id)
        if have is None:
            return "unknown"
        if have.state != "waiting":
            if have.word is None:
                return "not_waiting"
            if have.word[0] == "expired":
                return "expired"
            return "ok" if have.word[::2] == (verdict, who) and plan in ("", have.word[1]) else "already"
        if have.plan != plan and not (plan == "" and verdict == "rejected"):
            return "changed"
        if have.expires <= self.now:
            return "expired"
        have.state, have.score, have.word = "delayed", self.now, (verdict, have.plan, who)
        have.progress["approval"] = verdict
        return "ok"

    def recovered(self, event_id: str, fence: str) -> list[str]:
        if not self.holds(event_id, fence):
            return []
        arrival = self.incidents[event_id].arrival
        if arrival > self.well[2]:
            self.well = (self.now, event_id, arrival)
        told = sorted(name for name in self.watching if self.incidents[name].arrival < arrival)
        self.watching -= set(told)
        for name in told:
            if self.incidents[name].state in ("delayed", "waiting"):
                self.incidents[name].state = "delayed"
                self.incidents[name].score = self.now
                self.incidents[name].progress["recovered_by"] = event_id
        return told

    def finish(self, event_id: str, fence: str, letter: bool) -> str:
        have = self.incidents.get(event_id)
        if have is not None and have.state == "done":
            return "already" if have.fence == fence else "fenced"
        if have is None or not self.holds(event_id, fence):
            return "fenced"
        have.state, have.score, have.mark = "done", 0, None
        have.progress.clear()
        self.watching.discard(event_id)
        self.records.append(event_id)
        if letter:
            self.dead.append(event_id)
        return "ok"

    def replay(self, event_id: str, nonce: str, raw: str, accepted: bool) -> str:
        have = self.incidents.get(event_id)
        if have is not None and have.replay == nonce:
            return "ok"
        if have is not None and have.state != "done":
            return "open"
        if event_id not in self.dead:
            return "gone"
        self.dead.remove(event_id)
        fresh = Incident(replay=nonce, arrival=self._arrival())
        if accepted:
            fresh.nonce, fresh.mark = nonce, mark_of(raw)
        if have is not None:
            fresh.journal, fresh.late = have.journal, have.late
        self.incidents[event_id] = fresh
        self.events.append((event_id, raw))
        return "ok"


def mark_of(raw: str) -> tuple[int, str]:
    """Return what an accepted payload is known by."""
    return len(raw), raw[-20:]


def _number(nonce: str) -> int:
    return int(nonce.rpartition("-")[2])
