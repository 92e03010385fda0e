"""What becomes of a report: every field, every limit, everything that people get wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic.digest import Redactor
from agentic.errors import InvalidEvent
from agentic.intake import (
    Limits,
    accept_event,
    accept_events,
    cap_log,
    event_from_json,
    event_from_mapping,
    event_to_json,
    parse_event,
)
from agentic.types import Event, EventStatus, HistoryRecord, RecordStatus
from store.base import dumps, loads

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LIMITS = Limits(max_body_bytes=1_000_000, max_log_bytes=10_000, max_batch=10)


def parse(**fields: Any) -> Event:
    body = json.dumps({"job_id": "backup", "status": "failed", **fields}).encode()
    return parse_event(body, LIMITS, None, NOW)


def problems(body: bytes | dict[str, Any]) -> dict[str, str]:
    """Parse what is to be refused; gives pointer -> message."""
    raw = body if isinstance(body, bytes) else json.dumps({"job_id": "backup", "status": "failed", **body}).encode()
    with pytest.raises(InvalidEvent) as refused:
        parse_event(raw, LIMITS, None, NOW)
    return {problem.pointer: problem.message for problem in refused.value.problems}


class Marking:
    """A redactor that knows one secret."""

    def take_key(self, key: bytes) -> None:
        raise AssertionError("reading a report needs no key")

    def text(self, text: str) -> str:
        return text.replace("hunter2", "[gone]")

    def lines(self, lines: Sequence[str]) -> list[str]:
        return [self.text(line) for line in lines]

    def value(self, value: Any) -> Any:
        return json.loads(self.text(json.dumps(value)))


def test_the_least_report_is_a_job_and_a_status() -> None:
    event = parse()
    assert (event.job_id, event.status, event.event_type) == ("backup", EventStatus.FAILED, "job_issue")
    assert event.received_at == NOW
    assert event.log == ()


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("failed", "failed"),
        ("fail", "failed"),
        ("failure", "failed"),
        ("error", "failed"),
        ("ERROR", "failed"),
        ("success", "succeeded"),
        ("ok", "succeeded"),
        ("started", "started"),
        ("timeout", "timeout"),
        ("stuck", "stuck"),
        ("late", "late"),
        ("overrun", "overrun"),
        ("killed", "killed"),
    ],
)
def test_synonyms_of_a_status_are_folded(word: str, status: str) -> None:
    assert parse(status=word).status == status


def test_an_unknown_status_is_answered_with_the_known_ones() -> None:
    message = problems({"status": "exploded"})["/status"]
    assert "'exploded'" in message
    for word in ("failed", "failure", "timeout", "stuck", "late", "overrun", "killed", "started", "succeeded", "ok"):
        assert word in message


def test_an_id_is_made_when_there_is_none_and_sorts_by_time() -> None:
    first = parse().event_id
    later = parse_event(b'{"job_id":"a","status":"ok"}', LIMITS, None, datetime(2026, 11, 23, tzinfo=UTC)).event_id
    assert first < later
    assert parse().event_id != first


@pytest.mark.parametrize("event_id", ["", "a b", "x" * 129, "é", "a/b", 'a"b', "a\n", 7, True, []])
def test_an_event_id_that_is_no_id_is_refused(event_id: Any) -> None:
    assert list(problems({"event_id": event_id})) == ["/event_id"]


@pytest.mark.parametrize(
    ("given_id", "job_id"), [(7, "7"), (7.0, "7"), (-1, "-1"), ("7", "7"), ("team/etl ü", "team/etl ü")]
)
def test_a_job_id_is_text_or_an_integer(given_id: Any, job_id: str) -> None:
    assert parse(job_id=given_id).job_id == job_id


@pytest.mark.parametrize(
    "job_id",
    [True, None, "", "  ", 1.5, [], {}, "a\nb", "a\x00b", "a\x1b[31mb", "ab\u202egnp", "x" * 257, 10**300],
)
def test_a_job_id_of_another_kind_is_refused(job_id: Any) -> None:
    assert list(problems({"job_id": job_id})) == ["/job_id"]


def test_a_log_is_cut_into_lines_only_at_newlines() -> None:
    assert parse(log="one\r\ntwo\x0cstill two\u2028still\n\nfour\n").log == (
        "one",
        "two\x0cstill two\u2028still",
        "",
        "four",
    )


def test_only_one_carriage_return_is_kept_off_a_line() -> None:
    assert parse(log="50%\r100%\r\r\nend").log == ("50%\r100%\r", "end")


def test_a_list_of_lines_keeps_one_line_per_item() -> None:
    assert parse(log=["a", "b\nc", "d\n", "", "e\r\n"]).log == ("a", "b\nc", "d", "", "e")


@pytest.mark.parametrize(
    ("log", "pointer"), [(7, "/log"), ({}, "/log"), (True, "/log"), (["a", 7], "/log/1"), ([None], "/log/0")]
)
def test_a_log_of_another_kind_is_refused(log: Any, pointer: str) -> None:
    assert list(problems({"log": log})) == [pointer]


def test_an_empty_log_and_a_binary_one_are_taken_as_they_are() -> None:
    assert parse(log="").log == ()
    assert parse(log=[]).log == ()
    assert parse(log=None).log == ()
    assert parse(log="\x00\x01\x7fELF\x02").log == ("\x00\x01\x7fELF\x02",)


def test_details_stand_in_for_a_missing_log() -> None:
    assert parse(details={"log": "a\nb"}).log == ("a", "b")
    assert parse(details={"message": "m", "error": ["e1", "e2"]}).log == ("m", "e1", "e2")
    assert parse(description="at the top").log == ("at the top",)
    assert parse(log="", details={"error": "the only trace"}).log == ("the only trace",)


def test_details_do_not_replace_a_log() -> None:
    event = parse(log="real", details={"message": "other"})
    assert event.log == ("real",)
    assert event.details == {"message": "other"}


def test_details_of_another_kind_do_not_stand_in_and_are_kept() -> None:
    event = parse(details={"log": {"url": "x"}, "message": 7})
    assert event.log == ()
    assert event.details == {"log": {"url": "x"}, "message": 7}


def test_unknown_fields_are_kept_under_details() -> None:
    assert parse(pipeline="p", details={"queue": "q"}).details == {"queue": "q", "pipeline": "p"}


def test_an_unknown_field_and_a_detail_of_one_name_are_both_kept() -> None:
    event = parse(queue="top", details={"queue": "below"})
    assert event.details == {"queue": "below", "event.queue": "top"}


@pytest.mark.parametrize("details", [7, "text", [], True])
def test_details_that_are_no_object_are_refused(details: Any) -> None:
    assert list(problems({"details": details})) == ["/details"]


def test_a_log_that_is_too_long_keeps_head_and_tail_and_says_so() -> None:
    lines = [f"line {number:05}" for number in range(5000)]
    log = parse(log=lines).log
    cut = next(line for line in log if line.startswith("[autoremedy:"))
    assert log[0] == "line 00000"
    assert log[-1] == "line 04999"
    head = log.index(cut)
    assert f"lines {head} to {4999 - (len(log) - head - 1)} of 5000" in cut
    assert sum(len(line) + 1 for line in log) <= LIMITS.max_log_bytes + len(cut) + 1


def test_one_huge_line_is_cut_inside() -> None:
    log = parse(log="a" * 400_000 + "THE END").log
    assert len(log) == 3
    assert log[0].startswith("aaa") and log[2].endswith("THE END")
    assert "bytes cut here" in log[1]
    assert sum(len(line) for line in log) < LIMITS.max_log_bytes + 200


@given(st.lists(st.text(max_size=200), max_size=60), st.integers(min_value=64, max_value=4000))
def test_a_capped_log_is_no_longer_than_allowed(lines: list[str], most: int) -> None:
    lines = [line.encode(errors="replace").decode() for line in lines]
    capped = cap_log(lines, most)
    size = sum(len(line.encode()) + 1 for line in lines)
    if size <= most:
        assert list(capped) == lines
    else:
        kept = [line for line in capped if not line.startswith("[autoremedy:")]
        assert sum(len(line.encode()) + 1 for line in kept) <= most
        assert len(capped) == len(kept) + 1


def test_secrets_are_redacted_before_the_log_is_cut() -> None:
    body = json.dumps(
        {
            "job_id": "a",
            "status": "failed",
            "command": "psql -p hunter2",
            "log": "x" * 2_490 + "hunter2" + "x" * 20_000,
            "details": {"env": {"PW": "hunter2"}},
            "labels": {"l": "hunter2"},
            "note": "hunter2",
        }
    ).encode()
    assert b"hunter2" not in event_to_json(parse_event(body, LIMITS, Marking(), NOW))
    assert "hunt" not in parse_event(body, LIMITS, Marking(), NOW).log[0]


@pytest.mark.parametrize("name", ["run_id", "host", "source", "event_type", "command"])
def test_a_secret_in_a_short_field_is_redacted(name: str) -> None:
    body = json.dumps({"job_id": "a", "status": "failed", name: "https://etl:s3cr3t-Pw@db/x"}).encode()
    event = parse_event(body, LIMITS, Redactor(), NOW)
    assert getattr(event, name).startswith("https://etl:[REDACTED:url_password:")
    assert "s3cr3t-Pw" not in event.model_dump_json()


@pytest.mark.parametrize(
    "details",
    [
        {"passwords": ["correcthorse", "battery"]},
        {"password": 12345678},
        {"db": {"passwords": {"etl": "correcthorse", "admin": "battery"}}},
        {"password": {"value": "correcthorse", "old": ["battery", 12345678]}},
        {"api_keys": [["correcthorse"], 12345678.5]},
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_what_a_name_makes_secret_is_so_in_lists_objects_and_numbers(details: dict[str, Any], beside: bool) -> None:
    fields = details if beside else {"details": details}
    body = json.dumps({"job_id": "a", "status": "failed", **fields}).encode()
    kept = parse_event(body, LIMITS, Redactor(), NOW).model_dump_json()
    assert "REDACTED" in kept
    for secret in ("correcthorse", "battery", "12345678"):
        assert secret not in kept


def test_what_only_looks_like_a_secrets_name_is_kept() -> None:
    details = {"max_tokens": 4096, "sig": 9, "password": None, "passed": ["a", 12345], "retry": {"token": True}}
    body = json.dumps({"job_id": "a", "status": "failed", "details": details}).encode()
    assert parse_event(body, LIMITS, Redactor(), NOW).details == details


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-22T03:00:00Z", datetime(2026, 11, 22, 3, tzinfo=UTC)),
        ("2026-11-22t03:00:00.123456789z", datetime(2026, 11, 22, 3, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-22 05:00:00+02:00", datetime(2026, 11, 22, 3, tzinfo=UTC)),
        (1795316400, datetime(2026, 11, 22, 3, tzinfo=UTC)),
        (1795316400.5, datetime(2026, 11, 22, 3, 0, 0, 500000, tzinfo=UTC)),
        (None, None),
    ],
)
def test_times_are_rfc_3339_or_seconds(value: Any, expected: datetime | None) -> None:
    assert parse(started_at=value).started_at == expected


@pytest.mark.parametrize(
    "value",
    [
        "yesterday", "2026-11-22", "2026-11-22T03:00:00", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", 1795316400000, -1, 1e300, True, [],
        "２０２６-11-22T03:00:00Z", "",
    ],
)  # fmt: skip
def test_a_time_that_is_none_is_refused(value: Any) -> None:
    assert list(problems({"finished_at": value})) == ["/finished_at"]


def test_numbers_of_another_kind_are_refused_each_by_its_field() -> None:
    found = problems({"exit_code": "1", "attempt": 1.5, "duration_seconds": -1, "run_id": True, "host": 7})
    assert set(found) == {"/exit_code", "/attempt", "/duration_seconds", "/run_id", "/host"}


@pytest.mark.parametrize(
    ("exit_code", "fine"), [(0, True), (-9, True), (3221225786, True), (2**32, False), (10**400, False)]
)
def test_exit_codes_have_thirty_two_bits(exit_code: int, fine: bool) -> None:
    if fine:
        assert parse(exit_code=exit_code).exit_code == exit_code
    else:
        assert list(problems({"exit_code": exit_code})) == ["/exit_code"]


def test_numbers_among_labels_become_strings() -> None:
    assert parse(labels={"team": "data", "try": 2, "load": 0.5}).labels == {"team": "data", "try": "2", "load": "0.5"}


@pytest.mark.parametrize(
    ("labels", "pointer"),
    [
        ([], "/labels"),
        ({"a/b": None}, "/labels/a~1b"),
        ({"a": True}, "/labels/a"),
        ({"a": {}}, "/labels/a"),
        ({"": "x"}, "/labels/"),
        ({"a": "x" * 2000}, "/labels/a"),
        ({f"l{n}": "x" for n in range(65)}, "/labels"),
    ],
)
def test_labels_of_another_kind_are_refused(labels: Any, pointer: str) -> None:
    assert list(problems({"labels": labels})) == [pointer]


def test_a_command_may_be_a_list_of_arguments() -> None:
    assert parse(command=["tar", "czf", "my file.tgz"]).command == "tar czf 'my file.tgz'"
    assert list(problems({"command": ["tar", 7]})) == ["/command"]
    assert list(problems({"command": "tar\x1b[2J"})) == ["/command"]


def test_every_wrong_field_is_named_at_once() -> None:
    assert set(problems({"job_id": True, "status": 1, "log": 2, "labels": 3})) == {
        "/job_id",
        "/status",
        "/log",
        "/labels",
    }


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"job_id":"a","status":"ok"} x', "trailing"),
        (b"{'job_id':1}", "not valid JSON"),
        (b"NaN", "not valid JSON"),
        (b'{"job_id":"a","status":"ok","x":NaN}', "not valid JSON"),
        (b'{"job_id":"a","status":"ok","x":Infinity}', "not valid JSON"),
        (b'{"job_id":"a","job_id":"b","status":"ok"}', "job_id"),
        (b'{"job_id":"a","status":"ok","details":{"k":1,"k":2}}', '"k"'),
        (b'{"job_id":"\\ud800","status":"ok"}', "surrogate"),
        (b'{"job_id":"\\udc00x","status":"ok"}', "surrogate"),
        (b'{"job_id":"\xff","status":"ok"}', "UTF-8 at byte 11"),
        (b'{"job_id":"\xed\xa0\x80","status":"ok"}', "UTF-8"),
        (b"[" * 100_000, "recursion"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "recursion"),
        (b'{"job_id":' + b"9" * 5_000 + b',"status":"ok"}', "out of range"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b"[]", "JSON object"),
        (b'"text"', "JSON object"),
        (b"null", "JSON object"),
        (b"7", "JSON object"),
    ],
)
def test_what_is_not_json_is_refused_with_the_reason(body: bytes, word: str) -> None:
    assert word in problems(body)[""]


def test_numbers_beyond_the_range_are_refused_wherever_they_stand() -> None:
    found = problems(b'{"job_id":"a","status":"ok","x":1e999,"details":{"y":[0,-1e999]},"z/":{"q":1e999}}')
    assert set(found) == {"/x", "/details/y/1", "/z~1/q"}
    assert list(problems(b'{"job_id":"a","status":"ok","duration_seconds":1e999}')) == ["/duration_seconds"]


def test_a_byte_order_mark_does_not_matter() -> None:
    assert parse_event(b'\xef\xbb\xbf{"job_id":"a","status":"ok"}', LIMITS, None, NOW).job_id == "a"


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    assert "1000001 bytes" in problems(b" " * 1_000_001)[""]


def test_long_texts_among_details_are_cut_and_say_so() -> None:
    text = parse(details={"deep": [{"dump": "a" * 100_000}]}).details["deep"][0]["dump"]
    assert len(text) < 17_000
    assert "characters cut here" in text


def test_details_that_are_too_many_are_refused() -> None:
    assert list(problems({"details": {"numbers": list(range(100_000))}})) == ["/details"]


def test_ids_made_for_a_batch_differ_and_sort_by_time() -> None:
    def ids(when: datetime) -> list[str]:
        body = b'{"job_id":"a","status":"ok"}\n' * 10
        return [item[0] for item in accept_events(body, "ndjson", LIMITS, None, when) if isinstance(item, tuple)]

    first, later = ids(NOW), ids(datetime(2026, 11, 23, tzinfo=UTC))
    assert len({*first, *later}) == 20
    assert max(first) < min(later)


def test_an_event_for_the_queue_begins_with_its_id() -> None:
    assert event_to_json(parse(event_id="a.b:c-1_")).startswith(b'{"event_id":"a.b:c-1_","job_id":')


JSON_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON_DATA)
def test_any_detail_survives_the_queue(value: Any) -> None:
    try:
        body = json.dumps({"job_id": "a", "status": "failed", "anything": value}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    event = parse_event(body, LIMITS, None, NOW)
    assert event_from_json(event_to_json(event)) == event
    assert event.details["anything"] == value


TIMES = st.sampled_from(["2026-11-22T03:00:00Z", "2026-11-22T03:00:00.123456+02:00", 1763780000, 1.5])
REPORTS = st.fixed_dictionaries(
    {"job_id": st.sampled_from(["a", "ü/\"'\\", 7]), "status": st.sampled_from(["ok", "failed", "timeout"])},
    optional={
        "event_id": st.sampled_from(["a.b:c-1_", "x"]),
        "event_type": st.just("nightly"),
        "log": st.text() | st.lists(st.text(), max_size=5),
        "details": st.dictionaries(st.text(max_size=8), JSON_DATA, max_size=3),
        "run_id": st.sampled_from(["r", 10**30]),
        "attempt": st.integers(0, 9),
        "exit_code": st.integers(-(2**31), 2**32 - 1),
        "command": st.sampled_from(["a --b", ["a", "b c"]]),
        "labels": st.dictionaries(st.sampled_from(["l", "é"]), st.sampled_from(["x", 1, 1.5]), max_size=2),
        "started_at": TIMES,
        "finished_at": TIMES,
        "duration_seconds": st.floats(0, 3e9),
        "x": JSON_DATA,
    },
)


@given(REPORTS)
def test_what_goes_onto_the_queue_is_the_event_as_json(fields: dict[str, Any]) -> None:
    try:
        body = json.dumps(fields).encode()
        event_id, payload = accept_event(body, LIMITS, None, NOW)
    except InvalidEvent:
        return
    event = event_from_json(payload)
    assert event.event_id == event_id
    assert event_to_json(event) == payload
    assert event == parse_event(body, LIMITS, None, NOW).model_copy(update={"event_id": event_id})
    [(of_batch, in_batch)] = accept_events(b"[" + body + b"]", "json", LIMITS, None, NOW)
    assert in_batch.replace(of_batch.encode(), event_id.encode(), 1) == payload


@given(st.dictionaries(st.sampled_from([*Event.model_fields, "x"]), JSON_DATA, max_size=8))
def test_any_json_is_an_event_or_names_its_problems(fields: dict[str, Any]) -> None:
    body = json.dumps({"job_id": "a", "status": "failed", **fields}).encode()
    try:
        event = parse_event(body, LIMITS, None, NOW)
    except InvalidEvent as error:
        refused = error
    else:
        assert event_from_json(event_to_json(event)) == event
        return
    assert refused.problems
    assert all(problem.message for problem in refused.problems)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_understood_but_never_crash(body: bytes) -> None:
    with pytest.raises(InvalidEvent):
        parse_event(body, LIMITS, None, NOW)


@pytest.mark.parametrize("media", ["json", "ndjson"])
def test_one_bad_event_does_not_spoil_its_neighbours(media: Any) -> None:
    items = ['{"job_id":"a","status":"ok"}', '{"job_id":true,"status":"ok"}', '{"job_id":"b","status":"ok"}']
    body = ("[" + ",".join(items) + "]") if media == "json" else "\n".join(items) + "\n\n"
    first, second, third = accept_events(body.encode(), media, LIMITS, None, NOW)
    assert isinstance(first, tuple) and isinstance(third, tuple)
    assert [event_from_json(item[1]).job_id for item in (first, third)] == ["a", "b"]
    assert isinstance(second, InvalidEvent)
    assert [problem.pointer for problem in second.problems] == ["/1/job_id"]


def test_a_line_that_is_not_json_does_not_spoil_its_neighbours() -> None:
    good, bad = accept_events(b'{"job_id":"a","status":"ok"}\r\n{"job_id":', "ndjson", LIMITS, None, NOW)
    assert isinstance(good, tuple)
    assert isinstance(bad, InvalidEvent) and bad.problems[0].pointer == "/1"


@pytest.mark.parametrize(
    ("body", "media", "word"),
    [
        (b"[]", "json", "no events"),
        (b"\n\n", "ndjson", "no events"),
        (b"{}", "json", "array"),
        (b"[" + b",".join([b"{}"] * 11) + b"]", "json", "at most 10"),
        (b"{}\n" * 11, "ndjson", "at most 10"),
    ],
)
def test_a_batch_that_is_none_is_refused_whole(body: bytes, media: Any, word: str) -> None:
    with pytest.raises(InvalidEvent, match=word):
        accept_events(body, media, LIMITS, None, NOW)


def test_a_sensor_may_give_python_values() -> None:
    event = event_from_mapping(
        {"job_id": "a", "status": "failed", "started_at": NOW, "log": ("x", "y")}, LIMITS, None, NOW
    )
    assert event.started_at == NOW
    assert event.log == ("x", "y")


@pytest.mark.parametrize("value", [object(), float("nan"), {1, object()}, "\ud800"])
def test_values_that_are_not_json_are_refused_from_a_sensor_too(value: Any) -> None:
    with pytest.raises(InvalidEvent):
        event_from_mapping({"job_id": "a", "status": "failed", "x": value}, LIMITS, None, NOW)


def _nested() -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"d": deep}
    return deep


def test_endless_nesting_from_a_sensor_is_refused() -> None:
    with pytest.raises(InvalidEvent):
        event_from_mapping({"job_id": "a", "status": "failed", "x": _nested()}, LIMITS, None, NOW)


DEPTHS = [*range(4), *range(28, 35), *range(188, 200)]
"""Small ones, and those around what we allow and what JSON readers allow."""


def nested(depth: int, leaf: Any = "x") -> Any:
    """Return lists and objects in turn, so many levels deep."""
    for level in range(depth):
        leaf = [leaf] if level % 2 else {"a": leaf}
    return leaf


def as_read_back(event: Event) -> Event | None:
    """Write an event into its record as the store does, and read that as the API and the next worker do."""
    queued = event_from_json(event_to_json(event))
    record = HistoryRecord(
        event_id=event.event_id,
        job_id=event.job_id,
        status=RecordStatus.SUGGESTED,
        event=queued,
        received_at=NOW,
        finished_at=NOW,
    )
    return HistoryRecord.model_validate(loads(dumps({"records": [record]}))["records"][0]).event


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(10**400), 10**400)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(), inner, max_size=3)
            | st.builds(lambda value, depth: nested(depth, value), inner, st.sampled_from(DEPTHS))
        ),
        max_leaves=12,
    ),
    st.sampled_from(["details", "beside"]),
)
def test_whatever_is_accepted_can_be_read_back_from_its_record(value: Any, where: str) -> None:
    fields = {"details": {"x": value}} if where == "details" else {"x": value}
    try:
        event = parse(**fields)
    except InvalidEvent:
        return
    assert as_read_back(event) == event


@pytest.mark.parametrize("depth", [31, 32, 190, 196])
def test_details_nested_too_deeply_are_refused_with_the_place(depth: int) -> None:
    if depth < 32:
        assert as_read_back(parse(details={"x": nested(depth)})) is not None
        return
    for fields, pointer in (({"details": {"x": nested(depth)}}, "/details/x/"), ({"x": nested(depth)}, "/x/")):
        [(found, message)] = problems(fields).items()
        assert found.startswith(pointer)
        assert message == "nested too deeply; at most 32 levels"
