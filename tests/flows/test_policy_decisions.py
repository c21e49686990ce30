"""Sign-ins are decided by rules and facts; what is only tried decides nothing, and says what it would have decided."""

import json
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

from argus.server.api import Api, failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import policy_service_pb2 as pb
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from tests.support.people import PASSWORD, new_person, step_up
from tests.support.policies import set_policy
from tests.support.stack import Stack

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 "
    "Mobile/15E148 Safari/604.1"
)
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def put(api: Api, document: dict[str, Any], *, mode: pb.PolicyMode.ValueType = pb.POLICY_MODE_ENFORCED) -> None:
    """Sets the tenant's policy."""
    said = Struct()
    said.update(document)
    policy = pb.Policy(name=f"{api.parent}/policy", document=said)
    await api.policies.SetPolicy(pb.SetPolicyRequest(policy=policy, mode=mode))


async def events(stack: Stack, api: Api, kind: str) -> list[dict[str, Any]]:
    """What the audit has of a type, its JSON read."""
    rows = await stack.argus.db.fetch_all(
        "SELECT data FROM audit_events WHERE tenant_id = %s AND type = %s ORDER BY time", (api.tenant_id, kind)
    )
    return [
        {key: json.loads(row["data"][key]) for key in ("facts", "decision", "tried") if key in row["data"]}
        for row in rows
    ]


async def sign_in(api: Api, user_agent: str) -> authentication.SubmitFactorResponse:
    """A new person's, by password, on a device that says what it is."""
    person = await new_person(api)
    context = types.ClientContext(user_agent=user_agent)
    begun = await api.authentication.StartLogin(
        authentication.StartLoginRequest(parent=api.parent, identifier=person.identifier, client_context=context)
    )
    return await api.authentication.SubmitFactor(
        authentication.SubmitFactorRequest(
            parent=api.parent, login_token=begun.login_token, password=PASSWORD, client_context=context
        )
    )


async def test_a_rule_decides_by_the_device(stack: Stack) -> None:
    """Phones need a second factor, and are asked to enrol one; desktops get shorter sessions; the audit has why."""
    api = await stack.new_tenant()
    rules = [
        {"name": "phones", "when": "device_class == 'phone'", "then": {"required_acr": 2}},
        {"name": "desktops", "when": "device_class == 'desktop'", "then": {"idle_seconds": 600}},
        {"name": "abroad", "when": "country != 'DE'", "then": {"required_acr": 3}},
    ]
    await put(api, {"rules": rules})
    phone, desktop = await sign_in(api, PHONE), await sign_in(api, DESKTOP)
    assert phone.login.state == authentication.LOGIN_STATE_ENROLMENT_REQUIRED
    assert desktop.login.state == authentication.LOGIN_STATE_COMPLETE
    life = desktop.session.idle_expire_time.ToDatetime() - desktop.session.create_time.ToDatetime()
    assert 599 < life.total_seconds() <= 600  # deadlines are whole seconds
    (created,) = await events(stack, api, "session.created")
    assert created["decision"] == {
        "outcome": "ALLOW",
        "required_acr": 1,
        "idle_seconds": 600,
        "absolute_seconds": 86_400,
        "access_seconds": 300,
        "session_limit": 10,
        "client_session_limit": 0,
        "device_class_limits": {},
        "on_limit": "end_oldest",
    }
    assert (created["facts"]["device_class"], created["facts"]["acr"], created["facts"]["amr"]) == (
        "desktop",
        1,
        ["pwd"],
    )
    assert "country" not in created["facts"]


