"""Bound tokens at the engine: a proof of their very key, made for this request, used once."""

from collections.abc import Callable

import pytest

from argus.sessions.model import binding_of
from argus.v1.token_service_pb2 import IntrospectTokenRequest, IntrospectTokenResponse
from argus.v1.types_pb2 import Proof
from tests.support.dpop import URI, DpopClient, certificate, proof_of
from tests.support.engine import DEADLINE, GRACE, Bench, refresh_request, verify_request
from tests.support.proofs import record, refused_proof, used_proofs


@pytest.fixture(scope="module")
def client() -> DpopClient:
    """The owner of the bound sessions here."""
    return DpopClient()


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "RS256", "PS256"])
def test_a_bound_session_goes_on_with_proofs_of_its_key(bench: Bench, algorithm: str) -> None:
    """Refresh, verify, introspect: every token carries `cnf`, and its type is DPoP."""
    client = DpopClient(algorithm)
    session = bench.sign_in(cnf=client.confirmation)
    assert session.tokens.token_type == "DPoP"
    proof = client.proof(now=bench.now)
    tokens = bench.refresh(session.tokens.refresh_token, proof=proof).tokens
    assert tokens.token_type == "DPoP"
    for access in (session.tokens.access_token, tokens.access_token):
        verified = bench.verify(access, proof=client.proof(now=bench.now, access_token=access))
        assert verified.cnf == client.confirmation
    for token in (tokens.access_token, tokens.refresh_token):
        told = bench.ok("IntrospectToken", IntrospectTokenRequest(token=token), IntrospectTokenResponse)
        assert (told.active, told.cnf) == (True, client.confirmation)
    bench.effects()
    bench.advance(GRACE + DEADLINE + 1)
    again = bench.refresh(tokens.refresh_token, proof=client.proof(now=bench.now)).tokens
    assert again.refresh_token != tokens.refresh_token


BAD_PROOFS: dict[str, tuple[str, Callable[[DpopClient, int, str], Proof | None]]] = {
    "none": ("missing", lambda *_: None),
    "empty": ("missing", lambda *_: Proof()),
    "another key": ("other_key", lambda _, now, token: DpopClient().proof(now=now, access_token=token)),
    "a certificate": ("other_key", lambda *_: certificate()[0]),
    "no proof at all": ("structure", lambda *_: proof_of("x")),
    "two headers in one": ("structure", lambda c, now, _: proof_of(f"{c.jwt(now=now)}, {c.jwt(now=now)}")),
    "too long": ("size", lambda c, now, t: c.proof(now=now, access_token=t, pad="x" * 4096)),
    "another type": ("typ", lambda c, now, t: c.proof(now=now, access_token=t, header={"typ": "JWT"})),
    "critical": ("crit", lambda c, now, t: c.proof(now=now, access_token=t, header={"crit": ["typ"]})),
    "the private key": (
        "key",
        lambda c, now, t: c.proof(now=now, access_token=t, header={"jwk": c.key.as_dict(private=True)}),
    ),
    "no id": ("claims", lambda c, now, t: c.proof(now=now, access_token=t, jti=None)),
    "another method": ("htm", lambda c, now, t: c.proof(now=now, access_token=t, htm="GET")),
    "another path": ("htu", lambda c, now, t: c.proof(now=now, access_token=t, htu=f"{URI}s")),
    "too old": ("iat", lambda c, now, t: c.proof(now=now - 62, access_token=t)),
    "too early": ("iat", lambda c, now, t: c.proof(now=now + 8, access_token=t)),
}


@pytest.mark.parametrize("bad", BAD_PROOFS)
def test_rfc_9449_7_2_a_bound_token_without_a_good_proof_is_refused(bench: Bench, client: DpopClient, bad: str) -> None:
    """By refresh and by verify; the record stays as it is to the bit, and no proof is used up."""
    session = bench.sign_in(cnf=client.confirmation)
    before = record(bench, session)
    wanted, make = BAD_PROOFS[bad]
    refresh = refresh_request(session.tokens.refresh_token, proof=make(client, bench.now, ""))
    assert refused_proof(bench, "RefreshToken", refresh) == wanted
    access = session.tokens.access_token
    verify = verify_request(access, proof=make(client, bench.now, access))
    assert refused_proof(bench, "VerifyAccessToken", verify) == wanted
    assert record(bench, session) == before
    assert used_proofs(bench) == []
    assert bench.engine.counters()["rotation_verdicts{verdict=proof_required}"] == 1


def test_rfc_9449_4_3_verify_wants_the_hash_of_the_very_token(bench: Bench, client: DpopClient) -> None:
    """`ath`."""
    session = bench.sign_in(cnf=client.confirmation)
    access = session.tokens.access_token
    for other in ("", session.tokens.refresh_token):
        request = verify_request(access, proof=client.proof(now=bench.now, access_token=other))
        assert refused_proof(bench, "VerifyAccessToken", request) == "ath"


