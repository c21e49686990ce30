"""Refresh families: what the engine asks for where Redis has missed one, and which tokens stand for a step-up."""

from typing import Any

import pytest

from argus.internal.v1.engine_pb2 import FlowNeed, SnapshotKeyUse, TokenClaims
from argus.v1.token_service_pb2 import RefreshTokenResponse
from tests.rpc.engine.test_refresh import forged
from tests.support.engine import ABSOLUTE, SERVICE, TENANT, Bench, Session, refresh_request, refusal, verify_request


def of_family(bench: Bench, session: Session, family: int) -> tuple[str, str]:
    """Access and refresh token of a later family."""
    session.request.family, session.request.now = family, bench.now
    tokens = bench.issue(session.request)
    return tokens.access_token, tokens.refresh_token


def read(bench: Bench, token: str, *, tenant: str = TENANT, confirmed: bool = False) -> tuple[int, bytes]:
    """What the engine says about a token as proof of standing."""
    return bench.engine.read_refresh_token(token, tenant_id=tenant, snapshot_confirmed=confirmed)


def test_once_the_new_family_is_there_only_its_tokens_are_good(bench: Bench) -> None:
    """A rebuild brings it in the place of the current record."""
    session = bench.sign_in()
    key = bench.keys(session.session_id)[0]
    stored: Any = bench.valkey.client.get(key)
    record = bytearray(stored)
    record[11:15] = (2).to_bytes(4, "big")
    _, lineage = bench.valkey.now_and_lineage()
    assert bench.valkey.call("rebuild", [key], lineage, bytes(record), ABSOLUTE)[0] == 0
    old = bench.refused("RefreshToken", refresh_request(session.tokens.refresh_token))
    assert old.metadata == {"cause": "FAMILY_OLDER"}
    old = bench.refused("VerifyAccessToken", verify_request(session.tokens.access_token))
    assert old.metadata == {"cause": "FAMILY_OLDER"}
    access, refresh = of_family(bench, session, 2)
    bench.verify(access)
    bench.ok("RefreshToken", refresh_request(refresh), RefreshTokenResponse)


def test_any_refresh_token_of_the_session_stands_for_it_until_it_expires(bench: Bench) -> None:
    """Whatever its family and generation; an access token does not, nor does one of another tenant or a forged one."""
    session = bench.sign_in()
    kind, content = read(bench, session.tokens.refresh_token)
    claims = TokenClaims.FromString(content)
    assert (kind, claims.session_id, claims.family, claims.key_revoked) == (0, session.session_id, 1, False)
    assert read(bench, session.tokens.access_token) == (1, b"typ")
    assert read(bench, session.tokens.refresh_token, tenant="elsewhere") == (1, b"iss")
    assert read(bench, forged(bench, gen=7)) == (1, b"refresh_id")
    bench.advance(ABSOLUTE)
    assert read(bench, session.tokens.refresh_token) == (1, b"exp")


def test_a_pulled_signing_key_leaves_the_standing_and_a_pulled_key_of_ids_does_not(bench: Bench) -> None:
    """`key_revoked` says so; a forged token under the pulled key fits no id."""
    token, false = bench.sign_in().tokens.refresh_token, forged(bench, gen=7)
    _, refresh, ids = bench.tenant.keys
    refresh.revoked, refresh.signs = True, False
    bench.load()
    kind, content = read(bench, token)
    assert (kind, TokenClaims.FromString(content).key_revoked) == (0, True)
    assert read(bench, false) == (1, b"refresh_id")
    ids.revoked = True
    bench.load()
    assert read(bench, token) == (1, b"refresh_id_key")


@pytest.mark.parametrize(("index", "fault"), [(1, b"key"), (2, b"refresh_id_key")])
def test_a_key_that_the_snapshot_does_not_know_may_be_of_a_moment_ago(bench: Bench, index: int, fault: bytes) -> None:
    """Another process may have made it: a token is refused after the snapshot was read, or found to be up to date."""
    token = bench.sign_in().tokens.refresh_token
    del bench.tenant.keys[index]
    bench.load()
    assert [read(bench, token), bench.engine.read_token(token)] == [(2, b"")] * 2
    assert read(bench, token, confirmed=True) == (1, fault)
    assert bench.engine.read_token(token, snapshot_confirmed=True) == (1, fault)
    request = refresh_request(token)
    assert bench.needs("RefreshToken", request).need == FlowNeed.FLOW_NEED_SNAPSHOT
    bench.snapshot_confirmed = True
    assert bench.refused("RefreshToken", request).reason == "TOKEN_INVALID"


@pytest.mark.parametrize("index", [1, 2], ids=["signing key", "key of ids"])
def test_a_key_that_can_not_be_read_here_is_no_refusal(bench: Bench, index: int) -> None:
    """It is as good as ever where it was read before; a process that never read it can't tell."""
    token = bench.sign_in().tokens.refresh_token
    bench.tenant.keys[index].private_key = b""
    bench.load()
    assert read(bench, token)[0] == 0
    bench.ok("RefreshToken", refresh_request(token), RefreshTokenResponse)
    fresh = bench.another_engine()
    assert fresh.read_refresh_token(token, tenant_id=TENANT) == (3, b"keys")
    assert fresh.read_token(token) == (3, b"keys")
    kind, content = fresh.answer(
        SERVICE + "RefreshToken",
        refresh_request(token).SerializeToString(),
        authorization=f"Bearer {bench.bearer}",
        request_id="r",
        deadline_ms=1000,
        snapshot_confirmed=True,
    )
    refused = refusal(content)
    assert (kind, refused.reason, refused.metadata) == (1, "UNAVAILABLE", {"component": "keys"})


def test_who_can_not_read_the_new_key_signs_with_the_one_before_until_that_is_pulled(bench: Bench) -> None:
    """And then with none: what it signs would be refused everywhere else."""
    session, old = bench.sign_in(), bench.tenant.keys[0]
    old.signs = False
    bench.tenant.keys.add(kid="unreadable", use=SnapshotKeyUse.SNAPSHOT_KEY_USE_ACCESS, algorithm="RS256", signs=True)
    bench.load()
    access = bench.issue(session.request).access_token
    bench.verify(access)
    old.revoked, old.private_key = True, b""
    bench.load()
    with pytest.raises(KeyError, match="signing key"):
        bench.issue(session.request)
    with pytest.raises(KeyError, match="can't be read"):
        bench.engine.jwks(TENANT)
    assert bench.engine.read_token(access) == (1, b"key")
    assert bench.another_engine().read_token(access) == (1, b"key")
