"""One-time passwords of RFC 4226 and RFC 6238 by the code that logins use."""

import base64
from datetime import UTC, datetime, timedelta

from argus.credentials.totp.model import STEP_SECONDS, matching_step
from tests.support.authenticator import App
from tests.support.vectors import vectors

# The key of both appendices.
SECRET = base64.b32encode(b"12345678901234567890").decode()


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_rfc_4226_appendix_d() -> None:
    """Each value is the code of its counter, one step early and late, and of no counter further away."""
    cases = vectors("otp/rfc4226_hotp.json")
    assert len(cases) == 10
    for case in cases:
        for drift in range(-4, 5):
            now = at(max(0, (case["counter"] + drift) * STEP_SECONDS))
            off = abs(now.timestamp() // STEP_SECONDS - case["counter"])
            expected = case["counter"] if off <= 1 else None
            assert matching_step(SECRET, case["otp"], now=now) == expected
            assert matching_step(SECRET, case["otp"], now=now, after=case["counter"]) is None


def test_rfc_6238_appendix_b() -> None:
    """The last six of the eight digits, in the step of their time; eight digits are no code here."""
    cases = [case for case in vectors("otp/rfc6238_sha1.json") if case["alg"] == "SHA1"]
    assert len(cases) == 6
    for case in cases:
        now, secret = at(case["time"]), base64.b32encode(case["secret_ascii"].encode()).decode()
        assert matching_step(secret, case["otp"][-6:], now=now) == case["time"] // STEP_SECONDS
        assert matching_step(secret, case["otp"], now=now) is None
        # The app that other tests use.
        assert App(secret).code(now) == case["otp"][-6:]


def test_of_two_steps_with_one_code_the_newer_counts() -> None:
    """Whatever the drift, a code's step is the newest that it fits and that was not used."""
    now = at(59)
    code = App(SECRET).code(now)
    assert matching_step(SECRET, code, now=now + timedelta(seconds=30)) == 1
    assert matching_step(SECRET, f" {code[:3]} {code[3:]} ", now=now) == 1
    for other in ("", code[:-1], f"{code}0", code.translate(str.maketrans("0123456789", "０１２３４５６７８９"))):
        assert matching_step(SECRET, other, now=now) is None
