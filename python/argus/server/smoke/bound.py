"""Steps: a session that is bound to a key of its client (DPoP, RFC 9449)."""

import base64
import hashlib
import json
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from argus.server.smoke.walk import IDENTIFIER, OWNER, Step, Walk, expect, expect_that, refused, said
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types

_METHOD, _URI = "POST", "https://documents.example.com/token"


async def bound_session(walk: Walk) -> str:
    """A sign-in with a proof of a key binds the session; every use of its tokens needs another proof."""
    key = Ed25519PrivateKey.generate()
    begun = await walk.start(IDENTIFIER)
    done = await walk.api.authentication.SubmitFactor(
        authentication.SubmitFactorRequest(
            parent=walk.api.parent,
            login_token=begun.login_token,
            password=walk.password,
            client_context=OWNER,
            proof=_proof(walk, key),
        )
    )
    expect(done.tokens.token_type, "DPoP", "token type")
    answer = await _refresh(walk, done.tokens.refresh_token, _proof(walk, key))
    expect_that(answer.tokens.refresh_token != done.tokens.refresh_token, "a new refresh token")
    access = answer.tokens.access_token
    verified = await walk.api.tokens.VerifyAccessToken(
        tokens.VerifyAccessTokenRequest(access_token=access, proof=_proof(walk, key, access_token=access))
    )
    stolen = await refused(walk.verify(access), "TOKEN_PROOF_REQUIRED", binding="dpop")
    thief = _proof(walk, Ed25519PrivateKey.generate())
    await refused(_refresh(walk, answer.tokens.refresh_token, thief), "TOKEN_PROOF_REQUIRED")
    return f"jkt {verified.cnf.jkt}; stolen: {said(stolen)}"


async def _refresh(walk: Walk, token: str, proof: types.Proof) -> tokens.RefreshTokenResponse:
    return await walk.api.tokens.RefreshToken(
        tokens.RefreshTokenRequest(refresh_token=token, client_context=OWNER, proof=proof)
    )


def _proof(walk: Walk, key: Ed25519PrivateKey, *, access_token: str = "") -> types.Proof:
    """What a client's DPoP library makes for each of its requests, and the service sends on."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": _base64url(key.public_key().public_bytes_raw())}
    claims = {
        "jti": secrets.token_urlsafe(16),
        "htm": _METHOD,
        "htu": _URI,
        "iat": walk.stack.clock.now_ms() // 1000,
    }
    if access_token:
        claims["ath"] = _base64url(hashlib.sha256(access_token.encode()).digest())
    header = {"typ": "dpop+jwt", "alg": "Ed25519", "jwk": jwk}
    signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
    jwt = f"{signed}.{_base64url(key.sign(signed.encode()))}"
    return types.Proof(dpop=types.DpopProof(jwt=jwt, http_method=_METHOD, http_uri=_URI))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


STEPS: tuple[Step, ...] = (("bound session", bound_session),)
