"""A certificate authority and certificates of it, by the openssl command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA in a directory."""

    directory: Path
    name: str

    @property
    def certificate(self) -> Path:
        """Its own certificate, PEM."""
        return self.directory / f"{self.name}.crt"

    def sign(self, directory: Path, common_name: str) -> Path:
        """A directory with `tls.crt` and `tls.key` for localhost, as a mounted Secret has them."""
        directory.mkdir(parents=True, exist_ok=True)
        names = directory / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        key, request = directory / "tls.key", directory / "request"
        _openssl("req", "-new", *_EC, "-keyout", key, "-out", request, "-subj", f"/CN={common_name}")
        own = ["-CA", self.certificate, "-CAkey", self.directory / f"{self.name}.key", "-CAcreateserial"]
        _openssl("x509", "-req", "-in", request, *own, "-days", "2", "-extfile", names, "-out", directory / "tls.crt")
        return directory


_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def authority(directory: Path, name: str) -> Authority:
    """A new CA."""
    directory.mkdir(parents=True, exist_ok=True)
    made = Authority(directory, name)
    key = directory / f"{name}.key"
    _openssl("req", "-x509", *_EC, "-keyout", key, "-out", made.certificate, "-days", "2", "-subj", f"/CN={name}")
    return made


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
