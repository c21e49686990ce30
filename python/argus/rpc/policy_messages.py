"""Policies as messages, and documents out of them."""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import json_format, struct_pb2

from argus.base import ids
from argus.base.errors import InvalidFieldError
from argus.policies.conditions import Facts, RuleOutcome
from argus.policies.model import Document, Scope
from argus.policies.resolve import Resolved, Source
from argus.policies.revisions_model import Revision, ScopePolicy
from argus.policies.simulation_model import Report, SessionFinding
from argus.rpc import validate
from argus.v1 import policy_service_pb2 as pb

_SUFFIX: Final = "/policy"
_LEVELS: Final = (0, 1, 2, 3)
_MOST_METHODS: Final = 20
_LONGEST: Final = 64


def scope(name: str, field: str) -> tuple[str, Scope]:
    """Tenant and scope of the name of a policy; raises as `validate.tenant` does."""
    owner = name.removesuffix(_SUFFIX)
    if not name.endswith(_SUFFIX):
        raise InvalidFieldError(field, 'must be the resource name of a tenant, client, group or user, and "/policy"')
    if "/clients/" in owner:
        tenant_id, client_id = validate.client(owner, field, allow_system=True)
        return tenant_id, Scope(kind="client", id=client_id)
    if "/groups/" in owner:
        tenant_id, group_id = validate.group(owner, field, allow_system=True)
        return tenant_id, Scope(kind="group", id=group_id)
    if "/users/" in owner:
        tenant_id, user_id = validate.user(owner, field, allow_system=True)
        return tenant_id, Scope(kind="user", id=user_id)
    tenant_id = validate.tenant(owner, field, allow_system=True)
    return tenant_id, Scope(kind="tenant", id=tenant_id)


def policy_name(tenant_id: str, of: Scope) -> str:
    """Resource name of a scope's policy."""
    match of.kind:
        case "client":
            owner = ids.client_name(tenant_id, of.id)
        case "group":
            owner = ids.group_name(tenant_id, of.id)
        case "user":
            owner = ids.user_name(tenant_id, of.id)
        case _:
            owner = ids.tenant_name(tenant_id)
    return owner + _SUFFIX


def policy(tenant_id: str, said: ScopePolicy) -> pb.Policy:
    """What is set for a scope."""
    return pb.Policy(
        name=policy_name(tenant_id, said.scope),
        document=_struct(said.document),
        revision=said.active,
        report_only_revision=said.report_only,
        author=said.author,
        reason=said.reason,
        update_time=validate.to_timestamp(said.update_time),
        etag=ids.etag(said.version),
    )


def revision(tenant_id: str, one: Revision, of: ScopePolicy) -> pb.PolicyRevision:
    """A revision, and whether it is in force now."""
    mode = pb.POLICY_MODE_INACTIVE
    if one.number == of.report_only:
        mode = pb.POLICY_MODE_REPORT_ONLY
    if one.number == of.active:
        mode = pb.POLICY_MODE_ENFORCED
    return pb.PolicyRevision(
        name=f"{policy_name(tenant_id, one.scope)}/revisions/{one.number}",
        revision=one.number,
        document=_struct(one.document),
        author=one.author,
        reason=one.reason,
        create_time=validate.to_timestamp(one.create_time),
        mode=mode,
    )


def fields(resolved: Mapping[str, Resolved]) -> list[pb.EffectiveField]:
    """Every field with where it comes from."""
    return [
        pb.EffectiveField(key=key, value=_value(one.value), sources=[_source(source) for source in one.sources])
        for key, one in resolved.items()
    ]


def rule(outcome: RuleOutcome) -> pb.RuleOutcome:
    """What became of a rule."""
    return pb.RuleOutcome(
        scope_kind=outcome.layer.kind,
        scope_id=outcome.layer.id,
        revision=outcome.layer.revision,
        rule=outcome.rule,
        met=outcome.is_met,
        unknown=outcome.unknown,
    )


