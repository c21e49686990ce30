"""Policies are set, put in force, tried and looked at for clients, groups and users that are there."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from argus.groups.model import GroupNotFoundError
from argus.policies.model import Scope
from argus.server.api import Api
from argus.storage.postgres import Transaction
from argus.v1 import policy_service_pb2 as pb
from argus.v1 import user_service_pb2 as users
from tests.support.features import origin
from tests.support.people import reason_of
from tests.support.stack import Stack

PATIENCE: Final = 10
PROTO: Final = Path(__file__).parents[2] / "proto/argus/v1/policy_service.proto"
REFUSING: Final = (
    *("SetPolicy", "ActivatePolicyRevision", "RollBackPolicy"),
    *("GetEffectivePolicy", "TestPolicy", "SimulatePolicy"),
)
KINDS: Final = {"client": "CLIENT_NOT_FOUND", "group": "GROUP_NOT_FOUND", "user": "USER_NOT_FOUND"}

Ask = Callable[[Api, str], Any]


def _subject(api: Api, kind: str) -> pb.PolicySubject:
    """Somebody who is not there."""
    match kind:
        case "client":
            return pb.PolicySubject(client=f"{api.parent}/clients/nobody")
        case "group":
            return pb.PolicySubject(groups=["nobody"])
    return pb.PolicySubject(user=f"{api.parent}/users/nobody")


def _candidate(api: Api, kind: str) -> pb.Policy:
    """A policy for nobody."""
    return pb.Policy(name=f"{api.parent}/{kind}s/nobody/policy")


ASKED: Final[dict[str, Ask]] = {
    "effective": lambda api, kind: api.policies.GetEffectivePolicy(
        pb.GetEffectivePolicyRequest(parent=api.parent, subject=_subject(api, kind))
    ),
    "test for": lambda api, kind: api.policies.TestPolicy(
        pb.TestPolicyRequest(parent=api.parent, subject=_subject(api, kind))
    ),
    "test of": lambda api, kind: api.policies.TestPolicy(
        pb.TestPolicyRequest(parent=api.parent, candidate=_candidate(api, kind))
    ),
    "simulate": lambda api, kind: api.policies.SimulatePolicy(
        pb.SimulatePolicyRequest(parent=api.parent, candidate=_candidate(api, kind))
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ask", ASKED.values(), ids=list(ASKED))
async def test_nothing_is_said_of_who_is_not_there(stack: Stack, ask: Ask, kind: str) -> None:
    """A misspelt one would look like one for whom nothing changes."""
    api = await stack.new_tenant()
    assert await reason_of(ask(api, kind)) == KINDS[kind]


@pytest.mark.parametrize("rpc", REFUSING)
def test_who_reads_of_an_rpc_reads_of_these_refusals(rpc: str) -> None:
    """Its errors are named where it is declared, and so in the reference."""
    before, _, _ = PROTO.read_text().partition(f"  rpc {rpc}(")
    _, _, errors = before.rpartition("\n\n")[2].partition("Errors:")
    assert set(KINDS.values()) <= set(re.findall("[A-Z_]+", errors))


async def test_no_way_in_puts_a_policy_in_force_for_a_group_that_is_gone(stack: Stack) -> None:
    """Commands ask the policies themselves, past the RPCs."""
    api = await stack.new_tenant()
    scopes, scope = stack.argus.policies.scopes, Scope(kind="group", id="staff")
    await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id="staff"))
    await scopes.set(api.tenant_id, scope, {"session_limit": 1}, origin=origin(api.tenant_id))
    await api.users.DeleteGroup(users.DeleteGroupRequest(name=f"{api.parent}/groups/staff"))
    for call in (
        scopes.set(api.tenant_id, scope, {}, origin=origin(api.tenant_id)),
        scopes.activate(api.tenant_id, scope, 1, origin=origin(api.tenant_id)),
        scopes.roll_back(api.tenant_id, scope, origin=origin(api.tenant_id)),
    ):
        with pytest.raises(GroupNotFoundError):
            await call
    assert (await scopes.get(api.tenant_id, scope)).active == 0


async def test_a_policy_that_waits_for_the_end_of_its_group_is_refused(stack: Stack) -> None:
    """It is looked for when nobody deletes it any more: else the next group of its name would begin with the policy."""
    api = await stack.new_tenant()
    scopes, scope = stack.argus.policies.scopes, Scope(kind="group", id="staff")
    await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id="staff"))
    policy = pb.Policy(name=f"{api.parent}/groups/staff/policy")
    setting: list[asyncio.Task[str]] = []

    async def meanwhile(tx: Transaction) -> None:
        await scopes.withdraw(tx, api.tenant_id, scope, reason="it goes", origin=origin(api.tenant_id))
        request = pb.SetPolicyRequest(policy=policy)
        setting.append(asyncio.create_task(reason_of(api.policies.SetPolicy(request))))
        async with asyncio.timeout(PATIENCE):
            while not await _waits(stack):
                assert not setting[0].done()

    await stack.argus.groups.delete(api.tenant_id, "staff", origin=origin(api.tenant_id), also=meanwhile)
    assert await setting[0] == "GROUP_NOT_FOUND"
    assert (await scopes.get(api.tenant_id, scope)).active == 0


async def _waits(stack: Stack) -> bool:
    return bool(
        await stack.argus.db.fetch_all(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND strpos(query, %s) > 0",
            ("FOR NO KEY UPDATE",),
        )
    )
