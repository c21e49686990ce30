"""RefreshToken under a policy that was raised: the session goes on, and its user proves itself as well first."""

import pytest

from tests.support.engine import IDLE, Bench, refresh_request


def require(bench: Bench, level: int) -> None:
    """Raises what is required of every session, as the snapshot of a changed policy does."""
    bench.tenant.policies[0].required_acr = level
    bench.load()


@pytest.mark.parametrize(
    ("proved", "required", "is_enough"), [(1, 1, True), (1, 2, False), (2, 2, True), (2, 3, False)]
)
def test_a_session_below_what_is_required_steps_up_at_its_refresh(
    bench: Bench, proved: int, required: int, is_enough: bool
) -> None:
    """RFC 9470: the answer says the level; nothing is spent, so the same token is good once that is no longer asked."""
    session = bench.sign_in(acr=proved)
    require(bench, required)
    if not is_enough:
        refused = bench.refused("RefreshToken", refresh_request(session.tokens.refresh_token))
        assert (refused.reason, refused.metadata) == (
            "STEP_UP_REQUIRED",
            {"cause": "ACR", "acrValues": f"urn:argus:acr:{required}"},
        )
        noted = [(one.event, one.reason) for one in bench.effects() if one.event]
        assert noted == [("refresh.step_up_required", "ACR")]
        # Access tokens are short-lived, and whoever needs more says so by `acr_values`.
        bench.verify(session.tokens.access_token)
        require(bench, proved)
    answer = bench.refresh(session.tokens.refresh_token)
    bench.verify(answer.tokens.access_token)


def test_what_is_over_is_over_whatever_is_required(bench: Bench) -> None:
    session = bench.sign_in()
    require(bench, 2)
    bench.advance(IDLE + 1)
    refused = bench.refused("RefreshToken", refresh_request(session.tokens.refresh_token))
    assert (refused.reason, refused.metadata) == ("SESSION_ENDED", {"endReason": "IDLE_TIMEOUT"})


def test_a_level_that_this_release_does_not_know_lets_nobody_pass_below_the_highest(bench: Bench) -> None:
    low, high = bench.sign_in(acr=2), bench.sign_in(acr=3)
    require(bench, 7)
    assert bench.refused("RefreshToken", refresh_request(low.tokens.refresh_token)).metadata["cause"] == "ACR"
    bench.refresh(high.tokens.refresh_token)


@pytest.mark.parametrize(
    ("amr", "kind", "name"),
    [
        (("pwd", "otp", "mfa"), 1, ""),
        (("pwd", "otp", "mfa"), 2, "phishing_resistant"),
        (("swk", "user", "mfa"), 2, ""),
        (("swk", "user", "mfa"), 3, "hardware"),
        (("pwd", "hwk", "mfa"), 3, ""),
        (("swk", "user", "mfa"), 9, "hardware"),
    ],
)
def test_a_session_without_a_factor_of_the_kind_steps_up_at_its_refresh(
    bench: Bench, amr: tuple[str, ...], kind: int, name: str
) -> None:
    """NIST SP 800-53 IA-2(8): of one that this release does not know, the strictest; and below level 2 none counts."""
    session = bench.sign_in(acr=2, amr=amr)
    bench.tenant.policies[0].second_factor = kind
    require(bench, 2)
    if name:
        refused = bench.refused("RefreshToken", refresh_request(session.tokens.refresh_token))
        assert (refused.reason, refused.metadata) == (
            "STEP_UP_REQUIRED",
            {"cause": "SECOND_FACTOR", "acrValues": "urn:argus:acr:2", "secondFactor": name},
        )
        assert [one.reason for one in bench.effects() if one.event] == ["SECOND_FACTOR"]
        require(bench, 1)
    bench.refresh(session.tokens.refresh_token)
