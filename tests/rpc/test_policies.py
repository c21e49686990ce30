"""Policies by RPC: revisions that come and go exactly, values that say where they come from, refusals that help."""

from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from argus.base.ids import new_id
from argus.server.api import Api, Failure
from argus.v1 import policy_service_pb2 as pb
from argus.v1 import user_service_pb2 as users
from tests.support.people import new_person, reason_of
from tests.support.stack import Stack


def policy(name: str, document: dict[str, Any], *, etag: str = "") -> pb.Policy:
    """A policy to be set or tried."""
    said = Struct()
    said.update(document)
    return pb.Policy(name=name, document=said, etag=etag)


async def put(api: Api, document: dict[str, Any], *, scope: str = "", **others: Any) -> pb.SetPolicyResponse:
    """Sets the policy of a scope; of the tenant, if none is named."""
    etag = others.pop("etag", "")
    wanted = policy(f"{scope or api.parent}/policy", document, etag=etag)
    return await api.policies.SetPolicy(pb.SetPolicyRequest(policy=wanted, **others))


async def effective(api: Api, **subject: Any) -> dict[str, Any]:
    """Values in force by key, with their sources."""
    request = pb.GetEffectivePolicyRequest(parent=api.parent, subject=pb.PolicySubject(**subject))
    answer = await api.policies.GetEffectivePolicy(request)
    return {
        one.key: (MessageToDict(one.value), [(source.kind, source.name, source.revision) for source in one.sources])
        for one in answer.fields
    }


