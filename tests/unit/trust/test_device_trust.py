"""What happens to what trust is made of: logins, places, keys, time."""

from datetime import UTC, datetime, timedelta

import pytest

from argus.base.place import NOWHERE, Place
from argus.base.policy import Policy, TrustFloor
from argus.trust.model import (
    DeviceTrust,
    Floor,
    Shown,
    SignedIn,
    TrustTooLowError,
    blank,
    check_deny,
    floors,
    place_key,
    step_up_floor,
    usual_share,
)
from argus.trust.state import DeviceState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
KEY, OTHER_KEY = b"k" * 16, b"o" * 16


def login(
    *,
    shown: Shown | None = "token",
    binding: bytes | None = None,
    client: str = "web",
    acr: int = 1,
    place: Place = NOWHERE,
    state: DeviceState | None = None,
    has_hardware: bool = False,
) -> SignedIn:
    """A login on a device that was known; by what, says `shown` (None: it was not known)."""
    return SignedIn(
        is_known=shown is not None,
        shown=shown or "",
        binding=binding,
        client_id=client,
        acr=acr,
        place=place,
        state=state,
        has_hardware=has_hardware,
    )


def after(*logins: SignedIn) -> DeviceTrust:
    device = blank(("t", "d"), NOW)
    for one in logins:
        device = device.signed_in(one, now=NOW)
    return device


def test_logins_fade_with_sixty_days() -> None:
    device = after(login(), login()).refused(now=NOW)
    later = device.proved(now=NOW + 60 * DAY)
    assert (later.passed, later.failed) == pytest.approx((2.0, 0.5))
    # Fading is the same however often it is looked at.
    step_by_step = device
    for day in range(1, 61):
        step_by_step = step_by_step.refused(now=NOW + day * DAY)
    assert step_by_step.passed == pytest.approx(1.0)


def test_the_last_32_places_count_and_unknown_ones_do_not() -> None:
    home, away = Place(country="DE", asn=1), Place(country="FR", asn=2)
    device = after(*[login(place=away)] * 10, *[login(place=home)] * 24, *[login()] * 4)
    assert len(device.places) == 32
    assert usual_share(device.places) == pytest.approx(24 / 28)
    assert usual_share([None]) is None
    assert place_key(Place(country="DE")) == "?/DE"
    assert place_key(NOWHERE) is None


def test_a_cookie_is_known_once_it_was_shown() -> None:
    assert after(login(shown=None)).key_kind == "none"
    assert after(login(shown=None), login()).key_kind == "cookie"


def test_a_key_is_the_devices_from_its_second_sign_in() -> None:
    assert after(login(binding=KEY)).key_kind == "cookie"
    enrolled = after(login(binding=KEY), login(binding=KEY))
    assert (enrolled.key_kind, enrolled.is_key_missing) == ("software", False)


def test_an_enrolled_key_that_is_not_shown_is_missed_until_a_second_factor_says_otherwise() -> None:
    enrolled = after(login(binding=KEY), login(binding=KEY))
    for wrong in (None, OTHER_KEY):
        missing = enrolled.signed_in(login(binding=wrong), now=NOW)
        assert missing.is_key_missing
        assert missing.rating(now=NOW).score == pytest.approx(0)
        # Again without it, it stays missed; shown, it is there.
        assert missing.signed_in(login(binding=wrong), now=NOW).is_key_missing
        assert not missing.signed_in(login(binding=KEY), now=NOW).is_key_missing
        replaced = missing.signed_in(login(binding=wrong, acr=2), now=NOW)
        assert (replaced.is_key_missing, replaced.key_kind) == (False, "cookie")


def test_the_id_of_an_installed_client_is_no_cookie_and_its_missing_key_is_missed() -> None:
    """Whoever has heard of the id can tell it."""
    assert after(login(shown=None), login(shown="")).key_kind == "none"
    enrolled = after(login(binding=KEY), login(binding=KEY))
    assert enrolled.signed_in(login(shown=""), now=NOW).is_key_missing


def test_a_device_that_is_known_by_its_key_has_one() -> None:
    """It had it at the sign-in before, by which it is known."""
    known = after(login(shown=None, binding=KEY), login(shown="key", binding=KEY))
    assert (known.key_kind, known.is_key_missing) == ("software", False)
    assert known.signed_in(login(), now=NOW).is_key_missing
    assert not known.signed_in(login(), now=NOW).signed_in(login(shown="key", binding=KEY), now=NOW).is_key_missing


