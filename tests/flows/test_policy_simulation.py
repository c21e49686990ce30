"""A simulation says of recorded sign-ins what an earlier live run has decided of the same ones."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import product
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from argus.flows.replaying.replay import DECIDED
from argus.policies.simulation_model import compare
from argus.server.api import Api, failure_of
from argus.v1 import device_service_pb2 as devices
from argus.v1 import policy_service_pb2 as pb
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.flows.test_policy_decisions import DESKTOP, PHONE
from tests.support.people import Person, new_person, refresh
from tests.support.stack import Stack

POLICY: Final[dict[str, Any]] = {
    "idle_seconds": 3600,
    "rules": [
        {"name": "phones", "when": "device_class == 'phone'", "then": {"required_acr": 2}},
        {"name": "staff", "when": "'staff' in groups && device_class == 'desktop'", "then": {"session_limit": 4}},
        {"name": "abroad", "when": "country != 'DE'", "then": {"required_acr": 3}},
    ],
}
MINUTE: Final = timedelta(minutes=1)


async def play(api: Api, people: Sequence[Person]) -> None:
    """The same sign-ins each time, at the word of a backend; those that are refused are part of it."""
    for person, agent, acr in product(people, (PHONE, DESKTOP, ""), (1, 2)):
        request = sessions.CreateSessionRequest(
            parent=person.name, client_context=types.ClientContext(user_agent=agent), acr=f"urn:argus:acr:{acr}"
        )
        failure = await failure_of(api.sessions.CreateSession(request))
        assert failure is None or failure.reason == "STEP_UP_REQUIRED"


async def decided(stack: Stack, api: Api, since: Any) -> list[dict[str, Any]]:
    """What was decided from a time on, in order."""
    rows = await stack.argus.db.fetch_all(
        """SELECT data FROM audit_events WHERE tenant_id = %s AND type = ANY(%s) AND time >= %s
            ORDER BY time, transaction""",
        (api.tenant_id, list(DECIDED), since),
    )
    return [json.loads(row["data"]["decision"]) for row in rows]


async def test_what_is_simulated_is_what_a_live_run_decided(stack: Stack) -> None:
    """Played under the policy, and once more without its rules: simulated over that, it decides as in the first run."""
    api = await stack.new_tenant()
    people = [await new_person(api) for _ in range(3)]
    await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id="staff"))
    await api.users.AddGroupMember(users.AddGroupMemberRequest(group=f"{api.parent}/groups/staff", user=people[0].name))
    plain, candidate = (pb.Policy(name=f"{api.parent}/policy") for _ in range(2))
    plain.document.update({"idle_seconds": POLICY["idle_seconds"]})
    candidate.document.update(POLICY)
    for policy in (plain, candidate):
        await api.policies.SetPolicy(pb.SetPolicyRequest(policy=policy))
    begun = stack.argus.policies._now()
    await play(api, people)
    live = await decided(stack, api, begun)
    await api.policies.RollBackPolicy(pb.RollBackPolicyRequest(name=candidate.name))
    await stack.advance(MINUTE)
    since = stack.argus.policies._now()
    await play(api, people)
    recorded = await decided(stack, api, since)
    await stack.advance(MINUTE)

    request = pb.SimulatePolicyRequest(parent=api.parent, candidate=candidate)
    request.begin_time.FromDatetime(since)
    started = (await api.policies.SimulatePolicy(request)).simulation
    assert (started.total_count, started.examined_count) == (len(recorded), 0)
    assert not started.HasField("finish_time")
    # Several processes that carry on what there is count nothing twice.
    await asyncio.gather(*(stack.argus.policy_simulations.run_due() for _ in range(3)))
    found = (await api.policies.GetPolicySimulation(pb.GetPolicySimulationRequest(name=started.name))).simulation

    labels = [compare(was, would)[0] for was, would in zip(recorded, live, strict=True)]
    assert len(set(labels)) == 3
    assert {one.label: one.count for one in found.outcomes} == Counter(labels)
    differing = [would for label, would in zip(labels, live, strict=True) if label != "SAME"]
    assert [MessageToDict(one.would) for one in found.findings] == differing
    assert found.examined_count == len(recorded)
    assert found.HasField("finish_time")
    assert found.affected_user_count == 3
    assert set(found.affected_users) == {person.name for person in people}


async def test_a_shorter_trust_in_devices_is_simulated_in_sessions_that_live(stack: Stack) -> None:
    """From the next refresh on a rule finds the device untrusted that was trusted in fact."""
    api = await stack.new_tenant()
    person = await new_person(api)
    document: dict[str, Any] = {
        "idle_seconds": 3600,
        "rules": [{"name": "one", "when": "!device_trusted", "then": {"absolute_seconds": 300}}],
    }
    candidate = pb.Policy(name=f"{api.parent}/policy")
    candidate.document.update(document)
    first = await person.sign_in()
    (device,) = (await api.devices.ListDevices(devices.ListDevicesRequest(parent=person.name))).devices
    await api.devices.TrustDevice(devices.TrustDeviceRequest(name=device.name))
    await api.policies.SetPolicy(pb.SetPolicyRequest(policy=candidate))
    await stack.advance(MINUTE)
    since = stack.argus.policies._now()
    done = await person.sign_in(device_token=first.device_token)
    for _ in range(3):
        await stack.advance(2 * MINUTE)
        done.tokens.CopyFrom((await refresh(api, done.tokens.refresh_token)).tokens)
    await stack.argus.effects.flush()
    found = {}
    for seconds in (86400, 60):
        candidate.document.update(document | {"device_trusted_for_seconds": seconds})
        request = pb.SimulatePolicyRequest(parent=api.parent, candidate=candidate)
        request.begin_time.FromDatetime(since)
        started = (await api.policies.SimulatePolicy(request)).simulation
        await stack.argus.policy_simulations.run_due()
        made = await api.policies.GetPolicySimulation(pb.GetPolicySimulationRequest(name=started.name))
        found[seconds] = [
            (one.label, one.reason) for one in made.simulation.session_findings if one.session == done.session.name
        ]
    assert found == {86400: [], 60: [("ENDS_EARLIER", "ABSOLUTE_TIMEOUT")]}


async def test_a_simulation_of_no_time_and_of_nobody(stack: Stack) -> None:
    """Refused with the field; one that there is not is not found; only validated, none begins."""
    api = await stack.new_tenant()
    candidate = pb.Policy(name=f"{api.parent}/policy")
    request = pb.SimulatePolicyRequest(parent=api.parent, candidate=candidate)
    request.begin_time.FromDatetime(stack.argus.policies._now() + MINUTE)
    failure = await failure_of(api.policies.SimulatePolicy(request))
    assert failure is not None
    assert failure.field == "begin_time"
    name = f"{api.parent}/policySimulations/nothing"
    missing = await failure_of(api.policies.GetPolicySimulation(pb.GetPolicySimulationRequest(name=name)))
    assert missing is not None
    assert missing.reason == "POLICY_SIMULATION_NOT_FOUND"
