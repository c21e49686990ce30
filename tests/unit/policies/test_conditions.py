"""Rules of documents: where their conditions are met their fields hold, and what is not known meets none."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.base.policy import Policy
from argus.policies.conditions import VARIABLES, Facts, apply_rules, condition_faults
from argus.policies.model import check_document, document_faults, to_document
from argus.policies.resolve import Layer, Source, resolve
from argus.policies.schema import json_schema

NIGHT: Final = datetime(2026, 3, 1, 3, tzinfo=UTC)  # a Sunday
HOME: Final = Facts(
    time=NIGHT,
    client_id="app",
    user_id="alice",
    groups=["staff", "ops"],
    acr=2,
    amr=["pwd", "otp", "mfa"],
    device_class="phone",
    device_trusted=True,
    country="DE",
    network_class="access",
)


def judged(when: str, facts: Facts) -> tuple[bool, tuple[str, ...]]:
    """What becomes of a condition."""
    document = {"rules": [{"name": "one", "when": when, "then": {"idle_seconds": 60}}]}
    check_document(document)
    _, (outcome,) = apply_rules([Layer(kind="tenant", document=document)], facts)
    return outcome.is_met, outcome.unknown


@pytest.mark.parametrize(
    ("when", "is_met"),
    [
        ("client_id == 'app' && user_id == 'alice'", True),
        ("'ops' in groups", True),
        ("groups.all(one, one.startsWith('s'))", False),
        ("acr >= 2 && 'mfa' in amr", True),
        ("device_class in ['phone', 'tablet'] && device_trusted", True),
        ("country != 'DE'", False),
        ("network_class.contains('cc')", True),
        ("hour >= 22 || hour < 6", True),
        ("weekday == 7", True),
        ("size(unknown) == 0", True),
        ("!device_trusted", False),
    ],
)
def test_every_fact_can_be_asked_for(when: str, is_met: bool) -> None:
    assert judged(when, HOME) == (is_met, ())


@pytest.mark.parametrize("name", [name for name in VARIABLES if name != "unknown"])
def test_what_is_not_known_meets_no_condition_and_is_named(name: str) -> None:
    """Neither a comparison nor its opposite; who wants to can ask what is unknown."""
    kind = VARIABLES[name][0]
    comparison = {"text": f"{name} == 'x'", "number": f"{name} == 1", "flag": name, "texts": f"'x' in {name}"}[kind]
    for when in (comparison, f"!({comparison})"):
        assert judged(when, Facts()) == (False, (name,))
    assert judged(f"'{name}' in unknown", Facts()) == (True, ())
    assert judged(f"'{name}' in unknown", HOME) == (False, ())


@given(st.booleans() | st.none(), st.booleans() | st.none())
def test_or_and_and_are_those_of_three_values(trusted: bool | None, ops: bool | None) -> None:
    """Against the plainest model: unknown or true is true, unknown and false is false."""
    groups = {True: ["ops"], False: ["staff"], None: None}[ops]
    facts = Facts(device_trusted=trusted, groups=groups)
    both = {trusted, ops}
    assert judged("device_trusted || 'ops' in groups", facts)[0] == (True in both)
    assert judged("device_trusted && 'ops' in groups", facts)[0] == (both == {True})
    assert bool(judged("device_trusted || 'ops' in groups", facts)[1]) == (None in both and True not in both)
    assert bool(judged("device_trusted && 'ops' in groups", facts)[1]) == (None in both and False not in both)


def test_rules_that_are_met_stand_over_their_document_and_the_strictest_of_them_counts() -> None:
    """And below what is more specific; each value names its rule."""
    document: dict[str, Any] = {
        "idle_seconds": 600,
        "rules": [
            {"name": "phone", "when": "device_class == 'phone'", "then": {"idle_seconds": 3600, "session_limit": 4}},
            {"name": "night", "when": "hour < 6", "then": {"idle_seconds": 1800, "access_seconds": 60}},
            {"name": "abroad", "when": "country != 'DE'", "then": {"idle_seconds": 60}},
        ],
    }
    layers = [
        Layer(kind="tenant", id="acme", revision=3, document=document),
        Layer(kind="user", id="alice", revision=1, document={"session_limit": 2}),
    ]
    applied, _ = apply_rules(layers, HOME)
    resolved = resolve(applied, defaults=to_document(Policy()))
    assert (resolved["idle_seconds"].value, resolved["access_seconds"].value) == (1800, 60)
    assert resolved["access_seconds"].sources == (Source(kind="tenant", name="acme", revision=3, rule="night"),)
    assert resolved["session_limit"].sources == (Source(kind="user", name="alice", revision=1),)
    plain = resolve(apply_rules(layers, Facts())[0], defaults=to_document(Policy()))
    assert (plain["idle_seconds"].value, plain["idle_seconds"].sources[0].rule) == (600, "")


def test_no_rule_loosens_a_preset() -> None:
    document = {
        "presets": ["pci-dss"],
        "rules": [{"name": "trusted", "when": "device_trusted", "then": {"idle_seconds": 86_400}}],
    }
    applied, _ = apply_rules([Layer(kind="tenant", document=document)], HOME)
    assert resolve(applied, defaults=to_document(Policy()))["idle_seconds"].value == 900


@pytest.mark.parametrize(
    ("said", "then", "holds", "rules"),
    [
        ({"presets": ["pci-dss"]}, {"presets": ["asvs-l1"]}, {"presets": ["asvs-l1", "pci-dss"]}, ["", "all"]),
        ({"privileged": True}, {"privileged": False}, {"privileged": True}, [""]),
        ({"required_acr": 2}, {"required_acr": 1}, {"required_acr": 2}, [""]),
        ({"required_acr": 2}, {"required_acr": 3}, {"required_acr": 3}, ["all"]),
        ({"second_factor": "hardware"}, {"second_factor": "any"}, {"second_factor": "hardware"}, [""]),
    ],
)
def test_no_rule_loosens_what_its_document_says_for_all(
    said: dict[str, Any], then: dict[str, Any], holds: dict[str, Any], rules: list[str]
) -> None:
    """Presets of a rule come beside those of its document, and both are said to be where they come from."""
    document = {**said, "rules": [{"name": "all", "when": "client_id != 'x'", "then": then}]}
    applied, _ = apply_rules([Layer(kind="tenant", id="acme", document=document)], HOME)
    resolved = resolve(applied, defaults=to_document(Policy()))
    (key,) = said
    assert {key: resolved[key].value} == holds
    assert [source.rule for source in resolved[key].sources] == rules
    if key == "presets":
        assert (resolved["idle_seconds"].value, resolved["required_acr"].value) == (900, 2)


@pytest.mark.parametrize(
    ("when", "reason", "hint"),
    [
        ("contry == 'DE'", '"contry" is no fact (line 1, column 1)', 'did you mean "country"?'),
        ("hour <\n  6 && matches(country, 'x')", '"matches" is no function of a condition (line 2', "functions are"),
        ("country.startswith('D')", '"startswith" is no function', 'did you mean "startsWith"?'),
        ("hour + 1", '"+" is no operator', "no arithmetic"),
        ("hour <", "ends too early (line 1, column 7)", "a fact or a value is missing"),
        ("hour < 6 and acr == 2", '"and" can\'t stand here (line 1, column 10)', "write &&"),
        ("acr >= '2'", "a number with a text", "texts stand in quotes"),
        ("", "is empty", ""),
        ("hour", "neither true nor false", ""),
        (7, "must be a condition", "'staff' in groups"),
        ("a" * 1001, "longer than 1000", ""),
        ("groups.exists(a, amr.exists(b, a == b))", "a loop within a loop", ""),
        ("(" * 500, "nested deeper", ""),
    ],
)
def test_a_bad_condition_says_where_and_what_to_write(when: object, reason: str, hint: str) -> None:
    (fault,) = condition_faults(when, "rules[0].when")
    assert fault.path == "rules[0].when"
    assert reason in fault.reason
    assert hint in fault.hint


@given(st.text(max_size=80) | st.text(alphabet="()[]{}!?:.,'\"&|=<> aghour09-+", max_size=200))
def test_no_text_breaks_what_reads_it(when: str) -> None:
    """It is a condition or says why not."""
    for fault in condition_faults(when, "when"):
        assert fault.reason


def test_rules_within_rules_and_other_forms_are_refused() -> None:
    wrong: list[Any] = [
        {},
        ["x"],
        [{"name": "a", "when": "hour < 6"}],
        [{"name": "a", "when": "hour < 6", "then": {"rules": []}}],
        [{"name": "a", "when": "hour < 6", "then": {"idle_seconds": 60}, "else": {}}],
        [{"name": "a\0", "when": "hour < 6", "then": {"idle_seconds": 60}}],
    ]
    for rules in wrong:
        assert len(list(document_faults({"rules": rules}))) == 1, rules


def test_the_schema_knows_every_fact_and_key() -> None:
    rule = json_schema()["properties"]["rules"]["items"]
    assert set(rule["required"]) == {"name", "when", "then"}
    assert all(f"{name}: " in rule["properties"]["when"]["description"] for name in VARIABLES)