async def refusal(call: Any) -> Failure:
    """What a call is refused with."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return Failure.of(refused.value)


async def test_revisions_are_kept_with_who_and_why(stack: Stack) -> None:
    """Each change is a revision; the newest is in force, those before are there as they were."""
    api = await stack.new_tenant()
    name = f"{api.parent}/policy"
    nothing = (await api.policies.GetPolicy(pb.GetPolicyRequest(name=name))).policy
    assert (nothing.revision, dict(nothing.document), nothing.etag) == (0, {}, "r0")
    first = await put(api, {"idle_seconds": 600}, reason="a start")
    second = await put(api, {"idle_seconds": 900, "rules": []}, reason="too short", etag=first.policy.etag)
    assert (first.revision.revision, second.revision.revision) == (1, 2)
    assert second.policy_bound.ToTimedelta().total_seconds() == 1
    listed = await api.policies.ListPolicyRevisions(pb.ListPolicyRevisionsRequest(parent=name))
    assert [(one.revision, one.reason, one.mode) for one in listed.revisions] == [
        (2, "too short", pb.POLICY_MODE_ENFORCED),
        (1, "a start", pb.POLICY_MODE_INACTIVE),
    ]
    assert {one.author for one in listed.revisions} == {f"client:{api.client_id}"}
    assert MessageToDict(listed.revisions[1].document) == {"idle_seconds": 600}
    page = await api.policies.ListPolicyRevisions(pb.ListPolicyRevisionsRequest(parent=name, page_size=1))
    rest = await api.policies.ListPolicyRevisions(
        pb.ListPolicyRevisionsRequest(parent=name, page_size=1, page_token=page.next_page_token)
    )
    assert ([*page.revisions, *rest.revisions], rest.next_page_token) == ([*listed.revisions], "")
    failure = await refusal(put(api, {}, etag=first.policy.etag))
    assert (failure.reason, failure.metadata["etag"]) == ("ETAG_MISMATCH", second.policy.etag)


async def test_what_changes_nothing_leaves_the_policy_as_it_is(stack: Stack) -> None:
    """A revision that is only kept has its own author, reason and time; the policy keeps the etag that others know."""
    api = await stack.new_tenant()
    name = f"{api.parent}/policy"
    nothing = await put(api, {"idle_seconds": 300}, mode=pb.POLICY_MODE_INACTIVE, reason="perhaps")
    assert nothing.policy == (await api.policies.GetPolicy(pb.GetPolicyRequest(name=name))).policy
    assert (nothing.policy.etag, nothing.policy.author, nothing.policy.reason) == ("r0", "", "")
    first = (await put(api, {"idle_seconds": 600}, reason="a start", etag="r0")).policy
    await stack.advance(timedelta(seconds=1))
    kept = await put(api, {"idle_seconds": 900}, mode=pb.POLICY_MODE_INACTIVE, reason="for later", etag=first.etag)
    again = pb.ActivatePolicyRevisionRequest(name=name, revision=2, reason="to be sure", etag=first.etag)
    none = pb.ActivatePolicyRevisionRequest(name=name, revision=0, mode=pb.POLICY_MODE_REPORT_ONLY, etag=first.etag)
    assert kept.policy == first
    for request in (again, none):
        assert (await api.policies.ActivatePolicyRevision(request)).policy == first
    assert (await api.policies.GetPolicy(pb.GetPolicyRequest(name=name))).policy == first
    made = kept.revision
    assert (made.revision, made.mode, made.reason) == (3, pb.POLICY_MODE_INACTIVE, "for later")
    assert made.author == f"client:{api.client_id}"
    assert made.create_time.ToDatetime() > first.update_time.ToDatetime()
    rows = await stack.argus.db.fetch_all(
        "SELECT data FROM audit_events WHERE tenant_id = %s AND type LIKE 'policy.%%' ORDER BY time", (api.tenant_id,)
    )
    told = [(row["data"]["revision"], row["data"]["reason"]) for row in rows]
    assert told[:3] == [("1", "perhaps"), ("2", "a start"), ("3", "for later")]
    assert sorted(told[3:]) == [("0", ""), ("2", "to be sure")]


async def test_a_roll_back_restores_exactly(stack: Stack) -> None:
    """Step by step, down to nothing; what is in force is what was, and no revision is lost."""
    api = await stack.new_tenant()
    name = f"{api.parent}/policy"
    states = [await effective(api)]
    for document in ({"idle_seconds": 600}, {"presets": ["pci-dss"]}, {"session_limit": 2}):
        await put(api, document)
        states.append(await effective(api))
    assert len({str(one) for one in states}) == 4
    for number in (2, 1, 0):
        rolled = await api.policies.RollBackPolicy(pb.RollBackPolicyRequest(name=name, reason="no"))
        assert rolled.policy.revision == number
        assert await effective(api) == states[number]
    failure = await refusal(api.policies.RollBackPolicy(pb.RollBackPolicyRequest(name=name)))
    assert failure.reason == "NO_EARLIER_POLICY"
    again = await api.policies.ActivatePolicyRevision(pb.ActivatePolicyRevisionRequest(name=name, revision=3))
    assert again.policy.revision == 3
    assert await effective(api) == states[3]
    failure = await refusal(
        api.policies.ActivatePolicyRevision(pb.ActivatePolicyRevisionRequest(name=name, revision=4))
    )
    assert (failure.reason, failure.metadata["revision"]) == ("POLICY_REVISION_NOT_FOUND", "4")


async def test_a_repeat_makes_no_second_revision(stack: Stack) -> None:
    api, request_id = await stack.new_tenant(), new_id()
    for _ in range(2):
        await put(api, {"idle_seconds": 600}, request_id=request_id)
    listed = await api.policies.ListPolicyRevisions(pb.ListPolicyRevisionsRequest(parent=f"{api.parent}/policy"))
    assert len(listed.revisions) == 1


async def test_however_much_is_wrong_it_is_said(stack: Stack) -> None:
    """As much as an answer may hold, with how many more there are; keys of any length and script."""
    api = await stack.new_tenant()
    countries = [chr(97 + one // 26) + chr(97 + one % 26) for one in range(100)]
    for document in (
        {"allowed_countries": countries},
        {"ß" * 30_000: 1},
        {chr(0x1F600) * 5 + str(n): 1 for n in range(300)},
    ):
        failure = await refusal(put(api, document))
        assert failure.reason == "FIELD_INVALID", failure
        assert "policy.document" in failure.field
    many = await refusal(put(api, {"allowed_countries": countries}))
    *told, last = many.violations.values()
    assert f"{len(countries) - len(told)} more" in last
    assert len(told) > 10


async def test_numbers_that_json_lacks_are_faults(stack: Stack) -> None:
    api = await stack.new_tenant()
    for number in (float("nan"), float("inf"), 1e300, 0.5):
        rules = [{"name": "a", "when": "hour < 6", "then": {"idle_seconds": number}}]
        said = (await refusal(put(api, {"idle_seconds": number, "presets": [number], "rules": rules}))).violations
        assert {"policy.document.idle_seconds", "policy.document.presets[0]"} < set(said)


async def test_everything_wrong_is_said_at_once(stack: Stack) -> None:
    """Path, reason and hint of each fault; nothing is kept."""
    api = await stack.new_tenant()
    document = {
        "idle_secnds": 600,
        "session_limit": -1,
        "presets": ["pci"],
        "rules": [
            {"name": "night", "when": "hour < 6 && contry == 'DE'", "then": {"idle_seconds": 5}},
            {"name": "night", "when": "hour", "then": {}},
        ],
    }
    said = (await refusal(put(api, document))).violations
    assert set(said) == {
        "policy.document.idle_secnds",
        "policy.document.session_limit",
        "policy.document.presets[0]",
        "policy.document.rules[0].when",
        "policy.document.rules[0].then.idle_seconds",
        "policy.document.rules[1].name",
        "policy.document.rules[1].when",
        "policy.document.rules[1].then",
    }
    assert 'did you mean "idle_seconds"?' in said["policy.document.idle_secnds"]
    assert 'did you mean "pci-dss"?' in said["policy.document.presets[0]"]
    assert '"contry" is no fact (line 1, column 13); did you mean "country"?' in said["policy.document.rules[0].when"]
    assert "neither true nor false" in said["policy.document.rules[1].when"]
    assert (await api.policies.GetPolicy(pb.GetPolicyRequest(name=f"{api.parent}/policy"))).policy.revision == 0


async def test_values_say_where_they_come_from(stack: Stack) -> None:
    """The scope and its revision, the preset with its clause, or Argus's own default."""
    api = await stack.new_tenant()
    await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id="staff"))
    await put(api, {"presets": ["pci-dss"], "absolute_seconds": 3600})
    await put(api, {"idle_seconds": 60}, scope=f"{api.parent}/groups/staff")
    await put(api, {"idle_seconds": 120}, scope=f"{api.parent}/groups/staff")
    seen = await effective(api, groups=["staff"])
    assert seen["idle_seconds"] == (120, [("group", "staff", 2)])
    assert seen["absolute_seconds"] == (3600, [("tenant", api.tenant_id, 1)])
    assert seen["session_limit"] == (3, [("preset", "pci-dss", 0)])
    assert seen["rotation"] == ("resilient", [("default", "", 0)])
    answer = await api.policies.GetEffectivePolicy(pb.GetEffectivePolicyRequest(parent=api.parent))
    (source,) = next(one for one in answer.fields if one.key == "required_acr").sources
    assert (source.clause, source.preset_choice) == ("8.4.2", False)


