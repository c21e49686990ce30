"""Levels: nothing ever counts for more than was proved, and whoever has a second factor is asked for it."""

from itertools import chain, combinations

import pytest

from argus.base.policy import SecondFactor
from argus.credentials.levels import Next, Proved, counting_acr, level_of, next_step

PASSWORD = Proved(method="password")
TOTP = Proved(method="totp")
RECOVERY_CODE = Proved(method="recovery_code")
EMAIL_CODE = Proved(method="email_code")
TOUCH = Proved(method="webauthn", device_bound=True)
SYNCED = Proved(method="webauthn", user_verified=True)
BOUND = Proved(method="webauthn", user_verified=True, device_bound=True)
ATTESTED = Proved(method="webauthn", user_verified=True, device_bound=True, attested=True)
SYNCED_ATTESTED = Proved(method="webauthn", user_verified=True, attested=True)
EVERY = (PASSWORD, TOTP, RECOVERY_CODE, EMAIL_CODE, TOUCH, SYNCED, BOUND, ATTESTED)
SETS = list(chain.from_iterable(combinations(EVERY, size) for size in range(5)))


@pytest.mark.parametrize(
    ("proved", "acr", "amr"),
    [
        ([], 0, []),
        ([PASSWORD], 1, ["pwd"]),
        ([EMAIL_CODE], 1, ["otp"]),
        ([TOTP], 1, ["otp"]),
        ([RECOVERY_CODE], 1, ["otp"]),
        ([PASSWORD, EMAIL_CODE], 1, ["pwd", "otp"]),
        ([EMAIL_CODE, TOTP], 1, ["otp"]),
        ([EMAIL_CODE, TOUCH], 1, ["otp", "hwk"]),
        ([TOTP, PASSWORD], 2, ["pwd", "otp", "mfa"]),
        ([PASSWORD, RECOVERY_CODE], 2, ["pwd", "otp", "mfa"]),
        ([TOUCH], 1, ["hwk"]),
        ([PASSWORD, TOUCH], 2, ["pwd", "mfa", "hwk"]),
        ([SYNCED], 2, ["mfa", "swk", "user"]),
        ([BOUND], 2, ["mfa", "hwk", "user"]),
        ([ATTESTED], 3, ["mfa", "hwk", "user"]),
        ([SYNCED_ATTESTED], 2, ["mfa", "swk", "user"]),
        ([PASSWORD, SYNCED_ATTESTED], 2, ["pwd", "mfa", "swk", "user"]),
    ],
)
def test_level_and_methods(proved: list[Proved], acr: int, amr: list[str]) -> None:
    level = level_of(proved)
    assert (level.acr, list(level.amr)) == (acr, amr)


@pytest.mark.parametrize("one", [*EVERY, SYNCED_ATTESTED])
def test_a_proved_factor_survives_being_written_down(one: Proved) -> None:
    assert Proved.from_text(one.to_text()) == one


