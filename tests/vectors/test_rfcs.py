"""The examples of RFC 7515, 7520, 7638 and 8037 through the engine and the gRPC call, their own keys brought in."""

import hashlib
import json
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from argus import _core
from argus.v1 import token_service_pb2 as tokens
from tests.support.doors import Door, import_key
from tests.support.people import new_person
from tests.support.presented import claims_of
from tests.support.stack import Stack
from tests.support.vectors import decode, encode, number, pkcs8, private_key, vectors

EXAMPLES = {
    "RFC 7515 A.1 HS256": "alg",
    "RFC 7515 A.2 RS256": "typ",
    "RFC 7515 A.3 ES256": "alg",
    "RFC 7520 4.1 RS256": "typ",
    "RFC 7520 4.2 PS384": "alg",
    "RFC 7520 4.3 ES512": "alg",
    "RFC 7520 4.4 HS256": "alg",
    "RFC 8037 A.4 EdDSA": "typ",
}


def examples() -> dict[str, str]:
    """Every signed example, by the name in `EXAMPLES`."""
    found = [one["jws"] for one in vectors("jose/rfc7515_appendix_a.json")]
    others = (
        "rfc7520/4_1.rsa_v15_signature",
        "rfc7520/4_2.rsa-pss_signature",
        "rfc7520/4_3.ecdsa_signature",
        "rfc7520/4_4.hmac-sha2_integrity_protection",
        "rfc8037_ed25519_jws",
    )
    found += [vectors(f"jose/{name}.json")["output"]["compact"] for name in others]
    return dict(zip(EXAMPLES, found, strict=True))


def rfc_7520_key() -> dict[str, Any]:
    """The RSA key of the cookbook (3.4), private half included."""
    key: dict[str, Any] = vectors("jose/rfc7520/4_1.rsa_v15_signature.json")["input"]["key"]
    return key


async def test_examples_of_the_rfcs_are_no_access_tokens(door: Door) -> None:
    """Good signatures, even under the tenant's own key: without the type they are refused."""
    await door.bring(pkcs8(private_key(rfc_7520_key())))
    for name, jws in examples().items():
        verdict = await door.present(jws)
        assert (verdict.answer is None, verdict.fault) == (False, EXAMPLES[name]), name


async def test_rfc_7520_4_1_the_cookbooks_key_makes_good_tokens(stack: Stack) -> None:
    """Its signature over a payload of ours is the one that another library makes, and the server takes it."""
    key, api = private_key(rfc_7520_key()), await stack.new_tenant()
    assert isinstance(key, rsa.RSAPrivateKey)
    await import_key(stack, api.tenant_id, "access", pkcs8(key))
    issued = (await (await new_person(api)).sign_in()).tokens.access_token
    message, _, signature = issued.rpartition(".")
    assert json.loads(decode(issued.partition(".")[0]))["kid"] == _core.public_jwk(pkcs8(key))[0]
    assert decode(signature) == key.sign(message.encode(), padding.PKCS1v15(), SHA256())
    verified = await api.tokens.VerifyAccessToken(tokens.VerifyAccessTokenRequest(access_token=issued))
    assert verified.jti == claims_of(issued)["jti"]
    # The cookbook's own example, made again by the same key.
    example = vectors("jose/rfc7520/4_1.rsa_v15_signature.json")
    again = key.sign(example["signing"]["sig-input"].encode(), padding.PKCS1v15(), SHA256())
    assert encode(again) == example["signing"]["sig"]


async def test_rfc_8037_a_the_example_key_makes_good_refresh_tokens(stack: Stack) -> None:
    """Named by its thumbprint (A.3), signing as A.4 does; never among the published keys."""
    file, api = vectors("jose/rfc8037_ed25519_jws.json"), await stack.new_tenant()
    key = private_key(file["input"]["key"])
    assert isinstance(key, Ed25519PrivateKey)
    await import_key(stack, api.tenant_id, "refresh", pkcs8(key))
    issued = (await (await new_person(api)).sign_in()).tokens.refresh_token
    message, _, signature = issued.rpartition(".")
    assert json.loads(decode(issued.partition(".")[0]))["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert decode(signature) == key.sign(message.encode())
    assert encode(key.sign(file["signing"]["sig-input"].encode())) == file["signing"]["sig"]
    renewed = await api.tokens.RefreshToken(tokens.RefreshTokenRequest(refresh_token=issued))
    assert claims_of(renewed.tokens.refresh_token)["gen"] == 2
    assert b"kPrK_qmxVWaYVA9wwBF6" not in (stack.argus.engine.jwks(api.tenant_id) or b"")


async def test_rfc_7638_keys_are_named_and_published_by_their_thumbprint(stack: Stack) -> None:
    """The published key is the cookbook's, and its name is the thumbprint that anybody computes of it."""
    jwk, api = rfc_7520_key(), await stack.new_tenant()
    await import_key(stack, api.tenant_id, "access", pkcs8(private_key(jwk)))
    async with httpx.AsyncClient(base_url=stack.server.http_url) as client:
        published = (await client.get(f"/t/{api.tenant_id}/.well-known/jwks.json")).json()["keys"]
    mine = next(one for one in published if one["n"] == jwk["n"])
    canonical = json.dumps({"e": mine["e"], "kty": "RSA", "n": mine["n"]}, separators=(",", ":"))
    assert mine["kid"] == encode(hashlib.sha256(canonical.encode()).digest())
    assert set(mine) == {"kty", "use", "alg", "kid", "n", "e"}


@pytest.mark.parametrize("bits", [1024, 2048])
async def test_j14_weak_keys_can_not_be_brought_in(stack: Stack, bits: int) -> None:
    """Too short, or with another exponent than 65537: nothing is written."""
    key = rsa.generate_private_key(public_exponent=65537 if bits == 1024 else 3, key_size=bits)
    api = await stack.new_tenant()
    async with stack.nothing_written(api.parent):
        with pytest.raises(ValueError, match="key"):
            await import_key(stack, api.tenant_id, "access", pkcs8(key))
    assert number("AQAB") == 65537