@pytest.mark.parametrize(
    "others", [(), (login(),), (login(binding=KEY), login(binding=KEY)), (login(shown="key", binding=KEY),)]
)
def test_hardware_counts_at_the_sign_ins_that_show_it(others: tuple[SignedIn, ...]) -> None:
    """Whoever has copied the cookie of a device inherits nothing of its hardware."""
    before = after(login(shown=None), *others)
    without = before.signed_in(login(), now=NOW)
    shown = before.signed_in(login(has_hardware=True, acr=3), now=NOW)
    assert shown.key_kind == "hardware"
    assert shown.rating(now=NOW).score > without.rating(now=NOW).score or without.is_key_missing
    assert shown.signed_in(login(has_hardware=True, acr=3), now=NOW).key_kind == "hardware"
    later = shown.signed_in(login(binding=KEY), now=NOW)
    assert later.key_kind != "hardware"
    # A step-up shows the session, and not the device.
    assert before.proved(now=NOW).key_kind == before.key_kind


@pytest.mark.parametrize("shown", [None, ""])
def test_hardware_is_the_devices_only_where_the_device_is_known(shown: Shown | None) -> None:
    """A key in hardware that is shown on a device of which nobody has shown anything says nothing about that device."""
    assert after(login(shown=None), login(shown=shown, has_hardware=True)).key_kind == "none"


def test_a_verdict_counts_until_it_is_too_old() -> None:
    """Then it is unknown: neither bad nor fine."""
    bad = DeviceState(integrity_bad=True, integrity_until=NOW + DAY)
    device = after(login(), login(state=bad))
    assert device.rating(now=NOW + DAY).score == pytest.approx(10)
    later = device.rating(now=NOW + DAY + timedelta(seconds=1))
    assert later.score > 10
    assert "INTEGRITY_BAD" not in [term.code for term in later.terms]


def test_a_patch_level_that_was_measured_counts_until_it_is_too_old() -> None:
    """Then it is what the device says of itself."""
    measured = DeviceState(end_of_life=True, patch_days=400, patch_until=NOW + DAY, own_patch_days=60)
    for time, seen in ((NOW + DAY, (400, True)), (NOW + DAY + timedelta(seconds=1), (60, None))):
        state = measured.at(time)
        assert (state.patch_days, state.end_of_life) == seen
        terms = {term.code: term.seen for term in after(login(), login(state=measured)).rating(now=time).terms}
        assert terms["PATCH_LEVEL"] == f"{seen[0]}.00 days behind"


def test_a_login_of_which_nobody_looked_at_the_device_leaves_its_state() -> None:
    old = DeviceState(end_of_life=True, patch_days=90)
    assert after(login(state=old), login()).state == old
    assert after(login(state=old), login(state=DeviceState())).state == DeviceState()


def test_another_clients_sessions_need_not_show_the_key() -> None:
    enrolled = after(login(binding=KEY), login(binding=KEY))
    assert not enrolled.signed_in(login(client="app"), now=NOW).is_key_missing


def test_a_login_without_the_devices_token_says_nothing_of_its_key() -> None:
    enrolled = after(login(binding=KEY), login(binding=KEY))
    assert not enrolled.signed_in(login(shown=None), now=NOW).is_key_missing


def test_floors_of_a_scope_and_an_action_stand_beside_those_of_all() -> None:
    policy = Policy(
        trust_step_up_below=40,
        trust_floors=(TrustFloor(scope="pay", deny_below=50), TrustFloor(action="delete", step_up_below=90)),
    )
    assert floors(policy) == [Floor(step_up_below=40)]
    assert floors(policy, scopes=["read", "pay"]) == [Floor(step_up_below=40), Floor(deny_below=50, about="pay")]
    assert floors(policy, action="delete")[1:] == [Floor(step_up_below=90, about="delete")]
    assert floors(Policy()) == []


def test_scores_are_compared_as_they_are_told() -> None:
    found = [Floor(step_up_below=60, deny_below=30)]
    assert step_up_floor(found, 59.5) == 0
    assert step_up_floor(found, 59.4) == 60
    check_deny(found, 29.5, restored=29.5)
    with pytest.raises(TrustTooLowError) as refused:
        check_deny(found, 29.4, restored=80)
    assert refused.value.metadata == {"score": "29", "floor": "30", "nextStep": "STEP_UP"}