def facts(said: pb.PolicyFacts) -> Facts:
    """What is known."""
    if said.acr not in _LEVELS:
        raise InvalidFieldError("facts.acr", "must be 1, 2 or 3, or 0: unknown")
    if len(said.amr) > _MOST_METHODS:
        raise InvalidFieldError("facts.amr", f"must have at most {_MOST_METHODS}")
    return Facts(
        time=validate.timestamp(said.time, "facts.time") if said.HasField("time") else None,
        acr=said.acr or None,
        amr=[validate.text(one, f"facts.amr[{place}]", _LONGEST) for place, one in enumerate(said.amr)] or None,
        device_class=validate.text(said.device_class, "facts.device_class", _LONGEST),
        device_trusted=said.device_trusted if said.HasField("device_trusted") else None,
        country=validate.text(said.country, "facts.country", _LONGEST),
        network_class=validate.text(said.network_class, "facts.network_class", _LONGEST),
    )


def simulation(report: Report) -> pb.PolicySimulation:
    """A simulation with what it has found."""
    one = report.simulation
    tenant_id = one.tenant_id
    return pb.PolicySimulation(
        name=ids.simulation_name(tenant_id, one.simulation_id),
        candidate=pb.Policy(name=policy_name(tenant_id, one.scope), document=_struct(one.document)),
        begin_time=validate.to_timestamp(one.begin_time),
        end_time=validate.to_timestamp(one.end_time),
        author=one.author,
        create_time=validate.to_timestamp(one.create_time),
        finish_time=validate.to_timestamp(one.finish_time),
        total_count=one.total,
        examined_count=one.examined,
        total_user_count=one.total_users,
        examined_user_count=one.examined_users,
        outcomes=_counts(one.outcomes),
        fields=_counts(one.fields),
        refreshes=_counts(one.refreshes),
        sessions=[_session_count(label, count) for label, count in sorted(one.sessions.items())],
        affected_user_count=report.affected,
        affected_users=[ids.user_name(tenant_id, user_id) for user_id in report.users],
        findings=[
            pb.SimulatedDecision(
                time=validate.to_timestamp(finding.time),
                user=ids.user_name(tenant_id, finding.user_id),
                client=ids.client_name(tenant_id, finding.client_id),
                label=finding.label,
                was=_struct(finding.was),
                would=_struct(finding.would),
            )
            for finding in report.findings
        ],
        session_findings=[_simulated_session(tenant_id, finding) for finding in report.sessions],
    )


def _counts(counts: Mapping[str, int]) -> list[pb.SimulatedCount]:
    return [pb.SimulatedCount(label=label, count=count) for label, count in sorted(counts.items())]


def _session_count(counted: str, count: int) -> pb.SimulatedSessionCount:
    label, _, reason = counted.partition(":")
    return pb.SimulatedSessionCount(label=label, reason=reason, count=count)


def _simulated_session(tenant_id: str, one: SessionFinding) -> pb.SimulatedSession:
    is_had = one.label != "BEGINS"
    return pb.SimulatedSession(
        session=ids.session_name(tenant_id, one.user_id, one.session_id) if is_had else "",
        user=ids.user_name(tenant_id, one.user_id),
        client=ids.client_name(tenant_id, one.client_id),
        create_time=validate.to_timestamp(one.create_time),
        label=one.label,
        reason=one.reason,
        end_time=validate.to_timestamp(one.was_end_time),
        end_reason=one.was_end_reason,
        would_end_time=validate.to_timestamp(one.would_end_time),
        would_end_latest_time=validate.to_timestamp(one.would_end_latest_time),
    )


def document(said: struct_pb2.Struct) -> Document:
    """The document that a struct is: its numbers are all the same kind, ours are whole."""
    return {key: _plain(one) for key, one in said.fields.items()}


def _plain(value: struct_pb2.Value) -> Any:
    # By hand: protobuf's own conversion raises at NaN, of which the check of documents tells the path.
    kind = value.WhichOneof("kind")
    match kind:
        case "struct_value":
            return document(value.struct_value)
        case "list_value":
            return [_plain(one) for one in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "null_value" | None:
            return None
        case _:
            return getattr(value, kind)


def _struct(said: Document) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(dict(said))
    return made


def _value(value: Any) -> struct_pb2.Value:
    return json_format.ParseDict(value, struct_pb2.Value())


def _source(source: Source) -> pb.PolicySource:
    return pb.PolicySource(
        kind=source.kind,
        name=source.name,
        revision=source.revision,
        rule=source.rule,
        clause=source.clause,
        preset_choice=source.is_ours,
    )