@pytest.mark.parametrize(
    ("proved", "enrolled", "wanted", "expected"),
    [
        ([PASSWORD], [PASSWORD], 1, Next(state="COMPLETE")),
        ([PASSWORD], [PASSWORD, RECOVERY_CODE], 1, Next(state="COMPLETE")),
        ([PASSWORD], [PASSWORD, TOTP], 1, Next(state="FACTOR_REQUIRED", methods=("totp",))),
        (
            [PASSWORD],
            [PASSWORD, TOTP, RECOVERY_CODE, SYNCED],
            1,
            Next(state="FACTOR_REQUIRED", methods=("webauthn", "totp", "recovery_code")),
        ),
        ([PASSWORD, TOTP], [PASSWORD, TOTP, RECOVERY_CODE], 2, Next(state="COMPLETE")),
        ([SYNCED], [PASSWORD, TOTP, SYNCED], 2, Next(state="COMPLETE")),
        ([EMAIL_CODE], [EMAIL_CODE, PASSWORD, TOTP], 1, Next(state="FACTOR_REQUIRED", methods=("password", "totp"))),
        ([EMAIL_CODE], [EMAIL_CODE, TOTP], 1, Next(state="FACTOR_REQUIRED", methods=("totp",))),
        ([EMAIL_CODE, TOTP], [EMAIL_CODE, TOTP], 1, Next(state="COMPLETE")),
        ([PASSWORD], [PASSWORD], 2, Next(state="ENROLMENT_REQUIRED", methods=("webauthn", "totp"))),
        ([PASSWORD], [PASSWORD, TOTP], 3, Next(state="FACTOR_REQUIRED", methods=("totp",))),
        ([PASSWORD, TOTP], [PASSWORD, TOTP], 3, Next(state="ENROLMENT_REQUIRED", methods=("webauthn",))),
        ([PASSWORD, TOTP], [PASSWORD, TOTP, ATTESTED], 3, Next(state="FACTOR_REQUIRED", methods=("webauthn",))),
        ([PASSWORD], [PASSWORD, EMAIL_CODE], 2, Next(state="ENROLMENT_REQUIRED", methods=("webauthn", "totp"))),
    ],
)
def test_what_is_asked_next(proved: list[Proved], enrolled: list[Proved], wanted: int, expected: Next) -> None:
    assert next_step(proved, enrolled=enrolled, wanted=wanted, enrollable=[TOTP, ATTESTED]) == expected


@pytest.mark.parametrize(
    ("proved", "enrolled", "kind", "expected"),
    [
        (
            [PASSWORD],
            [PASSWORD, TOTP, SYNCED],
            "phishing_resistant",
            Next(state="FACTOR_REQUIRED", methods=("webauthn",)),
        ),
        ([PASSWORD, TOTP], [PASSWORD, TOTP], "replay_resistant", Next(state="COMPLETE")),
        ([PASSWORD], [PASSWORD, TOTP], "phishing_resistant", Next(state="FACTOR_REQUIRED", methods=("totp",))),
        (
            [PASSWORD, TOTP],
            [PASSWORD, TOTP],
            "phishing_resistant",
            Next(state="ENROLMENT_REQUIRED", methods=("webauthn",)),
        ),
        (
            [PASSWORD],
            [PASSWORD, RECOVERY_CODE],
            "phishing_resistant",
            Next(state="FACTOR_REQUIRED", methods=("recovery_code",)),
        ),
        ([SYNCED], [PASSWORD, SYNCED], "phishing_resistant", Next(state="COMPLETE")),
        ([SYNCED], [SYNCED], "hardware", Next(state="ENROLMENT_REQUIRED", methods=("webauthn",))),
        ([ATTESTED], [ATTESTED], "hardware", Next(state="COMPLETE")),
    ],
)
def test_only_factors_of_the_kind_count(
    proved: list[Proved], enrolled: list[Proved], kind: SecondFactor, expected: Next
) -> None:
    following = next_step(proved, enrolled=enrolled, wanted=2, enrollable=[TOTP, ATTESTED], second_factor=kind)
    assert following == expected


@pytest.mark.parametrize("kind", ["any", "replay_resistant", "phishing_resistant", "hardware"])
@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_a_login_ends_at_the_level_that_is_wanted_and_never_in_a_corner(wanted: int, kind: SecondFactor) -> None:
    """Over all sets of factors: complete means reached, what is asked for is there, and each answer leads on."""
    for enrolled in SETS:
        for first in enrolled:
            proved = [first]
            for _ in range(len(enrolled) + 1):
                following = next_step(
                    proved, enrolled=enrolled, wanted=wanted, enrollable=[TOTP, ATTESTED], second_factor=kind
                )
                if following.state != "FACTOR_REQUIRED":
                    break
                asked = [one for one in enrolled if one.method in following.methods and one not in proved]
                assert asked, (proved, enrolled, wanted)
                proved.append(asked[0])
            else:
                pytest.fail(f"never ends: {enrolled}")
            assert (counting_acr(proved, kind) >= wanted) == (following.state == "COMPLETE")
            if following.state == "ENROLMENT_REQUIRED":
                assert following.methods
                # Nothing is added before all that is there was proved.
                assert min(wanted, level_of(proved).acr) == min(wanted, level_of(enrolled).acr)
