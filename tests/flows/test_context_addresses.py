"""Addresses in the contexts of sessions: one address is one, however it is written, and none is no news."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import session_service_pb2 as sessions
from tests.flows.test_contexts import ABROAD, CHROME, HOME, seen, sign_in, submit, told, verified
from tests.support.people import Person, new_person, reason_of
from tests.support.policies import set_policy

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack


@pytest.fixture
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


@pytest.mark.parametrize("ip", [ABROAD, f"::ffff:{ABROAD}", "::FFFF:cb00:7109"])
async def test_nobody_signs_in_from_a_denied_network_however_its_address_is_written(
    stack: Stack, api: Api, person: Person, ip: str
) -> None:
    """An IPv4 address within IPv6 is that address."""
    await set_policy(stack, api, denied_networks=["203.0.113.0/24"])
    assert await reason_of(sign_in(person, seen(ip))) == "PLACE_DENIED"


async def test_an_address_within_ipv6_is_listed_and_kept_as_the_one_it_is(
    stack: Stack, api: Api, person: Person
) -> None:
    """At a verification, and in the session."""
    await set_policy(stack, api, on_listed_network="end", listed_networks=["203.0.113.0/24"])
    done = await sign_in(person, seen(f"::ffff:{HOME}"))
    kept = await api.sessions.GetSession(sessions.GetSessionRequest(name=done.session.name))
    assert kept.session.ip_address == HOME
    assert told(await verified(api, done, seen(f"::ffff:{ABROAD}")))[0] == "SESSION_ENDED"


async def test_a_call_without_an_address_leaves_no_network(stack: Stack, api: Api, person: Person) -> None:
    """Who began in a listed network may stay there, whatever some service does not tell between."""
    await set_policy(stack, api, on_listed_network="end", listed_networks=["203.0.113.0/24"])
    done = await sign_in(person, seen(ABROAD))
    for context in (seen(ABROAD), seen(""), seen(ABROAD)):
        assert told(await verified(api, done, context))[0] == ""
    assert told(await verified(api, done, seen(HOME)))[0] == ""
    assert told(await verified(api, done, seen(ABROAD)))[0] == "SESSION_ENDED"


@pytest.mark.parametrize("is_earlier", [True, False])
async def test_a_step_up_that_says_nothing_of_where_it_is_made_forgets_nothing(
    stack: Stack, api: Api, person: Person, is_earlier: bool
) -> None:
    """Of a session that began before the rule was set, too."""
    rules = {"on_device_change": "step_up", "on_listed_network": "step_up", "listed_networks": ["203.0.113.0/24"]}
    if not is_earlier:
        await set_policy(stack, api, **rules)
    done = await sign_in(person, seen(ABROAD))
    await set_policy(stack, api, **rules)
    start = authentication.StartStepUpRequest(parent=api.parent, refresh_token=done.tokens.refresh_token)
    begun = await api.authentication.StartStepUp(start)
    stepped = await submit(api, begun.login_token, seen("", ""))
    assert told(await verified(api, stepped, seen(ABROAD, CHROME)))[1] == "DEVICE_CHANGED"
    assert told(await verified(api, stepped, seen(ABROAD)))[0] == ""
