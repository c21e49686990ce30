"""Who may call: the engine authenticates for the hot RPCs and for all others alike."""

import pytest

from argus.internal.v1.engine_pb2 import Caller, FlowNeed
from tests.support.engine import CLIENT, TENANT, Bench, refusal, verify_request

REQUEST = verify_request("x")


def test_calls_without_a_client_token_are_unauthenticated(bench: Bench) -> None:
    """No metadata, another scheme, an empty token."""
    for authorization in (None, "", "Bearer", "Bearer ", "Basic abc", bench.bearer):
        kind, content = bench.engine.authenticate(authorization, scope="tokens.verify", system_tenant_only=False)
        assert (kind, refusal(content).reason) == (1, "CALLER_UNAUTHENTICATED")


def test_tokens_that_are_no_good_client_tokens_are_refused(bench: Bench) -> None:
    """A user's token, one for another audience, an old one, a forged one."""
    tokens = bench.sign_in().tokens
    bad = [tokens.access_token, tokens.refresh_token, bench.client_token(resource="https://api.test"), "a.b.c"]
    for token in [*bad, bench.bearer[:-4] + "AAAA"]:
        refused = bench.refused("VerifyAccessToken", REQUEST, bearer=token)
        assert (refused.code, refused.reason) == (16, "CALLER_TOKEN_INVALID")
    old = bench.bearer
    bench.advance(901)
    assert bench.refused("VerifyAccessToken", REQUEST, bearer=old).reason == "CALLER_TOKEN_INVALID"


def test_the_scope_of_the_rpc_must_be_held_by_token_and_client(bench: Bench) -> None:
    """A scope taken from the client is gone from its tokens."""
    refused = bench.refused("RefreshToken", REQUEST, bearer=bench.client_token(scope="tokens.verify"))
    assert (refused.code, refused.reason) == (7, "CALLER_SCOPE_MISSING")
    assert refused.metadata == {"requiredScope": "tokens.refresh"}
    bench.tenant.clients[0].scopes.remove("tokens.verify")
    bench.load()
    refused = bench.refused("VerifyAccessToken", REQUEST)
    assert refused.metadata == {"requiredScope": "tokens.verify"}


def test_a_disabled_client_and_one_that_was_stopped_may_not_call(bench: Bench) -> None:
    """Both are in the snapshot: no store is asked."""
    bench.tenant.clients[0].disabled = True
    bench.load()
    refused = bench.refused("VerifyAccessToken", REQUEST)
    assert (refused.code, refused.reason, refused.metadata) == (7, "CALLER_DISABLED", {"clientId": CLIENT})
    bench.tenant.clients[0].disabled = False
    for owner in (bench.tenant, bench.tenant.clients[0]):
        owner.not_before = bench.now
        bench.load()
        assert bench.refused("VerifyAccessToken", REQUEST).reason == "CALLER_TOKEN_INVALID"
        owner.not_before = 0


def test_only_the_system_tenant_calls_what_is_marked_so(bench: Bench) -> None:
    """`system_tenant_only`."""
    authorization = f"Bearer {bench.bearer}"
    kind, content = bench.engine.authenticate(authorization, scope="tokens.verify", system_tenant_only=True)
    assert (kind, refusal(content).reason) == (1, "CALLER_TENANT_MISMATCH")
    bench.tenant.is_system = True
    bench.load()
    kind, content = bench.engine.authenticate(authorization, scope="tokens.verify", system_tenant_only=True)
    caller = Caller.FromString(content)
    assert (kind, caller.tenant_id, caller.client_id, caller.is_system) == (0, TENANT, CLIENT, True)
    assert "tokens.verify" in caller.scopes


def test_an_unknown_key_or_client_has_the_snapshot_read_once(bench: Bench) -> None:
    """Another process may have made it just now; a flood of forged names reads nothing."""
    client = bench.tenant.clients.pop()
    bench.load()
    assert bench.needs("VerifyAccessToken", REQUEST).need == FlowNeed.FLOW_NEED_SNAPSHOT
    bench.tenant.clients.append(client)
    key = bench.tenant.keys.pop(0)
    bench.load()

    def answer() -> int:
        return bench.engine.answer(
            "/argus.v1.TokenService/VerifyAccessToken",
            REQUEST.SerializeToString(),
            authorization=f"Bearer {bench.bearer}",
            request_id="one",
            deadline_ms=1000,
        )[0]

    assert [answer(), answer()] == [2, 1]
    bench.clock.advance(31_000)
    assert [answer(), answer()] == [2, 1]
    bench.tenant.keys.insert(0, key)
    bench.load()
    assert bench.refused("VerifyAccessToken", REQUEST).reason == "TOKEN_INVALID"


def test_while_python_serves_an_rpc_an_unknown_client_is_no_refusal_at_first(bench: Bench) -> None:
    """UNAVAILABLE is never UNAUTHENTICATED."""
    bench.tenant.clients.pop()
    bench.load()
    reasons = []
    for _ in range(2):
        content = bench.engine.authenticate(f"Bearer {bench.bearer}", scope="x", system_tenant_only=False)[1]
        reasons.append(refusal(content).reason)
    assert reasons == ["UNAVAILABLE", "CALLER_TOKEN_INVALID"]


def test_a_bad_snapshot_leaves_the_one_before_in_force(bench: Bench) -> None:
    """Not decodable, another bucket key, a key that is not what it says."""
    version = bench.engine.snapshot_version()
    bench.snapshot.bucket_key = bytes(32)
    with pytest.raises(ValueError, match="bucket key"):
        bench.load()
    with pytest.raises(ValueError, match="decoded"):
        bench.engine.load(b"\xff")
    bench.snapshot.ClearField("tenants")
    with pytest.raises(ValueError, match="bucket key"):
        bench.load()
    assert bench.engine.snapshot_version() == version
