"""Documents that can be set and may not say what is meant."""

from typing import Any

import pytest

from argus.policies.lint import warnings
from argus.policies.model import check_document, document_faults


@pytest.mark.parametrize(
    ("document", "path", "part"),
    [
        ({"presets": ["pci-dss"], "idle_seconds": 3600}, "policy.idle_seconds", "no effect: pci-dss demands 15m"),
        ({"presets": ["fedramp-high"], "session_limit": 4}, "policy.session_limit", "fedramp-high demands 2"),
        ({"presets": ["fedramp-high"], "privileged": True, "session_limit": 4}, "policy.session_limit", "demands 3"),
        ({"presets": ["hipaa", "pci-dss"], "session_limit": 9}, "policy.session_limit", "pci-dss, hipaa demands 3"),
        (
            {"presets": ["asvs-l1"], "password_composition": "letters_and_digits"},
            "policy.password_composition",
            "V6.2.5",
        ),
        ({"presets": ["asvs-l2"], "password_max_age_seconds": 86_400}, "policy.password_max_age_seconds", "V6.2.10"),
        ({"idle_seconds": 7200, "absolute_seconds": 3600}, "policy.idle_seconds", "beyond absolute_seconds"),
        (
            {"trust_step_up_below": 20, "trust_deny_below": 60},
            "policy.trust_step_up_below",
            "no effect: below trust_deny_below it is refused",
        ),
        (
            {"allowed_countries": ["DE", "FR"], "denied_countries": ["FR"]},
            "policy.allowed_countries",
            "no effect for FR: denied_countries has it",
        ),
        ({"required_acr": 2, "idle_seconds": 7200}, "policy.idle_seconds", "SP 800-63B-4 recommends at level 2: 1h"),
        ({"required_acr": 3, "absolute_seconds": 86_400}, "policy.absolute_seconds", "at level 3: 12h"),
        (
            {"presets": ["pci-dss"], "rules": [{"name": "a", "when": "hour < 6", "then": {"idle_seconds": 3600}}]},
            "policy.rules[0].then.idle_seconds",
            "no effect: pci-dss demands 15m",
        ),
        (
            {"idle_seconds": 60, "rules": [{"name": "a", "when": "hour < 6", "then": {"idle_seconds": 60}}]},
            "policy.rules[0].then.idle_seconds",
            "what the document says for all",
        ),
        (
            {"required_acr": 2, "rules": [{"name": "a", "when": "hour < 6", "then": {"required_acr": 1}}]},
            "policy.rules[0].then.required_acr",
            "has no effect: 2 holds for all",
        ),
        (
            {
                "presets": ["pci-dss"],
                "rules": [{"name": "a", "when": "hour < 6", "then": {"presets": ["asvs-l1"], "session_limit": 9}}],
            },
            "policy.rules[0].then.session_limit",
            "no effect: pci-dss demands 3",
        ),
    ],
)
def test_what_may_not_be_meant_is_said(document: dict[str, Any], path: str, part: str) -> None:
    check_document(document)
    (warning,) = warnings(document)
    assert (warning.path, part in warning.reason) == (path, True), warning


def test_presets_that_contradict_each_other_are_said() -> None:
    """PCI DSS demands what ASVS asks to be left out: the stricter one is in force, and whoever sets it is told."""
    found = [(one.path, one.reason) for one in warnings({"presets": ["pci-dss", "asvs-l2"]})]
    assert found == [
        ("policy.presets", "pci-dss demands password_composition, which is against V6.2.5 of asvs-l2"),
        ("policy.presets", "pci-dss demands password_max_age_seconds, which is against V6.2.10 of asvs-l2"),
    ]


@pytest.mark.parametrize(
    ("document", "path", "hint"),
    [
        ({"idle": "8h"}, "policy.idle", 'did you mean "idle_seconds"?'),
        ({"idle_seconds": "8h"}, "policy.idle_seconds", "write 28800"),
        ({"idle_seconds": "8 hours"}, "policy.idle_seconds", ""),
        ({"idle_seconds": "9" * 5000 + "d"}, "policy.idle_seconds", ""),
        ({"session_limit": "3"}, "policy.session_limit", "write 3, without quotes"),
        ({"presets": "pci-dss"}, "policy.presets", 'write ["pci-dss"]'),
        ({"denied_networks": "192.0.2.0/24"}, "policy.denied_networks", 'write ["192.0.2.0/24"]'),
    ],
)
def test_what_people_write_as_in_settings_is_refused_with_what_to_write(
    document: dict[str, Any], path: str, hint: str
) -> None:
    """Settings have names and spans with units; documents have them in whole seconds."""
    (fault,) = document_faults(document)
    assert (fault.path, fault.hint) == (path, hint)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"presets": ["pci-dss"], "idle_seconds": 600, "session_limit": 1},
        # For users of a group that is privileged.
        {"presets": ["fedramp-high"], "session_limit": 3},
        {"required_acr": 3, "idle_seconds": 900, "absolute_seconds": 43_200},
        {"idle_seconds": 3600, "rules": [{"name": "a", "when": "device_trusted", "then": {"idle_seconds": 7200}}]},
    ],
)
def test_a_document_that_says_what_it_does_is_left_alone(document: dict[str, Any]) -> None:
    check_document(document)
    assert not list(warnings(document))
