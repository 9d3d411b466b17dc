"""A server's TLS, with a certificate that may be renewed under it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

CERTIFICATE, KEY = "tls.crt", "tls.key"
"""Files of a mounted Secret of type `kubernetes.io/tls`."""
RELOAD_EVERY_S = 60.0
"""Real seconds between looks at the files: a mounted Secret follows its renewal within about a minute itself."""

_log = logging.getLogger(__name__)


class ServingTls:
    """TLS of one server, of `tls.crt` and `tls.key` in a directory. With `client_ca` (PEM) a client may show a
    certificate, which must then be of it; whether it must show one is the application's word, since probes have none.

    Raises:
        OSError: if the files cannot be read; ssl.SSLError, which is one, if they are no certificate and its key.
    """

    def __init__(self, directory: Path, client_ca: str = "") -> None:
        self._certificate = directory / CERTIFICATE
        self._key = directory / KEY
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        if client_ca:
            self.context.load_verify_locations(cadata=client_ca)
            self.context.verify_mode = ssl.CERT_OPTIONAL
        self._loaded_at_s = self._changed_at_s()
        self.context.load_cert_chain(self._certificate, self._key)

    async def follow(self) -> None:
        """Load the files again when they change, until cancelled."""
        while True:
            await asyncio.sleep(RELOAD_EVERY_S)
            self.reload()

    def reload(self) -> bool:
        """Load the files again if they changed; new connections get them. Whether they were loaded."""
        try:
            changed_at_s = self._changed_at_s()
            if changed_at_s == self._loaded_at_s:
                return False
            self.context.load_cert_chain(self._certificate, self._key)
        except (OSError, ssl.SSLError) as error:
            _log.error("the certificate %s cannot be loaded, the old one stays: %s", self._certificate, error)
            return False
        self._loaded_at_s = changed_at_s
        _log.info("the certificate %s was loaded again", self._certificate)
        return True

    def _changed_at_s(self) -> tuple[float, float]:
        return self._certificate.stat().st_mtime, self._key.stat().st_mtime
