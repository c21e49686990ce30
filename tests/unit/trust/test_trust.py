"""The engine's trust: the same as the plain formula's, monotone, capped, explained to the last digit."""

import math
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus._core import TrustInputs, aged_trust
from tests.unit.trust.oracle import KEYS, Inputs, device_trust, session_trust

CASES = int(os.environ.get("ARGUS_TRUST_CASES", "100000"))

amounts = st.floats(0, 500)
maybe = st.none() | st.booleans()
inputs = st.builds(
    Inputs,
    passed=amounts,
    failed=amounts,
    usual_share=st.none() | st.floats(0, 1),
    key=st.sampled_from(list(KEYS)),
    key_missing=st.booleans(),
    patch_days=st.none() | amounts,
    end_of_life=maybe,
    integrity_bad=maybe,
    unused_days=st.floats(0, 2000),
)


def engine(one: Inputs) -> TrustInputs:
    """The engine's view of the same device."""
    return TrustInputs(**asdict(one))


def score(one: Inputs) -> float:
    """What the engine says of a device."""
    return engine(one).device()[0]


def random_inputs(random: Random) -> Inputs:
    """A device near the edges that matter as often as anywhere."""

    def amount(*edges: float) -> float:
        return random.choice([0.0, *edges, random.uniform(0, 50), random.expovariate(1 / 200)])

    def unknown(value: Any) -> Any:
        return random.choice([None, value, value])

    return Inputs(
        passed=amount(1, 6.389, 7),
        failed=amount(1, 6.389, 7),
        usual_share=unknown(random.choice([0.0, 0.5, 1.0, random.random()])),
        key=random.choice(list(KEYS)),
        key_missing=random.random() < 0.1,
        patch_days=unknown(amount(30, 31, 150)),
        end_of_life=unknown(random.random() < 0.2),
        integrity_bad=unknown(random.random() < 0.2),
        unused_days=amount(30),
    )


def test_the_engine_and_the_plain_formula_agree(record_property: Callable[[str, object], None]) -> None:
    """To 1e-6, over 100,000 random devices and sessions (`ARGUS_TRUST_CASES`)."""
    seed = Random().getrandbits(32)  # noqa: S311 - cases
    random = Random(seed)  # noqa: S311 - cases
    worst = 0.0
    for number in range(CASES):
        one = random_inputs(random)
        risk, hours = random.choice([0.0, 1.0, random.random()]), random.choice([0.0, 8.0, random.uniform(0, 300)])
        told = engine(one)
        in_session = told.session(risk=risk, proof_age_seconds=hours * 3600)[0]
        pairs = [
            (told.device()[0], device_trust(one)),
            (in_session, session_trust(one, risk=risk, proof_age_hours=hours)),
        ]
        worst = max([worst, *(abs(mine - plain) for mine, plain in pairs)])
        assert worst <= 1e-6, f"seed {seed}, case {number}: {one}, {risk}, {hours}: {pairs}"
    record_property("largest_difference", worst)


@given(inputs, st.floats(0, 1), st.floats(0, 1e6), st.none() | st.floats(0, 100))
def test_the_terms_add_up_to_the_score(one: Inputs, risk: float, age: float, rated: float | None) -> None:
    """Of a device and of a session, whichever caps and decays apply."""
    told = engine(one)
    for total, terms in (told.device(), told.session(risk=risk, rated=rated, proof_age_seconds=age)):
        assert 0 <= total <= 100
        assert 100 / (1 + math.exp(-sum(weight for _, weight, _, _ in terms))) == pytest.approx(total, abs=1e-6)
        assert all(seen for code, _, seen, _ in terms if code != "BASE")


@given(inputs, st.floats(0, 100))
def test_each_input_moves_the_score_in_one_direction(one: Inputs, more: float) -> None:
    """More of what speaks for a device never lowers it, more of what speaks against it never raises it."""
    here = score(one)
    keys = list(KEYS)
    assert score(replace(one, passed=one.passed + more)) >= here - 1e-9
    for key in keys[keys.index(one.key) :]:
        assert score(replace(one, key=key)) >= here - 1e-9
    if one.usual_share is not None:
        assert score(replace(one, usual_share=one.usual_share * 0.9)) <= here + 1e-9
    if one.patch_days is not None:
        assert score(replace(one, patch_days=one.patch_days + more)) <= here + 1e-9
    worse: list[dict[str, Any]] = [
        {"failed": one.failed + more},
        {"key_missing": True},
        {"end_of_life": True},
        {"integrity_bad": True},
        {"unused_days": one.unused_days + more},
    ]
    for change in worse:
        assert score(replace(one, **change)) <= here + 1e-9, change


@given(inputs, st.floats(0, 1), st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_session_has_no_more_than_its_device_and_less_with_time(
    one: Inputs, risk: float, age: float, more: float
) -> None:
    """And no more than its risk leaves."""
    now = engine(one).session(risk=risk, proof_age_seconds=age)[0]
    assert now <= min(score(one), 100 * (1 - risk)) + 1e-9
    assert engine(one).session(risk=risk, proof_age_seconds=age + more)[0] <= now + 1e-9
    assert engine(one).session(risk=1.0, proof_age_seconds=age)[0] <= now + 1e-9


@given(inputs)
def test_caps_hold(one: Inputs) -> None:
    """Whatever else speaks for the device."""
    assert score(replace(one, end_of_life=True)) <= 40
    assert score(replace(one, integrity_bad=True)) <= 10
    assert score(replace(one, key_missing=True)) == pytest.approx(0, abs=1e-9)
    assert score(Inputs(unused_days=one.unused_days)) <= 30


def test_what_is_unknown_says_so_and_weighs_nothing() -> None:
    """It is neither fine nor changed."""
    terms = {code: (weight, seen) for code, weight, seen, _ in engine(Inputs(passed=3)).device()[1]}
    assert terms["USUAL_NETWORK"] == terms["PATCH_LEVEL"] == (0.0, "unknown")


def test_an_unused_device_fades_to_30_and_does_not_rise_to_it() -> None:
    """Half of what is above 30 is gone after thirty days."""
    good = Inputs(passed=50, usual_share=1.0, key="hardware")
    assert score(replace(good, unused_days=30)) == pytest.approx((score(good) + 30) / 2)
    assert score(replace(good, integrity_bad=True, unused_days=3000)) == pytest.approx(10)


def test_a_session_halves_every_eight_hours() -> None:
    """Without proof."""
    assert aged_trust(80, 8 * 3600) == pytest.approx(40)
    assert aged_trust(80, 24 * 3600) == pytest.approx(10)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_what_no_device_can_have_is_refused(bad: float) -> None:
    """It is no score of anything."""
    for name in ("passed", "failed", "usual_share", "patch_days", "unused_days"):
        values: dict[str, Any] = {name: bad}
        told = engine(Inputs(**values))
        with pytest.raises(ValueError, match=name):
            told.device()
    with pytest.raises(ValueError, match="risk"):
        TrustInputs().session(risk=bad)
