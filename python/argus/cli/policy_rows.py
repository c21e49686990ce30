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
        "examined_users": simulation.examined_users,
        "examined": simulation.examined,
        **{label: simulation.outcomes.get(label, 0) for label in LABELS},
        "fields": _counts(simulation.fields),
        "refreshes": _counts(simulation.refreshes),
        "sessions": _counts(simulation.sessions),
        "affected_users": report.affected,
        "users": list(report.users),
    }


def session_rows(report: Report) -> list[dict[str, Any]]:
    """The sessions that would have gone otherwise: whose, what, why, and when."""
    return [
        {
            "user": one.user_id,
            "session": "" if one.label == "BEGINS" else one.session_id,
            "client": one.client_id,
            "began": one.create_time,
            "what": one.label,
            "why": one.reason,
            "ended": one.was_end_time,
            "ended_by": one.was_end_reason,
            "would_end": one.would_end_time,
            "would_end_latest": one.would_end_latest_time,
        }
        for one in report.sessions
    ]


def _counts(counts: Mapping[str, int]) -> list[str]:
    return [f"{label}={count}" for label, count in sorted(counts.items())]


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
