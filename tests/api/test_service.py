"""The service as a whole: health, metrics, headers, problems, docs, start and end."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

import api.body
import api.main
from agentic.errors import ConfigError
from agentic.types import ModelCall
from agentic.usage import counted
from api.main import create_app
from api.metrics import GAUGES, TOTALS
from api.problems import TITLES
from settings.models import Settings

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "api/static/vendor"


async def test_alive_asks_nobody(memory_client: Any, memory: Any) -> None:
    memory.store.away = True
    assert (await memory_client.get("/healthz")).json() == {"status": "alive"}


async def test_ready_is_degraded_without_worker_or_model_and_unavailable_without_store(
    memory_client: Any, memory: Any
) -> None:
    async def ready() -> tuple[int, str]:
        answer = await memory_client.get("/readyz")
        return answer.status_code, answer.json()["status"]

    assert await ready() == (200, "degraded")
    memory.store.workers = [{"id": "w1"}]
    assert await ready() == (200, "ready")
    memory.store.llm = {"state": "down"}
    assert await ready() == (200, "degraded")
    memory.store.away = True
    assert await ready() == (503, "unavailable")


async def test_health_says_in_words_how_things_are(memory_client: Any, memory: Any, report: Any) -> None:
    await memory_client.post("/event", json=report())
    memory.store.workers = [{"id": "w1"}]
    memory.store.llm = {"state": "down"}
    await memory_client.post("/pause", json={"user": "dana", "reason": "upgrade"})
    health = (await memory_client.get("/health")).json()
    assert health["status"] == "degraded"
    for words in ("1 event waiting", "1 worker at work", "model does not answer", "paused by dana (upgrade)"):
        assert words in health["summary"]
    memory.store.away = True
    answer = await memory_client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "down")


async def test_the_pause_switch_is_turned_and_turned_back(client: Any) -> None:
    assert (await client.post("/pause")).json() == {"paused": True}
    assert (await client.get("/status")).json()["paused"]["by"] == "api"
    assert (await client.post("/pause", json={"user": "dana", "reason": "upgrade"})).status_code == 200
    assert (await client.get("/status")).json()["paused"]["by"] == "dana"
    assert (await client.post("/resume")).json() == {"paused": False}
    assert (await client.get("/status")).json()["paused"] is None
    assert (await client.post("/pause", json={"user": 7})).status_code == 422


async def test_status_shows_queue_workers_and_store(client: Any, report: Any) -> None:
    await client.post("/event", json=report())
    status = (await client.get("/status")).json()
    assert status["queue_depth"] == 1
    assert {"version", "uptime_seconds", "workers", "store", "llm", "in_flight", "delayed", "dead"} <= set(status)


async def test_metrics_count_for_all_workers_and_for_this_process(client: Any, report: Any) -> None:
    for _ in range(3):
        await client.post("/event", json=report(event_id="e1"))
    await client.get("/history/some-id-nobody-has")
    await client.get("/made/up/by/a/client")
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    for line in (
        'autoremedy_events_total{result="accepted"} 1.0',
        'autoremedy_events_total{result="duplicate"} 2.0',
        "autoremedy_queue_depth 1.0",
        "autoremedy_store_up 1.0",
        "autoremedy_paused 0.0",
        'autoremedy_http_requests_total{method="POST",route="/event",status="202"} 3.0',
        'autoremedy_http_requests_total{method="GET",route="/history/{event_id}",status="404"} 1.0',
        'autoremedy_http_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'autoremedy_http_request_seconds_count{method="POST",route="/event"} 3.0',
    ):
        assert line in lines, line
    assert "some-id-nobody-has" not in answer.text


async def test_metrics_are_there_without_the_store(memory_client: Any, memory: Any) -> None:
    memory.store.away = True
    answer = await memory_client.get("/metrics")
    assert answer.status_code == 200
    assert "autoremedy_store_up 0.0" in answer.text


async def test_questions_to_the_model_are_shown_as_histograms_of_the_genai_conventions(
    memory_client: Any, memory: Any
) -> None:
    calls = [
        ModelCall(model="llama-3-8b", prompt_hash="x", prompt_tokens=900, completion_tokens=90, duration_seconds=2.0),
        ModelCall(model="llama-3-8b", prompt_hash="x", duration_seconds=90.0, error="timeout"),
    ]
    memory.store.counted = {}
    for field, amount in counted(calls).items():
        metric, _, label = field.partition("|")
        memory.store.counted.setdefault(metric, {})[label] = amount
    text = (await memory_client.get("/metrics")).text
    named = 'gen_ai_operation_name="chat",gen_ai_request_model="llama-3-8b"'
    seconds, tokens = "gen_ai_client_operation_duration_seconds", "gen_ai_client_token_usage"
    for line in (
        f'{seconds}_bucket{{error_type="",{named},le="1.28"}} 0.0',
        f'{seconds}_bucket{{error_type="",{named},le="2.56"}} 1.0',
        f'{seconds}_bucket{{error_type="",{named},le="+Inf"}} 1.0',
        f'{seconds}_sum{{error_type="",{named}}} 2.0',
        f'{seconds}_bucket{{error_type="timeout",{named},le="81.92"}} 0.0',
        f'{seconds}_bucket{{error_type="timeout",{named},le="+Inf"}} 1.0',
        f'{tokens}_bucket{{{named},gen_ai_token_type="input",le="256.0"}} 0.0',
        f'{tokens}_bucket{{{named},gen_ai_token_type="input",le="1024.0"}} 1.0',
        f'{tokens}_sum{{{named},gen_ai_token_type="output"}} 90.0',
    ):
        assert line in text.splitlines(), line


async def test_every_metric_is_documented(memory_client: Any, memory: Any) -> None:
    memory.store.counted = {name: {"|".join(["x"] * len(total.labels)): 1.0} for name, total in TOTALS.items()}
    memory.store.llm = {"state": "up"}
    text = (await memory_client.get("/metrics")).text
    names = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    assert {f"autoremedy_{name}" for name in GAUGES} <= names
    documented = set(re.findall(r"`((?:autoremedy|gen_ai)_[a-z_]+)`", (ROOT / "docs/api.md").read_text()))
    assert names <= documented, names - documented


def documented_routes() -> set[str]:
    return set(re.findall(r"`((?:GET|POST) /[^` ]*)`", (ROOT / "docs/api.md").read_text()))


async def test_every_route_and_every_problem_is_documented(memory_client: Any) -> None:
    document = (await memory_client.get("/openapi.json")).json()
    routes = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert routes <= documented_routes(), routes - documented_routes()
    text = (ROOT / "docs/api.md").read_text()
    assert [code for code in TITLES if f"`{code}`" not in text] == []


async def test_the_openapi_document_is_worth_reading(memory_client: Any) -> None:
    document = (await memory_client.get("/openapi.json")).json()
    assert {tag["name"] for tag in document["tags"]} == {"events", "history", "incidents", "jobs", "operation"}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert re.fullmatch(r"[a-z_]+", operation["operationId"]), where
            assert operation["tags"] and operation["description"], where
            assert "HTTPValidationError" not in str(operation["responses"]), where
            body = operation.get("requestBody")
            if body:
                assert body["content"]["application/json"]["examples"], where
            if method == "post":
                assert "403" in operation["responses"] and "503" in operation["responses"], where


async def test_every_operation_is_summed_up_in_a_sentence(memory_client: Any) -> None:
    document = (await memory_client.get("/openapi.json")).json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            words = operation["summary"].split()
            assert len(words) >= 4, f"{method} {path}: {operation['summary']}"
            assert operation["summary"].lower() != operation["operationId"].replace("_", " ")
            assert not operation["summary"].endswith(".")


async def test_every_answer_has_an_example_that_fits_its_schema(memory_client: Any) -> None:
    document = (await memory_client.get("/openapi.json")).json()
    seen = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, answer in operation["responses"].items():
                for media, content in answer["content"].items():
                    where = f"{method} {path} {status}"
                    example = content.get("example")
                    assert example, where
                    assert media == "text/plain" or isinstance(example, dict), where
                    schema = {"components": document["components"], **content.get("schema", {})}
                    validator = jsonschema_rs.validator_for(schema)
                    assert validator.is_valid(example), f"{where}: {[str(e) for e in validator.iter_errors(example)]}"
                    seen += 1
    assert seen > 40


async def test_the_lines_of_the_docs_example_are_taken(memory_client: Any) -> None:
    document = (await memory_client.get("/openapi.json")).json()
    bodies = document["paths"]["/events"]["post"]["requestBody"]["content"]
    [example] = bodies["application/x-ndjson"]["examples"].values()
    answer = await memory_client.post(
        "/events", content=example["value"], headers={"content-type": "application/x-ndjson"}
    )
    assert (answer.status_code, answer.json()["submitted"]) == (202, 2)


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/history", "Nothing can be read until it is back"),
        ("HEAD", "/history", None),
        ("GET", "/incidents/e-1", "Nothing can be read until it is back"),
        ("POST", "/event", "the same event_id is never counted twice"),
        ("POST", "/events", "the same event_id is never counted twice"),
        ("POST", "/resume", "It may or may not have been done"),
    ],
)
async def test_what_to_do_while_the_store_is_away_depends_on_what_was_asked(
    memory_client: Any, memory: Any, report: Any, method: str, path: str, words: str | None
) -> None:
    memory.store.away = True
    body = {"json": [report()] if path == "/events" else report()} if path.startswith("/event") else {}
    answer = await memory_client.request(method, path, **body)
    assert answer.status_code == 503
    if words is not None:
        assert words in answer.json()["detail"]
        assert ("event_id" in answer.json()["detail"]) == path.startswith("/event")


async def test_every_example_of_the_docs_works(memory_client: Any, memory: Any, report: Any) -> None:
    await memory_client.post("/event", json=report(event_id="etl-2026-11-22.1"))
    await memory.settle("etl-2026-11-22.1", category="disk_full")
    document = (await memory_client.get("/openapi.json")).json()
    tried = 0
    for path, item in document["paths"].items():
        body = item.get("post", {}).get("requestBody", {"content": {}})
        for example in body["content"].get("application/json", {}).get("examples", {}).values():
            # Whoever waits for an approval may have it rejected as well: each example has an event of its own.
            event_id = f"example-{tried}"
            memory.store.waiting[event_id] = "5f" * 32
            await memory_client.post("/resume")
            answer = await memory_client.post(path.format(event_id=event_id), json=example["value"])
            assert answer.is_success, f"{path}: {answer.text}"
            tried += 1
    assert tried >= 7


async def test_every_answer_carries_security_headers_and_an_id(memory_client: Any) -> None:
    for path in ("/healthz", "/nope", "/docs", "/static/docs.js", "/openapi.json"):
        headers = (await memory_client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"]
        assert headers["x-request-id"]
    assert (await memory_client.get("/healthz")).headers["cache-control"] == "no-store"


async def test_a_request_id_is_taken_over_unless_it_is_odd(memory_client: Any) -> None:
    kept = await memory_client.get("/nope", headers={"x-request-id": "trace-1"})
    assert (kept.headers["x-request-id"], kept.json()["request_id"]) == ("trace-1", "trace-1")
    for odd in ("a b", "x" * 200, "<script>", ""):
        assert (await memory_client.get("/nope", headers={"x-request-id": odd})).headers["x-request-id"] != odd


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://autoremedy.test"}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "https://proxy.example"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://autoremedy.test:9999"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
    ],
)
async def test_another_sites_page_can_change_nothing(
    memory_client: Any, memory: Any, headers: dict[str, str], status: int
) -> None:
    answer = await memory_client.post("/pause", headers=headers)
    assert answer.status_code == status
    assert (memory.store.paused is not None) == (status == 200)
    assert (await memory_client.get("/healthz", headers=headers)).status_code == 200


async def test_wrong_methods_and_paths_are_problems_too(memory_client: Any) -> None:
    wrong = await memory_client.put("/event", json={})
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    for answer in (wrong, await memory_client.get("/event/"), await memory_client.get("/static/nope.js")):
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["status"] == answer.status_code
        assert set(problem) >= {"type", "title", "status", "detail", "instance", "request_id"}


def test_head_answers_like_get_without_a_body(served: str) -> None:
    answer = httpx.head(f"{served}/healthz")
    assert (answer.status_code, answer.content) == (200, b"")
    assert httpx.head(f"{served}/event").status_code == 405


async def test_an_unexpected_error_tells_nothing_of_the_inside(memory_client: Any, memory: Any) -> None:
    async def broken() -> Any:
        raise RuntimeError("password is hunter2 in /srv/secret.py")

    memory.store.jobs = broken
    answer = await memory_client.get("/jobs")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:autoremedy:problem:internal"
    assert "hunter2" not in answer.text and "secret" not in answer.text and "RuntimeError" not in answer.text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("10.1.2.3", 200),
        ("[::1]:8000", 200),
        ("[fe80::1%25eth0]", 200),
        ("localhost:1234", 200),
        ("LOCALHOST.", 200),
        (f"{platform.node()}:8000", 200),
        ("remedy.example.org", 200),
        ("autoremedy.test:80", 200),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("[evil.example]", 421),
        ("user@localhost", 421),
        ("0x7f.1", 421),
        ("api", 421),
    ],
)
async def test_a_name_that_is_not_ours_gets_no_answer(memory_client: Any, memory: Any, host: str, status: int) -> None:
    for method, path in (("GET", "/healthz"), ("GET", "/history"), ("POST", "/pause")):
        answer = await memory_client.request(method, path, headers={"host": host})
        assert answer.status_code == status, path
    assert (memory.store.paused is not None) == (status == 200)
    if status == 421:
        problem = answer.json()
        assert problem["type"] == "urn:autoremedy:problem:unknown-host"
        assert "api.allowed_hosts" in problem["detail"]


async def test_a_foreign_page_is_kept_out_under_our_own_name_too(memory_client: Any) -> None:
    headers = {"host": "localhost:8000", "origin": "http://evil.example"}
    assert (await memory_client.post("/pause", headers=headers)).status_code == 403


def test_a_sender_that_stops_in_the_middle_gets_408_and_holds_nothing(
    served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(api.body, "BODY_TIMEOUT_SECONDS", 0.2)
    url = httpx.URL(served)
    with socket.create_connection((url.host, url.port or 0), timeout=5) as sending:
        sending.sendall(
            b"POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert sending.recv(1000).startswith(b"HTTP/1.1 408")
    with socket.create_connection((url.host, url.port or 0), timeout=5) as leaving:
        leaving.sendall(
            b"POST /event HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
    assert httpx.get(f"{served}/healthz").status_code == 200


async def test_the_docs_page_needs_nothing_from_elsewhere(memory_client: Any) -> None:
    page = await memory_client.get("/docs")
    assert page.status_code == 200
    assert not re.search(r'(src|href)="(https?:)?//', page.text)
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(links) >= 4
    for link in links:
        found = await memory_client.get(f"/{link}")
        assert found.status_code == 200, link
    assert "'unsafe-eval'" not in page.headers["content-security-policy"]
    assert "validatorUrl: null" in (await memory_client.get("/static/docs.js")).text
    assert (await memory_client.get("/")).headers["location"] == "docs"


def test_vendored_files_are_the_ones_that_were_looked_at() -> None:
    listed = re.findall(r"^\| `([^`]+)` \| `sha384-([^`]+)` \|", (VENDOR / "VENDOR.md").read_text(), re.MULTILINE)
    for name, expected in listed:
        digest = hashlib.sha384((VENDOR / name).read_bytes()).digest()
        assert base64.b64encode(digest).decode() == expected, name
    files = {str(p.relative_to(VENDOR)) for p in VENDOR.rglob("*") if p.is_file()} - {"VENDOR.md"}
    assert files == {name for name, _ in listed}


def test_files_outside_the_static_folder_cannot_be_had(served: str) -> None:
    for path in ("/static/../main.py", "/static/%2e%2e/main.py", "/static/..%2fmain.py", "/static/vendor"):
        assert httpx.get(f"{served}{path}").status_code == 404


async def test_the_store_is_opened_at_start_and_closed_at_the_end(memory: Any) -> None:
    app = create_app(Settings(), memory.store)
    async with app.router.lifespan_context(app):
        assert (memory.store.opened, memory.store.closed) == (1, 0)
    assert memory.store.closed == 1


async def test_what_the_store_runs_on_is_stopped_even_when_the_start_fails(memory: Any) -> None:
    class Server:
        running = False

        def start(self) -> None:
            self.running = True

        def stop(self) -> None:
            self.running = False

    async def look_and_refuse() -> None:
        assert server.running
        raise ConfigError("no")

    server = Server()
    app = create_app(Settings(), memory.store, backing=server)
    async with app.router.lifespan_context(app):
        assert server.running
    assert not server.running
    memory.store.open = look_and_refuse
    app = create_app(Settings(), memory.store, backing=server)
    with pytest.raises(ConfigError):
        await app.router.lifespan_context(app).__aenter__()
    assert not server.running


async def test_the_service_starts_before_its_store_and_finds_it_later(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.main, "REOPEN_SECONDS", 0.01)
    memory.store.away = True
    app = create_app(Settings(), memory.store)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.get("/readyz")).status_code == 503
            memory.store.away = False
            await asyncio.sleep(0.1)
            assert memory.store.opened == 1
            assert (await client.get("/readyz")).status_code == 200


async def test_a_store_that_cannot_be_used_stops_the_start_with_a_sentence(memory: Any) -> None:
    async def refuse() -> None:
        raise ConfigError("the store may drop events: set maxmemory-policy to noeviction")

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    memory.store.open = refuse
    with pytest.raises(ConfigError):
        await create_app(Settings(), memory.store)({"type": "lifespan", "state": {}}, receive, send)
    assert sent == [
        {
            "type": "lifespan.startup.failed",
            "message": "the store may drop events: set maxmemory-policy to noeviction",
        }
    ]


def test_a_wrong_configuration_ends_the_start_with_its_lines_and_78(tmp_path: Path) -> None:
    wrong = tmp_path / "config.yaml"
    wrong.write_text("version: 1\napi:\n  prot: 8000\n")
    ended = subprocess.run(
        [sys.executable, "-m", "uvicorn", "api.main:app", "--port", "0"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "AUTOREMEDY_CONFIG": str(wrong)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 78
    assert "api.prot" in ended.stderr and ":3:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_importing_the_service_reads_no_configuration(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import api.main; print('imported')"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "AUTOREMEDY_CONFIG": str(tmp_path / "none.yaml")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.stdout.strip() == "imported", ended.stderr
