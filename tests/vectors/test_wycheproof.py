"""Wycheproof's JWS and RSA vectors through the engine and the gRPC call.

A vector is no access token, so it is brought in two ways: as it is, which nobody may take for one, and as the signature
of a token that is good otherwise, right or wrong in the very way of the vector (`Padding`).
"""

import json
from collections import Counter
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.carried import Target
from tests.support.doors import Door, GrpcDoor, Verdict
from tests.support.vectors import Padding, decode, encode, number, pkcs8, private_key, vectors

RSA_FILES = {bits: f"rsa/wycheproof_rsa_signature_{bits}_sha256.json" for bits in (2048, 3072)}


def jws_groups() -> list[dict[str, Any]]:
    """Groups of JWS vectors: a key each."""
    groups: list[dict[str, Any]] = vectors("jose/wycheproof_json_web_signature.json")["testGroups"]
    return groups


def is_ours(jwk: dict[str, Any]) -> bool:
    """A key that an administrator can bring: RSA for RS256."""
    return (jwk["kty"], jwk["alg"]) == ("RSA", "RS256")


def signing_input(target: Target, attempt: int) -> bytes:
    """Header and payload of a good token."""
    header = {"alg": "RS256", "typ": "at+jwt", "kid": target.kid}
    payload = {
        "iss": target.issuer,
        "sub": target.subject,
        "aud": target.audience,
        "client_id": target.client_id,
        "iat": target.now - 10,
        "exp": target.now + 300,
        "jti": f"j-{attempt}",
        "sid": target.session_id,
        "amr": ["pwd"],
        "auth_time": target.now - 10,
        **target.more,
    }
    return ".".join(encode(json.dumps(part).encode()) for part in (header, payload)).encode()


async def present(door: Door, kid: str, vector: Padding, key: rsa.RSAPrivateKey) -> Verdict:
    """Presents a token that is good but for its signature."""
    for attempt in range(500):
        message = signing_input(await door.target(kid), attempt)
        signature = vector.over(message, key)
        if signature is not None:
            return await door.present(f"{message.decode()}.{encode(signature)}")
    raise AssertionError("no message has a signature of this length")


def _rsa(jwk: dict[str, Any]) -> rsa.RSAPrivateKey:
    key = private_key(jwk)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


async def test_no_jws_of_another_kind_is_taken_for_a_token(door: Door) -> None:
    """Whatever its signature is worth: all 276 as they are, with every key brought in that can be."""
    for group in jws_groups():
        if is_ours(group["private"]):
            await door.bring(pkcs8(private_key(group["private"])))
    faults: Counter[str] = Counter()
    for group in jws_groups():
        for test in group["tests"]:
            verdict = await door.present(test["jws"])
            assert verdict.answer is not None, test
            assert bool(verdict.fault) == bool(test["jws"])  # the empty text is a missing field
            faults[verdict.fault] += 1
    assert set(faults) <= {"", "structure", "json", "alg", "typ", "key"}, faults
    assert faults.total() == 276


async def test_wycheproof_jws_signatures_verify_as_they_should(door: Door) -> None:
    """Those of RS256, over a token of a session, with the vector's own key."""
    good, bad = 0, 0
    for group in filter(lambda group: is_ours(group["private"]), jws_groups()):
        jwk = group["private"]
        key, kid = _rsa(jwk), await door.bring(pkcs8(private_key(jwk)))
        for test in group["tests"]:
            if test["jws"].count(".") != 2:
                continue
            message, _, signature = test["jws"].rpartition(".")
            vector = Padding.of(decode(signature), message.encode(), n=number(jwk["n"]), e=number(jwk["e"]))
            verdict = await present(door, kid, vector, key)
            is_good = test["result"] == "valid"
            assert (verdict.answer is None, verdict.fault) == (is_good, "" if is_good else "signature"), test
            good, bad = good + is_good, bad + (not is_good)
    assert (good, bad >= 218) == (7, True), (good, bad)


@pytest.mark.parametrize("bits", RSA_FILES)
async def test_wycheproof_rsa_signatures_verify_as_they_should(door: Door, bits: int) -> None:
    """Over a token of a session, with a key of the same size; "acceptable" (a missing NULL) is refused."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    kid = await door.bring(pkcs8(key))
    counts = {True: 0, False: 0}
    for group in vectors(RSA_FILES[bits])["testGroups"]:
        n, e = (int(group["publicKey"][name], 16) for name in ("modulus", "publicExponent"))
        for test in group["tests"]:
            vector = Padding.of(bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]), n=n, e=e)
            is_good = test["result"] == "valid"
            verdict = await present(door, kid, vector, key)
            assert (verdict.answer is None, verdict.fault) == (is_good, "" if is_good else "signature"), test["tcId"]
            counts[is_good] += 1
    assert counts[True] >= 8
    assert counts[False] >= 250


async def test_every_refused_signature_is_counted_in_the_audit(grpc_door: GrpcDoor) -> None:
    """Some hundred bad signatures in one minute: rows for the first, a count for the rest, none lost."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kid = await grpc_door.bring(pkcs8(key))
    group = vectors(RSA_FILES[2048])["testGroups"][0]
    n, e = (int(group["publicKey"][name], 16) for name in ("modulus", "publicExponent"))
    bad = [test for test in group["tests"] if test["result"] != "valid"]
    for test in bad:
        await present(grpc_door, kid, Padding.of(bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]), n=n, e=e), key)
    assert len(await grpc_door.audited()) < len(bad)
    assert await grpc_door.audited_count("signature") == len(bad)


def test_a_carried_signature_is_the_vector_itself_under_its_own_key() -> None:
    """Carried over to its own message and key, a signature is what it was, whatever is wrong with it."""
    group = next(group for group in jws_groups() if is_ours(group["private"]))
    jwk = group["private"]
    for test in group["tests"][::5]:
        message, _, signature = test["jws"].rpartition(".")
        vector = Padding.of(decode(signature), message.encode(), n=number(jwk["n"]), e=number(jwk["e"]))
        assert vector.over(message.encode(), _rsa(jwk)) == decode(signature), test["tcId"]
