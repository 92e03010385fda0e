"""Every script in any order, by any worker, with any stale fence: against a model in Python, on a real server.

After each call the places of all incidents are compared with the model's (I1), records are counted (I2), the
intentions that were given a go are counted (I3), a stale fence may have changed nothing (I4), and the same call
is sent once more and may neither change anything nor answer otherwise (I6). I5 follows: every comparison is made
between two scripts, so a change that took two of them would be seen half done.
"""

from __future__ import annotations

import json
from typing import Any

import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule, run_state_machine_as_test

from store.calls import Scripts
from store.keys import Keys
from tests.store.protocol_model import LEASE, Model

PREFIX = "machine"
MOST_WAITING = 4
WORKERS = st.sampled_from(["w1", "w2"])
STEPS = st.sampled_from(["1", "2"])
PLACES = {"running": "leases", "delayed": "delayed", "waiting": "waiting"}
MOSTLY = st.sampled_from([True, True, False])
READ: dict[bytes, Any] = {
    b"hash": lambda reads, key: reads.hgetall(key),
    b"list": lambda reads, key: reads.lrange(key, 0, -1),
    b"set": lambda reads, key: reads.smembers(key),
    b"string": lambda reads, key: reads.get(key),
    b"zset": lambda reads, key: reads.zrange(key, 0, -1, withscores=True),
}
Held = tuple[str, str]


