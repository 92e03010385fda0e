"""Whatever wraps a line, what the program said is found: headline, cause, line number and one signature."""

# ruff: noqa: E501  a sample is read whole

from __future__ import annotations

import json
import random

import pytest

from agentic.digest import clean_lines, digest_log
from agentic.digest.envelopes import unwrap_lines
from agentic.digest.masking import strip_prefixes
from agentic.reasoning.rules import Rules
from agentic.types import Category, Event, EventStatus

SAID = "cannot write dump: No space left on device"
RULES = Rules()

WRAPPED = {
    "bunyan": '{"name":"backup","hostname":"web1","pid":4242,"level":50,"msg":"SAID","time":"2024-05-01T10:00:00.000Z","v":0}',
    "pino": '{"level":50,"time":1714557600000,"pid":4217,"hostname":"web1","msg":"SAID"}',
    "zap": '{"level":"error","ts":1714557600.123,"caller":"app/main.go:42","msg":"SAID","stacktrace":"main.run\\n\\tmain.go:42"}',
    "logrus as JSON": '{"error":"No space left on device","level":"error","msg":"cannot write dump","time":"2024-05-01T10:00:00Z"}',
    "ECS": '{"@timestamp":"2024-05-01T10:00:00Z","log.level":"error","message":"SAID","ecs.version":"1.6.0"}',
    "GCP": '{"severity":"ERROR","timestamp":"2024-05-01T10:00:00Z","insertId":"1a2b3c","jsonPayload":{"message":"SAID"}}',
    "structlog": '{"event":"run failed","level":"error","error":{"stack_trace":"Traceback (most recent call last):\\n'
    '  File \\"a.py\\", line 3, in f\\nOSError: SAID"}}',
    "Java in JSON": '{"level":"ERROR","message":"step 7 failed","stack_trace":"java.lang.RuntimeException: step\\n'
    '\\tat a.B.c(B.java:7)\\nCaused by: java.io.IOException: SAID\\n\\tat a.B.d(B.java:9)"}',
    "docker json-file": '{"log":"SAID\\n","stream":"stderr","time":"2024-05-01T10:00:00.123456789Z"}',
    "JSON in docker json-file": '{"log":"{\\"level\\":\\"error\\",\\"msg\\":\\"SAID\\"}\\n","stream":"stderr"}',
    "journald as JSON": '{"__REALTIME_TIMESTAMP":"1714557600000000","PRIORITY":"3","MESSAGE":"SAID","_PID":"42","_HOSTNAME":"web1"}',
    "logfmt": 'time="2024-05-01T10:00:00Z" level=error msg="cannot write dump" err="No space left on device"',
    "containerd": "2024-05-01T10:00:00.123456789Z stderr F SAID",
    "JSON in containerd": '2024-05-01T10:00:00.123456789Z stdout F {"level":"error","msg":"SAID"}',
    "journald short": "May 01 10:00:00 web1 backup[4242]: SAID",
    "syslog 3164": "<11>May  1 10:00:00 web1 backup[4242]: SAID",
    "syslog 5424": '<11>1 2024-05-01T10:00:00.123Z web1 backup 4242 ID47 [x@32473 a="b"][y c="d"] SAID',
    "syslog 5424 bare": "<11>1 2024-05-01T10:00:00.123Z web1 backup 4242 - - SAID",
    "rsyslog": "2024-05-01T10:00:00.123456+02:00 web1 backup[4242]: SAID",
    "klog": "E0501 10:00:00.123456    4242 backup.go:42] SAID",
    "GitHub Actions": "2024-05-01T10:00:00.1234567Z ##[error]SAID",
    "GitHub command": "::error file=a.py,line=3::SAID",
    "Azure DevOps": "2024-05-01T10:00:00.1234567Z ##vso[task.logissue type=error;code=7]SAID",
    "GitLab": "section_start:1714557600:step_script\r\x1b[0KSAID",
    "Jenkins": "[2024-05-01T10:00:00.123Z] SAID",
    "Jenkins short": "10:00:00  SAID",
    "Airflow": "[2024-05-01, 10:00:00 UTC] {standard_task_runner.py:104} ERROR - SAID",
    "Airflow older": "[2024-05-01T10:00:00.123+0000] {taskinstance.py:1937} ERROR - SAID",
    "Spark": "24/05/01 10:00:00 ERROR Executor: SAID",
    "log4j": "2024-05-01 10:00:00,123 ERROR [main] backup.Dumper (Dumper.java:run(57)): SAID",
    "logback": "10:00:00.123 [main] ERROR c.a.Backup - SAID",
    "Ruby": "E, [2024-05-01T10:00:00.123456 #4242] ERROR -- : SAID",
    "Serilog": "[10:00:00 ERR] SAID",
    "nginx": "2024/05/01 10:00:00 [error] 42#42: *7 SAID",
    "compose": "backup-1  | 2024-05-01 10:00:00 SAID",
    "BuildKit": "#12 34.56 SAID",
    "kubectl": "[pod/backup-28472919-x7k2p/main] SAID",
    "dmesg": "[ 1234.567890] SAID",
    "PowerShell": "Out-File : SAID",
    "Windows": "5/1/2024 10:00:00 AM Error SAID",
}  # fmt: skip


def vary(text: str, chance: random.Random) -> str:
    return "".join(str(chance.randrange(1, 10)) if ch in "23456789" else ch for ch in text)


