"""Addresses that others name and we call, as webhooks' and OCPI partners': https, and public.

An address inside our own network would let others make us ask our own services (SSRF). A name is resolved when it is
used, and the connection goes to the very address that was checked: a name that changes meanwhile gains nothing.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

URL_MAX = 500
LOCAL = {"localhost", "127.0.0.1", "::1"}


class AddressRefused(Exception):
    """In one sentence why it is not called; may be shown to whoever named it."""


@dataclass(frozen=True)
class Target:
    """`url` names the checked address itself; the certificate is that of `host`, the Host header is `netloc`."""

    url: str
    host: str
    netloc: str


def url_check(url: str, *, local_allowed: bool = False) -> SplitResult:
    """The parts of an address that may be registered; raises AddressRefused. Names are not resolved here.

    With `local_allowed`, for development, http to this machine will do.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"expected an address such as https://example.com/: {error}") from error
    if not url.isascii() or any(char <= " " or char in "\\\x7f" for char in url) or len(url) > URL_MAX:
        raise AddressRefused(f"expected an address of at most {URL_MAX} visible ASCII characters")
    local = local_allowed and parts.hostname in LOCAL
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise AddressRefused("expected an https address")
    if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        raise AddressRefused("expected an address with a host, without user, password and fragment")
    address = _literal(parts.hostname)
    if address is not None:
        _require_public(address, parts.hostname, local_allowed)
    return parts


def resolve(url: str, *, local_allowed: bool = False) -> Target:
    """The address to connect to now; raises AddressRefused where any address of the name is not public."""
    parts = url_check(url, local_allowed=local_allowed)
    assert parts.hostname is not None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused(f"the name {parts.hostname} cannot be resolved") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        _require_public(address, parts.hostname, local_allowed)
    chosen = addresses[0]
    literal = f"[{chosen}]" if chosen.version == 6 else str(chosen)
    return Target(parts._replace(netloc=f"{literal}:{port}").geturl(), parts.hostname, parts.netloc)


Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Of IANA's registries of special-purpose addresses (2026-10) what is not for everybody's machines, however reachable.
NOT_PUBLIC_4 = [
    ipaddress.IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/3"),  # the last: multicast, reserved, broadcast
        "168.63.129.16/32",  # Azure's own, inside each machine's network
    )
]
# Everything else is not given to anybody's machines: mapped, translated (NAT64), site-local, unique local, multicast.
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
NOT_PUBLIC_6 = [
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocols: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3ffe::/16",  # the former 6bone
        "3fff::/20",  # documentation
    )
]


def _require_public(address: Address, host: str, local_allowed: bool) -> None:
    if address.is_loopback and local_allowed and host in LOCAL:
        return
    if not is_public(address):
        raise AddressRefused(f"expected a public address, {host} is inside a network")


def is_public(address: Address) -> bool:
    """Whether it is a machine's on the public internet: what others of the machine's Python say may be older."""
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not any(address in network for network in NOT_PUBLIC_4)
    public = address.is_global and address in GLOBAL_UNICAST and not address.scope_id
    return public and not any(address in network for network in NOT_PUBLIC_6)


def _literal(host: str) -> Address | None:
    """The address that a host names without a resolver, in any of the ways that the system's resolver understands."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # 2130706433, 0x7f.1, 127.1
    except OSError:
        return None
