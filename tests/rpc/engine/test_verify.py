"""VerifyAccessToken, BatchVerifyAccessTokens and IntrospectToken: only a clear yes is OK."""

import json

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict

from argus import _core
from argus.v1.errors_pb2 import ErrorReason
from argus.v1.token_service_pb2 import (
    BatchVerifyAccessTokensRequest,
    BatchVerifyAccessTokensResponse,
    IntrospectTokenRequest,
    IntrospectTokenResponse,
)
from argus.v1.types_pb2 import Activity, ClientContext, DpopProof, Proof
from tests.support.engine import (
    ABSOLUTE,
    CLIENT,
    IDLE,
    ISSUER,
    RESOURCE,
    TENANT,
    USER,
    Bench,
    refresh_request,
    verify_request,
)


def introspect(bench: Bench, token: str) -> IntrospectTokenResponse:
    """What is told about a token."""
    return bench.ok("IntrospectToken", IntrospectTokenRequest(token=token), IntrospectTokenResponse)


def test_a_good_token_says_who_it_is(bench: Bench) -> None:
    """Every field of the answer."""
    session = bench.sign_in(acr=2, groups=("staff",))
    verified = bench.verify(session.tokens.access_token)
    assert verified.session == f"tenants/{TENANT}/users/{USER}/sessions/{session.session_id}"
    assert (verified.iss, verified.sub, verified.client_id) == (ISSUER, USER, CLIENT)
    assert (list(verified.aud), list(verified.scopes)) == ([RESOURCE], ["things.read", "things.write"])
    assert (verified.acr, list(verified.amr)) == ("urn:argus:acr:2", ["pwd"])
    assert verified.auth_time.seconds == session.request.auth_time
    assert abs(verified.state_time.seconds - bench.now) <= 1
    assert MessageToDict(verified.claims) == {"groups": ["staff"]}
    assert len(verified.jti) == 22
    assert not bench.effects()


def test_every_fault_of_a_token_is_one_answer_and_its_class_is_an_event(bench: Bench) -> None:
    """Nothing tells a caller why; the audit does."""
    good = bench.sign_in().tokens
    header, payload, signature = good.access_token.split(".")
    faults = {
        "structure": "not-a-token",
        "base64": f"{header}.{payload}.{signature}=",
        "json": f"W10.{payload}.{signature}",
        "signature": f"{header}.{payload}.{'A' * len(signature)}",
        "typ": good.refresh_token,
    }
    for fault, token in faults.items():
        refused = bench.refused("VerifyAccessToken", verify_request(token))
        assert (refused.code, refused.reason, refused.metadata) == (16, "TOKEN_INVALID", {}), fault
        assert bench.events() == [("token.refused", fault)]
    refused = bench.refused("VerifyAccessToken", verify_request(good.access_token, resource="https://other.test"))
    assert (refused.reason, bench.events()) == ("TOKEN_INVALID", [("token.refused", "aud")])
    bench.advance(301)
    refused = bench.refused("VerifyAccessToken", verify_request(good.access_token))
    assert (refused.reason, bench.events()) == ("TOKEN_INVALID", [("token.refused", "exp")])


def test_gates_ask_for_a_step_up_or_a_scope(bench: Bench) -> None:
    """RFC 9470: level and age; a higher level than asked for is good."""
    token = bench.sign_in(acr=2).tokens.access_token
    for good in (
        {"acr_values": ["urn:argus:acr:1"]},
        {"max_age": Duration(seconds=5)},
        {"required_scopes": ["things.read"]},
    ):
        bench.verify(token, **good)
    refused = bench.refused("VerifyAccessToken", verify_request(token, acr_values=["urn:argus:acr:3", "urn:other"]))
    assert refused.reason == "STEP_UP_REQUIRED"
    assert refused.metadata == {"cause": "ACR", "acrValues": "urn:argus:acr:3 urn:other"}
    bench.advance(60)
    refused = bench.refused("VerifyAccessToken", verify_request(token, max_age=Duration(seconds=59)))
    assert refused.metadata == {"cause": "AUTH_AGE", "maxAgeSeconds": "59"}
    refused = bench.refused("VerifyAccessToken", verify_request(token, required_scopes=["things.read", "more"]))
    assert (refused.code, refused.reason) == (7, "TOKEN_SCOPE_MISSING")
    assert refused.metadata == {"requiredScopes": "things.read more"}


