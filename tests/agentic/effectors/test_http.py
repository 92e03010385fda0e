"""Requests over real sockets: where they may go, what they carry, and what is known afterwards."""

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from agentic.effectors.http import Http
from agentic.errors import ConfigError, EffectorError
from agentic.types import ActionKind, OutcomeStatus

LOCAL = ["127.0.0.1"]


@pytest.fixture
def send(order):
    """Send one request through an effector and return its result."""

    async def run(url, http=None, *, settings=None, **more):
        request = order({"url": url, **(settings or {})}, effector="http", **more)
        return await (http or Http(allowed_hosts=LOCAL)).execute(request)

    return run


def answers(*addresses):
    async def resolve(host, port):
        return list(addresses)

    return resolve


async def test_a_request_carries_its_key_body_and_headers(send, server):
    result = await send(
        f"{server.url}/effect/{{event_id}}/poke?job={{job_id}}",
        settings={"json": {"id": "{event_id}", "n": [1, "{job_id}"], "raw": "{x}"}, "headers": {"X-Team": "ops"}},
        job_id="a/b@c",
    )
    assert (result.status, result.detail) == (OutcomeStatus.DONE, "HTTP 200: ok")
    assert server.seen[0].startswith(b"POST /effect/ev-1/poke?job=a%2Fb%40c HTTP/1.1\r\n")
    assert server.header("idempotency-key") == "ev-1:2"
    assert server.header("host") == f"127.0.0.1:{server.port}"
    assert server.header("x-team") == "ops"
    assert server.header("autoremedy-lineage") is None
    body = json.loads(server.seen[0].split(b"\r\n\r\n", 1)[1])
    assert body == {"id": "ev-1", "n": [1, "a/b@c"], "raw": "{x}"}


async def test_a_rerun_over_http_carries_lineage_and_attempt(send, server):
    await send(server.url, kind=ActionKind.RETRY, labels={"autoremedy.lineage": "ev-0"}, attempt=1)
    assert (server.header("autoremedy-lineage"), server.header("autoremedy-attempt")) == ("ev-0", "2")


async def test_the_checked_address_is_connected_to_and_the_name_is_kept(send, server):
    http = Http(allowed_hosts=["target"], resolve=answers("127.0.0.1"))
    result = await send(f"http://target:{server.port}/x", http)
    assert result.status is OutcomeStatus.DONE
    assert server.header("host") == f"target:{server.port}"


async def test_the_name_is_resolved_once_so_a_second_answer_changes_nothing(send, server):
    asked = []

    async def rebinding(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    result = await send(f"http://target:{server.port}/", Http(allowed_hosts=["target"], resolve=rebinding))
    assert result.status is OutcomeStatus.DONE
    assert asked == ["target"]


FORBIDDEN = [
    ("http://other/", "not in http.allowed_hosts"),
    ("http://127.0.0.2/", "not in http.allowed_hosts"),
    ("http://localhost/", "not in http.allowed_hosts"),
    ("http://169.254.169.254/latest/meta-data/", "metadata"),
    ("http://[fe80::1]/", "metadata, link-local"),
    ("http://[::ffff:169.254.169.254]/", "metadata"),
    ("http://[::ffff:a9fe:a9fe]/", "metadata"),
    ("http://[64:ff9b::a9fe:a9fe]/", "metadata"),
    ("http://[2002:a9fe:a9fe::]/", "metadata"),
    ("http://[::169.254.169.254]/", "metadata"),
    ("http://[fd00:ec2::254]/", "metadata"),
    ("http://100.100.100.200/", "metadata"),
    ("http://168.63.129.16/", "metadata"),
    ("http://metadata.google.internal/", "metadata service"),
    ("http://METADATA.google.internal./", "metadata service"),
    ("http://0.0.0.0/", "reserved"),
    ("http://0/", "neither a host name"),
    ("http://[::]/", "reserved"),
    ("http://255.255.255.255/", "reserved"),
    ("http://224.0.0.1/", "reserved"),
    ("http://2130706433/", "neither a host name"),
    ("http://017700000001/", "neither a host name"),
    ("http://0x7f000001/", "neither a host name"),
    ("http://0x7f.1/", "neither a host name"),
    ("http://127.1/", "neither a host name"),
    ("http://0177.0.0.1/", "not valid"),
    ("http://127.0.0.1.nip.io/", "not in http.allowed_hosts"),
    ("http://user@127.0.0.1/", "user or password"),
    ("http://127.0.0.1@evil.example/", "user or password"),
    ("http://127.0.0.1:80@evil.example/", "user or password"),
    ("http://evil.example#@127.0.0.1/", "not in http.allowed_hosts"),
    ("http://evil.example\\@127.0.0.1/", "backslash"),
    ("http://127.0.0.1\t.evil.example/", "control character"),
    ("http://127.0.0.1 .evil.example/", "blank"),
    ("http://127.0.0.1\r\nX: y/", "control character"),
    ("file:///etc/passwd", "only http and https"),
    ("gopher://127.0.0.1/", "only http and https"),
    ("ftp://127.0.0.1/", "only http and https"),
    ("//127.0.0.1/", "only http and https"),
    ("127.0.0.1/", "only http and https"),
    ("http:///x", "neither a host name"),
    ("http://１２７.0.0.1/", "plain letters"),
    ("http://①27.0.0.1/", "plain letters"),
    ("http://127。0。0。1/", "plain letters"),
    ("http://[::ffff:127.0.0.2]/", "not in http.allowed_hosts"),
    ("http://127.0.0.1:99999/", "not a port"),
    ("http://{job_id}/", "never in its host"),
    ("http://127.0.0.1:{job_id}/", "never in its host"),
    ("{job_id}://127.0.0.1/", "never in its host"),
]


@pytest.mark.parametrize(("url", "words"), FORBIDDEN)
async def test_a_url_that_leads_elsewhere_is_refused(send, url, words):
    result = await send(url, job_id="127.0.0.1")
    assert result.status is OutcomeStatus.REFUSED
    assert words in result.detail


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "::1", "fd00::1", "fe80::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::",
        "::127.0.0.1",
        "0.0.0.0", "100.64.0.1", "100.100.100.200", "192.0.0.192", "224.0.0.1", "fd00:ec2::254", "not-an-address",
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [[], ["93.184.216.34"]], ids=["alone", "behind a public one"])
async def test_a_public_name_that_stands_for_an_inside_address_is_refused(send, address, before):
    http = Http(allowed_hosts=["hooks.example.com"], resolve=answers(*before, address))
    result = await send("http://hooks.example.com/", http)
    assert result.status is OutcomeStatus.REFUSED


