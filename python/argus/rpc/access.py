"""Who may call which RPC: read from the `(argus.v1.access)` options, decided by the engine."""

from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from argus._core import Engine
from argus.flows.snapshot import Snapshot, confirmed
from argus.internal.v1 import engine_pb2
from argus.rpc.context import Call, Caller
from argus.rpc.errors import StatusError
from argus.v1 import options_pb2


class AccessRuleMissingError(Exception):
    """An RPC does not say who may call it: the server must not start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """Who may call an RPC."""

    scope: str
    anonymous: bool
    system_tenant_only: bool


def access_rule(service: ServiceDescriptor, method: MethodDescriptor) -> AccessRule:
    """The rule that the RPC states.

    Raises:
        AccessRuleMissingError: It states none, or one that says nothing.
    """
    options = method.GetOptions()
    name = f"{service.full_name}.{method.name}"
    if not options.HasExtension(options_pb2.access):
        raise AccessRuleMissingError(f"{name} has no (argus.v1.access) option")
    access = options.Extensions[options_pb2.access]
    if bool(access.scope) == access.anonymous:
        raise AccessRuleMissingError(f"{name} must state either a scope or that it is anonymous")
    return AccessRule(scope=access.scope, anonymous=access.anonymous, system_tenant_only=access.system_tenant_only)


async def authenticate(engine: Engine, snapshot: Snapshot, rule: AccessRule, call: Call) -> Caller:
    """The caller, if it may call the RPC.

    Raises:
        StatusError: It may not; the engine says why.
        UnavailableError: Its token names something that nobody can look up now.
    """
    if rule.anonymous:
        return Caller(request_id=call.request_id, peer=call.peer)

    def ask(is_confirmed: bool) -> tuple[int, bytes]:  # noqa: FBT001 - the caller is `confirmed`
        return engine.authenticate(
            call.authorization,
            scope=rule.scope,
            system_tenant_only=rule.system_tenant_only,
            request_id=call.request_id,
            snapshot_confirmed=is_confirmed,
        )

    outcome, answer = await confirmed(ask, snapshot)
    if outcome != 0:
        raise StatusError.from_bytes(answer)
    caller = engine_pb2.Caller.FromString(answer)
    return Caller(
        tenant_id=caller.tenant_id,
        client_id=caller.client_id,
        scopes=frozenset(caller.scopes),
        is_system=caller.is_system,
        request_id=call.request_id,
        peer=call.peer,
    )
