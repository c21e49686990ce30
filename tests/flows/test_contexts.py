"""Sessions that are used on another device or from elsewhere, as policies have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from argus.server.api import failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.support.people import FIREFOX, PASSWORD, Person, new_person, reason_of
from tests.support.places import installed, write_database
from tests.support.policies import set_policy
from tests.support.theft import events_of, state_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from argus.server.api import Api, Failure
    from tests.support.stack import Stack

CHROME = FIREFOX.replace("Firefox", "Chrome")
HOME, ABROAD = "198.51.100.7", "203.0.113.9"
NEARBY, SOMEWHERE = "198.51.100.99", "2001:db8:7::9"
CITIES: dict[str, dict[str, Any]] = {
    f"{HOME}/26": {
        "country": {"iso_code": "DE"},
        "city": {"names": {"en": "Emden"}},
        "location": {"accuracy_radius": 20},
    },
    f"{NEARBY}/32": {
        "country": {"iso_code": "DE"},
        "city": {"names": {"en": "Leer"}},
        "location": {"accuracy_radius": 500},
    },
    f"{ABROAD}/28": {"country": {"iso_code": "FR"}},
}
ANONYMOUS: dict[str, dict[str, Any]] = {f"{ABROAD}/30": {"is_hosting_provider": True}}
NETWORKS: dict[str, dict[str, Any]] = {
    f"{HOME}/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "Home Lines"},
    f"{ABROAD}/24": {"autonomous_system_number": 64501, "autonomous_system_organization": "Racks"},
    "2001:db8:7::/48": {"autonomous_system_number": 64502, "autonomous_system_organization": "Sixth"},
}


@pytest.fixture
def places(stack: Stack, tmp_path: Path) -> Iterator[Path]:
    """Databases by which the server knows where these addresses are; the folder that they are in."""
    for name, records in (("city", CITIES), ("anonymous", ANONYMOUS), ("networks", NETWORKS)):
        write_database(tmp_path / f"{name}.mmdb", records)
    (tmp_path / "ranges.txt").write_text(f"{HOME}/32 access\n")
    with installed(stack.argus.networks, tmp_path):
        yield tmp_path


@pytest.fixture
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


def seen(ip: str = HOME, agent: str = FIREFOX, installation: str = "") -> types.ClientContext:
    return types.ClientContext(ip_address=ip, user_agent=agent, installation_id=installation)


async def sign_in(person: Person, context: types.ClientContext) -> authentication.SubmitFactorResponse:
    start = authentication.StartLoginRequest(
        parent=person.api.parent, identifier=person.identifier, client_context=context
    )
    begun = await person.api.authentication.StartLogin(start)
    return await submit(person.api, begun.login_token, context)


async def submit(api: Api, login_token: str, context: types.ClientContext) -> authentication.SubmitFactorResponse:
    return await api.authentication.SubmitFactor(
        authentication.SubmitFactorRequest(
            parent=api.parent, login_token=login_token, password=PASSWORD, client_context=context
        )
    )


async def verified(
    api: Api, done: authentication.SubmitFactorResponse, context: types.ClientContext | None
) -> Failure | None:
    request = tokens.VerifyAccessTokenRequest(access_token=done.tokens.access_token, client_context=context)
    return await failure_of(api.tokens.VerifyAccessToken(request))


async def refreshed(
    api: Api, done: authentication.SubmitFactorResponse, context: types.ClientContext
) -> Failure | None:
    request = tokens.RefreshTokenRequest(refresh_token=done.tokens.refresh_token, client_context=context)
    return await failure_of(api.tokens.RefreshToken(request))


async def types_of(api: Api, session: str) -> list[tuple[str, str, str]]:
    found = await events_of(api, session)
    kinds = ("session.context_changed", "refresh.step_up_required", "session.ended")
    return [(one.type, one.outcome, one.reason) for one in reversed(found) if one.type in kinds]


def told(failure: Failure | None) -> tuple[str, str]:
    return (failure.reason, failure.metadata.get("cause", "")) if failure else ("", "")


ANOTHER: list[tuple[dict[str, Any], types.ClientContext, str]] = [
    ({"on_device_change": None}, seen(agent=CHROME), "DEVICE_CHANGED"),
    ({"on_country_change": None}, seen(ABROAD), "COUNTRY_CHANGED"),
    ({"on_network_change": None}, seen(ABROAD), "NETWORK_CHANGED"),
    ({"on_listed_network": None, "listed_networks": ["203.0.113.0/24"]}, seen(ABROAD), "NETWORK_LISTED"),
    ({"on_listed_network": None, "listed_networks": ["hosting"]}, seen(ABROAD), "NETWORK_LISTED"),
]


def policy(rules: dict[str, Any], response: str) -> dict[str, Any]:
    return {name: response if value is None else value for name, value in rules.items()}


@pytest.mark.parametrize(("rules", "elsewhere", "cause"), ANOTHER)
@pytest.mark.usefixtures("places")
async def test_a_step_up_is_asked_for_there_and_nothing_is_marked(
    stack: Stack, api: Api, person: Person, rules: dict[str, Any], elsewhere: types.ClientContext, cause: str
) -> None:
    """At use and at refresh; at home the session goes on, and after a step-up elsewhere, elsewhere."""
    await set_policy(stack, api, **policy(rules, "step_up"))
    done = await sign_in(person, seen())
    for _ in range(2):
        assert await verified(api, done, seen()) is None
        assert told(await verified(api, done, elsewhere)) == ("STEP_UP_REQUIRED", cause)
    assert told(await refreshed(api, done, elsewhere)) == ("STEP_UP_REQUIRED", cause)
    assert (await state_of(api, done.session.name)).state == types.SESSION_STATE_ACTIVE
    assert await refreshed(api, done, seen()) is None
    # Told once, however often it is tried; the refused refresh by itself.
    assert await types_of(api, done.session.name) == [
        ("session.context_changed", "failure", cause),
        ("refresh.step_up_required", "failure", cause),
    ]
    start = authentication.StartStepUpRequest(
        parent=api.parent, refresh_token=done.tokens.refresh_token, client_context=elsewhere
    )
    begun = await api.authentication.StartStepUp(start)
    stepped = await submit(api, begun.login_token, elsewhere)
    assert await verified(api, stepped, elsewhere) is None
    assert await refreshed(api, stepped, elsewhere) is None


@pytest.mark.parametrize(("rules", "elsewhere", "cause"), ANOTHER)
@pytest.mark.usefixtures("places")
async def test_a_signal_lets_pass_and_is_told_once(
    stack: Stack, api: Api, person: Person, rules: dict[str, Any], elsewhere: types.ClientContext, cause: str
) -> None:
    """The new context is what the next one is held against."""
    await set_policy(stack, api, **policy(rules, "signal"))
    done = await sign_in(person, seen())
    for _ in range(3):
        assert await verified(api, done, elsewhere) is None
    assert await types_of(api, done.session.name) == [("session.context_changed", "success", cause)]


@pytest.mark.parametrize(("rules", "elsewhere", "cause"), ANOTHER)
@pytest.mark.usefixtures("places")
async def test_an_end_ends_the_session(
    stack: Stack, api: Api, person: Person, rules: dict[str, Any], elsewhere: types.ClientContext, cause: str
) -> None:
    """For everybody, at home as well."""
    await set_policy(stack, api, **policy(rules, "end"))
    done = await sign_in(person, seen())
    failure = await verified(api, done, elsewhere)
    assert failure is not None
    assert (failure.reason, failure.metadata["endReason"]) == ("SESSION_ENDED", "RISK")
    assert told(await verified(api, done, seen()))[0] == "SESSION_ENDED"
    assert await types_of(api, done.session.name) == [
        ("session.context_changed", "failure", cause),
        ("session.ended", "success", "RISK"),
    ]


@pytest.mark.usefixtures("places")
async def test_what_is_missing_is_no_change(stack: Stack, api: Api, person: Person) -> None:
    """No context, no address, an address of which nothing is known, no browser; nor is an update of the browser one."""
    rules = {f"on_{one}_change": "end" for one in ("device", "country", "network")}
    await set_policy(stack, api, **rules, on_listed_network="end", listed_networks=["hosting"])
    done = await sign_in(person, seen())
    newer = FIREFOX.replace("140.0", "141.0")
    for context in (None, types.ClientContext(), seen(""), seen("192.0.2.1"), seen(agent=""), seen(agent=newer)):
        assert await verified(api, done, context) is None
    assert await types_of(api, done.session.name) == []
    # What is known is not forgotten for it.
    assert told(await verified(api, done, seen(ABROAD)))[0] == "SESSION_ENDED"


@pytest.mark.parametrize(
    ("ip", "where"),
    [
        (HOME, ("DE", "Emden", 150, 64500, types.NETWORK_CLASS_ACCESS)),
        (NEARBY, ("DE", "Leer", 500, 64500, types.NETWORK_CLASS_UNSPECIFIED)),
        (ABROAD, ("FR", "", 1500, 64501, types.NETWORK_CLASS_HOSTING)),
        (SOMEWHERE, ("", "", 0, 64502, types.NETWORK_CLASS_UNSPECIFIED)),
        ("192.0.2.1", ("", "", 0, 0, types.NETWORK_CLASS_UNSPECIFIED)),
    ],
)
@pytest.mark.usefixtures("places")
async def test_a_session_says_where_it_is_and_how_far_that_may_be_off(
    person: Person, ip: str, where: tuple[str, str, int, int, int]
) -> None:
    """A database is never surer than such data are; what it does not say is unknown."""
    said = (await sign_in(person, seen(ip))).session.location
    assert (said.country, said.city, said.radius_km, said.asn, said.network_class) == where


@pytest.mark.usefixtures("places")
async def test_what_only_one_side_knows_has_not_changed(stack: Stack, api: Api, person: Person) -> None:
    """A network without a class, a network without a country: neither is another one."""
    await set_policy(stack, api, on_country_change="end", on_network_change="end")
    done = await sign_in(person, seen())
    for ip in (NEARBY, SOMEWHERE, NEARBY):
        assert await verified(api, done, seen(ip)) is None
    assert await types_of(api, done.session.name) == []
    assert told(await verified(api, done, seen(ABROAD)))[0] == "SESSION_ENDED"


async def test_databases_that_come_and_go_move_nobody(stack: Stack, api: Api, person: Person, places: Path) -> None:
    """A session that goes on being used in one context goes on, whatever the files say of its address by now."""
    await set_policy(stack, api, on_country_change="step_up")
    done = await sign_in(person, seen())
    assert await verified(api, done, seen()) is None
    write_database(places / "city.mmdb", {f"{HOME}/24": CITIES[f"{ABROAD}/28"]})
    assert stack.argus.networks.refresh()
    assert await verified(api, done, seen()) is None
    (places / "city.mmdb").unlink()
    assert stack.argus.networks.refresh()
    assert await verified(api, done, seen(ABROAD)) is None
    write_database(places / "city.mmdb", CITIES)
    assert stack.argus.networks.refresh()
    assert await verified(api, done, seen(NEARBY)) is None
    assert told(await verified(api, done, seen("203.0.113.12"))) == ("STEP_UP_REQUIRED", "COUNTRY_CHANGED")


async def test_a_database_that_is_renewed_moves_nobody_and_hides_nobody(
    stack: Stack, api: Api, person: Person, places: Path
) -> None:
    """What the new one says of here is held against what it says of there, and not against what the old one said."""
    await set_policy(stack, api, on_country_change="step_up", on_network_change="step_up")
    done = await sign_in(person, seen())
    write_database(
        places / "city.mmdb", {f"{HOME}/24": {"country": {"iso_code": "AT"}}, f"{ABROAD}/28": CITIES[f"{HOME}/26"]}
    )
    (places / "ranges.txt").write_text(f"{HOME}/24 hosting\n")
    assert stack.argus.networks.refresh()
    # It was DE and access; now all of that network is AT and hosting.
    assert await verified(api, done, seen(NEARBY)) is None
    # DE, as the session was by the old one.
    assert told(await verified(api, done, seen(ABROAD))) == ("STEP_UP_REQUIRED", "COUNTRY_CHANGED")


async def test_a_database_that_comes_after_the_sign_in_knows_of_it(
    stack: Stack, api: Api, person: Person, places: Path
) -> None:
    await set_policy(stack, api, on_country_change="step_up")
    (places / "city.mmdb").unlink()
    assert stack.argus.networks.refresh()
    done = await sign_in(person, seen())
    write_database(places / "city.mmdb", CITIES)
    assert stack.argus.networks.refresh()
    assert told(await verified(api, done, seen(ABROAD))) == ("STEP_UP_REQUIRED", "COUNTRY_CHANGED")


@pytest.mark.usefixtures("places")
async def test_a_session_that_began_before_the_rule_is_held_against_what_it_began_with(
    stack: Stack, api: Api, person: Person
) -> None:
    done = await sign_in(person, seen())
    await set_policy(stack, api, on_country_change="step_up", on_device_change="step_up")
    assert told(await verified(api, done, seen(ABROAD))) == ("STEP_UP_REQUIRED", "COUNTRY_CHANGED")
    assert told(await verified(api, done, seen(agent=CHROME))) == ("STEP_UP_REQUIRED", "DEVICE_CHANGED")
    assert await verified(api, done, seen()) is None


@pytest.mark.usefixtures("places")
async def test_redis_that_forgot_the_context_does_not_let_another_pass(stack: Stack, api: Api, person: Person) -> None:
    await set_policy(stack, api, on_country_change="step_up")
    done = await sign_in(person, seen())
    assert await verified(api, done, seen()) is None
    await stack.argus.redis.client.delete(stack.argus.keyspace.session_key(done.session.name.rpartition("/")[2]))
    assert told(await verified(api, done, seen(ABROAD))) == ("STEP_UP_REQUIRED", "COUNTRY_CHANGED")


@pytest.mark.usefixtures("places")
async def test_a_batch_has_the_cause_in_its_item(stack: Stack, api: Api, person: Person) -> None:
    await set_policy(stack, api, on_country_change="step_up")
    done = await sign_in(person, seen())
    items = [
        tokens.VerifyAccessTokenRequest(access_token=done.tokens.access_token, client_context=one)
        for one in (seen(), seen(ABROAD))
    ]
    results = (await api.tokens.BatchVerifyAccessTokens(tokens.BatchVerifyAccessTokensRequest(requests=items))).results
    assert [dict(one.metadata).get("cause", "") for one in results] == ["", "COUNTRY_CHANGED"]


@pytest.mark.usefixtures("places")
async def test_nobody_signs_in_from_where_the_policy_forbids_it(stack: Stack, api: Api, person: Person) -> None:
    """An unknown country passes."""
    await set_policy(stack, api, allowed_countries=["DE"], denied_networks=["192.0.2.0/24"])
    assert await reason_of(sign_in(person, seen())) == ""
    assert await reason_of(sign_in(person, seen("198.51.100.200"))) == ""
    failure = await failure_of(sign_in(person, seen(ABROAD)))
    assert failure is not None
    assert (failure.reason, failure.metadata) == (
        "PLACE_DENIED",
        {"policyField": "allowed_countries", "country": "FR"},
    )
    assert await reason_of(sign_in(person, seen("192.0.2.1"))) == "PLACE_DENIED"