async def test_an_inside_address_of_a_public_name_is_allowed_when_it_is_listed_too(send, server):
    http = Http(allowed_hosts=["hooks.example.com", "127.0.0.0/8"], resolve=answers("127.0.0.1"))
    assert (await send(f"http://hooks.example.com:{server.port}/", http)).status is OutcomeStatus.DONE


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
async def test_metadata_is_refused_even_when_listed(send, address):
    http = Http(allowed_hosts=["inside", "0.0.0.0/0", "::/0"], resolve=answers(address))
    result = await send("http://inside/", http)
    assert result.status is OutcomeStatus.REFUSED
    assert "metadata" in result.detail


async def test_a_port_on_the_list_narrows_it(send, server):
    narrow = Http(allowed_hosts=[f"127.0.0.1:{server.port}"])
    assert (await send(server.url, narrow)).status is OutcomeStatus.DONE
    assert (await send("http://127.0.0.1:1/", narrow)).status is OutcomeStatus.REFUSED


@pytest.mark.parametrize("target", ["http://169.254.169.254/", "/elsewhere"])
async def test_redirects_are_not_followed(send, server, target):
    server.answer = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    result = await send(server.url)
    assert result.status is OutcomeStatus.FAILED
    assert "redirects are not followed" in result.detail
    assert server.connections == 1


