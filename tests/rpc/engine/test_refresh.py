"""RefreshToken: the verdicts of the Redis function as answers, and what is written because of them."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from google.protobuf.json_format import MessageToDict
from google.rpc import status_pb2

from argus.internal.v1.engine_pb2 import Effect, FlowNeed
from argus.v1.token_service_pb2 import RefreshTokenResponse
from argus.v1.types_pb2 import ClientContext
from tests.support.engine import (
    ABSOLUTE,
    DEADLINE,
    GRACE,
    IDLE,
    RESOURCE,
    Bench,
    Session,
    of_generation,
    refresh_request,
    refusal,
    verify_request,
)


def claims(token: str) -> dict[str, Any]:
    """What a token says."""
    payload = token.split(".")[1]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return said


def forged(bench: Bench, **changes: Any) -> str:
    """A refresh token signed with the real key over other claims."""
    token = bench.sign_in().tokens.refresh_token
    key = load_der_private_key(bench.tenant.keys[1].private_key, None)
    assert isinstance(key, Ed25519PrivateKey)
    payload = base64.urlsafe_b64encode(json.dumps({**claims(token), **changes}).encode()).rstrip(b"=")
    signed = token.split(".")[0].encode() + b"." + payload
    return (signed + b"." + base64.urlsafe_b64encode(key.sign(signed)).rstrip(b"=")).decode()


def step_up_cause(bench: Bench, token: str, **more: object) -> str:
    """Cause of the step-up that a refresh is answered with."""
    refused = bench.refused("RefreshToken", refresh_request(token, **more))
    assert (refused.code, refused.reason) == (16, "STEP_UP_REQUIRED")
    return refused.metadata.get("cause", "")


def rotated(bench: Bench, session: Session, times: int) -> list[str]:
    """The tokens of a session that was refreshed so often, out of reach of the debounce each time."""
    tokens = [session.tokens.refresh_token]
    for _ in range(times):
        bench.advance(GRACE + DEADLINE + 1)
        tokens.append(bench.refresh(tokens[-1]).tokens.refresh_token)
        bench.effects()
    return tokens


def test_the_first_refresh_rotates_and_its_bound_is_queued(bench: Bench) -> None:
    """Same session and stable claims, next generation; what PostgreSQL must learn goes along."""
    session = bench.sign_in(acr=2, groups=("staff",))
    answer = bench.refresh(session.tokens.refresh_token)
    old, new = claims(session.tokens.refresh_token), claims(answer.tokens.refresh_token)
    assert (old["gen"], new["gen"]) == (1, 2)
    assert {**old, "gen": 0, "jti": "", "iat": 0} == {**new, "gen": 0, "jti": "", "iat": 0}
    assert answer.session.endswith(session.session_id)
    assert answer.absolute_expire_time.seconds == session.request.absolute_deadline
    assert 285 <= answer.tokens.expires_in.seconds <= 300
    verified = bench.verify(answer.tokens.access_token)
    assert (verified.acr, MessageToDict(verified.claims)) == ("urn:argus:acr:2", {"groups": ["staff"]})
    (effect,) = bench.effects()
    assert (effect.event, effect.outcome, effect.family, effect.generation) == ("token.refreshed", "success", 1, 2)
    assert effect.last_active == new["iat"]
    assert effect.idle_deadline == answer.idle_expire_time.seconds == new["iat"] + IDLE


def test_a_retry_gets_the_same_successor_and_a_second_tab_too(bench: Bench) -> None:
    """One successor: the same `jti` whenever it is made; inside the debounce the newest token stays."""
    session = bench.sign_in()
    first = bench.refresh(session.tokens.refresh_token, attempt_id="a").tokens
    again = bench.refresh(session.tokens.refresh_token, attempt_id="a").tokens
    assert again.refresh_token == first.refresh_token
    assert again.access_token != first.access_token
    assert bench.refresh(first.refresh_token).tokens.refresh_token == first.refresh_token
    bench.effects()
    bench.advance(GRACE + DEADLINE + 1)
    third = bench.refresh(first.refresh_token).tokens
    assert claims(third.refresh_token)["gen"] == 3


def test_a_retry_brings_the_bound_again(bench: Bench) -> None:
    """Where the answer of Redis is lost, so is the bound with it: whoever asks again may be the first to know."""
    session = bench.sign_in()
    made = claims(bench.refresh(session.tokens.refresh_token, attempt_id="a").tokens.refresh_token)["iat"]
    bench.effects()
    bench.refresh(session.tokens.refresh_token, attempt_id="a")
    (effect,) = bench.effects()
    assert (effect.family, effect.generation, effect.generation_made, effect.event) == (1, 2, made, "")


def test_another_holder_inside_the_grace_and_a_late_answer_step_up(bench: Bench) -> None:
    """The record stays as it is: the newest token goes on."""
    session = bench.sign_in()
    mine, theirs = ClientContext(installation_id="mine"), ClientContext(installation_id="theirs")
    newest = bench.refresh(session.tokens.refresh_token, client_context=mine).tokens.refresh_token
    bench.effects()
    old = session.tokens.refresh_token
    assert step_up_cause(bench, old, client_context=theirs) == "PRINT_CHANGED"
    assert bench.refresh(old, client_context=mine).tokens.refresh_token == newest
    bench.advance(GRACE + 1)
    assert step_up_cause(bench, old, client_context=mine) == "ANSWER_LATE"
    assert [event for event in bench.events() if event[0] != "token.refreshed"] == [
        ("refresh.step_up_required", "PRINT_CHANGED"),
        ("refresh.step_up_required", "ANSWER_LATE"),
    ]
    bench.refresh(newest, client_context=mine)


def test_rfc_9700_4_14_2_a_replay_contests_the_family(bench: Bench) -> None:
    """Two generations back: PostgreSQL first, then step-up for every holder."""
    session = bench.sign_in()
    first, _, newest = rotated(bench, session, 2)
    need = bench.needs("RefreshToken", refresh_request(first))
    assert need.need == FlowNeed.FLOW_NEED_RECORD_VERDICT
    assert (need.session_id, need.effect.event, need.effect.family) == (session.session_id, "refresh.contested", 1)
    assert (need.effect.generation, need.effect.last_active) == (0, 0)
    answer = refusal(need.answer)
    assert (answer.reason, answer.metadata) == ("STEP_UP_REQUIRED", {"cause": "REPLAYED"})
    assert step_up_cause(bench, newest) == "CONTESTED"
    session.request.now = bench.now
    refused = bench.refused("VerifyAccessToken", verify_request(bench.issue(session.request).access_token))
    assert refused.metadata == {"cause": "CONTESTED"}


def test_a_policy_may_end_the_session_on_replay(bench: Bench) -> None:
    """`end_on_replay`."""
    bench.tenant.policies[0].end_on_replay = True
    bench.load()
    first, _, newest = rotated(bench, bench.sign_in(), 2)
    need = bench.needs("RefreshToken", refresh_request(first))
    assert (need.effect.event, need.effect.reason) == ("session.ended", "REPLAY")
    assert refusal(need.answer).metadata == {"endReason": "REPLAY"}
    assert bench.refused("RefreshToken", refresh_request(newest)).metadata == {"endReason": "REPLAY"}


def test_strict_rotation_writes_the_bound_before_the_answer(bench: Bench) -> None:
    """Every refresh rotates; any older token ends the family."""
    bench.tenant.policies[0].strict = True
    bench.load()
    session = bench.sign_in()
    need = bench.needs("RefreshToken", refresh_request(session.tokens.refresh_token))
    assert need.need == FlowNeed.FLOW_NEED_RECORD_VERDICT
    assert (need.effect.family, need.effect.generation) == (1, 2)
    answer, response = status_pb2.Status.FromString(need.answer), RefreshTokenResponse()
    assert answer.code == 0
    assert answer.details[0].Unpack(response)
    assert claims(response.tokens.refresh_token)["gen"] == 2
    assert bench.verify(response.tokens.access_token).sub
    assert bench.needs("RefreshToken", refresh_request(response.tokens.refresh_token)).effect.generation == 3
    need = bench.needs("RefreshToken", refresh_request(session.tokens.refresh_token))
    assert need.effect.event == "session.ended"


def test_a_strict_generation_is_spent_only_where_its_bound_can_be_written(bench: Bench) -> None:
    """Without a proof that PostgreSQL answers the record stays as it is; the retry costs nobody the session."""
    bench.tenant.policies[0].strict = True
    bench.postgresql_answers = False
    bench.load()
    session = bench.sign_in()
    key = bench.keys(session.session_id)[0]
    before = bench.valkey.client.get(key)
    for _ in range(2):
        need = bench.needs("RefreshToken", refresh_request(session.tokens.refresh_token))
        assert (need.need, need.session_id) == (FlowNeed.FLOW_NEED_POSTGRESQL, session.session_id)
    assert bench.valkey.client.get(key) == before
    bench.postgresql_answers = True
    need = bench.needs("RefreshToken", refresh_request(session.tokens.refresh_token))
    assert (need.need, need.effect.generation) == (FlowNeed.FLOW_NEED_RECORD_VERDICT, 2)


def test_a_token_of_a_newer_family_is_looked_up_in_postgresql(bench: Bench) -> None:
    """Refresh and verify alike; nothing is decided from the record that is behind."""
    session = bench.sign_in()
    session.request.family = 2
    newer = bench.issue(session.request)
    for need in (
        bench.needs("RefreshToken", refresh_request(newer.refresh_token)),
        bench.needs("VerifyAccessToken", verify_request(newer.access_token)),
    ):
        assert (need.need, need.session_id) == (FlowNeed.FLOW_NEED_FAMILY, session.session_id)


def test_a_newer_token_than_the_store_knows_is_taken_over(bench: Bench) -> None:
    """A store that lost writes makes no fork."""
    session = bench.sign_in()
    ahead = bench.issue(of_generation(session, 7, bench.now - 5)).refresh_token
    answer = bench.refresh(ahead)
    assert claims(answer.tokens.refresh_token) == claims(ahead)
    effects = bench.effects()
    assert [effect.event for effect in effects] == ["refresh.adopted", "refresh.generation_unexplained", ""]
    assert (effects[-1].generation, effects[-1].generation_made) == (7, claims(ahead)["iat"])


def test_a_newer_token_is_an_alarm_only_where_no_rebuild_explains_it(bench: Bench) -> None:
    """The flag of a rebuilt record stays through the rotations of its family; each adoption is counted by it."""
    session = bench.sign_in()
    before = bench.engine.counters()
    bench.rebuild(session)
    rebuilt = rotated(bench, session, 2)
    assert claims(rebuilt[-1])["gen"] == 3
    bench.refresh(bench.issue(of_generation(session, 7, bench.now - 5)).refresh_token)
    assert [event for event, _ in bench.events()] == ["refresh.adopted"]
    bench.refresh(bench.issue(of_generation(bench.sign_in(), 7, bench.now - 5)).refresh_token)
    assert [event for event, _ in bench.events()] == ["refresh.adopted", "refresh.generation_unexplained"]
    after = bench.engine.counters()
    assert {name: after[name] - before[name] for name in after if name.startswith(("rotation_a", "alarms"))} == {
        "rotation_adoptions{explained=true}": 1,
        "rotation_adoptions{explained=false}": 1,
        "alarms{kind=generation_unexplained}": 1,
        "alarms{kind=key_compromise_suspected}": 0,
    }


def test_scope_and_resource_only_ever_narrow(bench: Bench) -> None:
    """Of the access token; the refresh token keeps what was granted."""
    session = bench.sign_in()
    answer = bench.refresh(session.tokens.refresh_token, scope="things.read", resource=RESOURCE).tokens
    assert (answer.scope, claims(answer.access_token)["scope"]) == ("things.read", "things.read")
    assert claims(answer.refresh_token)["scope"] == "things.read things.write"
    for field, value in (("scope", "things.read more"), ("scope", " "), ("resource", "https://other.test")):
        refused = bench.refused("RefreshToken", refresh_request(answer.refresh_token, **{field: value}))
        assert (refused.code, refused.reason, refused.metadata) == (3, "FIELD_INVALID", {"field": field})


def test_the_tokens_client_must_be_the_caller_unless_it_may_refresh_for_others(bench: Bench) -> None:
    """`tokens.refresh_for_clients`."""
    bench.tenant.clients.add(id="gateway", scopes=["tokens.refresh"], policy_revision=1)
    bench.load()
    token = bench.sign_in().tokens.refresh_token
    gateway = bench.client_token("gateway", scope="tokens.refresh")
    refused = bench.refused("RefreshToken", refresh_request(token), bearer=gateway)
    assert (refused.reason, bench.events()) == ("TOKEN_INVALID", [("token.refused", "client")])
    bench.tenant.clients[1].scopes.append("tokens.refresh_for_clients")
    bench.load()
    gateway = bench.client_token("gateway", scope="tokens.refresh tokens.refresh_for_clients")
    bench.ok("RefreshToken", refresh_request(token), RefreshTokenResponse, bearer=gateway)
    bench.tenant.clients[0].disabled = True
    bench.load()
    assert bench.refused("RefreshToken", refresh_request(token), bearer=gateway).reason == "TOKEN_INVALID"


@pytest.mark.parametrize("changes", [{"gen": 2}, {"fam": 2}, {"jti": "AAAAAAAAAAAAAAAAAAAAAA"}])
def test_a_computed_id_that_does_not_fit_is_an_alarm(bench: Bench, changes: dict[str, Any]) -> None:
    """Under a valid signature: somebody else has the key."""
    refused = bench.refused("RefreshToken", refresh_request(forged(bench, **changes)))
    assert refused.reason == "TOKEN_INVALID"
    assert bench.events() == [("key.compromise_suspected", "refresh_id"), ("token.refused", "refresh_id")]


def test_a_pulled_key_yields_no_token(bench: Bench) -> None:
    """A step-up where the computed id fits too; a pulled key of ids refuses all."""
    session = bench.sign_in()
    false = forged(bench, gen=5)
    access, refresh, ids = bench.tenant.keys
    refresh.revoked, refresh.signs = True, False
    bench.load()
    assert step_up_cause(bench, session.tokens.refresh_token) == ""
    assert ("refresh.step_up_required", "KEY_REVOKED") in bench.events()
    assert bench.refused("RefreshToken", refresh_request(false)).reason == "TOKEN_INVALID"
    refresh.revoked, ids.revoked = False, True
    bench.load()
    assert bench.refused("RefreshToken", refresh_request(session.tokens.refresh_token)).reason == "TOKEN_INVALID"
    ids.revoked, access.revoked = False, True
    bench.load()
    assert bench.engine.read_token(session.tokens.access_token) == (1, b"key")
    assert bench.engine.read_token(session.tokens.refresh_token)[0] == 0


def test_ended_timed_out_and_disabled_say_so(bench: Bench) -> None:
    """The reasons of Verify, decided by the function."""
    ended, idle = bench.sign_in(), bench.sign_in()

    def reason(session: Session) -> str:
        refused = bench.refused("RefreshToken", refresh_request(session.tokens.refresh_token))
        return refused.metadata["endReason"]

    bench.end(ended)
    assert reason(ended) == "SIGNED_OUT"
    bench.advance(IDLE)
    assert reason(idle) == "IDLE_TIMEOUT"
    session = bench.sign_in()
    bench.valkey.call("set_user", [bench.keys(session.session_id)[1]], 1, 0)
    assert reason(session) == "USER_DISABLED"
    bench.valkey.call("set_user", [bench.keys(session.session_id)[1]], 0, 0)
    bench.write_not_before(tenant=bench.now)
    assert reason(session) == "TENANT_WIDE"
    bench.advance(ABSOLUTE)
    assert bench.refused("RefreshToken", refresh_request(session.tokens.refresh_token)).reason == "TOKEN_INVALID"


def test_a_refresh_counts_as_activity_by_policy_or_by_word(bench: Bench) -> None:
    """Compliance presets: only with `user_active`."""
    bench.tenant.policies[0].refresh_is_activity = False
    bench.load()
    session = bench.sign_in()
    bench.advance(600)
    first = bench.refresh(session.tokens.refresh_token)
    assert first.idle_expire_time.seconds == session.request.now + IDLE
    assert [effect.last_active for effect in bench.effects()] == [0]
    bench.advance(600)
    second = bench.refresh(first.tokens.refresh_token, user_active=True)
    assert second.idle_expire_time.seconds == pytest.approx(bench.now + IDLE, abs=1)
    assert [effect.idle_deadline for effect in bench.effects()] == [second.idle_expire_time.seconds]


def test_while_bounds_cannot_be_written_nothing_rotates(bench: Bench) -> None:
    """The oldest effect older than a grace: an access token and the same refresh token; strict: UNAVAILABLE."""
    session = bench.sign_in()
    stuck = Effect(tenant_id="acme", time_ms=bench.clock.now_ms() - (GRACE + 1) * 1000, event="token.refused")
    wrapped = b"\x0a" + bytes([stuck.ByteSize()]) + stuck.SerializeToString()
    bench.engine.queue_effects(wrapped)
    assert bench.engine.effects_queued()[0] == 1
    held = bench.refresh(session.tokens.refresh_token).tokens
    assert held.refresh_token == session.tokens.refresh_token
    bench.verify(held.access_token)
    bench.tenant.policies[0].strict = True
    bench.load()
    refused = bench.refused("RefreshToken", refresh_request(session.tokens.refresh_token))
    assert (refused.reason, refused.metadata) == ("UNAVAILABLE", {"component": "postgresql"})
    bench.effects()
    bench.tenant.policies[0].strict = False
    bench.load()
    assert bench.refresh(session.tokens.refresh_token).tokens.refresh_token != session.tokens.refresh_token
