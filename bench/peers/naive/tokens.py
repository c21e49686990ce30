"""Tokens by PyJWT, with the claims of Argus's own (RFC 9068)."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

RefreshAlgorithm = Literal["RS256", "EdDSA"]
PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

ACCESS, REFRESH = "at+jwt", "rt+jwt"
ACCESS_LIFE: Final = 300
CLIENT_LIFE: Final = 900
_LEEWAY: Final = 5
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat", "jti", "client_id")


class TokenRefusedError(Exception):
    """The token is not good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the tokens of a session say."""

    session_id: str
    user: str
    client_id: str
    scope: str
    acr: str
    amr: Sequence[str]
    auth_time: int
    absolute_deadline: int
    generation: int = 1
    family: int = 1


class SigningKey:
    """A private key and its public half, parsed once."""

    def __init__(self, private: PrivateKey) -> None:
        self.kid = secrets.token_urlsafe(32)
        self.private = private
        self.public = private.public_key()
        self.algorithm = "RS256" if isinstance(private, rsa.RSAPrivateKey) else "EdDSA"


@dataclass(slots=True)
class Tokens:
    """Makes and reads the tokens of one issuer."""

    issuer: str
    resource: str
    access_key: SigningKey
    refresh_key: SigningKey
    _keys: dict[tuple[str, str], SigningKey] = field(init=False)

    def __post_init__(self) -> None:
        self._keys = {(ACCESS, self.access_key.kid): self.access_key, (REFRESH, self.refresh_key.kid): self.refresh_key}

    @classmethod
    def new(cls, issuer: str, resource: str, *, bits: int, refresh: RefreshAlgorithm) -> "Tokens":
        """Tokens by new keys."""
        access = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        refreshing: PrivateKey = ed25519.Ed25519PrivateKey.generate()
        if refresh == "RS256":
            refreshing = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        return cls(issuer, resource, SigningKey(access), SigningKey(refreshing))

    def access(self, session: Session) -> str:
        """The access token of a session."""
        claims = self._claims(session, self.resource, ACCESS_LIFE)
        return self._sign(ACCESS, self.access_key, claims)

    def refresh(self, session: Session) -> str:
        """The refresh token of a session's generation."""
        claims = self._claims(session, self.issuer, session.absolute_deadline - int(time.time()))
        claims |= {"resource": [self.resource], "gen": session.generation, "jk": 0}
        return self._sign(REFRESH, self.refresh_key, claims)

    def client(self, client_id: str, scope: str) -> str:
        """The token by which a service calls."""
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": client_id, "aud": self.issuer, "exp": now + CLIENT_LIFE, "iat": now}
        claims |= {"jti": secrets.token_urlsafe(16), "client_id": client_id, "scope": scope}
        return self._sign(ACCESS, self.access_key, claims)

    def read_access(self, token: str) -> dict[str, Any]:
        """The claims of an access token for the resource.

        Raises:
            TokenRefusedError: It is not good.
        """
        return self._read(token, ACCESS, self.resource)

    def read_refresh(self, token: str) -> dict[str, Any]:
        """The claims of a refresh token.

        Raises:
            TokenRefusedError: It is not good.
        """
        return self._read(token, REFRESH, self.issuer)

    def read_client(self, token: str) -> dict[str, Any]:
        """The claims of a caller's token.

        Raises:
            TokenRefusedError: It is not good.
        """
        return self._read(token, ACCESS, self.issuer)

    def _claims(self, session: Session, audience: str, life: int) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": session.user,
            "aud": audience,
            "exp": now + life,
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            "client_id": session.client_id,
            "scope": session.scope,
            "sid": session.session_id,
            "fam": session.family,
            "acr": session.acr,
            "amr": session.amr,
            "auth_time": session.auth_time,
        }

    @staticmethod
    def _sign(kind: str, key: SigningKey, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, key.private, algorithm=key.algorithm, headers={"typ": kind, "kid": key.kid})

    def _read(self, token: str, kind: str, audience: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get((header.get("typ", ""), header.get("kid", "")))
            if key is None or header["typ"] != kind:
                raise TokenRefusedError("unknown key")
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                audience=audience,
                issuer=self.issuer,
                leeway=_LEEWAY,
                options={"require": list(_REQUIRED)},
            )
        except jwt.InvalidTokenError as error:
            raise TokenRefusedError(str(error)) from None
        return claims
