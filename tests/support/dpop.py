"""A client that makes DPoP proofs with a library of somebody else's (joserfc)."""

import base64
import hashlib
import json
import secrets
from typing import Any, Final

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from argus.v1.types_pb2 import Confirmation, DpopProof, Proof

METHOD: Final = "POST"
URI: Final = "https://app.test/token"
_ALGORITHMS: Final = ["ES256", "EdDSA", "Ed25519", "RS256", "PS256", "HS256", "none"]


class DpopClient:
    """A key, and the proofs that its holder makes."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.algorithm = algorithm
        self.key: ECKey | OKPKey | RSAKey
        match algorithm:
            case "ES256":
                self.key = ECKey.generate_key("P-256")
            case "Ed25519":
                self.key = OKPKey.generate_key("Ed25519")
            case _:
                self.key = RSAKey.generate_key(2048)

    @property
    def confirmation(self) -> Confirmation:
        """What tokens of the client are bound to."""
        return Confirmation(jkt=self.key.thumbprint())

    def jwt(self, *, now: int, access_token: str = "", header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A proof; `header` and `claims` change the members of a good one, None leaves one out."""
        public = self.key.as_dict(private=False)
        public.pop("kid", None)
        head = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": public} | (header or {})
        body: dict[str, Any] = {"jti": secrets.token_urlsafe(12), "htm": METHOD, "htu": URI, "iat": now}
        if access_token:
            body["ath"] = _base64url(hashlib.sha256(access_token.encode()).digest())
        body |= claims
        payload = json.dumps({name: value for name, value in body.items() if value is not None})
        # The registry is told nothing: a test makes headers that it would refuse.
        registry = jws.JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False)
        return jws.serialize_compact(head, payload.encode(), self.key, registry=registry)

    def proof(self, *, now: int, access_token: str = "", **changes: Any) -> Proof:
        """The same, as the service that received it sends it on."""
        return proof_of(self.jwt(now=now, access_token=access_token, **changes))


def proof_of(jwt: str, *, method: str = METHOD, uri: str = URI) -> Proof:
    """A proof and the request that it came with."""
    return Proof(dpop=DpopProof(jwt=jwt, http_method=method, http_uri=uri))


def certificate(seed: bytes = b"certificate") -> tuple[Proof, Confirmation]:
    """The proof of a TLS client certificate, and what tokens are bound to."""
    digest = hashlib.sha256(seed).digest()
    return Proof(mtls_certificate_sha256=digest), Confirmation(x5t_s256=_base64url(digest))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
