"""Certificates of the listeners. That a listener which others can reach has one is held by the settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """A certificate chain and its key, both PEM files."""

    certificate: Path
    key: Path

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None) -> Self | None:
        """Of two settings, which are set together or not at all."""
        if certificate is None or key is None:
            return None
        return cls(certificate=certificate, key=key)

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a gRPC listener."""
        return grpc.ssl_server_credentials([(self.key.read_bytes(), self.certificate.read_bytes())])
