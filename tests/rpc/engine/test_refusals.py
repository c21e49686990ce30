"""What the audit tells of refused tokens: every class of fault, and never more rows than a minute may have."""

from argus.v1.token_service_pb2 import IntrospectTokenRequest, IntrospectTokenResponse
from tests.support.engine import TENANT, Bench, refresh_request, verify_request

# Of `tally.rs`.
TOLD, TOLD_OF_SESSION, MINUTE = 20, 5, 61


def fault_counts(bench: Bench, name: str = "token_faults") -> dict[str, int]:
    """How often tokens were refused, by class."""
    counts = {key: count for key, count in bench.engine.counters().items() if key.startswith(name) and count}
    return {key.removeprefix(f"{name}{{class=").removesuffix("}"): count for key, count in counts.items()}


def told(bench: Bench) -> list[tuple[str, str, int]]:
    """(type, reason, count) of the events that wait."""
    bench.engine.effects_queued()  # as whoever brings them to PostgreSQL asks, four times a second
    return [(effect.event, effect.reason, effect.count) for effect in bench.effects()]


def test_asvs_16_2_1_a_flood_of_bad_tokens_is_some_rows_and_a_count(bench: Bench) -> None:
    """The audit has as many rows as a minute may have, and the number of all that were refused."""
    for _ in range(500):
        bench.refused("VerifyAccessToken", verify_request("not.a.token"))
    assert told(bench) == [("token.refused", "base64", 0)] * TOLD
    bench.advance(MINUTE)
    assert told(bench) == [("token.refused", "base64", 500 - TOLD)]
    assert fault_counts(bench) == {"base64": 500}
    bench.refused("VerifyAccessToken", verify_request("not.a.token"))
    assert told(bench) == [("token.refused", "base64", 0)]


def test_a_flood_drowns_neither_other_faults_nor_sessions(bench: Bench) -> None:
    """Classes are counted apart, and sessions of good tokens too."""
    one, two = bench.sign_in(), bench.sign_in()
    bench.end(one)
    bench.end(two)
    for _ in range(100):
        bench.refused("RefreshToken", refresh_request("x"))
        bench.refused("RefreshToken", refresh_request(one.tokens.refresh_token))
    told(bench)
    bench.refused("RefreshToken", refresh_request(two.tokens.refresh_token))
    bench.refused("RefreshToken", refresh_request("x.y.z"))
    assert [reason for _, reason, _ in told(bench)] == ["SIGNED_OUT", "base64"]
    bench.advance(MINUTE)
    counted = {(reason, count) for _, reason, count in told(bench)}
    assert counted == {("structure", 100 - TOLD), ("SIGNED_OUT", 100 - TOLD_OF_SESSION)}


def test_a_flood_does_not_stop_rotation(bench: Bench) -> None:
    """A queue that bad tokens could fill would: rotation waits for room in it."""
    session = bench.sign_in()
    for _ in range(2_000):
        bench.refused("VerifyAccessToken", verify_request("x"))
    assert bench.engine.effects_queued()[0] == TOLD
    assert bench.refresh(session.tokens.refresh_token).tokens.refresh_token


def test_rfc_7662_a_token_of_no_form_is_not_active_and_its_fault_is_told(bench: Bench) -> None:
    """Introspection says nothing of it to the caller."""
    for token in ("x", "!.!.!", "a" * 9000):
        told_of = bench.ok("IntrospectToken", IntrospectTokenRequest(token=token), IntrospectTokenResponse)
        assert told_of == IntrospectTokenResponse()
    assert [reason for _, reason, _ in told(bench)] == ["structure", "base64", "key"]


def test_a_token_that_is_too_long_is_refused_as_any_other(bench: Bench) -> None:
    """Whoever passes on what it was shown has done nothing wrong; what is missing, though, is its own fault."""
    long = f"{bench.sign_in().tokens.access_token}{'A' * 9000}"
    refused = bench.refused("VerifyAccessToken", verify_request(long))
    assert refused == bench.refused("VerifyAccessToken", verify_request("x"))
    assert [reason for _, reason, _ in told(bench)] == ["size", "structure"]
    assert bench.refused("VerifyAccessToken", verify_request("")).metadata == {"field": "access_token"}
    assert not told(bench)


def test_asvs_16_3_1_a_caller_that_is_refused_is_in_the_audit_of_the_tenant_it_names(bench: Bench) -> None:
    """One answer to the caller; a token that names no tenant is only counted."""
    header, payload, signature = bench.bearer.split(".")
    session = bench.sign_in().tokens.access_token
    answers = {
        str(bench.refused("VerifyAccessToken", verify_request("x"), bearer=bearer))
        for bearer in ("x", f"{header}.{payload}.{'A' * len(signature)}", session)
    }
    assert len(answers) == 1
    assert [(effect.event, effect.tenant_id, effect.reason) for effect in bench.effects()] == [
        ("caller.refused", TENANT, "signature"),
        ("caller.refused", TENANT, "aud"),
    ]
    assert fault_counts(bench, "caller_faults") == {"structure": 1, "signature": 1, "aud": 1}


def test_j10_no_token_lives_longer_than_a_policy_allows(bench: Bench) -> None:
    """A policy beyond the limit would make tokens that nobody takes; one at the limit makes good ones."""
    for life, fault in ((3600, []), (7200, [("token.refused", "lifetime", 0)])):
        bench.tenant.policies[0].access = life
        bench.load()
        session = bench.sign_in()
        kind, _ = bench.answer("VerifyAccessToken", verify_request(session.tokens.access_token))
        assert (kind, told(bench)) == (int(bool(fault)), fault)


def test_what_is_still_counted_is_told_before_the_end(bench: Bench) -> None:
    """Nothing is lost with the minute that a process does not finish."""
    for _ in range(30):
        bench.refused("VerifyAccessToken", verify_request("x"))
    told(bench)
    bench.engine.end_counts()
    assert told(bench) == [("token.refused", "structure", 30 - TOLD)]
