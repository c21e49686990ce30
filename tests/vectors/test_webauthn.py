"""WebAuthn Level 3: the standard's own vectors, answers of real authenticators, and attacks, each with its outcome.

What stores decide (state used twice or too old, credential known or unknown) is held in `tests/flows/test_passkeys.py`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from argus.credentials.passkeys.model import has_copy
from argus.credentials.webauthn.ceremonies import verify_authentication, verify_registration
from argus.credentials.webauthn.forms import encode, parse_authentication, parse_registration
from argus.credentials.webauthn.keys import offered_algorithms
from argus.credentials.webauthn.model import (
    Asserted,
    Expected,
    Known,
    PasskeyRefusedError,
    Registered,
    RelyingParty,
)
from tests.support.vectors import decode, vectors

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
ATTACKS: Final = "webauthn/attack_cases.json"
L3: Final = "webauthn/l3_vectors.json"
REAL: Final = "webauthn/real_authenticators/test_verify_registration_response.json"
# How many the files have.
STANDARD: Final = 10
AUTHENTICATORS: Final = 10

ATTACK_IDS: Final = (
    *("auth-ok", "auth-ok-counter-grows", "counter-equal", "counter-rollback", "uv-missing-required"),
    *("uv-missing-preferred", "up-missing", "bs-without-be", "be-changed-to-unset", "type-create-in-get"),
    *("challenge-other", "challenge-registration-reused", "challenge-empty", "origin-http", "origin-port"),
    *("origin-sibling", "origin-suffix", "origin-prefix", "origin-subdomain", "origin-trailing-slash"),
    *("crossorigin-true-unexpected", "toporigin-unexpected", "rpidhash-other", "signature-other-key"),
    *("signature-empty", "signature-raw-64", "authdata-changed-after-signing"),
    *("clientdata-space-added-after-signing", "clientdata-extra-members", "clientdata-not-json", "authdata-short"),
    *("authdata-trailing-bytes", "credential-unknown", "userhandle-mismatch", "userhandle-ok"),
    *("type-not-public-key", "challenge-expired", "challenge-used-twice"),
    *("reg-ok", "reg-up-missing", "reg-uv-missing-required", "reg-bs-without-be", "reg-no-attested-data"),
    *("reg-rpidhash-other", "reg-type-get", "reg-crossorigin-unexpected", "reg-alg-not-offered", "reg-credid-1024"),
    *("reg-credid-duplicate", "reg-fmt-unknown", "reg-none-when-required", "reg-cbor-trailing"),
    "reg-point-off-curve",
)
# The answer itself is good: what makes it an attack is kept in a store.
OF_STORES: Final = {"challenge-expired", "challenge-used-twice", "credential-unknown", "reg-credid-duplicate"}
RULES: Final = {
    "uv-missing-required": "USER_VERIFICATION",
    "up-missing": "USER_PRESENCE",
    "bs-without-be": "BACKUP_FLAGS",
    "be-changed-to-unset": "BACKUP_ELIGIBILITY_CHANGED",
    "type-create-in-get": "TYPE",
    "challenge-other": "CHALLENGE",
    "challenge-registration-reused": "CHALLENGE",
    "challenge-empty": "CHALLENGE",
    "origin-http": "ORIGIN",
    "origin-port": "ORIGIN",
    "origin-sibling": "ORIGIN",
    "origin-suffix": "ORIGIN",
    "origin-prefix": "ORIGIN",
    "origin-subdomain": "ORIGIN",
    "origin-trailing-slash": "ORIGIN",
    "crossorigin-true-unexpected": "CROSS_ORIGIN",
    "toporigin-unexpected": "CROSS_ORIGIN",
    "rpidhash-other": "RP_ID",
    "signature-other-key": "SIGNATURE",
    "signature-empty": "SIGNATURE",
    "signature-raw-64": "SIGNATURE",
    "authdata-changed-after-signing": "SIGNATURE",
    "clientdata-space-added-after-signing": "SIGNATURE",
    "clientdata-not-json": "MALFORMED",
    "authdata-short": "MALFORMED",
    "authdata-trailing-bytes": "MALFORMED",
    "userhandle-mismatch": "USER_HANDLE",
    "type-not-public-key": "MALFORMED",
    "reg-up-missing": "USER_PRESENCE",
    "reg-uv-missing-required": "USER_VERIFICATION",
    "reg-bs-without-be": "BACKUP_FLAGS",
    "reg-no-attested-data": "CREDENTIAL_ID",
    "reg-rpidhash-other": "RP_ID",
    "reg-type-get": "TYPE",
    "reg-crossorigin-unexpected": "CROSS_ORIGIN",
    "reg-alg-not-offered": "ALGORITHM",
    "reg-credid-1024": "CREDENTIAL_ID",
    "reg-fmt-unknown": "ATTESTATION",
    "reg-none-when-required": "ATTESTATION",
    "reg-cbor-trailing": "MALFORMED",
    "reg-point-off-curve": "PUBLIC_KEY",
}


@pytest.mark.parametrize("case_id", ATTACK_IDS)
def test_attack(case_id: str) -> None:
    """Each attack is refused by the very rule that it breaks, and what is no attack is taken."""
    case = {one["id"]: one for one in vectors(ATTACKS)["cases"]}[case_id]
    if case_id in RULES:
        with pytest.raises(PasskeyRefusedError) as refused:
            _run(case)
        assert refused.value.rule == RULES[case_id]
        assert case["expect"] == "reject"
        return
    found = _run(case)
    assert case["expect"] == {"risk": "risk"}.get(case["expect"], "reject" if case_id in OF_STORES else "accept")
    if isinstance(found, Asserted):
        stored = case["context"]["stored"]["sign_count"]
        assert has_copy(stored=stored, presented=found.sign_count) == (case["expect"] == "risk")
        assert found.user_verified == (case_id != "uv-missing-preferred")


def test_no_attack_is_left_out() -> None:
    """53 attacks, ten vectors of the standard, ten answers of real authenticators: a file that grows is noticed."""
    assert {one["id"] for one in vectors(ATTACKS)["cases"]} == set(ATTACK_IDS)
    assert (len(ATTACK_IDS), len(set(ATTACK_IDS))) == (53, 53)
    refused = {one["id"] for one in vectors(ATTACKS)["cases"] if one["expect"] == "reject"}
    assert refused == set(RULES) | OF_STORES
    assert len(vectors(L3)["vectors"]) == STANDARD
    assert len(vectors(REAL)) == AUTHENTICATORS


@pytest.mark.parametrize("number", range(STANDARD))
def test_vector_of_the_standard(number: int) -> None:
    """Registration and authentication pass; attestations with a certificate lead to the standard's root."""
    file = vectors(L3)
    vector = file["vectors"][number]
    root = bytes.fromhex(file["attestation_root"]["attestation_ca_cert"])
    is_attested = "attestation_cert_serial_number" in vector["registration"]
    rp = RelyingParty(
        rp_id=vector["rp_id"],
        origins=[vector["origin"]],
        allows_cross_origin="crossOrigin" in vector["id"] or "topOrigin" in vector["id"],
        top_origins=[vector["top_origin"]],
        attestation="direct" if is_attested else "none",
        roots=[root],
    )
    made, answer = vector["registration"], vector["authentication"]
    registered = _register(
        _registration(made),
        rp,
        Expected(
            challenge=encode(bytes.fromhex(made["challenge"])),
            user_verification="preferred",
            algorithms=offered_algorithms(),
        ),
    )
    assert registered.webauthn_id.hex() == made["credential_id"]
    assert registered.attested == is_attested
    known = Known(
        public_key=registered.public_key,
        user_handle=b"user",
        backup_eligible=registered.backup_eligible,
    )
    expected = Expected(challenge=encode(bytes.fromhex(answer["challenge"])), user_verification="preferred")
    response = {name: _text(answer[name]) for name in ("clientDataJSON", "authenticatorData", "signature")}
    text = _credential(_text(made["credential_id"]), response)
    verify_authentication(parse_authentication(text), known, rp=rp, expected=expected, names_user=False)
    if rp.allows_cross_origin:
        strict = RelyingParty(rp_id=rp.rp_id, origins=rp.origins)
        with pytest.raises(PasskeyRefusedError, match="frame"):
            verify_authentication(parse_authentication(text), known, rp=strict, expected=expected, names_user=False)


