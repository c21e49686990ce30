"""What a tenant publishes as an issuer: its key set (RFC 7517) and its metadata (OpenID Discovery, RFC 8414)."""

import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from starlette.routing import Route

from argus.base import ids
from argus.web.documents import Documents, Source

IssuerOf: TypeAlias = Callable[[str], str]
"""The issuer of a tenant id."""

KEY_SET: Final = "/.well-known/jwks.json"

_TENANT: Final = "{tenant_id}"


class Issuers:
    """Key sets and metadata of all tenants."""

    def __init__(self, *, key_sets: Source, issuer_of: IssuerOf) -> None:
        self._key_sets = key_sets
        self._issuer_of = issuer_of

    def routes(self, documents: Documents) -> list[Route]:
        """Where they are: the metadata after the issuer, as OpenID has it, and before its path, as RFC 8414 has it."""
        path = urlsplit(self._issuer_of(_TENANT)).path
        return [
            *documents.routes(f"/t/{_TENANT}{KEY_SET}", self.key_set, media_type="application/jwk-set+json"),
            *documents.routes(f"/t/{_TENANT}/.well-known/openid-configuration", self.metadata),
            *documents.routes(f"/.well-known/oauth-authorization-server{path}", self.metadata),
        ]

    def key_set(self, tenant_id: str) -> bytes | None:
        """The encoded key set; None: there is no such tenant, or it is disabled."""
        return self._key_sets(tenant_id) if ids.TENANT_ID.fullmatch(tenant_id) else None

    def metadata(self, tenant_id: str) -> bytes | None:
        """The encoded metadata; None: there is no such tenant, or it is disabled.

        Says what is so now and nothing more: a member that names what Argus does not serve would be believed. Lists
        without elements are left out, as both standards have it.
        """
        if self.key_set(tenant_id) is None:
            return None
        issuer = self._issuer_of(tenant_id)
        members: dict[str, Any] = {
            "issuer": issuer,
            "jwks_uri": issuer + KEY_SET,
            # A subject's `sub` is the same for every client.
            "subject_types_supported": ["public"],
            # RFC 9449, section 5.1, and RFC 8705, section 3.3: how access tokens are bound to a key.
            "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"],
            "tls_client_certificate_bound_access_tokens": True,
        }
        return json.dumps(members, separators=(",", ":")).encode()
