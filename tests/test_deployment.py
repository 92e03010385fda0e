"""What the deployment files promise: closed by default, durable, stopped in time."""

from __future__ import annotations

import configparser
import re
import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from settings.models import Settings
from store import Store

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DEPLOYMENT = (ROOT / "docs" / "deployment.md").read_text()
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))

each_service = pytest.mark.parametrize("name", ["redis", "api", "worker"])


@each_service
def test_a_container_has_no_more_rights_than_it_needs(name: str) -> None:
    service = COMPOSE["services"][name]

    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["init"] is True
    assert "privileged" not in service
    assert "cap_add" not in service


@each_service
def test_a_service_can_be_scaled(name: str) -> None:
    assert "container_name" not in COMPOSE["services"][name]


@pytest.mark.parametrize("folder", ["api", "agentic_worker"])
def test_an_image_runs_as_a_numeric_user_and_checks_its_own_health(folder: str) -> None:
    final = (ROOT / folder / "Dockerfile").read_text().rpartition("\nFROM ")[2]

    assert re.search(r"(?m)^USER [1-9]\d*:[1-9]\d*$", final)
    assert "HEALTHCHECK" in final
    assert "curl" not in final
    assert "--require-hashes" in (ROOT / folder / "Dockerfile").read_text()


def test_only_the_api_is_published_and_only_to_this_machine() -> None:
    published = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}

    assert set(published) == {"api"}
    assert published["api"] == ["${BIND_ADDRESS:-127.0.0.1}:${PORT:-8000}:8000"]
    assert COMPOSE["services"]["redis"]["networks"] == ["store"]
    assert COMPOSE["networks"]["store"] == {"internal": True}


def test_redis_keeps_every_accepted_event() -> None:
    command = " ".join(COMPOSE["services"]["redis"]["command"])

    assert "--appendonly yes" in command
    assert "--appendfsync always" in command
    assert "--maxmemory-policy noeviction" in command
    assert COMPOSE["services"]["redis"]["volumes"] == ["redis-data:/data"]


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def test_a_stopped_worker_gets_the_time_it_drains_in() -> None:
    drain = Settings().queue.drain_seconds
    unit = next(path for path in UNITS if "worker" in path.name).read_text()
    patience = re.search(r"(?m)^TimeoutStopSec=(\d+)$", unit)

    assert seconds(COMPOSE["services"]["worker"]["stop_grace_period"]) > drain + 10
    assert patience is not None
    assert float(patience[1]) > drain + 10


def test_every_variable_of_the_compose_file_is_in_the_example_and_in_the_document() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()))

    assert used == set(re.findall(r"(?m)^#?(\w+)=", (ROOT / ".env.example").read_text()))
    assert {name for name in used if f"`{name}`" not in DEPLOYMENT} == set()


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_is_confined_and_is_not_restarted_for_a_wrong_setting(unit: Path) -> None:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.read_text())
    service = dict(parser["Service"])

    assert service["User"] != "root"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["RestartPreventExitStatus"] == "78"


async def test_the_documented_redis_user_may_do_what_the_store_needs_and_nothing_else(store_url: str) -> None:
    rules = re.search(r"`ACL SETUSER autoremedy on >… ~agentic:\* ([^`]+)`", DEPLOYMENT)
    assert rules is not None
    name, password = f"user-{secrets.token_hex(4)}", secrets.token_hex(8)
    async with Redis.from_url(store_url) as admin:
        await admin.execute_command("ACL", "SETUSER", name, "on", f">{password}", "~agentic:*", *rules[1].split())
        url = re.sub(r"^(\w+://)(?:[^@/]*@)?", rf"\g<1>{name}:{password}@", store_url)
        store = Store(url, prefix="agentic")
        try:
            await store.open()
            event_id = f"acl-{secrets.token_hex(4)}"
            raw = f'{{"event_id":"{event_id}","job_id":"nightly","status":"failed"}}'.encode()
            assert (await store.enqueue(event_id, raw)).name == "QUEUED"
            assert (await store.status())["queue_depth"] >= 1
            async with Redis.from_url(url) as user:
                with pytest.raises(NoPermissionError):
                    await user.flushall()
                with pytest.raises(NoPermissionError):
                    await user.get("somebody:elses")
        finally:
            await store.close()
            await admin.execute_command("ACL", "DELUSER", name)
            async for key in admin.scan_iter("agentic:*"):
                await admin.delete(key)
