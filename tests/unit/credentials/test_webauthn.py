"""What the ceremonies of WebAuthn refuse beside the attacks of the vectors, and what they may not refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from argus.credentials.webauthn.ceremonies import verify_authentication, verify_registration
from argus.credentials.webauthn.forms import encode, parse_authentication, parse_registration
from argus.credentials.webauthn.keys import offered_algorithms
from argus.credentials.webauthn.model import Asserted, Expected, Known, PasskeyRefusedError, Registered, RelyingParty
from argus.credentials.webauthn.options import Account, creation_options, request_options
from tests.support.virtual_authenticator import Authenticator, Maker, content_of, text

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
ORIGIN: Final = "https://login.example.com"
RP: Final = RelyingParty(rp_id="example.com", origins=[ORIGIN])
EXPECTED: Final = Expected(challenge=encode(b"c" * 32), user_verification="required", algorithms=offered_algorithms())
OPTIONS: Final = creation_options(
    EXPECTED,
    rp_id=RP.rp_id,
    rp_name="Example",
    account=Account(user_handle=b"h" * 32, name="a@example.com", display_name=""),
    exclude=[],
    resident_key="required",
    attestation="none",
    timeout=NOW - NOW,
)
REQUEST: Final = request_options(EXPECTED, rp_id=RP.rp_id, allow=[], timeout=NOW - NOW)
BOM: Final = b"\xef\xbb\xbf"


def register(answer: str, rp: RelyingParty = RP, expected: Expected = EXPECTED) -> Registered:
    return verify_registration(parse_registration(answer), rp=rp, expected=expected, now=NOW)


def sign_in(authenticator: Authenticator, answer: str, rp: RelyingParty = RP, *, names_user: bool = True) -> Asserted:
    made = authenticator.credentials[0]
    numbers = made.key.public_key().public_numbers()
    x, y = (one.to_bytes(32, "big") for one in (numbers.x, numbers.y))
    known = Known(
        public_key=cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y}), user_handle=b"h" * 32, backup_eligible=False
    )
    return verify_authentication(parse_authentication(answer), known, rp=rp, expected=EXPECTED, names_user=names_user)


def with_client_data(answer: str, change: Callable[[bytes], bytes]) -> str:
    credential = json.loads(answer)
    response = credential["response"]
    response["clientDataJSON"] = text(change(content_of(response["clientDataJSON"])))
    return json.dumps(credential)


def with_attestation(answer: str, change: Callable[[dict[str, Any]], None]) -> str:
    credential = json.loads(answer)
    response = credential["response"]
    attestation = cbor2.loads(content_of(response["attestationObject"]))
    change(attestation)
    response["attestationObject"] = text(cbor2.dumps(attestation))
    return json.dumps(credential)


def with_key(answer: str, key: dict[int, Any]) -> str:
    def change(attestation: dict[str, Any]) -> None:
        data = attestation["authData"]
        attestation["authData"] = data[: 37 + 16 + 2 + 32] + cbor2.dumps(key)

    return with_attestation(answer, change)


def twin(encoded: str) -> str:
    """Another text for the same 32 bytes: the last character has two bits more than they need."""
    return encoded[:-1] + chr(ord(encoded[-1]) + 1)


def rule_of(work: Callable[[], object]) -> str:
    with pytest.raises(PasskeyRefusedError) as refused:
        work()
    return refused.value.rule


@pytest.fixture
def authenticator() -> Authenticator:
    return Authenticator(origin=ORIGIN)


def test_a_byte_order_mark_is_taken_away_and_signed(authenticator: Authenticator) -> None:
    """As "UTF-8 decode" does; a registration without attestation signs nothing, so that it can be tried there."""
    answer = with_client_data(authenticator.create(OPTIONS), lambda data: BOM + data)
    assert register(answer).webauthn_id
    twice = with_client_data(answer, lambda data: BOM + data)
    assert rule_of(lambda: register(twice)) == "MALFORMED"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b'"crossOrigin":false', b'"crossOrigin":"true"'),
        lambda data: data.replace(b'"crossOrigin":false', b'"crossOrigin":0'),
        lambda data: data.replace(b'"crossOrigin":false', b'"topOrigin":["https://a.example"]'),
        lambda data: data[:-1] + b',"origin":"https://evil.example"}',
        lambda data: data[:-1] + b',"x":NaN}',
        lambda data: b"[" + data + b"]",
        lambda data: data + b"x",
        lambda data: data.replace(b"login", b"l\xffgin"),
        lambda data: data[:0] + b'{"a":' * 100_000,
    ],
)
def test_client_data_is_read_strictly(change: Callable[[bytes], bytes], authenticator: Authenticator) -> None:
    answer = authenticator.create(OPTIONS)
    assert rule_of(lambda: register(with_client_data(answer, change))) == "MALFORMED"


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.update(type="password"),
        lambda one: one.update(rawId=one["id"] + "AA"),
        lambda one: one.update(id=one["id"] + "=", rawId=one["rawId"] + "="),
        lambda one: one.update(id=7, rawId=7),
        lambda one: one.update(id=twin(one["id"]), rawId=twin(one["rawId"])),
        lambda one: one.pop("rawId"),
        lambda one: one.pop("response"),
        lambda one: one["response"].update(clientDataJSON=None),
        lambda one: one["response"].update(attestationObject="a+b/"),
        lambda one: one["response"].update(transports="internal"),
        lambda one: one["response"].update(transports=["<script>"]),
        lambda one: one.update(clientExtensionResults=[]),
        lambda one: one.update(clientExtensionResults={"credProps": {"rk": "yes"}}),
    ],
)
def test_the_json_form_is_read_strictly(
    change: Callable[[dict[str, Any]], object], authenticator: Authenticator
) -> None:
    credential = json.loads(authenticator.create(OPTIONS))
    change(credential)
    assert rule_of(lambda: register(json.dumps(credential))) == "MALFORMED"


def test_a_member_that_stands_twice_is_refused(authenticator: Authenticator) -> None:
    answer = authenticator.create(OPTIONS)
    assert rule_of(lambda: register(answer[:-1] + ', "type": "public-key"}')) == "MALFORMED"
    assert rule_of(lambda: register("x" * 65_537)) == "MALFORMED"
    assert rule_of(lambda: register('"\ud800"')) == "MALFORMED"


def test_a_padded_challenge_is_another_text(authenticator: Authenticator) -> None:
    padded = with_client_data(
        authenticator.create(OPTIONS),
        lambda data: data.replace(EXPECTED.challenge.encode(), EXPECTED.challenge.encode() + b"="),
    )
    assert rule_of(lambda: register(padded)) == "CHALLENGE"


def test_a_statement_with_the_format_none_is_refused(authenticator: Authenticator) -> None:
    answer = with_attestation(authenticator.create(OPTIONS), lambda one: one["attStmt"].update(x=1))
    assert rule_of(lambda: register(answer)) == "ATTESTATION"


def test_the_id_is_that_of_the_authenticator_data(authenticator: Authenticator) -> None:
    credential = json.loads(authenticator.create(OPTIONS))
    credential["id"] = credential["rawId"] = encode(b"another")
    assert rule_of(lambda: register(json.dumps(credential))) == "CREDENTIAL_ID"


def test_an_empty_credential_id_is_refused(authenticator: Authenticator) -> None:
    def shorten(attestation: dict[str, Any]) -> None:
        data = attestation["authData"]
        attestation["authData"] = data[:53] + b"\0\0" + data[53 + 2 + 32 :]

    credential = json.loads(with_attestation(authenticator.create(OPTIONS), shorten))
    credential["id"] = credential["rawId"] = ""
    assert rule_of(lambda: register(json.dumps(credential))) == "CREDENTIAL_ID"


def _point() -> tuple[bytes, bytes]:
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    return numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")


X, Y = _point()
RSA_1024: Final = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key().public_numbers().n  # noqa: S505
RSA_2048: Final = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key().public_numbers().n


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ({1: 2, 3: -7, -1: 1, -2: X, -3: Y}, ""),
        ({1: 3, 3: -7, -1: 1, -2: X, -3: Y}, "PUBLIC_KEY"),
        ({1: 2, 3: -7, -1: 2, -2: X, -3: Y}, "PUBLIC_KEY"),
        ({1: 2, 3: -7, -1: 1, -2: X, -3: X}, "PUBLIC_KEY"),
        ({1: 2, 3: -7, -1: 1, -2: b"\0" + X, -3: Y}, "PUBLIC_KEY"),
        ({1: 2, 3: -7, -1: 1, -2: X}, "PUBLIC_KEY"),
        ({1: 2, 3: -7, -1: 1, -2: X, -3: True}, "PUBLIC_KEY"),
        ({1: 1, 3: -8, -1: 6, -2: X}, ""),
        ({1: 1, 3: -8, -1: 6, -2: X[:31]}, "PUBLIC_KEY"),
        ({1: 3, 3: -257, -1: RSA_2048.to_bytes(256, "big"), -2: b"\1\0\1"}, ""),
        ({1: 3, 3: -257, -1: RSA_1024.to_bytes(128, "big"), -2: b"\1\0\1"}, "PUBLIC_KEY"),
        ({1: 3, 3: -257, -1: RSA_2048.to_bytes(256, "big"), -2: b"\1"}, "PUBLIC_KEY"),
        ({1: 1, 3: -53, -1: 7, -2: bytes(57)}, "ALGORITHM"),
        ({1: 2, 3: -47, -1: 8, -2: X, -3: Y}, "ALGORITHM"),
        ({1: 2, -1: 1, -2: X, -3: Y}, "MALFORMED"),
    ],
)
def test_keys_are_loaded_at_registration(key: dict[int, Any], rule: str, authenticator: Authenticator) -> None:
    answer = with_key(authenticator.create(OPTIONS), key)
    if rule:
        assert rule_of(lambda: register(answer)) == rule
    else:
        assert register(answer).algorithm == key[3]


def test_a_frame_of_another_site_is_let_in_by_the_rules_alone(authenticator: Authenticator) -> None:
    rp = RelyingParty(
        rp_id=RP.rp_id, origins=RP.origins, allows_cross_origin=True, top_origins=["https://shop.example"]
    )
    for said, is_good in (
        ({"crossOrigin": True}, True),
        ({"crossOrigin": True, "topOrigin": "https://shop.example"}, True),
        ({"crossOrigin": True, "topOrigin": "https://evil.example"}, False),
        ({"crossOrigin": False, "topOrigin": "https://evil.example"}, False),
    ):
        authenticator.client_data = dict(said)
        answer = authenticator.create(OPTIONS)
        if is_good:
            assert register(answer, rp).webauthn_id
        else:
            assert rule_of(lambda answer=answer: register(answer, rp)) == "CROSS_ORIGIN"  # type: ignore[misc]
        assert rule_of(lambda answer=answer: register(answer)) == "CROSS_ORIGIN"  # type: ignore[misc]


def test_certificates_of_makers_run_out(authenticator: Authenticator) -> None:
    maker = Maker()
    authenticator.maker = maker
    rp = RelyingParty(rp_id=RP.rp_id, origins=RP.origins, attestation="direct", roots=[maker.root])
    response = parse_registration(authenticator.create(OPTIONS))
    assert verify_registration(response, rp=rp, expected=EXPECTED, now=NOW).attested
    for year in (2019, 2101):
        late = partial(verify_registration, response, rp=rp, expected=EXPECTED, now=datetime(year, 1, 1, tzinfo=UTC))
        assert rule_of(late) == "ATTESTATION"


@pytest.mark.parametrize(("between", "is_good"), [("", True), ("authority", True), ("leaf", False)])
def test_only_certificates_that_may_issue_others_do(between: Any, is_good: bool, authenticator: Authenticator) -> None:
    """RFC 5280, 4.2.1.9: whoever has the key of one attestation certificate would else make any number of them."""
    maker = authenticator.maker = Maker(between=between)
    rp = RelyingParty(rp_id=RP.rp_id, origins=RP.origins, attestation="direct", roots=[maker.root])
    response = authenticator.create(OPTIONS)
    if is_good:
        assert register(response, rp).attested
    else:
        assert rule_of(lambda: register(response, rp)) == "ATTESTATION"


def test_who_is_not_named_has_to_name_itself(authenticator: Authenticator) -> None:
    authenticator.create(OPTIONS)
    credential = json.loads(authenticator.get(REQUEST))
    assert sign_in(authenticator, json.dumps(credential)).user_verified
    credential["response"]["userHandle"] = None
    assert rule_of(lambda: sign_in(authenticator, json.dumps(credential))) == "USER_HANDLE"
    assert sign_in(authenticator, json.dumps(credential), names_user=False).user_verified
    credential["response"]["userHandle"] = encode(b"i" * 32)
    assert rule_of(lambda: sign_in(authenticator, json.dumps(credential), names_user=False)) == "USER_HANDLE"


@given(st.binary(max_size=400))
def test_any_bytes_of_an_authenticator_are_answered_by_a_rule(junk: bytes) -> None:
    """Whatever the library runs into, it is a refusal."""
    authenticator = Authenticator(origin=ORIGIN)
    made = json.loads(authenticator.create(OPTIONS))
    whole = content_of(made["response"]["attestationObject"])
    for content in (junk, whole[: len(junk)] + junk, cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": junk})):
        made["response"]["attestationObject"] = text(content)
        rule_of(lambda: register(json.dumps(made)))
    answer = json.loads(authenticator.get(REQUEST))
    for name in ("authenticatorData", "signature"):
        spoilt = answer | {"response": answer["response"] | {name: text(junk)}}
        rule_of(lambda spoilt=spoilt: sign_in(authenticator, json.dumps(spoilt)))  # type: ignore[misc]