def test_an_ended_session_says_why(bench: Bench) -> None:
    """From the tombstone."""
    session = bench.sign_in()
    bench.end(session, reason=3)
    refused = bench.refused("VerifyAccessToken", verify_request(session.tokens.access_token))
    assert (refused.code, refused.reason) == (16, "SESSION_ENDED")
    assert refused.metadata == {"endReason": "ENDED_BY_ADMIN"}


def test_not_before_ends_all_sessions_up_to_it(bench: Bench) -> None:
    """Of the user, the client, the tenant: compared with the session's creation."""
    session = bench.sign_in()
    token = session.tokens.access_token
    user_key = bench.keys(session.session_id)[1]

    def reason() -> str:
        return bench.refused("VerifyAccessToken", verify_request(token)).metadata["endReason"]

    bench.valkey.call("set_user", [user_key], -1, bench.now)
    assert reason() == "USER_WIDE"
    bench.write_not_before(client=bench.now)
    assert reason() == "CLIENT_WIDE"
    bench.write_not_before(tenant=bench.now)
    assert reason() == "TENANT_WIDE"
    bench.valkey.call("set_user", [user_key], 1, 0)
    assert reason() == "USER_DISABLED"
    bench.valkey.call("set_user", [user_key], 0, 0)
    bench.advance(2)
    bench.write_not_before(tenant=bench.now - 1, client=bench.now - 1)
    bench.verify(bench.sign_in().tokens.access_token)


