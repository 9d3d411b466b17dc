"""Which addresses may be asked for a metrics page: a pod's, never a name's, a cloud's metadata or our own."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Metadata services outside the link-local ranges: AWS over IPv6, Alibaba Cloud."""
_NAT64 = ip_network("64:ff9b::/96")


def refusal(host: str, allow_loopback: bool) -> str:
    """Why `host` may not be asked; empty where it may.

    Whoever may write a pod's status could otherwise have the controller fetch what only it can reach.
    """
    try:
        address = _bare(ip_address(host))
    except ValueError:
        return f"{host!r} is not an IP address"
    if address in _METADATA or address.is_link_local:
        return f"{host} is link-local or a cloud's metadata service"
    if address.is_unspecified or address.is_multicast:
        return f"{host} is no host's address"
    if address.is_loopback and not allow_loopback:
        return f"{host} is this host itself; TIDEGATE_ALLOW_LOOPBACK=1 allows that"
    return ""


def _bare(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address within an IPv6 one that only stands for it."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address
