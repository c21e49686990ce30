from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.base.errors import InvalidFieldError
from argus.base.policy import Policy
from argus.base.settings import PolicySettings, Settings, SettingsError
from argus.policies.model import (
    SCOPE_KINDS,
    check_document,
    default_policy,
    digest,
    from_document,
    merge,
    to_document,
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Any document that can be set."""
    values = {
        "privileged": st.booleans(),
        "idle_seconds": st.integers(60, 90 * 86400),
        "absolute_seconds": st.integers(60, 90 * 86400),
        "access_seconds": st.integers(30, 3600),
        "refresh_is_activity": st.booleans(),
        "rotation": st.sampled_from(["resilient", "strict"]),
        "reuse": st.sampled_from(["contest", "end"]),
        "session_limit": st.integers(0, 10_000),
        "client_session_limit": st.integers(0, 10_000),
        "device_class_limits": st.dictionaries(st.sampled_from(["phone", "tablet", "unknown"]), st.integers(0, 10_000)),
        "on_limit": st.sampled_from(["deny", "end_oldest", "end_least_recent", "end_lowest_trust", "ask_user"]),
        "password_min_alone": st.integers(15, 128),
        "password_min_with_second_factor": st.integers(8, 128),
        "second_factor": st.sampled_from(["any", "replay_resistant", "phishing_resistant", "hardware"]),
        "lockout_tries": st.integers(1, 100),
        "lockout_seconds": st.integers(0, 86400),
        "step_up_age_seconds": st.integers(0, 86400),
        "password_composition": st.sampled_from(["none", "letters_and_digits"]),
        "password_history": st.integers(0, 24),
        "password_max_age_seconds": st.just(0) | st.integers(86400, 3660 * 86400),
        "unused_account_seconds": st.just(0) | st.integers(86400, 3660 * 86400),
        "unused_account_kept_seconds": st.just(0) | st.integers(86400, 3660 * 86400),
        "audit_retention_seconds": st.just(0) | st.integers(86400, 3660 * 86400),
        "audit_ip_retention_seconds": st.just(0) | st.integers(86400, 3660 * 86400),
        "remember_me": st.booleans(),
        "cookie_same_site": st.sampled_from(["lax", "strict"]),
        "self_registration": st.booleans(),
        "recovery_ends_sessions": st.booleans(),
        "new_device_notice": st.booleans(),
        "posture_max_age_seconds": st.integers(60, 90 * 86_400),
        "device_trusted_for_seconds": st.integers(0, 365 * 86_400),
    }
    document = draw(st.fixed_dictionaries({}, optional=values))
    if draw(st.booleans()):
        deadline = draw(st.integers(1, 60))
        document |= {"request_deadline_seconds": deadline, "grace_seconds": draw(st.integers(2 * deadline, 300))}
    return document


SETTINGS = st.lists(st.tuples(st.sampled_from(SCOPE_KINDS), documents()), max_size=6)


@given(documents())
def test_every_document_that_can_be_made_can_be_set(document: dict[str, Any]) -> None:
    """The generator makes good documents, or the laws below would hold of nothing."""
    check_document(document)


@given(SETTINGS)
def test_the_most_specific_scope_wins_field_by_field(settings: list[tuple[Any, dict[str, Any]]]) -> None:
    """Against the plainest model: look through the scopes from the user up until one of them sets the field."""
    merged = to_document(merge(settings))
    for key in set(merged) - {"idle_seconds", "access_seconds", "required_acr", "second_factor", "privileged"}:
        for kind in reversed(SCOPE_KINDS):
            values = [document[key] for scope, document in settings if scope == kind and key in document]
            if not values:
                continue
            if isinstance(merged[key], dict):
                # Of two groups each may limit other classes.
                assert merged[key].keys() == {name for value in values for name in value}
                assert merged[key].items() <= {item for value in values for item in value.items()}
            else:
                assert merged[key] in values
            break
        else:
            assert merged[key] == to_document(Policy())[key]


@given(SETTINGS)
def test_what_is_required_of_all_is_required_of_each(settings: list[tuple[Any, dict[str, Any]]]) -> None:
    """The highest level of any scope: refreshes are held to a client's, which no narrower scope may undercut."""
    required = [document["required_acr"] for _, document in settings if "required_acr" in document]
    assert merge(settings).required_acr == max(required, default=1)


@given(st.sampled_from(["password_max_age_seconds", "unused_account_seconds", "audit_ip_retention_seconds"]))
def test_zero_is_no_bound_and_so_the_loosest(key: str) -> None:
    """Of several groups the one that asks for a bound is heard."""
    assert to_document(merge([("group", {key: 0}), ("group", {key: 900}), ("group", {key: 1800})]))[key] == 900


def test_what_has_to_be_kept_longest_is_kept() -> None:
    """Of several groups: a retention is what an auditor asks for, and none asks for less."""
    documents: list[tuple[Any, dict[str, Any]]] = [("group", {"audit_retention_seconds": days}) for days in (0, 9, 3)]
    assert merge(documents).audit_retention == timedelta(seconds=9)


@given(SETTINGS)
def test_every_merged_policy_keeps_the_rules(settings: list[tuple[Any, dict[str, Any]]]) -> None:
    """Whatever the scopes say: grace >= 2 deadlines, and nothing outlives the session."""
    policy = merge(settings)
    assert policy.grace >= 2 * policy.request_deadline
    assert policy.idle <= policy.absolute
    assert policy.access <= policy.absolute
    check_document(to_document(policy))


@given(SETTINGS, st.randoms(use_true_random=False))
def test_order_makes_no_difference(settings: list[tuple[Any, dict[str, Any]]], random: Any) -> None:
    """The database gives rows in any order."""
    singles = [one for one in settings if one[0] == "group"]
    singles += list({kind: (kind, document) for kind, document in settings if kind != "group"}.values())
    shuffled = list(singles)
    random.shuffle(shuffled)
    assert digest(merge(shuffled)) == digest(merge(singles))


def test_of_several_groups_the_strictest_value_counts() -> None:
    """Groups of one user are of equal rank."""
    merged = merge(
        [
            ("group", {"idle_seconds": 900, "session_limit": 3, "on_limit": "end_least_recent", "rotation": "strict"}),
            ("group", {"idle_seconds": 1800, "session_limit": 2, "on_limit": "deny", "rotation": "resilient"}),
            ("group", {"password_min_alone": 20, "refresh_is_activity": False}),
            ("group", {"password_min_alone": 16, "refresh_is_activity": True}),
        ]
    )
    assert merged.idle == timedelta(minutes=15)
    assert (merged.session_limit, merged.on_limit, merged.rotation) == (2, "deny", "strict")
    assert (merged.password_min_alone, merged.refresh_is_activity) == (20, False)


@given(documents())
def test_a_policy_survives_its_document(document: dict[str, Any]) -> None:
    """What is numbered is read back as it was."""
    policy = merge([("tenant", document)])
    assert from_document(to_document(policy)) == policy
    assert digest(from_document(to_document(policy))) == digest(policy)


def test_the_default_is_the_documented_one() -> None:
    """Idle 8 h, absolute 24 h, access 5 min, grace 30 s, deadline 10 s, ten sessions, closed to strangers."""
    assert to_document(Policy()) == {
        "presets": [],
        "privileged": False,
        "idle_seconds": 28800,
        "absolute_seconds": 86400,
        "access_seconds": 300,
        "refresh_seconds": 0,
        "grace_seconds": 30,
        "request_deadline_seconds": 10,
        "refresh_is_activity": True,
        "rotation": "resilient",
        "reuse": "contest",
        "session_limit": 10,
        "client_session_limit": 0,
        "device_class_limits": {},
        "on_limit": "end_oldest",
        "password_min_alone": 15,
        "password_min_with_second_factor": 8,
        "required_acr": 1,
        "second_factor": "any",
        "lockout_tries": 10,
        "lockout_seconds": 0,
        "step_up_age_seconds": 300,
        "password_composition": "none",
        "password_history": 0,
        "password_max_age_seconds": 0,
        "unused_account_seconds": 0,
        "unused_account_kept_seconds": 0,
        "audit_retention_seconds": 0,
        "audit_ip_retention_seconds": 0,
        "remember_me": False,
        "cookie_same_site": "lax",
        "script_access_token": False,
        "self_registration": False,
        "recovery_ends_sessions": True,
        "new_device_notice": True,
        "posture_max_age_seconds": 86400,
        "device_trusted_for_seconds": 2592000,
        "trust_step_up_below": 0,
        "trust_deny_below": 0,
        "trust_floors": [],
        "on_device_change": "allow",
        "on_country_change": "allow",
        "on_network_change": "allow",
        "on_listed_network": "allow",
        "listed_networks": [],
        "allowed_countries": ["*"],
        "denied_countries": [],
        "denied_networks": [],
    }


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"idle": 60}, "policy.idle"),
        ({"idle_seconds": 59}, "policy.idle_seconds"),
        ({"idle_seconds": "60"}, "policy.idle_seconds"),
        ({"idle_seconds": 60.0}, "policy.idle_seconds"),
        ({"session_limit": True}, "policy.session_limit"),
        ({"client_session_limit": -1}, "policy.client_session_limit"),
        ({"device_class_limits": {"toaster": 1}}, "policy.device_class_limits.toaster"),
        ({"refresh_is_activity": 1}, "policy.refresh_is_activity"),
        ({"on_limit": "ask"}, "policy.on_limit"),
        ({"password_min_alone": 14}, "policy.password_min_alone"),
        ({"grace_seconds": 30}, "policy.grace_seconds"),
        ({"request_deadline_seconds": 5}, "policy.grace_seconds"),
        ({"grace_seconds": 19, "request_deadline_seconds": 10}, "policy.grace_seconds"),
    ],
)
def test_documents_that_cannot_be_set(document: dict[str, Any], field: str) -> None:
    """The refusal names the field."""
    with pytest.raises(InvalidFieldError) as refused:
        check_document(document)
    assert refused.value.field == field


def test_the_settings_default_is_held_to_the_same_rules() -> None:
    """A bad default stops the start."""
    good = default_policy(Settings(policy=PolicySettings(idle=timedelta(hours=1))))
    assert good.idle == timedelta(hours=1)
    with pytest.raises(SettingsError):
        default_policy(Settings(policy=PolicySettings(grace=timedelta(seconds=5))))