def test_asvs_7_3_1_idle_timeout_moves_with_use_only(bench: Bench) -> None:
    """A use moves it, a passive check does not, and it is written at most once per idle/20."""
    session = bench.sign_in()

    def token() -> str:
        session.request.now = bench.now
        return bench.issue(session.request).access_token

    bench.advance(IDLE // 20 - 5)
    bench.verify(token())
    assert not bench.effects()
    bench.advance(5)
    bench.verify(token(), activity=Activity.ACTIVITY_PASSIVE)
    assert not bench.effects()
    bench.verify(token())
    (used,) = bench.effects()
    assert used.last_active == pytest.approx(bench.now, abs=1)
    assert (used.family, used.generation, used.event) == (0, 0, "")
    assert used.idle_deadline == used.last_active + IDLE
    bench.advance(IDLE - 10)
    bench.verify(token(), activity=Activity.ACTIVITY_PASSIVE)
    bench.advance(11)
    refused = bench.refused("VerifyAccessToken", verify_request(token()))
    assert refused.metadata == {"endReason": "IDLE_TIMEOUT"}


def test_a_token_tells_a_rebuilt_record_of_a_use_that_was_lost(bench: Bench) -> None:
    """The store lost the activity along with the record: where a refresh counts, its tokens are witnesses."""
    sessions = [bench.sign_in(), bench.sign_in(), bench.sign_in()]
    bench.advance(5)
    for session in sessions:
        bench.rebuild(session, idle_deadline=bench.now)
    bench.advance(1)
    first, second, third = sessions
    bench.verify(first.tokens.access_token)
    bench.verify(first.tokens.access_token)
    assert bench.refresh(second.tokens.refresh_token).idle_expire_time.seconds >= bench.now + IDLE - 1
    bench.tenant.policies[0].refresh_is_activity = False
    bench.load()
    for refused in (
        bench.refused("VerifyAccessToken", verify_request(third.tokens.access_token)),
        bench.refused("RefreshToken", refresh_request(third.tokens.refresh_token)),
    ):
        assert refused.metadata == {"endReason": "IDLE_TIMEOUT"}


def test_asvs_7_3_2_absolute_timeout_and_a_shortened_policy(bench: Bench) -> None:
    """A shortened policy bites at once."""
    session = bench.sign_in()
    bench.tenant.policies.add().CopyFrom(bench.tenant.policies[0])
    bench.tenant.policies[1].revision, bench.tenant.policies[1].absolute = 2, 600
    bench.tenant.clients[0].policy_revision = 2
    bench.load()
    bench.advance(590)
    session.request.now = bench.now
    bench.verify(bench.issue(session.request).access_token)
    bench.advance(11)
    session.request.now = bench.now
    refused = bench.refused("VerifyAccessToken", verify_request(bench.issue(session.request).access_token))
    assert refused.metadata == {"endReason": "ABSOLUTE_TIMEOUT"}


def test_a_longer_policy_is_for_new_sessions(bench: Bench) -> None:
    """A session keeps what it was told, at most."""
    session = bench.sign_in()
    bench.tenant.policies.add().CopyFrom(bench.tenant.policies[0])
    longer = bench.tenant.policies[1]
    longer.revision, longer.idle, longer.absolute = 2, IDLE * 2, ABSOLUTE * 2
    bench.tenant.clients[0].policy_revision = 2
    bench.load()
    bench.advance(IDLE)
    session.request.now = bench.now
    refused = bench.refused("VerifyAccessToken", verify_request(bench.issue(session.request).access_token))
    assert refused.metadata == {"endReason": "IDLE_TIMEOUT"}


def test_a_token_of_an_older_family_steps_up_and_a_newer_one_needs_postgresql(bench: Bench) -> None:
    """`fam` of the token against the record's."""
    session = bench.sign_in()
    session.request.family = 2
    bench.needs("VerifyAccessToken", verify_request(bench.issue(session.request).access_token))
    record = bytearray(bench.valkey.client.get(bench.keys(session.session_id)[0]))  # type: ignore[arg-type]
    record[11:15] = (2).to_bytes(4, "big")
    bench.valkey.client.set(bench.keys(session.session_id)[0], bytes(record))
    refused = bench.refused("VerifyAccessToken", verify_request(session.tokens.access_token))
    assert (refused.reason, refused.metadata) == ("STEP_UP_REQUIRED", {"cause": "FAMILY_OLDER"})


def test_a_bound_session_is_not_accepted_without_a_proof_that_can_be_checked(bench: Bench) -> None:
    """Whatever is presented as proof."""
    session = bench.sign_in()
    key = bench.keys(session.session_id)[0]
    record = bytearray(bench.valkey.client.get(key))  # type: ignore[arg-type]
    record[2] |= 1
    bench.valkey.client.set(key, bytes(record))
    for proof in (
        None,
        Proof(dpop=DpopProof(jwt="a.b.c", http_method="GET", http_uri=RESOURCE)),
        Proof(mtls_certificate_sha256=bytes(32)),
    ):
        refused = bench.refused("VerifyAccessToken", verify_request(session.tokens.access_token, proof=proof))
        assert refused.reason == "TOKEN_PROOF_REQUIRED"


def test_client_tokens_verify_until_their_client_is_stopped(bench: Bench) -> None:
    """They have no session."""
    token = bench.client_token(scope="things.read", resource=RESOURCE)
    verified = bench.verify(token, required_scopes=["things.read"])
    assert (verified.session, verified.sub, verified.client_id, verified.acr) == ("", CLIENT, CLIENT, "")
    refused = bench.refused("VerifyAccessToken", verify_request(token, max_age=Duration(seconds=900)))
    assert refused.reason == "STEP_UP_REQUIRED"
    bench.set_not_before(_core.Keyspace.not_before_key(TENANT, CLIENT), bench.now)
    refused = bench.refused("VerifyAccessToken", verify_request(token))
    assert (refused.reason, bench.events()) == ("TOKEN_INVALID", [("token.refused", "not_before")])


def test_a_batch_has_a_status_for_each_item_in_order(bench: Bench) -> None:
    """Good, ended, nonsense."""
    good, ended = bench.sign_in(), bench.sign_in()
    bench.end(ended)
    tokens = [good.tokens.access_token, ended.tokens.access_token, "x", good.tokens.access_token]
    request = BatchVerifyAccessTokensRequest(requests=[verify_request(token) for token in tokens])
    results = bench.ok("BatchVerifyAccessTokens", request, BatchVerifyAccessTokensResponse).results
    assert [result.code for result in results] == [0, 16, 16, 0]
    assert results[0].verified.session.endswith(good.session_id)
    assert results[1].reason == ErrorReason.ERROR_REASON_SESSION_ENDED
    assert dict(results[1].metadata) == {"endReason": "SIGNED_OUT"}
    assert results[2].reason == ErrorReason.ERROR_REASON_TOKEN_INVALID
    for size in (0, 101):
        many = BatchVerifyAccessTokensRequest(requests=[verify_request("x")] * size)
        assert bench.refused("BatchVerifyAccessTokens", many).metadata == {"field": "requests"}


def test_rfc_7662_introspection_only_ever_says_active_or_not(bench: Bench) -> None:
    """Never an error for a token that is not good, never activity."""
    session = bench.sign_in(acr=2)
    for token, kind in ((session.tokens.access_token, "at+jwt"), (session.tokens.refresh_token, "rt+jwt")):
        told = introspect(bench, token)
        assert (told.active, told.token_type, told.sub, told.acr) == (True, kind, USER, "urn:argus:acr:2")
        assert told.session.endswith(session.session_id)
    bench.advance(IDLE // 2)
    renewed = bench.refresh(session.tokens.refresh_token).tokens
    bench.effects()
    assert not introspect(bench, session.tokens.refresh_token).active
    assert introspect(bench, renewed.refresh_token).active
    assert not [effect for effect in bench.effects() if effect.last_active]
    bench.end(session)
    for token in ("x" * 9000, "a.b.c", renewed.access_token, renewed.refresh_token):
        assert introspect(bench, token) == IntrospectTokenResponse()
    refused = bench.refused("IntrospectToken", IntrospectTokenRequest())
    assert (refused.reason, refused.metadata) == ("FIELD_INVALID", {"field": "token"})


def test_fields_beyond_their_limits_are_named(bench: Bench) -> None:
    """Before anything else is done."""
    bad = {
        "required_scopes": verify_request("x", required_scopes=["s"] * 101),
        "acr_values": verify_request("x", acr_values=["a" * 513]),
        "resource": verify_request("x", resource="r" * 513),
        "max_age": verify_request("x", max_age=Duration(seconds=-1)),
        "consistency": verify_request("x", consistency=9),
        "client_context.ip_address": verify_request("x", client_context=ClientContext(ip_address="here")),
    }
    for field, request in bad.items():
        refused = bench.refused("VerifyAccessToken", request)
        assert (refused.code, refused.reason, refused.metadata) == (3, "FIELD_INVALID", {"field": field})


def test_context_counts_only_from_those_who_may_assert_it(bench: Bench) -> None:
    """From others it is ignored, whatever it says."""
    token = bench.client_token(scope="tokens.verify")
    session = bench.sign_in()
    bench.verify(session.tokens.access_token)
    context = ClientContext(ip_address="not an address")
    request = verify_request(session.tokens.access_token, client_context=context)
    assert bench.answer("VerifyAccessToken", request, bearer=token)[0] == 0
    bench.refused("VerifyAccessToken", verify_request("x", client_context=ClientContext(ip_address="192.0.2.7")))
    assert [effect.ip_address for effect in bench.effects()] == ["192.0.2.7"]


def test_the_published_keys_verify(bench: Bench) -> None:
    """Access keys alone, by kid."""
    keys = json.loads(bench.engine.jwks(TENANT) or b"")["keys"]
    assert [key["kid"] for key in keys] == [bench.tenant.keys[0].kid]
    assert set(keys[0]) == {"kty", "use", "alg", "kid", "n", "e"}
    assert bench.engine.jwks("nobody") is None
