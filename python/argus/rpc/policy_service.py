"""Serves `argus.v1.PolicyService`."""

from typing import Any, Final

import grpc

from argus.base.errors import InvalidFieldError, RequestAlreadyDoneError
from argus.flows.policy_simulation import PolicySimulations
from argus.flows.policy_trials import PolicyTrials, Subject
from argus.policies.model import Scope
from argus.policies.revisions import PolicyRevisions
from argus.policies.revisions_model import Mode
from argus.policies.service import POLICY_BOUND
from argus.rpc import policy_messages as messages
from argus.rpc import validate
from argus.rpc.context import origin_of
from argus.tenants.service import Tenants
from argus.v1 import policy_service_pb2 as pb
from argus.v1 import policy_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_REASON: Final = 200
_BOUND: Final = validate.to_duration(POLICY_BOUND)
_MODES: Final[dict[int, Mode]] = {
    pb.POLICY_MODE_UNSPECIFIED: "enforced",
    pb.POLICY_MODE_ENFORCED: "enforced",
    pb.POLICY_MODE_REPORT_ONLY: "report_only",
    pb.POLICY_MODE_INACTIVE: "inactive",
}


class PolicyServicer(policy_service_pb2_grpc.PolicyServiceServicer):
    """Serves `argus.v1.PolicyService`."""

    def __init__(
        self,
        tenants: Tenants,
        policies: PolicyRevisions,
        trials: PolicyTrials,
        simulations: PolicySimulations,
    ) -> None:
        self._tenants = tenants
        self._policies = policies
        self._trials = trials
        self._simulations = simulations

    async def GetPolicy(self, request: pb.GetPolicyRequest, context: Context) -> pb.GetPolicyResponse:
        """Reads what is set for a scope."""
        tenant_id, scope = await self._scope(request.name, "name")
        return pb.GetPolicyResponse(policy=messages.policy(tenant_id, await self._policies.get(tenant_id, scope)))

    async def ListPolicies(self, request: pb.ListPoliciesRequest, context: Context) -> pb.ListPoliciesResponse:
        """Lists the policies of a tenant."""
        tenant_id = await self._tenant(request.parent, "parent")
        size = validate.page_size(request.page_size)
        found, following = await self._policies.list(tenant_id, page_size=size, page_token=request.page_token)
        policies = [messages.policy(tenant_id, one) for one in found]
        return pb.ListPoliciesResponse(policies=policies, next_page_token=following)

    async def SetPolicy(self, request: pb.SetPolicyRequest, context: Context) -> pb.SetPolicyResponse:
        """Makes a revision."""
        tenant_id, scope = await self._scope(request.policy.name, "policy.name")
        mode = _mode(request.mode)
        try:
            policy, revision = await self._policies.set(
                tenant_id,
                scope,
                messages.document(request.policy.document),
                mode=mode,
                reason=validate.text(request.reason, "reason", _MAX_REASON),
                etag=request.policy.etag,
                field="policy.document",
                origin=origin_of(request, tenant_id=tenant_id),
            )
        except RequestAlreadyDoneError as done:
            number = int(done.name.rpartition("/")[2])
            policy = await self._policies.get(tenant_id, scope)
            revision = await self._policies.revision(tenant_id, scope, number)
        return pb.SetPolicyResponse(
            policy=messages.policy(tenant_id, policy),
            revision=messages.revision(tenant_id, revision, policy),
            policy_bound=_BOUND,
        )

    async def ListPolicyRevisions(
        self, request: pb.ListPolicyRevisionsRequest, context: Context
    ) -> pb.ListPolicyRevisionsResponse:
        """Lists the revisions of a scope's policy."""
        tenant_id, scope = await self._scope(request.parent, "parent")
        size = validate.page_size(request.page_size)
        policy = await self._policies.get(tenant_id, scope)
        found, following = await self._policies.revisions(
            tenant_id, scope, page_size=size, page_token=request.page_token
        )
        revisions = [messages.revision(tenant_id, one, policy) for one in found]
        return pb.ListPolicyRevisionsResponse(revisions=revisions, next_page_token=following)

    async def ActivatePolicyRevision(
        self, request: pb.ActivatePolicyRevisionRequest, context: Context
    ) -> pb.ActivatePolicyRevisionResponse:
        """Puts a revision in force, or tries it."""
        tenant_id, scope = await self._scope(request.name, "name")
        mode = _mode(request.mode)
        if mode == "inactive":
            raise InvalidFieldError("mode", "must be ENFORCED or REPORT_ONLY")
        if request.revision < 0:
            raise InvalidFieldError("revision", "must not be negative")
        try:
            policy = await self._policies.activate(
                tenant_id,
                scope,
                request.revision,
                mode=mode,
                reason=validate.text(request.reason, "reason", _MAX_REASON),
                etag=request.etag,
                origin=origin_of(request, tenant_id=tenant_id),
            )
        except RequestAlreadyDoneError:
            policy = await self._policies.get(tenant_id, scope)
        return pb.ActivatePolicyRevisionResponse(policy=messages.policy(tenant_id, policy), policy_bound=_BOUND)

    async def RollBackPolicy(self, request: pb.RollBackPolicyRequest, context: Context) -> pb.RollBackPolicyResponse:
        """Puts in force again what was before."""
        tenant_id, scope = await self._scope(request.name, "name")
        try:
            policy = await self._policies.roll_back(
                tenant_id,
                scope,
                reason=validate.text(request.reason, "reason", _MAX_REASON),
                etag=request.etag,
                origin=origin_of(request, tenant_id=tenant_id),
            )
        except RequestAlreadyDoneError:
            policy = await self._policies.get(tenant_id, scope)
        return pb.RollBackPolicyResponse(policy=messages.policy(tenant_id, policy), policy_bound=_BOUND)

    async def GetEffectivePolicy(
        self, request: pb.GetEffectivePolicyRequest, context: Context
    ) -> pb.GetEffectivePolicyResponse:
        """Says what is in force, and where it comes from."""
        tenant_id = await self._tenant(request.parent, "parent")
        explained = await self._trials.effective(tenant_id, _subject(tenant_id, request.subject))
        return pb.GetEffectivePolicyResponse(
            fields=messages.fields(explained.fields),
            rules=[messages.rule(one) for one in explained.rules],
            policy_bound=_BOUND,
        )

    async def TestPolicy(self, request: pb.TestPolicyRequest, context: Context) -> pb.TestPolicyResponse:
        """Says what would be decided."""
        tenant_id = await self._tenant(request.parent, "parent")
        candidate = None
        if request.HasField("candidate"):
            owner, scope = await self._scope(request.candidate.name, "candidate.name")
            _check_owner(owner, tenant_id, "candidate.name")
            candidate = (scope, messages.document(request.candidate.document))
        trial = await self._trials.test(
            tenant_id, _subject(tenant_id, request.subject), messages.facts(request.facts), candidate=candidate
        )
        return pb.TestPolicyResponse(
            outcome=trial.decision.outcome,
            explanation=trial.explanation,
            fields=messages.fields(trial.explained.fields),
            rules=[messages.rule(one) for one in trial.explained.rules],
        )

    async def SimulatePolicy(self, request: pb.SimulatePolicyRequest, context: Context) -> pb.SimulatePolicyResponse:
        """Begins to try a policy on the sign-ins of a time."""
        tenant_id = await self._tenant(request.parent, "parent")
        owner, scope = await self._scope(request.candidate.name, "candidate.name")
        _check_owner(owner, tenant_id, "candidate.name")
        try:
            report = await self._simulations.start(
                tenant_id,
                scope,
                messages.document(request.candidate.document),
                begin=validate.timestamp(request.begin_time, "begin_time") if request.HasField("begin_time") else None,
                end=validate.timestamp(request.end_time, "end_time") if request.HasField("end_time") else None,
                origin=origin_of(request, tenant_id=tenant_id),
            )
        except RequestAlreadyDoneError as done:
            report = await self._simulations.get(tenant_id, done.name.rpartition("/")[2])
        return pb.SimulatePolicyResponse(simulation=messages.simulation(report))

    async def GetPolicySimulation(
        self, request: pb.GetPolicySimulationRequest, context: Context
    ) -> pb.GetPolicySimulationResponse:
        """Reads a simulation."""
        tenant_id, simulation_id = validate.simulation(request.name, "name", allow_system=True)
        report = await self._simulations.get(tenant_id, simulation_id)
        return pb.GetPolicySimulationResponse(simulation=messages.simulation(report))

    async def _tenant(self, name: str, field: str) -> str:
        tenant_id = validate.tenant(name, field, allow_system=True)
        await self._tenants.get(tenant_id)
        return tenant_id

    async def _scope(self, name: str, field: str) -> tuple[str, Scope]:
        tenant_id, scope = messages.scope(name, field)
        await self._tenants.get(tenant_id)
        return tenant_id, scope


def _mode(number: int) -> Mode:
    if number not in _MODES:
        raise InvalidFieldError("mode", "must be ENFORCED, REPORT_ONLY or INACTIVE")
    return _MODES[number]


def _subject(tenant_id: str, said: pb.PolicySubject) -> Subject:
    client_id = user_id = ""
    if said.client:
        owner, client_id = validate.client(said.client, "subject.client", allow_system=True)
        _check_owner(owner, tenant_id, "subject.client")
    if said.user:
        owner, user_id = validate.user(said.user, "subject.user", allow_system=True)
        _check_owner(owner, tenant_id, "subject.user")
    if said.user and said.groups:
        raise InvalidFieldError("subject.groups", "are those of the user, where one is named")
    groups = tuple(validate.slug(one, f"subject.groups[{place}]") for place, one in enumerate(said.groups))
    return Subject(client_id=client_id, user_id=user_id, groups=groups)


def _check_owner(owner: str, tenant_id: str, field: str) -> None:
    if owner != tenant_id:
        raise InvalidFieldError(field, "must be of the parent")