async def test_proxies_of_the_environment_are_not_used(send, server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert (await send(server.url)).status is OutcomeStatus.DONE


@pytest.mark.parametrize(
    ("status", "expect", "outcome"),
    [
        (204, None, OutcomeStatus.DONE),
        (404, None, OutcomeStatus.FAILED),
        (500, None, OutcomeStatus.FAILED),
        (409, [200, 409], OutcomeStatus.DONE),
        (202, [200], OutcomeStatus.FAILED),
    ],
)
async def test_the_status_decides(send, server, status, expect, outcome):
    server.answer = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode()
    result = await send(server.url, settings={"expect_status": expect} if expect else {})
    assert result.status is outcome
    assert f"HTTP {status}" in result.detail


async def test_a_refused_connection_was_certainly_never_sent(send):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: nobody else can take the port meanwhile
        with pytest.raises(EffectorError) as raised:
            await send(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    assert raised.value.never_sent


async def test_a_name_without_an_address_was_certainly_never_sent(send):
    async def nothing(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(EffectorError, match=r"the name gone\.internal cannot be resolved") as raised:
        await send("http://gone.internal/", Http(allowed_hosts=["gone.internal"], resolve=nothing))
    assert raised.value.never_sent


async def test_no_answer_in_time_is_unknown(send, server):
    server.answer = None
    began = time.monotonic()
    result = await send(server.url, timeout=0.3)
    assert time.monotonic() - began < 2
    assert result.status is OutcomeStatus.UNKNOWN
    assert result.detail == "the request was sent, but no answer came: nothing within 0.3 s"


async def test_a_connection_reset_after_sending_is_unknown(send, server):
    server.reset = True
    assert (await send(server.url)).status is OutcomeStatus.UNKNOWN


async def test_an_answer_without_end_is_read_only_so_far(send, server):
    server.answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 10_000_000
    result = await send(server.url)
    assert result.status is OutcomeStatus.DONE
    assert len(result.detail) < 600


async def test_a_packed_answer_is_not_asked_for(send, server):
    await send(server.url)
    assert server.header("accept-encoding") == "identity"


@pytest.mark.parametrize("value", ["..", "."])
async def test_a_value_cannot_climb_out_of_its_folder(send, server, value):
    result = await send(f"{server.url}/effect/{{job_id}}/poke", job_id=value)
    assert result.status is OutcomeStatus.REFUSED
    assert server.connections == 0


async def test_a_value_in_the_path_stays_one_segment(send, server):
    await send(
        f"{server.url}/a/{{param.x}}?q={{param.x}}",
        params={"x": "(?s).*"},
        labels={"x": "/../b?c=d&e#f%2e"},
    )
    assert server.seen[0].split(b" ")[1] == (b"/a/%2F..%2Fb%3Fc%3Dd%26e%23f%252e?q=%2F..%2Fb%3Fc%3Dd%26e%23f%252e")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with the openssl program")
async def test_tls_asks_for_the_name_and_checks_it(send, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate),
         "-days", "2", "-subj", "/CN=target.internal", "-addext", "subjectAltName=DNS:target.internal"],
        check=True, capture_output=True,
    )  # fmt: skip
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    names = []
    serving.sni_callback = lambda _socket, name, _context: names.append(name)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving)
    port = listening.sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cafile=str(certificate))
    hosts = ["target.internal", "other.internal"]
    known = Http(allowed_hosts=hosts, resolve=answers("127.0.0.1"), tls=trusting)
    stranger = Http(allowed_hosts=hosts, resolve=answers("127.0.0.1"))
    try:
        assert (await send(f"https://target.internal:{port}/", known)).status is OutcomeStatus.DONE
        for http, host in ((known, "other.internal"), (stranger, "target.internal")):
            with pytest.raises(EffectorError, match="certificate") as raised:
                await send(f"https://{host}:{port}/", http)
            assert raised.value.never_sent
    finally:
        listening.close()
    assert names == ["target.internal", "other.internal", "target.internal"]


async def test_a_dry_run_says_what_would_be_sent_and_connects_nowhere(send, server):
    result = await send(f"{server.url}/{{job_id}}", settings={"json": {"a": "{job_id}"}}, dry_run=True)
    assert result.status is OutcomeStatus.DRY_RUN
    assert result.detail == f'would send: POST {server.url}/nightly with body {{"a": "nightly"}}'
    assert server.connections == 0
    refused = await send("http://169.254.169.254/", dry_run=True)
    assert refused.status is OutcomeStatus.REFUSED


def test_the_preview_names_headers_but_not_their_values(order):
    request = order({"url": "http://127.0.0.1/x", "method": "PUT", "headers": {"Authorization": "Bearer secret"}})
    assert Http(allowed_hosts=LOCAL).preview(request) == "PUT http://127.0.0.1/x with headers Authorization"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "needs `url:`"),
        ({"url": "http://elsewhere/"}, "not in http.allowed_hosts"),
        ({"url": "http://127.0.0.1/{log}"}, "unknown placeholder"),
        ({"url": "http://127.0.0.1/{param.x}"}, "not declared"),
        ({"url": "http://{host}/"}, "never in the host"),
        ({"url": "http://127.0.0.1/", "method": "TRACE"}, "method"),
        ({"url": "http://127.0.0.1/", "headers": {"Host": "x"}}, "set by AutoRemedy"),
        ({"url": "http://127.0.0.1/", "headers": {"X": "a\r\nb"}}, "line breaks"),
        ({"url": "http://127.0.0.1/", "headers": {"X": "{job_id}"}}, "placeholders"),
        ({"url": "http://127.0.0.1/", "json": {"a": ["{param.y}"]}}, "not declared"),
        ({"url": "http://127.0.0.1/", "argv": ["/bin/x"]}, "does not know this key"),
    ],
)
def test_what_cannot_work_stops_the_start(order, settings, words):
    with pytest.raises(ConfigError, match=words):
        Http(allowed_hosts=LOCAL).check(order(settings).action)


@pytest.mark.parametrize("entry", ["http://x", "a b", "*", "x/y", "1.2.3", ""])
def test_an_entry_that_is_no_host_stops_the_start(entry):
    with pytest.raises(ConfigError, match="neither a host name"):
        Http(allowed_hosts=[entry])
