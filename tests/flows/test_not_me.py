"""The new-device mail and its "this wasn't me": looked at it changes nothing, used it undoes the sign-in, once."""

from __future__ import annotations

import shutil
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

from argus.networks.model import Credit
from argus.networks.service import write_credit
from argus.server.api import failure_of
from argus.v1 import account_service_pb2 as accounts
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.support.account_links import NEW_PASSWORD
from tests.support.known_devices import arrive, listed, name_of
from tests.support.oneself import Acting
from tests.support.own_stores import until
from tests.support.people import PASSWORD
from tests.support.places import installed
from tests.support.readers import Reader, acting, new_reader
from tests.support.vectors import vector_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from argus.v1 import authentication_service_pb2 as authentication
    from tests.support.mails import MailServer, Received
    from tests.support.stack import Stack

NEW_DEVICE: Final = "Sign-in on a new device"
REPORTED: Final = "A device was signed out"
BOXFORD: Final = "2.125.160.216"


@pytest.fixture
async def reader(stack: Stack, mails: MailServer) -> Reader:
    return await new_reader(stack, mails)


@pytest.fixture
def places(stack: Stack, tmp_path: Path) -> Iterator[None]:
    """Databases that know where some addresses are."""
    database = tmp_path / "city.mmdb"
    shutil.copy(vector_path("geo/GeoLite2-City-Test.mmdb"), database)
    write_credit(database, Credit(text="Places by Example", url="https://places.example.com"))
    with installed(stack.argus.networks, tmp_path):
        yield


async def intruded(reader: Reader, *, ip: str = "192.0.2.66") -> tuple[authentication.SubmitFactorResponse, Received]:
    """Somebody who knows the password has signed in on a device of its own; what its owner reads of it."""
    done = await arrive(reader.person, ip_address=ip)
    return done, await reader.only()


async def report(reader: Reader, token: str) -> accounts.ReportDeviceResponse:
    return await reader.post.api.accounts.ReportDevice(
        accounts.ReportDeviceRequest(parent=reader.post.api.parent, token=token)
    )


async def test_it_was_somebody_else(reader: Reader) -> None:
    own = await acting(reader)
    done, mail = await intruded(reader)
    assert mail.subject == NEW_DEVICE
    assert "/account/not-me#" in mail.link
    looked = await reader.post.look(mail.token)
    assert (looked.purpose, looked.email) == (accounts.LINK_PURPOSE_NOT_ME, reader.person.identifier)
    assert len(await own.sessions()) == 2
    answer = await report(reader, mail.token)
    assert (answer.sessions_state, answer.password_closed) == (types.TERMINATION_STATE_ENDED, True)
    # The device is signed out and unknown; the owner's own session goes on.
    assert [one.name for one in await own.sessions()] == [own.session]
    assert name_of(reader.person, done) not in [one.name for one in await listed(reader.person)]
    thief = Acting(reader.post.api, done)
    assert (await thief.refused("GetSelf")).reason == "SESSION_ENDED"
    # The password opens nothing any more, not even from a device that is known.
    for token in ("", done.device_token):
        refusal = await reader.person.try_password(PASSWORD, device_token=token)
        assert refusal is not None
        assert refusal.reason == "FACTOR_REFUSED"
    assert "DEVICE_REPORTED" in await own.kinds()
    # The next mail says what was done, and has the way back in.
    notice = await reader.only()
    assert notice.subject == REPORTED
    # Which device that was; where the link was used is another one's.
    assert "on a new device: Chrome on Windows." in " ".join(notice.text.split())
    assert "/account/recovery#" in notice.link
    await reader.post.complete("recovery", notice.token, NEW_PASSWORD)
    assert await reader.person.try_password(NEW_PASSWORD) is None
    assert (await reader.person.try_password(PASSWORD)) is not None


async def test_the_password_is_closed_to_the_owners_device_too(reader: Reader) -> None:
    home = await reader.person.sign_in()
    await reader.mails()
    _, mail = await intruded(reader)
    await report(reader, mail.token)
    assert await reader.person.try_password(PASSWORD, device_token=home.device_token) is not None
    row = await reader.post.stack.argus.db.fetch_one(
        "SELECT reason FROM audit_events WHERE tenant_id = %s AND type = 'factor.refused' ORDER BY time DESC LIMIT 1",
        (reader.post.api.tenant_id,),
    )
    assert row == {"reason": "PASSWORD_CLOSED"}


