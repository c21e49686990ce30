"""What living sessions are held to, against the plainest words for it."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from argus.base.policy import RULES, Policy
from argus.policies.living import ceiling, followed, held_to, longest_life, narrower_of
from argus.policies.model import EffectivePolicy, from_document, policy_of, to_document
from argus.policies.resolve import SCOPE_KINDS, Layer, ScopeKind, resolve

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "idle_seconds": st.integers(60, 10_000),
    "absolute_seconds": st.integers(60, 100_000),
    "access_seconds": st.integers(30, 3600),
    "refresh_seconds": st.sampled_from([0, 60, 600, 50_000]),
    "refresh_is_activity": st.booleans(),
    "rotation": st.sampled_from(["resilient", "strict"]),
    "reuse": st.sampled_from(["contest", "end"]),
    "trust_step_up_below": st.integers(0, 100),
    "trust_deny_below": st.integers(0, 100),
    "on_device_change": st.sampled_from(["allow", "signal", "step_up", "end"]),
    "on_country_change": st.sampled_from(["allow", "signal", "step_up", "end"]),
    "listed_networks": st.sampled_from([[], ["hosting"], ["10.0.0.0/8"]]),
    "trust_floors": st.sampled_from([[], [{"scope": "pay", "action": "", "step_up_below": 50, "deny_below": 0}]]),
    "required_acr": st.integers(1, 3),
    "privileged": st.booleans(),
    "presets": st.sampled_from([[], ["gdpr"], ["pci-dss"], ["fedramp-high"], ["asvs-l1", "soc2"]]),
}
DOCUMENTS = st.fixed_dictionaries({}, optional=VALUES)
SCOPES = st.fixed_dictionaries({}, optional=dict.fromkeys(SCOPE_KINDS, DOCUMENTS))


def begun_under(documents: dict[ScopeKind, dict[str, Any]]) -> EffectivePolicy:
    """What a session begins under that is of all these scopes."""
    fields = resolve(
        [Layer(kind=kind, document=one) for kind, one in documents.items()], defaults=to_document(Policy())
    )
    policy = policy_of(fields)
    return EffectivePolicy(revision=1, policy=policy, narrower=narrower_of(fields, policy, of_client(documents)))


def of_client(documents: dict[ScopeKind, dict[str, Any]]) -> Policy:
    """What is in force for its client, whoever the user."""
    layers = [Layer(kind=kind, document=one) for kind, one in documents.items() if kind in ("tenant", "client")]
    return policy_of(resolve(layers, defaults=to_document(Policy())))


@given(SCOPES)
def test_where_nothing_was_changed_a_session_lives_by_what_it_began_under(
    documents: dict[ScopeKind, dict[str, Any]],
) -> None:
    """Whatever the scopes say: what is shown as its policy, and what counts, are one."""
    own = begun_under(documents)
    assert held_to(own, of_client(documents)) == own.policy


@given(SCOPES, DOCUMENTS, st.sampled_from(SCOPE_KINDS[:2]))
def test_what_a_client_changes_counts_where_no_narrower_scope_speaks(
    documents: dict[ScopeKind, dict[str, Any]], changed: dict[str, Any], kind: ScopeKind
) -> None:
    """And is what the session follows in a moment: the calls of that moment are not told another thing.

    What presets of narrower scopes demand, and all of them of access that those call privileged, comes by the worker.
    """
    assume(not any({"presets", "privileged"} & documents.get(one, {}).keys() for one in SCOPE_KINDS[2:]))
    own = begun_under(documents)
    after = documents | {kind: changed}
    present, now = of_client(after), begun_under(after)
    held, soon = held_to(own, present), followed(own.policy, now.policy)
    ours, theirs = to_document(held), to_document(soon)
    spans = ("idle_seconds", "access_seconds", "refresh_seconds")
    for key in set(VALUES) - {"presets", "privileged", "required_acr", *spans}:
        assert ours[key] == theirs[key], key
    for key in spans:
        # No span is longer than the session, and one of the client's that is as long says nothing of a longer one.
        least = min(one[key] or one["absolute_seconds"] for one in (ours, theirs))
        is_as_long = to_document(present)[key] >= to_document(present)["absolute_seconds"]
        assert ours[key] == theirs[key] or least >= ours["absolute_seconds"] or is_as_long, key


@given(DOCUMENTS, DOCUMENTS)
def test_the_ceiling_is_what_no_narrower_scope_loosens(tenant: dict[str, Any], user: dict[str, Any]) -> None:
    """As presets hold at sign-ins."""
    assume("privileged" not in user)
    present = of_client({"tenant": tenant})
    own = to_document(held_to(begun_under({"user": user}), present))
    for key, most in ceiling(present).items():
        value = own[key] or own["absolute_seconds"] if key == "refresh_seconds" else own[key]
        assert RULES[key].strictest([value, most]) == value, key
    demanded = ceiling(present).get("absolute_seconds")
    life = longest_life(present, since=None)
    assert life.of_most == present.absolute
    assert demanded is None or life.of_narrower.total_seconds() == demanded


@pytest.mark.parametrize("key", ["idle_seconds", "access_seconds"])
def test_a_span_that_only_the_longest_life_bounds_does_not_bound_a_longer_one(key: str) -> None:
    documents: dict[ScopeKind, dict[str, Any]] = {
        "tenant": {"absolute_seconds": 600, key: 3600},
        "user": {"absolute_seconds": 7200},
    }
    held = held_to(begun_under(documents), of_client(documents))
    assert to_document(held)[key] == 3600
    tightened = of_client({"tenant": {"absolute_seconds": 600, key: 300}})
    assert to_document(held_to(begun_under(documents), tightened))[key] == 300


def test_what_a_rule_tightens_is_not_the_sessions_own() -> None:
    """It stays whatever hour it is: the number of a session changes once."""
    plain = from_document(to_document(Policy()) | {"idle_seconds": 900})
    for value, narrower in ((600, frozenset[str]()), (900, frozenset[str]()), (3600, frozenset({"idle_seconds"}))):
        layer = Layer(kind="tenant", document={"idle_seconds": value}, rules={"idle_seconds": ["one"]})
        fields = resolve([layer], defaults=to_document(Policy()))
        assert narrower_of(fields, policy_of(fields), plain) == narrower
