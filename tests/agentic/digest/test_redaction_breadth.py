"""Secrets of every kind, planted in every place we know, against lines that hold none."""

from __future__ import annotations

import base64
import itertools
import random
import re
import string
import uuid
from collections.abc import Iterator
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentic.digest import Redactor

HERE = Path(__file__).parent
MAKERS: list[dict[str, Any]] = yaml.safe_load((HERE / "makers.yaml").read_text("utf-8"))
PLANTED: list[dict[str, Any]] = yaml.safe_load((HERE / "planted.yaml").read_text("utf-8")) + MAKERS
CLEAN = (HERE / "clean.txt").read_text("utf-8").splitlines() + [line for group in MAKERS for line in group["near"]]
BARE = (
    "{s}",
    "using {s} now",
    '"{s}"',
    "key '{s}' rejected",
    "token={s}",
    "a:{s},b",
    "({s})",
    "https://x.example/a?k={s}&b=1",
    "tool --opt={s} --other",
    "\x1b[31m{s}\x1b[0m failed",
    '{{"message": "line one\\n{s}\\nline three"}}',
    "K={s};",
    "2026-11-22T03:00:00Z app[1]: got {s}.",
    "next%3D{s}%26x",
    "[{s}]",
    "<v>{s}</v>",
)
CASES = [(group, place) for group in PLANTED for place in (BARE if group.get("bare") else group["places"])]


@pytest.fixture(scope="module")
def redactor() -> Redactor:
    return Redactor()


def drawn(pattern: str, chance: random.Random) -> str:
    """Return a text that a simple pattern matches."""
    return "".join(_of(node, chance) for node in _parser.parse(pattern))


def _of(node: tuple[Any, Any], chance: random.Random) -> str:
    kind, value = str(node[0]), node[1]
    if kind == "LITERAL":
        return chr(value)
    if kind == "IN":
        kind, value = chance.choice([(str(item[0]), item[1]) for item in value])
        return chr(value) if kind == "LITERAL" else chr(chance.randint(*value))
    if kind == "MAX_REPEAT":
        low, high, inner = value
        return "".join(_of(part, chance) for _ in range(chance.randint(low, high)) for part in inner)
    if kind == "SUBPATTERN":
        return "".join(_of(part, chance) for part in value[-1])
    assert kind == "BRANCH", kind
    return "".join(_of(part, chance) for part in chance.choice(value[1]))


def secrets_of(group: dict[str, Any], chance: random.Random) -> Iterator[str]:
    """Yield secrets of a group without end, those left out that would be read as something else."""
    while True:
        secret = drawn(group["secret"], chance)
        if "not" in group and re.fullmatch(group["not"], secret):
            continue
        if not group.get("random") or (sum(map(str.isdigit, secret)) > 1 and sum(map(str.isalpha, secret)) > 1):
            yield secret


def planted_in(place: str, secret: str) -> tuple[list[str], list[bool]]:
    """Return the lines of a place with the secret in it, and which of them hold it."""
    templates = ["before it", *place.split("\n"), "after it"]
    return [line.format(s=secret) for line in templates], ["{s}" in line for line in templates]


@pytest.mark.parametrize(("group", "place"), CASES, ids=[f"{group['name']}: {place[:60]!r}" for group, place in CASES])
def test_a_planted_secret_is_hidden_and_nothing_else_changes(
    redactor: Redactor, group: dict[str, Any], place: str
) -> None:
    for secret in itertools.islice(secrets_of(group, random.Random(place)), 6):
        lines, holds = planted_in(place, secret)
        redacted = redactor.lines(lines)
        assert len(redacted) == len(lines)
        for before, after, holding in zip(lines, redacted, holds, strict=True):
            assert (before != after) == holding, after
            assert not holding or secret not in after, after
        assert redactor.lines(redacted) == redacted


@given(st.lists(st.tuples(st.sampled_from(CASES), st.integers(0, 2**32)), min_size=1, max_size=12), st.randoms())
def test_secrets_of_many_kinds_leave_one_log_together(
    redactor: Redactor, planted: list[tuple[tuple[dict[str, Any], str], int]], chance: random.Random
) -> None:
    log: list[str] = []
    secrets: list[str] = []
    for (group, place), seed in planted:
        secrets.append(next(secrets_of(group, random.Random(seed))))
        log += [chance.choice(CLEAN), *planted_in(place, secrets[-1])[0]]
    redacted = redactor.lines(log)
    assert len(redacted) == len(log)
    whole = "\n".join(redacted)
    assert not [secret for secret in secrets if len(secret) > 6 and secret in whole]
    assert redactor.lines(redacted) == redacted


def test_lines_without_secrets_stay_as_they_are(redactor: Redactor) -> None:
    redacted = redactor.lines(CLEAN)
    assert [(a, b) for a, b in zip(CLEAN, redacted, strict=True) if a != b] == []
    assert [line for line in CLEAN if redactor.text(line) != line] == []


def ids(chance: random.Random) -> dict[str, str]:
    """Return ids of the kinds that logs are full of, which look like keys and are none."""
    word = "".join(chance.choices(string.ascii_lowercase, k=7))
    return {
        "md5": f"{chance.getrandbits(128):032x}",
        "sha1": f"{chance.getrandbits(160):040x}",
        "sha256": f"{chance.getrandbits(256):064x}",
        "uuid": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "base64": base64.b64encode(chance.randbytes(57)).decode(),
        "digest": base64.b64encode(chance.randbytes(64)).decode(),
        "number": str(chance.randrange(10**8, 10**19)),
        "pod": f"{word}-{chance.getrandbits(40):010x}-{word[:5]}",
        "klass": f"com.{word}.{word}Service$${word.title()}Handler{chance.randrange(99)}",
        "path": f"/srv/{word}/{chance.randrange(9999)}/{word}-{chance.getrandbits(32):08x}.parquet",
        "seconds": f"{chance.random() * 1000:.3f}",
    }


FRAMES = (
    "commit {sha1}",
    "Merge {sha1} into {sha1}",
    "pulled registry.example/{pod}@sha256:{sha256}",
    "container {sha256} exited with 137",
    "containerd://{sha256}",
    "{base64}",
    "data:image/png;base64,{base64}",
    "integrity sha512-{digest}",
    'ETag: "{md5}"',
    'ETag: "{md5}-12"',
    "request_id={uuid} took {seconds} ms",
    "trace_id={md5} span_id={md5}",
    "at {klass}.run({klass}.java:81)",
    "read {path} in {seconds}s",
    "s3://bucket/{path}?versionId={base64}",
    "pod/{pod} deleted",
    "checksum {sha256} {path}",
    "ts={number} level=info offset={number} size={number}",
    "id={number} seq {number}",
    "cache key {pod}-{sha1} missed",
    "http://10.1.2.3:8080/v1/jobs/{uuid}/logs",
    "job {uuid} on {pod}: exit code 1",
    "user {pod} logged in from 10.1.2.3:{seconds}",
    "x-amz-id-2: {digest}",
)


def test_ids_that_look_like_keys_stay_as_they_are(redactor: Redactor) -> None:
    chance = random.Random(6)
    log = [frame.format(**ids(chance)) for _ in range(400) for frame in FRAMES]
    redacted = redactor.lines(log)
    assert [(a, b) for a, b in zip(log, redacted, strict=True) if a != b] == []