async def test_what_is_tried_decides_nothing_and_is_told(stack: Stack) -> None:
    """Only where it would have decided otherwise."""
    api = await stack.new_tenant()
    await put(api, {"idle_seconds": 900})
    rules = [{"name": "desktops", "when": "device_class == 'desktop'", "then": {"required_acr": 2}}]
    await put(api, {"idle_seconds": 900, "rules": rules}, mode=pb.POLICY_MODE_REPORT_ONLY)
    for agent in (DESKTOP, PHONE):
        assert (await sign_in(api, agent)).login.state == authentication.LOGIN_STATE_COMPLETE
    (told,) = await events(stack, api, "policy.would_differ")
    assert told["facts"]["device_class"] == "desktop"
    assert (told["decision"]["outcome"], told["tried"]["outcome"]) == ("ALLOW", "STEP_UP")
    await api.policies.ActivatePolicyRevision(
        pb.ActivatePolicyRevisionRequest(name=f"{api.parent}/policy", revision=0, mode=pb.POLICY_MODE_REPORT_ONLY)
    )
    await sign_in(api, DESKTOP)
    assert len(await events(stack, api, "policy.would_differ")) == 1
    await api.policies.ActivatePolicyRevision(pb.ActivatePolicyRevisionRequest(name=f"{api.parent}/policy", revision=2))
    assert (await sign_in(api, DESKTOP)).login.state == authentication.LOGIN_STATE_ENROLMENT_REQUIRED


@pytest.mark.parametrize(
    ("document", "outcome", "refused_by"),
    [
        ({"client_session_limit": 1}, "ALLOW", None),
        ({"device_class_limits": {"desktop": 1, "phone": 2}}, "ALLOW", None),
        ({"denied_networks": ["203.0.113.0/24"]}, "DENY", "denied_networks"),
        ({"trust_deny_below": 100}, "DENY", "trust"),
        ({"trust_floors": [{"scope": "documents.read", "step_up_below": 100}]}, "STEP_UP", "trust"),
        ({"device_class_limits": {"phone": 1}}, None, None),
        ({"denied_networks": ["198.51.100.0/24"]}, None, None),
    ],
)
@pytest.mark.parametrize("is_tried", [True, False])
async def test_report_only_sees_places_trust_and_every_limit(
    stack: Stack, document: dict[str, Any], outcome: str | None, refused_by: str | None, *, is_tried: bool
) -> None:
    """What is tried is asked all that live is, and live too; what is not about this sign-in tells nothing."""
    api = await stack.new_tenant()
    await put(api, {} if is_tried else document)
    await put(api, document if is_tried else {}, mode=pb.POLICY_MODE_REPORT_ONLY)
    request = sessions.CreateSessionRequest(
        parent=(await new_person(api)).name,
        scope="documents.read",
        client_context=types.ClientContext(ip_address="203.0.113.9", user_agent=DESKTOP),
    )
    failure = await failure_of(api.sessions.CreateSession(request))
    assert (failure is not None) == (not is_tried and refused_by is not None)
    told = await events(stack, api, "policy.would_differ")
    judged = [one["tried" if is_tried else "decision"] for one in told]
    others = [one["decision" if is_tried else "tried"] for one in told]
    assert [(one["outcome"], one.get("refused_by")) for one in judged] == ([(outcome, refused_by)] if outcome else [])
    assert [one["outcome"] for one in others] == ["ALLOW"] * len(told)


async def test_a_session_that_does_not_begin_is_kept_with_its_facts(stack: Stack) -> None:
    """A backend vouches for less than is required; only validated, nothing is kept."""
    api = await stack.new_tenant()
    await put(api, {"required_acr": 3})
    person = await new_person(api)
    for validate_only in (True, False):
        request = sessions.CreateSessionRequest(parent=person.name, validate_only=validate_only)
        failure = await failure_of(api.sessions.CreateSession(request))
        assert failure is not None
        assert failure.reason == "STEP_UP_REQUIRED"
        assert len(await events(stack, api, "session.level_refused")) == (0 if validate_only else 1)
    told = await events(stack, api, "session.level_refused")
    assert (told[0]["facts"]["acr"], told[0]["decision"]["required_acr"]) == (1, 3)


@pytest.mark.parametrize(("device_class", "is_enough"), [("desktop", False), ("phone", True)])
async def test_a_step_up_knows_the_class_of_its_sessions_device(
    stack: Stack, device_class: str, is_enough: bool
) -> None:
    """A rule for a class of devices holds at a step-up as at a sign-in."""
    api = await stack.new_tenant()
    done = await (await new_person(api)).sign_in()
    rule = {"name": "class", "when": f'device_class == "{device_class}"', "then": {"required_acr": 2}}
    await set_policy(stack, api, rules=[rule])
    stepped = await step_up(api, done.tokens.refresh_token)
    assert (stepped.login.state == authentication.LOGIN_STATE_COMPLETE) == is_enough
