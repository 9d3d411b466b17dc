"""How people come in, read from the environment once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.api.access.oidc import OidcProvider, OidcSettings
from controlplane.api.principals import Authenticator
from controlplane.settings import SettingsError


@dataclass(frozen=True, slots=True)
class Doors:
    """`authenticator` None: by what the database and `provider` say. `public_url` is how browsers reach the API, where
    a proxy stands before it. `public_metrics`: /metrics without a token. `limited` False: no rate limits."""

    authenticator: Authenticator | None = None
    provider: OidcProvider | None = None
    public_url: str | None = None
    public_metrics: bool = False
    limited: bool = True
    notify_local: bool = False
    """Whether messages may go to this host and to link-local addresses."""


def doors_from(environment: Mapping[str, str]) -> Doors:
    """The doors that `TIDEGATE_OIDC_*`, `TIDEGATE_PUBLIC_URL` and `TIDEGATE_PUBLIC_METRICS` give.

    Raises:
        SettingsError: if a provider is named by half.
    """
    return Doors(
        provider=_provider(environment),
        public_url=environment.get("TIDEGATE_PUBLIC_URL") or None,
        notify_local=environment.get("TIDEGATE_NOTIFY_LOCAL") == "1",
        public_metrics=environment.get("TIDEGATE_PUBLIC_METRICS", "").lower() in ("1", "true", "yes"),
    )


def _provider(environment: Mapping[str, str]) -> OidcProvider | None:
    issuer = environment.get("TIDEGATE_OIDC_ISSUER", "")
    client_id = environment.get("TIDEGATE_OIDC_CLIENT_ID", "")
    if not issuer and not client_id:
        return None
    if not issuer.startswith(("https://", "http://localhost", "http://127.0.0.1")):
        raise SettingsError(f"TIDEGATE_OIDC_ISSUER is {issuer!r}; allowed: an https URL (http for localhost alone)")
    if not client_id:
        raise SettingsError("TIDEGATE_OIDC_CLIENT_ID is missing; allowed: the client's id at TIDEGATE_OIDC_ISSUER")
    return OidcProvider(
        OidcSettings(
            issuer=issuer,
            client_id=client_id,
            client_secret=environment.get("TIDEGATE_OIDC_CLIENT_SECRET") or None,
            audience=environment.get("TIDEGATE_OIDC_AUDIENCE") or None,
            groups_claim=environment.get("TIDEGATE_OIDC_GROUPS_CLAIM") or "groups",
            scope=environment.get("TIDEGATE_OIDC_SCOPE") or "openid profile email groups",
        )
    )