@pytest.mark.parametrize("name", WRAPPED)
def test_what_was_said_is_found_in_its_envelope(name: str) -> None:
    log = ["starting the nightly run", WRAPPED[name].replace("SAID", SAID), "bye"]
    digest = digest_log(log)
    assert digest.headline.endswith("No space left on device")
    assert "2024" not in digest.headline and "17145576" not in digest.headline
    found = RULES.diagnose(Event(event_id="e", job_id="j", status=EventStatus.FAILED), digest.lines)
    assert found is not None
    assert (found.category, found.evidence[0]) == (Category.DISK_FULL, 1)


LEVELS_ARE_DIGITS = {"bunyan", "pino", "journald as JSON"}


@pytest.mark.parametrize("name", sorted(WRAPPED.keys() - LEVELS_ARE_DIGITS))
def test_another_night_has_the_same_signature(name: str) -> None:
    chance = random.Random(7)
    signatures = {digest_log([vary(WRAPPED[name], chance).replace("SAID", SAID)]).signature for _ in range(50)}
    assert len(signatures) == 1


STAMPS = [
    "2024-05-01 10:00:00", "2024-05-01T10:00:00.123456789Z", "2024-05-01 10:00:00,123", "2024-05-01 10:00:00 AM", "2024-05-01, 10:00:00",
    "[2024-05-01 10:00:00 +0200]", "2024-05-01 10:00:00 Europe/Berlin |", "20240501-10:00:00", "20240501 100000", "20240501T100000Z",
    "01.05.2024 10:00:00", "01.05.2024 10:00:00,123", "1/5/2024 10:00", "5/1/2024 10:00:00 AM", "01-05-2024 10:00:00",
    "01/May/2024:10:00:00 +0000", "[01/May/2024 10:00:00]", "Wed, 01 May 2024 10:00:00 GMT", "Wed May  1 10:00:00 CEST 2024", "May 1, 2024 10:00:00 AM",
    "May  1 10:00:00", "1. Mai 2024 10:00:00", "Mi 1. Mai 10:00:00 CEST 2024", "mer. 1 mai 2024 10:00:00", "1 mayo 2024 10:00:00",
    "1 de maio de 2024 10:00:00", "1 мая 2024 10:00:00", "2024年05月01日 10:00:00", "2024年5月1日 10時00分00秒", "@4000000066321b8c1dcd6500",
    "1714557600", "1714557600.123456", "1714557600123", "10:00:00", "[10:00:00.123]", "[ 1234.567890]", "[+1.2s]",
]  # fmt: skip


@pytest.mark.parametrize("stamp", STAMPS)
def test_a_time_of_any_form_is_no_part_of_the_message(stamp: str) -> None:
    shown = strip_prefixes(f"{stamp} {SAID}")
    assert shown == SAID or "Europe" in stamp


@pytest.mark.parametrize(
    "text",
    ["May the force be with 10 users", "1 of 3 uploads failed", "3 errors", "12 files changed", "404 Not Found", "a b c", "5 retries left",
     "Sun 5 stars", "127.0.0.1 refused", "2024 was a good year", "1. first do this", "[1] aborted"],
)  # fmt: skip
def test_what_is_no_time_stays(text: str) -> None:
    assert strip_prefixes(text) == text


def test_a_line_that_the_runtime_cut_is_put_together() -> None:
    stamp = "2024-05-01T10:00:00.123456789Z stderr"
    log = [f"{stamp} P cannot write dump: No space le", f"{stamp} F ft on device", f"{stamp} F bye"]
    lines = digest_log(log).lines
    assert lines[0] == SAID and len(lines) == 3


@pytest.mark.parametrize(
    "line",
    ["{", "{}", '{"a": 1}', "{not json}", '{"msg": 5}', '{"log": {"msg": null}}', '{"message": ""}', '{"a":' * 5_000 + "1" + "}" * 5_000,
     '{"level": true, "event": ["x"]}', '{"msg": "a"', "{" * 100_000],
)  # fmt: skip
def test_what_only_looks_like_a_record_stays_as_it_is(line: str) -> None:
    assert unwrap_lines([line]) == [line]


def test_a_record_never_becomes_two_lines() -> None:
    record = json.dumps({"level": "error", "message": "one\ntwo\r\nthree", "error": {"message": "x\u2028y"}})
    assert unwrap_lines([record, "next"]) == ["ERROR one two three: x y", "next"]


PROGRESS = {
    "carriage returns": "  0%\r 50%\r100%\rSAID",
    "tqdm": "  3%|2         | 3/100 [00:01<00:32,  2.99it/s]\r  4%|2  | 4/100 [00:01<00:31]\rSAID",
    "curl": "  % Total    % Received\r  5 1024    5   51\r100  1024\rcurl: (23) SAID",
    "docker pull": "\x1b[1A\x1b[2Kabc: Downloading [==>   ]  1MB/20MB\r\x1b[1BSAID",
    "pip": "\x1b[?25l     \x1b[90m━━━━\x1b[0m 1.2/5.0 MB\r\x1b[2K\x1b[?25hERROR: SAID",
    "rsync": "     32,768   1%   31.25MB/s    0:00:03\r  1,048,576 100%\rrsync: SAID",
    "overwritten": "SAID\rretrying 1\rretrying 2\rfinished 2 of 3",
}


@pytest.mark.parametrize("name", PROGRESS)
def test_a_fault_is_seen_through_progress_bars(name: str) -> None:
    digest = digest_log(["start", PROGRESS[name].replace("SAID", SAID), "end"])
    assert SAID in digest.headline


def test_bytes_of_every_kind_are_cleaned_without_a_change_of_numbers() -> None:
    log = [
        "a\x00b",
        "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
        "\u202eabc\u202c",
        "\x9b31mred\x9b0m",
        "\r\r\r",
        "a\r\r",
    ]
    assert clean_lines(log) == ["ab", "link", "abc", "red", "", "a"]
