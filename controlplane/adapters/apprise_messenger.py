"""`Messenger` over the library apprise, and its fake.

A channel's URL comes from an administrator, and is still not trusted with this machine's own network: only services of
a closed list, none of their options that read files or run anything, no redirects, and no address that is this host's
or its cloud's metadata service.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from urllib.parse import parse_qsl, urlsplit

import apprise

SCHEMES = ("slack", "mailto", "mailtos", "json", "jsons", "discord", "pagerduty", "opsgenie", "http", "https")
"""Slack, e-mail, webhooks (`json` and `http` are the same), and three that on-call people use."""
HOST_SCHEMES = ("mailto", "mailtos", "json", "jsons", "http", "https")
"""Those whose URL names the host to talk to; the others have one of their own."""
OPTIONS = ("from", "to", "cc", "bcc", "smtp", "user", "pass", "name", "mode", "format", "region", "footer", "image")
"""Query options that are taken. Apprise has others: templates and attachments read files."""
TIMEOUT_S = 10.0
"""Real seconds to connect, and to wait for an answer."""
_ASSET = apprise.AppriseAsset(
    app_id="Tidegate", app_desc="Tidegate", app_url="", http_redirects=False, secure_logging=True
)
logging.getLogger("apprise").setLevel(logging.CRITICAL)
"""Its own log names URLs."""


class ChannelRefused(ValueError):
    """A URL that is not sent to; `allowed` says what is."""

    def __init__(self, value: str, allowed: str) -> None:
        super().__init__(f"url is {value}; allowed: {allowed}")
        self.value, self.allowed = value, allowed


def masked(url: str) -> str:
    """What may be shown of a channel's URL: its service, and the host where that is one's own."""
    scheme, host = _parts(url)
    return f"{scheme}://{host}/***" if scheme in HOST_SCHEMES and host else f"{scheme}://***"


def check_channel(url: str, local: bool = False) -> None:
    """Refuse what will not be sent to. `local`: loopback and link-local hosts may be.

    Raises:
        ChannelRefused: if it is not of a known service, not complete, or points at where it must not.
    """
    scheme, host = _parts(url)
    if scheme not in SCHEMES:
        raise ChannelRefused(f"{scheme}://***", f"a URL that begins with {', '.join(f'{s}://' for s in SCHEMES)}")
    options = _options(url)
    odd = sorted(set(options) - set(OPTIONS))
    if odd:
        raise ChannelRefused(f"{masked(url)} with {', '.join(odd)}", f"options {', '.join(OPTIONS)}")
    if apprise.Apprise.instantiate(_native(url), asset=_ASSET) is None:
        raise ChannelRefused(masked(url), "a complete URL, e.g. slack://TokenA/TokenB/TokenC/#channel")
    if scheme in HOST_SCHEMES and not local:
        for name in filter(None, (host, options.get("smtp"))):
            _refuse_local(url, name)


def _parts(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return parts.scheme.lower(), parts.hostname or ""
    except ValueError:
        return "", ""


def _options(url: str) -> dict[str, str]:
    return {name.lower(): value for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True)}


def _native(url: str) -> str:
    """A webhook as apprise knows it."""
    scheme, _, rest = url.partition("://")
    named = {"http": "json", "https": "jsons"}.get(scheme.lower())
    return url if named is None else f"{named}://{rest}"


def _refuse_local(url: str, host: str) -> None:
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)}
    except (OSError, UnicodeError):
        # A name that nobody knows leads nowhere now; it is looked up again before each message.
        return
    for address in found:
        ip = ipaddress.ip_address(str(address).partition("%")[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast:
            allowed = "a host that is neither this one nor link-local (TIDEGATE_NOTIFY_LOCAL=1 allows them)"
            raise ChannelRefused(masked(url), allowed)


class AppriseMessenger:
    """See `Messenger`."""

    def __init__(self, local: bool = False) -> None:
        self._local = local

    def send(self, url: str, title: str, body: str) -> str | None:
        """See `Messenger`. The URL is checked again: names may lead elsewhere by now."""
        try:
            check_channel(url, self._local)
        except ChannelRefused as error:
            return str(error)
        service = apprise.Apprise.instantiate(_native(url), asset=_ASSET)
        if service is None:
            return f"{masked(url)} is not complete"
        service.socket_connect_timeout = service.socket_read_timeout = TIMEOUT_S
        taken = service.notify(body=body, title=title, notify_type=apprise.NotifyType.WARNING)
        return None if taken else f"{masked(url)} did not take it"


class RecordedMessenger:
    """`Messenger` that only notes; set `error` to refuse."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.error: str | None = None

    def send(self, url: str, title: str, body: str) -> str | None:
        """See `Messenger`."""
        if self.error is None:
            self.sent.append((url, title, body))
        return self.error
