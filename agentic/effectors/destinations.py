"""Where requests may go: hosts from an allow-list, and addresses checked before anything is sent.

Being on the list lets a name through; the addresses behind it are judged on their own, because whoever runs
the name server of a public name could point it at a machine inside (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx

from agentic.effectors.placeholders import Refusal
from agentic.errors import ConfigError, EffectorError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

FORBIDDEN_NETWORKS: tuple[IPNetwork, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local, home of the clouds' metadata services
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "168.63.129.16/32",  # metadata of Azure
        "192.0.0.0/24",  # protocol assignments; metadata of Oracle Cloud
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fe80::/10",
        "fec0::/10",
        "fd00:ec2::/32",  # metadata of AWS
        "fd20:ce::/32",  # metadata of Google Cloud
        "ff00::/8",
    )
)
"""Refused whatever the list says: nothing a remedy could want is there."""
FORBIDDEN_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
INSIDE_SUFFIXES = (
    ".localhost",
    ".local",
    ".internal",
    ".intranet",
    ".lan",
    ".home",
    ".corp",
    ".private",
    ".home.arpa",
    ".svc",
    ".test",
)
"""Names under these, like names without a dot, exist only inside, so nobody outside answers for them."""
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\.?")


@dataclass(frozen=True, slots=True)
class Destination:
    """A checked target: the URL as written and the addresses that may be connected to."""

    url: httpx.URL
    host: str
    port: int
    addresses: tuple[str, ...]

    def pinned(self, address: str) -> httpx.URL:
        """Return the URL with the checked address instead of the name."""
        return self.url.copy_with(host=address)

    @property
    def host_header(self) -> str:
        """The name (and an unusual port) the server is to be asked for."""
        return self.url.netloc.decode("ascii")


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a name."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


class Destinations:
    """Knows the hosts of the allow-list: names, addresses, networks, each with a port if it is to be narrow."""

    def __init__(self, allowed_hosts: Sequence[str], resolve: Resolve = system_resolve) -> None:
        self._names: set[tuple[str, int | None]] = set()
        self._networks: list[tuple[IPNetwork, int | None]] = []
        self._resolve = resolve
        for entry in allowed_hosts:
            self._allow(entry)

    def _allow(self, entry: str) -> None:
        text, port = entry.strip().lower(), None
        match = re.fullmatch(r"(\[[^\]]+\]|[^:]+):(\d{1,5})", text)
        if match:
            text, port = match[1], int(match[2])
        text = text.strip("[]")
        try:
            self._networks.append((ipaddress.ip_network(text), port))
        except ValueError:
            if not NAME.fullmatch(text) or text.rpartition(".")[2].isdigit():
                raise ConfigError(
                    f"http.allowed_hosts: {entry!r} is neither a host name, nor an address, nor a network"
                ) from None
            self._names.add((text.rstrip("."), port))

    def check(self, url: str) -> tuple[httpx.URL, str, int]:
        """Return the parsed URL, its host and port; raise Refusal when it may not be asked."""
        if re.search(r"[\s\\\x00-\x20\x7f]", url):
            raise Refusal("the URL holds a blank, a backslash or a control character")
        authority = re.split(r"[/?#]", url.partition("://")[2])[0]
        if not authority.isascii():
            raise Refusal("write the host in plain letters; a name with others has a form that begins with xn--")
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise Refusal(f"the URL is not valid: {error}") from error
        if parsed.scheme not in ("http", "https"):
            raise Refusal(f"only http and https are spoken, not {parsed.scheme or 'nothing'!r}")
        if parsed.userinfo or "@" in authority:
            raise Refusal("write no user or password into the URL; use `headers:`")
        host = parsed.host.lower().rstrip(".")
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        if not 0 < port < 65536:
            raise Refusal(f"{port} is not a port")
        self._check_host(host, port)
        return parsed, host, port

    def _check_host(self, host: str, port: int) -> None:
        if host in FORBIDDEN_NAMES:
            raise Refusal(f"{host} is a metadata service; requests never go there")
        address = _address(host)
        if address is not None:
            _check_never(address)
            if not self._lists(address, port):
                raise Refusal(_not_listed(host))
            return
        if not NAME.fullmatch(host) or re.fullmatch(r"0x[0-9a-f]*|[0-9]+", host.rpartition(".")[2]):
            raise Refusal(f"{host!r} is neither a host name nor an address in its usual form")
        if (host, port) not in self._names and (host, None) not in self._names:
            raise Refusal(_not_listed(host))

    async def find(self, url: str) -> Destination:
        """Resolve the host once and check every address; raise Refusal when one of them is not allowed.

        Raises EffectorError (never sent) when the name has no address.
        """
        parsed, host, port = self.check(url)
        literal = _address(host)
        if literal is not None:
            return Destination(parsed, host, port, (str(literal),))
        try:
            answers = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise EffectorError(f"the name {host} cannot be resolved: {error}", never_sent=True) from error
        addresses = dict.fromkeys(answers)
        if not addresses:
            raise EffectorError(f"the name {host} has no address", never_sent=True)
        for text in addresses:
            self._check_answer(host, port, text)
        return Destination(parsed, host, port, tuple(addresses))

    def _check_answer(self, host: str, port: int, text: str) -> None:
        address = _address(text)
        if address is None:
            raise Refusal(f"{host} stands for {text!r}, which is not an address")
        _check_never(address)
        inside_name = "." not in host or host.endswith(INSIDE_SUFFIXES)
        if is_public(address) or inside_name or self._lists(address, port):
            return
        raise Refusal(
            f"{host} stands for {address}, an address that is not public; if that is right, "
            f"add {address} (or its network) to http.allowed_hosts too"
        )

    def _lists(self, address: IPAddress, port: int) -> bool:
        forms = (address, *embedded(address))
        # An IPv6 form of an IPv4 address is allowed only if the IPv4 address inside is, too.
        return all(
            any(form in network and allowed in (None, port) for network, allowed in self._networks)
            for form in (forms[1:] or forms)
        )


def _address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def embedded(address: IPAddress) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 address really leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in NAT64 or address in NAT64_LOCAL:
        return (low,)
    if int(address) >> 32 == 0 and int(address) > 1:  # the old IPv4-compatible form ::a.b.c.d
        return (low,)
    return ()


def is_public(address: IPAddress) -> bool:
    """Say whether an address is reachable for everyone, whatever it is dressed up as."""
    inside = embedded(address)
    return all(each.is_global for each in inside) if inside else address.is_global


def _check_never(address: IPAddress) -> None:
    for form in (address, *embedded(address)):
        for network in FORBIDDEN_NETWORKS:
            if form in network:
                raise Refusal(f"{address} is a metadata, link-local or reserved address; requests never go there")


def _not_listed(host: str) -> str:
    return f"{host} is not in http.allowed_hosts; add it there if requests may go to it"