class Protocol(RuleBasedStateMachine):
    """Drives the scripts and the model side by side."""

    client: redis.Redis
    ids = Bundle("ids")
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.keys = Keys(PREFIX)
        self.model = Model()
        self.count = 0
        self.gone: dict[tuple[str, str], set[str]] = {}
        """Per step declared not idempotent: the nonces that were told to go and did not take it back."""

    @initialize(target=ids)
    def start(self) -> Any:
        self.client.flushdb()
        self.scripts = Scripts(self.keys)
        clock = f'return tonumber(redis.call("GET", "{PREFIX}:test-clock"))'
        real = "local t = redis.call('TIME')\n  return t[1] * 1000 + math.floor(t[2] / 1000)"
        for name, text in self.scripts.texts.items():
            assert real in text
            self.scripts.hashes[name] = str(self.client.script_load(text.replace(real, clock)))
        self.tick(0)
        return multiple("e1", "e2", "e3")

    # -- calling ---------------------------------------------------------------------------------------

    def fresh(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def once(self, name: str, *args: str | int) -> Any:
        arguments = (self.scripts.hashes[name], 1, self.scripts.route, *args)
        return text(self.client.execute_command("EVALSHA", *arguments))  # type: ignore[no-untyped-call]

    def twice(self, name: str, *args: str | int) -> Any:
        """Call a script, then once more with the same arguments: nothing may change and the answer be the same."""
        answer = self.once(name, *args)
        before = self.dump()
        again = self.once(name, *args)
        assert self.dump() == before, f"{name} repeated changed something"
        if name != "finish":  # it says "already", which the caller takes for "ok"
            assert again == answer, f"{name} repeated answered otherwise"
        return answer

    def dump(self) -> dict[str, Any]:
        """Return everything in the store but the counters, which count requests."""
        skipped = (self.keys.single("totals").encode(), f"{PREFIX}:test-clock".encode())
        keys = [key for key in sorted(self.client.keys("*")) if key not in skipped]
        kinds = self.client.pipeline(transaction=False)
        for key in keys:
            kinds.type(key)
        reads = self.client.pipeline(transaction=False)
        for key, kind in zip(keys, kinds.execute(), strict=True):
            READ[kind](reads, key)
        return dict(zip(keys, reads.execute(), strict=True))

    def living(self, one: Held) -> Held:
        """Return an incident that is in somebody's hand now, or the given one."""
        running = sorted((name, have.fence) for name, have in self.model.incidents.items() if have.state == "running")
        return running[len(self.model.records) % len(running)] if running else one

    def changes_nothing_if_stale(self, held: Held, call: Any) -> Any:
        event_id, fence = held
        stale = event_id not in self.model.incidents or self.model.incidents[event_id].fence != fence
        before = self.dump() if stale else {}
        answer = call()
        if stale:
            late = self.keys.of("fx", event_id).encode()
            after = self.dump()
            assert {k: v for k, v in after.items() if k != late} == {k: v for k, v in before.items() if k != late}
        return answer

    # -- the rules -------------------------------------------------------------------------------------

    @rule(by=st.sampled_from([0, 1, 99, 100, LEASE // 2, LEASE, LEASE + 1, 5 * LEASE]))
    def tick(self, by: int) -> None:
        self.model.now += by
        self.client.set(f"{PREFIX}:test-clock", self.model.now)

    @rule(names=st.lists(ids, min_size=1, max_size=3), nonce=st.sampled_from(["", "old"]))
    def enqueue(self, names: list[str], nonce: str) -> None:
        nonce = nonce or self.fresh()
        items = [(name, payload(name)) for name in names]
        flat = [part for item in items for part in item]
        expected = self.model.enqueue(MOST_WAITING, nonce, items)
        assert self.twice("enqueue", MOST_WAITING, nonce, *flat) == expected
        self.compare()

    @rule(name=ids, form=st.sampled_from(["same", "other", "twin", "garbage"]))
    def push(self, name: str, form: str) -> None:
        """Anybody may push anything: an accepted event's own payload, another one under its id, or nonsense."""
        twin = payload(name)[:-1] + "]"  # of the same length
        raw = {"same": payload(name), "other": payload(name, by="hand"), "twin": twin, "garbage": "no json"}[form]
        self.client.rpush(self.keys.single("events"), raw)
        self.model.events.append(("" if form == "garbage" else name, raw))

    @rule(target=held, worker=WORKERS, most=st.integers(1, 3), suspects=st.integers(0, 1), old=st.booleans())
    def claim(self, worker: str, most: int, suspects: int, old: bool) -> Any:
        last = self.model.claims.get(worker, ("boot-1", "", []))
        nonce = last[0] if old else f"boot-{int(last[0].rpartition('-')[2]) + 1}"
        return self.claimed(worker, nonce, most, suspects)

    @rule(target=held, worker=WORKERS)
    def take_over(self, worker: str) -> Any:
        """Everybody falls silent for longer than the lease, and one comes back for whatever there is."""
        self.tick(LEASE)
        last = self.model.claims.get(worker, ("boot-1", "", []))
        return self.claimed(worker, f"boot-{int(last[0].rpartition('-')[2]) + 1}", 3, 1)

    @rule(target=held, worker=WORKERS, number=st.integers(0, 5))
    def claim_late(self, worker: str, number: int) -> Any:
        return self.claimed(worker, f"boot-{number}", 2, 1)

    def claimed(self, worker: str, nonce: str, most: int, suspects: int) -> Any:
        expected = self.model.claim(worker, nonce, most, suspects)
        arguments = (worker, nonce, LEASE, most, suspects, 1_000_000)
        # An empty answer gives nothing, so its nonce is not kept and a repeat is a first claim.
        answer = self.twice("claim", *arguments) if expected else self.once("claim", *arguments)
        heads = [one[0].split() for one in answer[1:]]
        assert [(name, int(deliveries), accepted == "1") for name, deliveries, _, accepted, _ in heads] == expected
        self.compare()
        return multiple(*((name, answer[0]) for name, *_ in heads))

    @rule(some=st.lists(held, max_size=3))
    def beat(self, some: list[Held]) -> None:
        flat = [part for item in some for part in item]
        assert self.twice("beat", "w1", "{}", LEASE, *flat) == self.model.beat(some)
        self.compare()

    @rule(one=held, live=MOSTLY, number=st.integers(1, 3))
    def save(self, one: Held, live: bool, number: int) -> None:
        one = self.living(one) if live else one
        expected = self.model.save(*one, number, f'"{number}"')
        answer = self.changes_nothing_if_stale(one, lambda: self.twice("save", *one, number, "note", f'"{number}"'))
        assert answer == expected
        self.compare()

    @rule(one=held, live=MOSTLY, step=STEPS, nonce=st.sampled_from(["a", "b"]), idempotent=st.booleans())
    def begin(self, one: Held, live: bool, step: str, nonce: str, idempotent: bool) -> None:
        one = self.living(one) if live else one
        idempotent = idempotent and step == "2"  # step 1 stands for an action that is not declared idempotent
        expected = self.model.begin(*one, step, nonce, idempotent)
        arguments = (*one, step, nonce, int(idempotent), 1, "j", 99, 99, LEASE)
        answer = self.changes_nothing_if_stale(one, lambda: self.twice("begin", *arguments))
        assert tuple(answer) == expected
        if answer[0] == "go" and step == "1":
            nonces = self.gone.setdefault((one[0], step), set())
            nonces.add(nonce)
            assert len(nonces) == 1, "I3: two intentions of one step were told to go"
        self.compare()

    @rule(
        one=held,
        live=MOSTLY,
        step=STEPS,
        nonce=st.sampled_from(["a", "b"]),
        kind=st.sampled_from(["done", "never_sent", "found"]),
    )
    def result(self, one: Held, live: bool, step: str, nonce: str, kind: str) -> None:
        one = self.living(one) if live else one
        expected = self.model.result(*one, step, nonce, f'"{nonce}"', kind)
        arguments = (*one, step, nonce, f'"{nonce}"', kind, "x")
        assert self.changes_nothing_if_stale(one, lambda: self.twice("result", *arguments)) == expected
        if kind == "never_sent" and expected == "ok":
            self.gone.get((one[0], step), set()).discard(nonce)
        self.compare()

    @rule(one=held, live=MOSTLY, wait=st.sampled_from([0, 50, LEASE]), watch=st.sampled_from(["", "job", "answer"]))
    def defer(self, one: Held, live: bool, wait: int, watch: str) -> None:
        one = self.living(one) if live else one
        expected = self.model.defer(*one, wait, watch)
        arguments = (*one, wait, "j" if watch == "job" else "", "s" if watch == "answer" else "")
        assert self.changes_nothing_if_stale(one, lambda: self.twice("defer", *arguments)) == expected
        self.compare()

    @rule(one=held, live=MOSTLY)
    def release(self, one: Held, live: bool) -> None:
        one = self.living(one) if live else one
        expected = self.model.release(*one)
        assert self.changes_nothing_if_stale(one, lambda: self.twice("release", *one)) == expected
        self.compare()

    @rule(
        one=held,
        live=MOSTLY,
        plan=st.sampled_from(["p", "q"]),
        wait=st.sampled_from([50, LEASE]),
        watch=st.sampled_from(["", "j"]),
    )
    def park(self, one: Held, live: bool, plan: str, wait: int, watch: str) -> None:
        one = self.living(one) if live else one
        expected = self.model.park(*one, plan, wait, watch)
        assert self.changes_nothing_if_stale(one, lambda: self.twice("park", *one, plan, wait, watch)) == expected
        self.compare()

    @rule(
        name=ids,
        verdict=st.sampled_from(["approved", "rejected"]),
        plan=st.sampled_from(["p", "q", ""]),
        who=st.sampled_from(["ana", "bob"]),
    )
    def approve(self, name: str, verdict: str, plan: str, who: str) -> None:
        expected = self.model.approve(name, verdict, plan, who)
        assert self.twice("approve", name, verdict, plan, who, "")[0] == expected
        self.compare()

    @rule(one=held, live=MOSTLY, by=st.sampled_from(["", "m", "n"]), may=st.sampled_from(["go", "go", "wait", "look"]))
    def ask(self, one: Held, live: bool, by: str, may: str) -> None:
        one = self.living(one) if live else one
        expected = self.model.ask(*one, by, may)
        answer = self.changes_nothing_if_stale(one, lambda: self.twice("ask", *one, "s", by, may, 10**9))
        assert tuple(answer) == expected
        self.compare()

    @rule(one=held, live=MOSTLY, by=st.sampled_from(["m", "n"]), kept=st.booleans())
    def answered(self, one: Held, live: bool, by: str, kept: bool) -> None:
        one = self.living(one) if live else one
        expected = self.model.answered(*one, by, '"it"' if kept else "")
        arguments = (*one, "s", by, '"it"' if kept else "", 10**9)
        assert self.once("answered", *arguments) == expected
        before = self.dump()
        assert self.once("answered", *arguments) == "late"
        assert self.dump() == before
        self.compare()

    @rule(one=held, live=MOSTLY)
    def recovered(self, one: Held, live: bool) -> None:
        one = self.living(one) if live else one
        expected = self.model.recovered(*one)
        answer = self.changes_nothing_if_stale(one, lambda: self.once("recovered", "j", *one))
        assert sorted(answer) == expected
        self.compare()

    @rule(some=st.lists(held, min_size=1, max_size=3), letter=st.booleans())
    def finish(self, some: list[Held], letter: bool) -> None:
        expected = [self.model.finish(*one, letter) for one in some]
        arguments: list[str | int] = [100, 10**9, 100]
        for name, fence in some:
            arguments += [f"{name} {fence} x - failed - j", json.dumps({"id": name}), ""]
            arguments.append(letter_of(name) if letter else "")
        assert self.twice("finish", *arguments) == expected
        self.compare()

    @rule(one=held)
    def finish_late(self, one: Held) -> None:
        arguments = (100, 10**9, 100, f"{one[0]} {one[1]} x - failed - j", json.dumps({"id": one[0]}), "", "")
        expected = self.model.finish(*one, letter=False)
        assert self.changes_nothing_if_stale(one, lambda: self.once("finish", *arguments)) == [expected]
        self.compare()

    @rule(name=ids, accepted=st.booleans(), old=st.booleans())
    def replay(self, name: str, accepted: bool, old: bool) -> None:
        have = self.model.incidents.get(name)
        nonce = have.replay if old and have is not None and have.replay else self.fresh()
        expected = self.model.replay(name, nonce, payload(name), accepted)
        answer = self.twice("replay", letter_of(name), name, payload(name), int(accepted), nonce)
        assert answer == expected
        if expected == "ok" and not old:
            assert self.client.llen(self.keys.single("events")) == len(self.model.events)
        self.compare()

    # -- the invariants --------------------------------------------------------------------------------

    def compare(self) -> None:
        """Compare the places of all incidents with the model's: each is in exactly one (I1), with one record (I2)."""
        pipeline = self.client.pipeline(transaction=False)
        pipeline.lrange(self.keys.single("events"), 0, -1)
        pipeline.lrange(self.keys.single("history"), 0, -1)
        for name in PLACES.values():
            pipeline.zrange(self.keys.single(name), 0, -1, withscores=True)
        pipeline.zrange(self.keys.single("open"), 0, -1)
        pipeline.hkeys(self.keys.single("payloads"))
        for name in self.model.incidents:
            pipeline.hgetall(self.keys.of("incident", name))
            pipeline.hgetall(self.keys.of("fx", name))
        pipeline.get(self.keys.of("asking", "s"))
        pipeline.hmget(self.keys.of("answer", "s"), "by", "body")
        pipeline.smembers(self.keys.of("askers", "s"))
        events, history, *rest, asking, answer, askers = text(pipeline.execute())
        assert (asking or "", tuple(answer), set(askers)) == (
            " ".join(self.model.asking),
            self.model.answer or (None, None),
            self.model.askers,
        )
        assert events == [raw for _, raw in self.model.events]
        assert [json.loads(record)["id"] for record in history] == self.model.records
        for (state, _), found in zip(PLACES.items(), rest[:3], strict=True):
            standing = {n: i.score for n, i in self.model.incidents.items() if i.state == state}
            assert {name: int(score) for name, score in found} == standing, state
        assert set(rest[3]) == {n for n, i in self.model.incidents.items() if i.state != "done"}
        assert set(rest[4]) == {n for n, i in self.model.incidents.items() if i.state not in ("queued", "done")}
        for (name, incident), fields, journal in zip(self.model.incidents.items(), rest[5::2], rest[6::2], strict=True):
            assert fields["state"] == incident.state, name
            assert fields.get("fence", "") == incident.fence
            assert int(fields.get("deliveries", 0)) == incident.deliveries
            assert {k[2:] for k in fields if k.startswith("p:")} == set(incident.progress)
            assert fields.get("p:note") == incident.progress.get("note"), "the newest word stands"
            steps = {k.removesuffix(":state"): v for k, v in journal.items() if k.endswith(":state")}
            assert steps == {step: line.state for step, line in incident.journal.items()}
            assert {k[5:]: v for k, v in journal.items() if k.startswith("late:")} == incident.late


def payload(name: str, **more: str) -> str:
    return json.dumps({"event_id": name, **more}, separators=(",", ":"))


def letter_of(name: str) -> str:
    return json.dumps({"event_id": name, "reason": "x"})


def text(value: Any) -> Any:
    """Turn a reply into text, however deep it is."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {text(k): text(v) for k, v in value.items()}
    return [text(item) for item in value] if isinstance(value, list | tuple | set) else value


def test_the_scripts_do_what_the_protocol_says_in_any_order(store_url: str) -> None:
    with redis.Redis.from_url(store_url, db=9, protocol=2) as client:
        machine = type("Machine", (Protocol,), {"client": client})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=60,
                stateful_step_count=50,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
        client.flushdb()
