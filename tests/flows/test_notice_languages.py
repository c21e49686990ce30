"""Mails are in the language of their reader: the user's own, else that of the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.browsers import Browser
from tests.support.people import FIREFOX, PASSWORD
from tests.support.readers import Reader, acting, new_reader

if TYPE_CHECKING:
    from tests.support.mails import MailServer
    from tests.support.stack import Stack

NEW_DEVICE: Final = "Sign-in on a new device"


@pytest.fixture
async def reader(stack: Stack, mails: MailServer) -> Reader:
    return await new_reader(stack, mails)


@pytest.mark.parametrize(
    ("locale", "header", "subject"),
    [
        ("", "", NEW_DEVICE),
        ("", "fr, de;q=0.8, en;q=0.5", "Anmeldung mit einem neuen Gerät"),
        ("de-AT", "en", "Anmeldung mit einem neuen Gerät"),
        ("en", "de", NEW_DEVICE),
        ("fr", "de", NEW_DEVICE),
    ],
)
async def test_the_language_is_the_users_else_the_requests(
    reader: Reader, locale: str, header: str, subject: str
) -> None:
    own = await acting(reader)
    if locale:
        changed = await own.do("UpdateSelf", user=users.User(locale=locale), update_mask=FieldMask(paths=["locale"]))
        assert changed.user.locale == locale
        assert (await own.do("GetSelf")).user.locale == locale
    login = await reader.person.start()
    await _submit(reader, login, types.ClientContext(user_agent=FIREFOX, accept_language=header))
    mail = await reader.only()
    assert mail.subject == subject
    assert ("Firefox unter Linux" if subject != NEW_DEVICE else "Firefox on Linux") in mail.text


async def _submit(reader: Reader, login_token: str, context: types.ClientContext) -> Any:
    from argus.v1 import authentication_service_pb2 as authentication

    request = authentication.SubmitFactorRequest(
        parent=reader.post.api.parent, login_token=login_token, password=PASSWORD, client_context=context
    )
    return await reader.post.api.authentication.SubmitFactor(request)


async def test_a_browsers_language_counts(reader: Reader) -> None:
    await acting(reader)
    async with httpx.AsyncClient() as http:
        browser = Browser(reader.post.stack, reader.post.api.tenant_id, http=http)
        await browser.ask("/sign-in", {"identifier": reader.person.identifier})
        done = await browser.ask("/factor", {"password": PASSWORD}, headers={"accept-language": "de-CH, en;q=0.5"})
        assert done.status_code == 200
    mail = await reader.only()
    assert mail.subject == "Anmeldung mit einem neuen Gerät"
    assert "127.0.0.1" in mail.text


async def test_a_links_language_is_the_users_own(reader: Reader) -> None:
    user = users.User(name=reader.person.name, locale="de")
    mask = FieldMask(paths=["locale"])
    changed = await reader.post.api.users.UpdateUser(users.UpdateUserRequest(user=user, update_mask=mask))
    assert (changed.user.locale, changed.user.display_name) == ("de", "")
    await reader.post.recover(reader.person.identifier, locale="en")
    assert (await reader.post.mail(reader.person.identifier)).subject == "Neues Passwort setzen"


@pytest.mark.parametrize("locale", ["deutsch!", "d", "de_AT", "x" * 36])
async def test_a_locale_is_a_tag(reader: Reader, locale: str) -> None:
    own = await acting(reader)
    failure = await own.refused("UpdateSelf", user=users.User(locale=locale), update_mask=FieldMask(paths=["locale"]))
    assert (failure.reason, failure.field) == ("FIELD_INVALID", "user.locale")
