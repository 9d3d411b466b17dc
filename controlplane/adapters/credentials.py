"""What a target's metrics source asks for to be let in: a TLS context and headers, made of Secrets."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.domain.ports import Secrets, SecretUnavailable
from controlplane.domain.target import SecretKey, Target, Tls

KEPT_CONTEXTS = 64
"""TLS contexts that are kept: reading the system's authorities takes tens of ms."""


@dataclass(frozen=True, slots=True)
class Admission:
    """How to ask: the scheme, the TLS context (None: plain HTTP), the name to be in the certificate, and headers."""

    scheme: str
    tls: ssl.SSLContext | None
    server_name: str | None
    headers: Mapping[str, str]


class Credentials:
    """Makes admissions, and keeps their TLS contexts so that connections can be kept."""

    def __init__(self, secrets: Secrets | None) -> None:
        self._secrets = secrets
        self._contexts: dict[tuple[bytes | None, bool], ssl.SSLContext] = {}

    async def of(self, target: Target) -> Admission:
        """How a target's pages are to be asked for.

        Raises:
            SecretUnavailable: if a Secret that it names cannot be had or used.
        """
        source = target.metrics
        headers = {}
        if source.bearer is not None:
            token = await self._value(target, source.bearer)
            headers["Authorization"] = f"Bearer {_token(token, source.bearer)}"
        if source.tls is None:
            return Admission("http", None, None, headers)
        return Admission("https", await self._context(target, source.tls), source.tls.server_name, headers)

    async def _value(self, target: Target, key: SecretKey) -> bytes:
        if self._secrets is None:
            raise SecretUnavailable(f"Secret {target.namespace}/{key.name}: no Secrets can be read here")
        return await self._secrets.value(target.namespace, key)

    async def _context(self, target: Target, tls: Tls) -> ssl.SSLContext:
        authority = None if tls.ca is None else await self._value(target, tls.ca)
        key = (authority, tls.insecure_skip_verify)
        if key not in self._contexts:
            while len(self._contexts) >= KEPT_CONTEXTS:
                self._contexts.pop(next(iter(self._contexts)))
            self._contexts[key] = _made(authority, tls)
        return self._contexts[key]


def _made(authority: bytes | None, tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=None if authority is None else authority.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        name = "" if tls.ca is None else f"{tls.ca.name}[{tls.ca.key}]"
        raise SecretUnavailable(f"Secret {name} holds no certificates in PEM: {error}") from error
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _token(value: bytes, key: SecretKey) -> str:
    text = value.decode("ascii", "replace").strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise SecretUnavailable(f"Secret {key.name}[{key.key}] holds no bearer token: it is empty or not one word")
    return text