async def test_a_link_works_once_and_for_nothing_else(reader: Reader) -> None:
    await acting(reader)
    _, mail = await intruded(reader)
    refusal = await failure_of(reader.post.complete("recovery", mail.token))
    assert refusal is not None
    assert refusal.reason == "LINK_INVALID"
    await report(reader, mail.token)
    again = await failure_of(report(reader, mail.token))
    assert again is not None
    assert (again.reason, again.metadata) == ("LINK_INVALID", {})
    recovery = await reader.only()
    other = await failure_of(report(reader, recovery.token))
    assert other is not None
    assert other.reason == "LINK_INVALID"


async def test_a_device_that_was_forgotten_before_is_no_obstacle(reader: Reader) -> None:
    own = await acting(reader)
    done, mail = await intruded(reader)
    await own.do("ForgetOwnDevice", device_id=done.session.device.name)
    answer = await report(reader, mail.token)
    assert answer.password_closed


async def test_who_has_no_password_has_none_closed(reader: Reader) -> None:
    own = await acting(reader)
    _, mail = await intruded(reader)
    # As if it had been taken away meanwhile.
    request = credentials.DeleteCredentialRequest(name=await own.credential())
    await reader.post.api.credentials.DeleteCredential(request)
    await reader.mails()
    answer = await report(reader, mail.token)
    assert not answer.password_closed
    notice = await reader.only()
    assert notice.subject == REPORTED
    assert "/account/recovery#" not in notice.text


async def test_the_policy_says_whether_it_is_told(reader: Reader) -> None:
    await reader.post.set_policy(new_device_notice=False)
    await acting(reader)
    await arrive(reader.person)
    assert await reader.told() == {}
    row = await reader.post.stack.argus.db.fetch_one(
        "SELECT count(*) AS n FROM audit_events WHERE tenant_id = %s AND type = 'device.new'",
        (reader.post.api.tenant_id,),
    )
    # Whoever listens by other ways learns of it all the same.
    assert row == {"n": 1}


async def test_mails_say_where_and_give_credit(reader: Reader, places: None) -> None:
    await acting(reader)
    _, mail = await intruded(reader, ip=BOXFORD)
    for part in (mail.text, mail.html):
        assert "Boxford, GB" in part
        assert BOXFORD in part
        assert "Places by Example (https://places.example.com)" in part


async def test_a_session_has_a_place_and_takes_it_along(reader: Reader, stack: Stack, places: None) -> None:
    done = await arrive(reader.person, ip_address=BOXFORD)
    assert (done.session.location.city, done.session.location.country) == ("Boxford", "GB")
    assert done.session.location.radius_km == 150
    (device,) = await listed(reader.person)
    assert device.location == done.session.location

    generations = count(2)

    async def is_written(generation: int) -> bool:
        await stack.argus.effects.flush()
        row = await stack.argus.db.fetch_one(
            "SELECT generation_bound AS bound FROM sessions WHERE tenant_id = %s", (reader.post.api.tenant_id,)
        )
        return row is not None and row["bound"] >= generation

    async def refreshed(token: str, ip: str) -> tuple[str, types.Session]:
        await stack.advance(timedelta(minutes=1))  # at once the same token would be given again
        context = types.ClientContext(ip_address=ip)
        request = tokens.RefreshTokenRequest(refresh_token=token, client_context=context)
        made = await reader.post.api.tokens.RefreshToken(request)
        generation = next(generations)
        await until(lambda: is_written(generation))
        (session,) = await reader.person.list()
        return made.tokens.refresh_token, session

    token, session = await refreshed(done.tokens.refresh_token, "89.160.20.112")
    assert session.location.city == "Linköping"
    assert session.ip_address == BOXFORD  # where it was begun
    # A place that nobody knows is unknown, and not the one before.
    token, session = await refreshed(token, "192.0.2.77")
    assert not session.HasField("location")
    # Of an address that is not told nothing is known to have changed.
    token, session = await refreshed(token, "2001:218::1")
    assert session.location.country == "JP"
    _, session = await refreshed(token, "")
    assert session.location.country == "JP"
    assert session.location.radius_km == 1500
