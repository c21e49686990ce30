"""The settings of what listens: addresses, certificates, and what strangers may use up at the front door."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

from pydantic import BaseModel, Field, field_validator, model_validator

from argus.base.listen import is_loopback, split_address
from argus.base.settings_policy import STRICT

Network: TypeAlias = IPv4Network | IPv6Network
"""Addresses that have a beginning in common."""

# As browsers write them: no path, no default port, no capitals; and http for the machine itself alone.
_APP_ORIGIN: Final = re.compile(
    r"(?P<tenant>[a-z][a-z0-9-]{0,30})="
    r"(?P<origin>(?:https://[a-z0-9.-]+(?!:443$)|http://(?:localhost|127\.0\.0\.1)(?!:80$))(?::[1-9]\d{0,4})?)"
)


class ListenerSettings(BaseModel):
    """Where Argus listens, and how."""

    model_config = STRICT

    front_door: Literal["on", "off"] = Field(
        "on",
        description="on: the front door listens at grpc_listen and http_listen (which may be the same) and answers "
        "gRPC and HTTP at either; off: the gRPC server and the HTTP edge listen themselves.",
    )
    grpc_listen: str = Field("127.0.0.1:50051", description="Address of the gRPC server.")
    grpc_tls_certificate: Path | None = Field(
        None, description="Certificate chain of the gRPC server, PEM; the front door takes a changed file up by itself."
    )
    grpc_tls_key: Path | None = Field(None, description="Private key of the gRPC server, PEM.")
    grpc_client_authorities: Path | None = Field(
        None,
        description="Authorities whose client certificates are asked for at grpc_listen (mTLS), PEM; the front door's.",
    )
    grpc_client_certificate: Literal["optional", "required"] = Field(
        "optional",
        description="required: a connection to grpc_listen without a client certificate is refused, and http_listen, "
        "if it is another address, answers no gRPC.",
    )
    http_listen: str = Field("127.0.0.1:8080", description="Address of the HTTP edge.")
    http_tls_certificate: Path | None = Field(None, description="Certificate chain of the HTTP edge, PEM.")
    http_tls_key: Path | None = Field(None, description="Private key of the HTTP edge, PEM.")
    http_proxies: str = Field(
        "",
        description="Networks of proxies whose X-Forwarded-For is believed, separated by commas (10.0.0.0/8); empty: "
        "none, a browser's address is that of whoever connects.",
    )
    keep_cookies: bool = Field(
        default=False,
        description="Whether browsers keep a session's cookies until it ends; else until they are closed.",
    )
    app_origins: str = Field(
        "",
        description="Other origins whose scripts may use a tenant's session endpoints with the user's cookies (CORS): "
        "acme=https://app.example.com, separated by commas; empty: none.",
    )
    partitioned_cookies: bool = Field(
        default=False,
        description="Whether cookies are SameSite=None and Partitioned (CHIPS): for applications that other sites "
        "embed, or that are of another site themselves.",
    )
    dpop_nonces: bool = Field(
        default=False,
        description="Whether DPoP proofs that browsers send must have a nonce of Argus's (RFC 9449, section 8).",
    )
    admin_listen: str = Field(
        "127.0.0.1:9090", description="Address of /healthz, /readyz and /metrics; takes the HTTP edge's certificate."
    )
    door_connections: int = Field(
        10_000, ge=10, le=1_000_000, description="Connections of a front door at a time; further ones wait."
    )
    door_streams: int = Field(1000, ge=1, le=100_000, description="Calls of one connection at a time.")
    door_waiting_mib: int = Field(
        128,
        ge=32,
        le=65_536,
        description="Memory for requests that have begun and not yet come whole, an eighth of it for one connection, "
        "MiB; more get RESOURCE_EXHAUSTED.",
    )
    door_passed: int = Field(
        4000, ge=10, le=20_000, description="Calls that wait for Python at a time; more get RESOURCE_EXHAUSTED."
    )
    door_aborts: int = Field(
        200,
        ge=10,
        le=100_000,
        description="Calls that one connection may give up in a second before it is closed; "
        "metadata of more than 32 KiB count as a quarter of them.",
    )
    caller_quota: int = Field(
        0, ge=0, le=1_000_000, description="Calls a second that one process takes from one client; 0: any number."
    )
    tenant_quota: int = Field(
        0, ge=0, le=1_000_000, description="The same for all clients of one tenant together; 0: any number."
    )

    @field_validator("grpc_listen", "http_listen", "admin_listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        split_address(value)
        return value

    @field_validator("http_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        _networks(value)
        return value

    @field_validator("app_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        _app_origins(value)
        return value

    @property
    def origins_by_tenant(self) -> Mapping[str, frozenset[str]]:
        """The origins of `app_origins`."""
        return _app_origins(self.app_origins)

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        """The networks of `http_proxies`."""
        return _networks(self.http_proxies)

    @model_validator(mode="after")
    def _listeners_are_safe(self) -> Self:
        for name, tls in (("grpc", "grpc"), ("http", "http"), ("admin", "http")):
            certificate, key = getattr(self, f"{tls}_tls_certificate"), getattr(self, f"{tls}_tls_key")
            if (certificate is None) != (key is None):
                raise ValueError(f"ARGUS_{tls.upper()}_TLS_CERTIFICATE and ARGUS_{tls.upper()}_TLS_KEY go together")
            host, _ = split_address(getattr(self, f"{name}_listen"))
            if certificate is None and not is_loopback(host):
                raise ValueError(
                    f"ARGUS_{name.upper()}_LISTEN is not loopback: set ARGUS_{tls.upper()}_TLS_CERTIFICATE and _TLS_KEY"
                )
        return self

    @model_validator(mode="after")
    def _clients_can_be_asked(self) -> Self:
        if self.grpc_client_authorities is None:
            if self.grpc_client_certificate == "required":
                raise ValueError("ARGUS_GRPC_CLIENT_CERTIFICATE=required needs ARGUS_GRPC_CLIENT_AUTHORITIES")
            return self
        if self.front_door == "off" or self.grpc_tls_certificate is None:
            raise ValueError(
                "ARGUS_GRPC_CLIENT_AUTHORITIES needs the front door (ARGUS_FRONT_DOOR=on) and "
                "ARGUS_GRPC_TLS_CERTIFICATE"
            )
        return self

    @model_validator(mode="after")
    def _one_address_has_one_certificate(self) -> Self:
        grpc = (self.grpc_tls_certificate, self.grpc_tls_key)
        if self.grpc_listen == self.http_listen and grpc != (self.http_tls_certificate, self.http_tls_key):
            _, port = split_address(self.grpc_listen)
            if port:
                raise ValueError("ARGUS_GRPC_LISTEN and ARGUS_HTTP_LISTEN are one address: give both one certificate")
        return self


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())
    except ValueError:
        raise ValueError("say networks such as 10.0.0.0/8, separated by commas") from None


def _app_origins(value: str) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for item in (one.strip() for one in value.split(",") if one.strip()):
        match = _APP_ORIGIN.fullmatch(item)
        if match is None:
            raise ValueError(f"{item!r} is not TENANT=ORIGIN, the origin as browsers write it: https, no path")
        tenant, origin = match["tenant"], match["origin"]
        found[tenant] = found.get(tenant, frozenset()) | {origin}
    return found