@pytest.mark.parametrize("number", range(AUTHENTICATORS))
def test_real_authenticator(number: int) -> None:
    """Real registrations pass; the one that was tampered with does not."""
    case = vectors(REAL)[number]
    origins = case["expected_origin"]
    rp = RelyingParty(rp_id=case["rp_id"], origins=origins if isinstance(origins, list) else [origins])
    expected = Expected(challenge=case["challenge"], user_verification="preferred", algorithms=offered_algorithms())
    text = json.dumps(case["credential"])
    if "bad_attestation" in case["test"]:
        with pytest.raises(PasskeyRefusedError, match="not the JSON"):
            _register(text, rp, expected)
        return
    registered = _register(text, rp, expected)
    assert encode(registered.webauthn_id) == case["credential"]["id"]
    assert not registered.attested


def _run(case: dict[str, Any]) -> Registered | Asserted:
    file, context = vectors(ATTACKS), case["context"]
    rp = RelyingParty(
        rp_id=context["rp_id"],
        origins=context["expected_origins"],
        allows_cross_origin=context["allow_cross_origin"],
        attestation=context.get("attestation", "none"),
    )
    expected = Expected(
        challenge=file[f"{case['ceremony']}_challenge"],
        user_verification=context["user_verification"],
        algorithms=context.get("offered_algs", offered_algorithms()),
    )
    text = json.dumps(case["response"])
    if case["ceremony"] == "registration":
        return _register(text, rp, expected)
    known = Known(
        public_key=decode(file["credential"]["public_key_cose"]),
        user_handle=decode(context["user_handle"]),
        backup_eligible=context["stored"]["backup_eligible"],
    )
    response = parse_authentication(text)
    return verify_authentication(response, known, rp=rp, expected=expected, names_user=False)


def _register(text: str, rp: RelyingParty, expected: Expected) -> Registered:
    return verify_registration(parse_registration(text), rp=rp, expected=expected, now=NOW)


def _registration(made: dict[str, str]) -> str:
    response = {name: _text(made[name]) for name in ("clientDataJSON", "attestationObject")}
    return _credential(_text(made["credential_id"]), response)


def _credential(credential_id: str, response: dict[str, str]) -> str:
    return json.dumps({"id": credential_id, "rawId": credential_id, "type": "public-key", "response": response})


def _text(hexadecimal: str) -> str:
    return encode(bytes.fromhex(hexadecimal))
