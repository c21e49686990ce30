"""Presets are ceilings, and every value says where it comes from."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.base.policy import PRESET_NAMES, RULES, Policy
from argus.policies.model import merge, policy_of, to_document
from argus.policies.presets import PRESETS
from argus.policies.resolve import SCOPE_KINDS, Layer, Source, resolve
from tests.unit.policies.test_policy import documents

LAYERS: Final = st.lists(
    st.tuples(
        st.sampled_from(SCOPE_KINDS),
        st.tuples(documents(), st.lists(st.sampled_from(PRESET_NAMES), max_size=2, unique=True)).map(
            lambda both: both[0] | ({"presets": both[1]} if both[1] else {})
        ),
    ),
    max_size=5,
)
# Said once more, so that the table is held against something: which of two is stricter.
SMALLER: Final = {"idle_seconds", "absolute_seconds", "access_seconds"}
LARGER: Final = {"password_min_alone", "password_min_with_second_factor", "required_acr"}
WITHIN_SESSION: Final = {"idle_seconds", "access_seconds"}


STRICTER: Final[dict[str, Any]] = (
    dict.fromkeys(SMALLER, min)
    | dict.fromkeys(LARGER, max)
    # 0 is no limit.
    | {"refresh_is_activity": all, "session_limit": lambda limits: min(limits, key=lambda limit: limit or 10**9)}
)


def plainest(layers: list[tuple[Any, dict[str, Any]]]) -> dict[str, Any]:
    """Each scope's fields over those of the scopes before, then every preset's number, one after the other."""
    policy: dict[str, Any] = to_document(Policy())
    for wanted in SCOPE_KINDS:
        for key, stricter in STRICTER.items():
            said = [document[key] for kind, document in layers if kind == wanted and key in document]
            policy[key] = stricter(said) if said else policy[key]
    required = [document["required_acr"] for _, document in layers if "required_acr" in document]
    policy["required_acr"] = max(required, default=1)
    policy["privileged"] = any(document.get("privileged") for _, document in layers)
    for name in {name for _, document in layers for name in document.get("presets", ())}:
        for demand in PRESETS[name]:
            if demand.key in STRICTER and demand.privileged in (None, policy["privileged"]):
                policy[demand.key] = STRICTER[demand.key]([policy[demand.key], demand.value])
    for key in WITHIN_SESSION:
        policy[key] = min(policy[key], policy["absolute_seconds"])
    return policy


@given(LAYERS)
def test_presets_and_scopes_make_what_the_plainest_model_makes(layers: list[tuple[Any, dict[str, Any]]]) -> None:
    """Whatever is chosen where."""
    merged, plain = to_document(merge(layers)), plainest(layers)
    for key in ("privileged", *STRICTER):
        assert merged[key] == plain[key], key


@given(LAYERS, documents(), st.sampled_from(["client", "group", "user"]))
def test_no_narrower_scope_loosens_what_a_preset_demands(
    layers: list[tuple[Any, dict[str, Any]]], narrower: dict[str, Any], kind: Any
) -> None:
    """Whatever a scope says, what the chosen presets demand is met."""
    merged = to_document(merge([*layers, (kind, narrower)]))
    for name in merged["presets"]:
        for demand in PRESETS[name]:
            if demand.privileged in (None, merged["privileged"]):
                assert RULES[demand.key].strictest([merged[demand.key], demand.value]) == merged[demand.key]


@given(LAYERS)
def test_what_is_said_of_values_is_what_they_are(layers: list[tuple[Any, dict[str, Any]]]) -> None:
    """Each source, looked up by hand, has the value; and all values together are the merged policy."""
    named = [
        Layer(kind=kind, id=str(place), revision=place, document=said) for place, (kind, said) in enumerate(layers)
    ]
    resolved = resolve(named, defaults=to_document(Policy()))
    assert policy_of(resolved) == merge(layers)
    for key, one in resolved.items():
        assert one.sources
        if one.sources[0].kind == "bound":
            session = resolved[one.sources[0].name]
            assert (one.value, one.sources[1:]) == (session.value, session.sources)
            continue
        said = [_said_by(source, key, layers) for source in one.sources if key != "presets"]
        if isinstance(one.value, dict):
            # Several groups say it together, each of its own classes.
            assert one.value.items() <= {item for value in said for item in value.items()}
        else:
            assert all(value == one.value for value in said)


def _said_by(source: Source, key: str, layers: list[tuple[Any, dict[str, Any]]]) -> Any:
    if source.kind == "default":
        return to_document(Policy())[key]
    if source.kind == "preset":
        return next(one.value for one in PRESETS[source.name] if (one.key, one.clause) == (key, source.clause))
    kind, document = layers[int(source.name)]
    assert kind == source.kind
    return document[key]


@pytest.mark.parametrize("name", PRESET_NAMES)
def test_every_number_can_be_set_and_says_its_clause(name: str) -> None:
    """A number that is not our own choice has a clause; each is in the range of its field, and said once."""
    keys = [(demand.key, demand.privileged) for demand in PRESETS[name]]
    assert len(keys) == len(set(keys))
    for demand in PRESETS[name]:
        assert demand.clause or demand.is_ours
        assert not list(RULES[demand.key].faults(demand.value, demand.key))


def test_presets_are_listed_and_demand_what_a_policy_can_say() -> None:
    """All of them, and of fields that there are."""
    assert tuple(PRESETS) == PRESET_NAMES
    assert {demand.key for demands in PRESETS.values() for demand in demands} <= RULES.keys()


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("soc2", "idle_seconds", 1800),
        ("iso27001", "idle_seconds", 1800),
        ("pci-dss", "idle_seconds", 900),
        ("pci-dss", "password_min_with_second_factor", 12),
        ("hipaa", "session_limit", 3),
        ("gdpr", "idle_seconds", 3600),
        ("fedramp-moderate", "absolute_seconds", 43200),
        ("fedramp-high", "session_limit", 2),
        ("fedramp-high", "required_acr", 3),
        ("asvs-l2", "required_acr", 2),
        ("asvs-l3", "idle_seconds", 900),
    ],
)
def test_a_preset_alone(name: str, key: str, value: Any) -> None:
    """Over Argus's own defaults, and said to be the preset's."""
    resolved = resolve([Layer(kind="tenant", document={"presets": [name]})], defaults=to_document(Policy()))
    assert resolved[key].value == value
    assert [(source.kind, source.name) for source in resolved[key].sources] == [("preset", name)]


def test_of_several_presets_the_strictest_number_counts() -> None:
    """PCI DSS for most of it, the hardware of FedRAMP high, and what the tenant set stricter stays its own."""
    layers = [
        Layer(kind="tenant", id="acme", revision=4, document={"presets": ["pci-dss"], "session_limit": 1}),
        Layer(kind="user", id="root", revision=1, document={"presets": ["fedramp-high"], "idle_seconds": 86_400}),
    ]
    resolved = resolve(layers, defaults=to_document(Policy()))
    assert (resolved["idle_seconds"].value, resolved["required_acr"].value) == (900, 3)
    assert {source.name for source in resolved["idle_seconds"].sources} == {"pci-dss", "fedramp-high"}
    assert resolved["session_limit"].sources == (Source(kind="tenant", name="acme", revision=4),)


@pytest.mark.parametrize(
    ("name", "privileged", "idle", "limit"),
    [
        ("fedramp-high", False, 900, 2),
        ("fedramp-high", True, 600, 3),
        ("fedramp-moderate", True, 600, 5),
        ("pci-dss", True, 900, 3),
    ],
)
def test_privileged_access_has_numbers_of_its_own(name: str, privileged: bool, idle: int, limit: int) -> None:
    """Whatever scope says that it is privileged, and no narrower one takes it back."""
    layers = [
        Layer(kind="tenant", document={"presets": [name]}),
        Layer(kind="client", document={"privileged": privileged}),
        Layer(kind="user", document={"privileged": False}),
    ]
    resolved = resolve(layers, defaults=to_document(Policy(session_limit=9)))
    assert (resolved["idle_seconds"].value, resolved["session_limit"].value) == (idle, limit)


def test_presets_of_the_installation_hold_for_all_tenants() -> None:
    """A tenant that chooses others does not take them away."""
    defaults = to_document(Policy(presets=("pci-dss",)))
    resolved = resolve([Layer(kind="tenant", document={"presets": ["gdpr"]})], defaults=defaults)
    assert resolved["presets"].value == ["gdpr", "pci-dss"]
    assert [source.kind for source in resolved["presets"].sources] == ["tenant", "installation"]
    assert resolved["idle_seconds"].value == 900


FOR_ALL: Final[dict[str, list[Any]]] = {
    "required_acr": [1, 2, 3],
    "second_factor": ["any", "replay_resistant", "phishing_resistant", "hardware"],
    "privileged": [False, True],
}
"""What holds for all, from the loosest."""


@pytest.mark.parametrize("kind", SCOPE_KINDS)
@given(st.data())
def test_no_scope_undercuts_what_the_installation_asks_of_all(kind: Any, data: st.DataObject) -> None:
    """It counts beside the scopes, and is named where it decides."""
    ours, theirs = ({key: data.draw(st.sampled_from(few)) for key, few in FOR_ALL.items()} for _ in range(2))
    resolved = resolve([Layer(kind=kind, document=theirs)], defaults=to_document(Policy(**ours)))
    for key, few in FOR_ALL.items():
        is_ours = few.index(ours[key]) > few.index(theirs[key])
        assert resolved[key].value == (ours if is_ours else theirs)[key]
        assert [source.kind for source in resolved[key].sources] == (["installation"] if is_ours else [kind])
        assert resolved[key].is_narrower == (not is_ours and kind in ("group", "user"))
