"""Which addresses are somebody's public hosts, and which belong to private networks. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Python's own is_global calls several of these global: multicast, NAT64, 6to4, site-local, the old anycast relay.
_PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 "
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 "
        "::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 "
        "5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8"
    ).split()
)


def is_private(address: str) -> bool:
    """True for everything that is not somebody's public host, IPv4 inside IPv6 included."""
    return within(address, _PRIVATE)


def within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address, written in any of the usual ways, lies in one of the networks."""
    parsed: Address = ipaddress.ip_address(address.split("%", 1)[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    meant = mapped or parsed
    return any(meant.version == net.version and meant in net for net in networks)


def literal(host: str) -> str:
    """`host` when it is an address itself, else ""."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""
