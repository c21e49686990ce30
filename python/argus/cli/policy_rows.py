"""What commands show of policies."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from argus.base.policy import RULES
from argus.policies.decision import describe
from argus.policies.model import Document
from argus.policies.resolve import Resolved
from argus.policies.revisions_model import ScopePolicy
from argus.policies.simulation_model import LABELS, Report


def report_row(report: Report) -> dict[str, Any]:
    """A simulation, its counts by name."""
    simulation = report.simulation
    return {
        "simulation": simulation.simulation_id,
        "begin_time": simulation.begin_time,
        "end_time": simulation.end_time,
        "examined": simulation.examined,
        **{label: simulation.outcomes.get(label, 0) for label in LABELS},
        "fields": [f"{key}={count}" for key, count in sorted(simulation.fields.items())],
        "affected_users": report.affected,
        "users": list(report.users),
    }


def policy_row(policy: ScopePolicy) -> dict[str, Any]:
    """What is set for a scope."""
    document: Document = policy.document
    return {
        "scope": f"{policy.scope.kind}:{policy.scope.id}",
        "revision": policy.active,
        "report_only": policy.report_only,
        "author": policy.author,
        "reason": policy.reason,
        "etag": f"r{policy.version}",
        "document": dict(document),
    }


def field_rows(fields: Mapping[str, Resolved]) -> list[dict[str, Any]]:
    """Every field with where it comes from."""
    return [
        {
            "field": key,
            "value": RULES[key].show(one.value),
            "from": from_of(one),
            "sources": [asdict(source) for source in one.sources],
        }
        for key, one in fields.items()
    ]


def from_of(one: Resolved) -> str:
    """Where a value comes from, in words."""
    return " and ".join(describe(source) for source in one.sources)