async def test_a_trial_says_what_would_be_decided_and_why(stack: Stack) -> None:
    """Rules that are met, that are not, and that can't be told; a candidate counts in the place of its scope's."""
    api = await stack.new_tenant()
    rules = [
        {"name": "abroad", "when": "country != 'DE'", "then": {"required_acr": 2}},
        {"name": "night", "when": "hour < 6", "then": {"idle_seconds": 300}},
    ]
    await put(api, {"rules": rules})

    async def test(candidate: pb.Policy | None = None, **facts: Any) -> pb.TestPolicyResponse:
        said = pb.PolicyFacts(acr=1, **facts)
        said.time.FromJsonString("2026-03-01T03:00:00Z")
        return await api.policies.TestPolicy(pb.TestPolicyRequest(parent=api.parent, facts=said, candidate=candidate))

    home, away, nowhere = await test(country="DE"), await test(country="FR"), await test()
    assert [one.outcome for one in (home, away, nowhere)] == ["ALLOW", "STEP_UP", "ALLOW"]
    assert [(one.rule, one.met, [*one.unknown]) for one in nowhere.rules] == [
        ("abroad", False, ["country"]),
        ("night", True, []),
    ]
    assert any("country unknown" in line for line in nowhere.explanation)
    assert any('rule "abroad"' in line and "level 2 is required" in line for line in away.explanation)
    idle = next(one for one in home.fields if one.key == "idle_seconds")
    assert (idle.value.number_value, idle.sources[0].rule) == (300, "night")
    tried = await test(candidate=policy(f"{api.parent}/policy", {"required_acr": 3}), country="DE")
    assert (tried.outcome, [*tried.rules]) == ("STEP_UP", [])
    assert (await test(country="DE")).outcome == "ALLOW"


