"""Who may call: the engine authenticates for the hot RPCs and for all others alike."""

import re
from collections.abc import Callable

import pytest

from argus.internal.v1.engine_pb2 import Caller, FlowNeed, KeySnapshot, NeedsFlow
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


def test_what_the_snapshot_does_not_know_has_it_read_before_a_token_is_refused(bench: Bench) -> None:
    """Another process may have made the tenant, the key or the client just now; once it was read, a refusal is one."""
    answer, snapshot = answers(bench), bench.snapshot.SerializeToString()
    for what in ("tenants", "keys", "clients"):
        del getattr(bench.snapshot if what == "tenants" else bench.tenant, what)[0]
        bench.load()
        for _ in range(2):  # it is each call's own question
            assert answer(confirmed=False)[0] == [2, 2]
        kinds, contents = answer(confirmed=True)
        assert (kinds, {refusal(one).reason for one in contents}) == ([1, 1], {"CALLER_TOKEN_INVALID"})
        bench.snapshot.ParseFromString(snapshot)
    bench.load()
    assert bench.refused("VerifyAccessToken", REQUEST).reason == "TOKEN_INVALID"


def answers(bench: Bench) -> Callable[..., tuple[list[int], list[bytes]]]:
    """Asks the engine for a hot call and for the caller of another one."""
    authorization = f"Bearer {bench.bearer}"

    def ask(*, confirmed: bool) -> tuple[list[int], list[bytes]]:
        hot = bench.engine.answer(
            "/argus.v1.TokenService/VerifyAccessToken",
            REQUEST.SerializeToString(),
            authorization=authorization,
            request_id="one",
            deadline_ms=1000,
            snapshot_confirmed=confirmed,
        )
        other = bench.engine.authenticate(
            authorization, scope="tokens.verify", system_tenant_only=False, snapshot_confirmed=confirmed
        )
        for kind, content in (hot, other):
            assert kind != 2 or NeedsFlow.FromString(content).need == FlowNeed.FLOW_NEED_SNAPSHOT
        return [hot[0], other[0]], [hot[1], other[1]]

    return ask


def test_a_key_that_can_not_be_read_here_is_no_refusal(bench: Bench) -> None:
    """UNAVAILABLE is never UNAUTHENTICATED: whether the token is good another process may know."""
    bench.tenant.keys[0].private_key = b""
    fresh = bench.another_engine()
    for confirmed in (False, True):
        kind, content = fresh.authenticate(
            f"Bearer {bench.bearer}", scope="tokens.verify", system_tenant_only=False, snapshot_confirmed=confirmed
        )
        assert (kind, refusal(content).reason) == (1, "UNAVAILABLE")
        assert refusal(content).metadata == {"component": "keys"}


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


def test_a_key_that_is_not_what_it_says_is_told_and_keeps_no_other_out(bench: Bench) -> None:
    """In its place stands one that can't be read; what was known of it before stays."""
    keys = bench.tenant.keys
    another = KeySnapshot()
    another.CopyFrom(keys[1])
    another.kid, another.signs = "another", False
    keys.append(another)
    damaged = KeySnapshot(kid="damaged", use=keys[0].use, algorithm="RS256", private_key=b"no key")
    keys.append(damaged)
    numbered = KeySnapshot(kid="300", use=keys[2].use, algorithm="HS256", private_key=bytes(32))
    keys.append(numbered)
    keys[0].algorithm = "EdDSA"
    told = bench.engine.load(bench.snapshot.SerializeToString())
    named = [re.findall(r"key (\S+) of tenant acme cannot be used", one) for one in told]
    assert named == [["another"], ["damaged"], ["300"]]
    bench.verify(bench.sign_in().tokens.access_token)
    with pytest.raises(KeyError, match="can't be read"):
        bench.engine.jwks(TENANT)