def test_what_the_caller_says_of_the_request_must_make_sense(bench: Bench, client: DpopClient) -> None:
    """It is the caller's mistake, not its client's."""
    session = bench.sign_in(cnf=client.confirmation)
    jwt = client.jwt(now=bench.now)
    for proof, field in (
        (proof_of(jwt, method=""), "proof.dpop.http_method"),
        (proof_of(jwt, method="P" * 33), "proof.dpop.http_method"),
        (proof_of(jwt, uri=""), "proof.dpop.http_uri"),
        (proof_of(jwt, uri="/token"), "proof.dpop.http_uri"),
        (Proof(mtls_certificate_sha256=bytes(31)), "proof.mtls_certificate_sha256"),
    ):
        refused = bench.refused("RefreshToken", refresh_request(session.tokens.refresh_token, proof=proof))
        assert (refused.reason, refused.metadata) == ("FIELD_INVALID", {"field": field})


def test_a_proof_of_a_session_that_is_not_bound(bench: Bench, client: DpopClient) -> None:
    """Refresh checks it and binds nothing; verify refuses it (RFC 9449, 4.3); a certificate is nobody's matter."""
    session = bench.sign_in()
    proof = client.proof(now=bench.now)
    tokens = bench.refresh(session.tokens.refresh_token, proof=proof).tokens
    assert tokens.token_type == "Bearer"
    bad = refresh_request(tokens.refresh_token, proof=client.proof(now=bench.now, htm="GET"))
    assert refused_proof(bench, "RefreshToken", bad) == "htm"
    again = refresh_request(tokens.refresh_token, proof=proof)
    assert refused_proof(bench, "RefreshToken", again) == "replayed"
    access = tokens.access_token
    shown = verify_request(access, proof=client.proof(now=bench.now, access_token=access))
    assert refused_proof(bench, "VerifyAccessToken", shown) == "unbound"
    assert not bench.verify(access, proof=certificate()[0]).HasField("cnf")


def test_rfc_8705_a_certificate_binds_too(bench: Bench) -> None:
    """`x5t#S256`; the token type stays Bearer, and a connection may be used as often as one likes."""
    proof, confirmation = certificate()
    session = bench.sign_in(cnf=confirmation)
    assert session.tokens.token_type == "Bearer"
    tokens = bench.refresh(session.tokens.refresh_token, proof=proof).tokens
    assert tokens.token_type == "Bearer"
    for _ in range(2):
        assert bench.verify(tokens.access_token, proof=proof).cnf == confirmation
    other = certificate(b"another")[0]
    for wrong in (None, other, DpopClient().proof(now=bench.now)):
        request = refresh_request(tokens.refresh_token, proof=wrong)
        assert refused_proof(bench, "RefreshToken", request, binding="mtls") in ("missing", "other_key")


def test_a_record_that_is_bound_to_something_else_yields_nothing(bench: Bench, client: DpopClient) -> None:
    """A token of the record's family says the same as the record, or somebody else made it."""
    other = DpopClient()
    session = bench.sign_in(cnf=client.confirmation)
    unbound = bench.sign_in()
    forged = unbound.request
    forged.cnf.CopyFrom(other.confirmation)
    token = bench.issue(forged).refresh_token
    proof = other.proof(now=bench.now)
    assert refused_proof(bench, "RefreshToken", refresh_request(token, proof=proof)) == "other_binding"
    forged = session.request
    forged.cnf.CopyFrom(other.confirmation)
    tokens = bench.issue(forged)
    request = refresh_request(tokens.refresh_token, proof=other.proof(now=bench.now))
    assert refused_proof(bench, "RefreshToken", request) == "other_binding"
    access = tokens.access_token
    shown = verify_request(access, proof=other.proof(now=bench.now, access_token=access))
    assert refused_proof(bench, "VerifyAccessToken", shown) == "other_binding"
    told = bench.ok("IntrospectToken", IntrospectTokenRequest(token=access), IntrospectTokenResponse)
    assert told == IntrospectTokenResponse()


def test_a_lost_step_up_that_bound_the_session_leads_to_a_step_up(bench: Bench, client: DpopClient) -> None:
    """The old token is not bound, the record is: the key that the client has by now is what counts."""
    session = bench.sign_in()
    key = bench.keys(session.session_id)[0]
    family_two = bytearray(record(bench, session))
    family_two[2] |= 1
    family_two[14] = 2
    family_two[31:47] = binding_of(client.confirmation) or b""
    bench.valkey.client.set(key, bytes(family_two))
    old = session.tokens.refresh_token
    for proof in (None, DpopClient().proof(now=bench.now)):
        request = refresh_request(old, proof=proof)
        assert refused_proof(bench, "RefreshToken", request, binding="key") == "missing"
    refused = bench.refused("RefreshToken", refresh_request(old, proof=client.proof(now=bench.now)))
    assert (refused.reason, refused.metadata) == ("STEP_UP_REQUIRED", {"cause": "FAMILY_OLDER"})
    assert record(bench, session) == bytes(family_two)