@pytest.mark.parametrize(
    ("document", "facts", "outcome", "said"),
    [
        ({"denied_countries": ["DE"]}, {"country": "DE"}, "DENY", "denied_countries lets nobody sign in from there: "),
        ({"allowed_countries": ["FR"]}, {"country": "DE"}, "DENY", "allowed_countries lets nobody sign in from there"),
        ({"denied_networks": ["hosting"]}, {"network_class": "hosting"}, "DENY", "denied_networks lets nobody"),
        ({"denied_countries": ["DE"]}, {"country": "FR"}, "ALLOW", ""),
        ({"denied_countries": ["DE"]}, {}, "ALLOW", "country unknown: allowed_countries and denied_countries"),
        ({"denied_networks": ["hosting"]}, {}, "ALLOW", "network_class unknown: hosting of denied_networks"),
        ({"denied_networks": ["AS64500"]}, {"network_class": "hosting"}, "ALLOW", "address unknown: AS64500 of"),
        ({"trust_deny_below": 100}, {}, "ALLOW", "trust unknown: "),
    ],
)
async def test_a_trial_judges_places_and_names_what_it_cannot_know(
    stack: Stack, document: dict[str, Any], facts: dict[str, Any], outcome: str, said: str
) -> None:
    """Nobody is let in silently whom the candidate would refuse."""
    api = await stack.new_tenant()
    request = pb.TestPolicyRequest(
        parent=api.parent, facts=pb.PolicyFacts(acr=1, **facts), candidate=policy(f"{api.parent}/policy", document)
    )
    answer = await api.policies.TestPolicy(request)
    assert answer.outcome == outcome
    lines = [one for one in answer.explanation if "lets nobody" in one or one.partition(":")[0].endswith(" unknown")]
    assert len(lines) == bool(said)
    assert all(line.startswith(said) for line in lines)


async def test_policies_of_all_scopes_are_listed(stack: Stack) -> None:
    """In pages; those of other tenants are not there."""
    api, other = await stack.new_tenant(), await stack.new_tenant()
    await put(other, {"idle_seconds": 600})
    person = await new_person(api)
    await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id="staff"))
    scopes = ("/clients/backend", "/groups/staff", "", f"/users/{person.user_id}")
    names = [f"{api.parent}{scope}/policy" for scope in scopes]
    for name in names:
        await put(api, {"idle_seconds": 600}, scope=name.removesuffix("/policy"))
    seen, token = [], ""
    while True:
        page = await api.policies.ListPolicies(pb.ListPoliciesRequest(parent=api.parent, page_size=3, page_token=token))
        seen += [one.name for one in page.policies]
        token = page.next_page_token
        if not token:
            break
    assert seen == names


@pytest.mark.parametrize(
    ("scope", "reason"),
    [("clients/bakend", "CLIENT_NOT_FOUND"), ("groups/staf", "GROUP_NOT_FOUND"), ("users/alice", "USER_NOT_FOUND")],
)
async def test_a_policy_for_nobody_is_refused(stack: Stack, scope: str, reason: str) -> None:
    """A misspelt scope would be in force nowhere; what was set can be read all the same."""
    api = await stack.new_tenant()
    assert await reason_of(put(api, {"idle_seconds": 600}, scope=f"{api.parent}/{scope}")) == reason
    found = await api.policies.GetPolicy(pb.GetPolicyRequest(name=f"{api.parent}/{scope}/policy"))
    assert found.policy.revision == 0


async def test_a_deleted_user_leaves_no_policy(stack: Stack) -> None:
    """What was set for it alone is taken back with it."""
    api = await stack.new_tenant()
    person = await new_person(api)
    await put(api, {"idle_seconds": 60}, scope=person.name)
    await api.users.DeleteUser(users.DeleteUserRequest(name=person.name))
    found = (await api.policies.GetPolicy(pb.GetPolicyRequest(name=f"{person.name}/policy"))).policy
    assert (found.revision, found.reason) == (0, "the user was deleted")


async def test_the_policy_of_a_deleted_group_does_not_wait_for_the_next_one(stack: Stack) -> None:
    """A group of the same name begins without any; the revisions stay, and none is in force while nobody is there."""
    api = await stack.new_tenant()
    group = f"{api.parent}/groups/staff"
    for _ in range(2):
        await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id="staff"))
        assert (await effective(api, groups=["staff"]))["idle_seconds"][1] == [("default", "", 0)]
        await put(api, {"idle_seconds": 60}, scope=group)
        await put(api, {"idle_seconds": 90}, scope=group, mode=pb.POLICY_MODE_REPORT_ONLY)
        await api.users.DeleteGroup(users.DeleteGroupRequest(name=group))
    found = (await api.policies.GetPolicy(pb.GetPolicyRequest(name=f"{group}/policy"))).policy
    assert (found.revision, found.report_only_revision, found.reason) == (0, 0, "the group was deleted")
    listed = await api.policies.ListPolicyRevisions(pb.ListPolicyRevisionsRequest(parent=f"{group}/policy"))
    assert [one.revision for one in listed.revisions] == [4, 3, 2, 1]
    activation = pb.ActivatePolicyRevisionRequest(name=f"{group}/policy", revision=1)
    for call in (
        api.policies.ActivatePolicyRevision(activation),
        api.policies.RollBackPolicy(pb.RollBackPolicyRequest(name=f"{group}/policy")),
    ):
        assert (await refusal(call)).reason == "GROUP_NOT_FOUND"
