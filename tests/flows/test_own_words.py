"""Mails in words of the tenant's own, over its own server, to those who want them; and what became of each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from argus.server.api import Failure, failure_of
from argus.v1 import notification_service_pb2 as pb
from tests.support.mails import MailServer, mail_server
from tests.support.people import PASSWORD
from tests.support.readers import Reader, acting, new_reader

if TYPE_CHECKING:
    from tests.support.stack import Stack

PASSWORDS = "nine brave herons above the harbour"


@pytest.fixture
async def reader(stack: Stack, mails: MailServer) -> Reader:
    return await new_reader(stack, mails)


@pytest.fixture
async def own_server() -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        yield server


def words(**fields: str) -> pb.Template:
    """Words for a new device."""
    said = {"notice": "new_device", "locale": "en", "subject": "New at {{ tenant }}", "text": "It is\n{{ device }}."}
    return pb.Template(medium=pb.TEMPLATE_MEDIUM_MAIL, **(said | fields))


async def new_device(reader: Reader) -> None:
    """Signs in on a device that nobody has seen."""
    await reader.person.sign_in(ip="192.0.2.3")


async def deliveries(reader: Reader, state: pb.DeliveryState.ValueType) -> list[pb.Delivery]:
    """The log of the tenant."""
    request = pb.ListDeliveriesRequest(parent=reader.post.api.parent, state=state)
    return list((await reader.post.api.notifications.ListDeliveries(request)).deliveries)


async def test_a_notice_in_words_of_the_tenants_own(reader: Reader) -> None:
    """In the language that they were said in, until they are taken back."""
    api = reader.post.api
    await acting(reader)
    await api.notifications.SetTemplate(
        pb.SetTemplateRequest(parent=api.parent, template=words(html="<b>{{ device }}</b>"))
    )
    await new_device(reader)
    mail = await reader.only()
    assert (mail.subject, mail.text.strip(), mail.html.strip()) == (
        f"New at {api.tenant_id}",
        "It is\r\nFirefox on Linux.",
        "<b>Firefox on Linux</b>",
    )
    listed = await api.notifications.ListTemplates(pb.ListTemplatesRequest(parent=api.parent))
    assert [one.notice for one in listed.templates] == ["new_device"]
    taken_back = pb.DeleteTemplateRequest(parent=api.parent, template=words())
    await api.notifications.DeleteTemplate(taken_back)
    await new_device(reader)
    assert (await reader.only()).subject == "Sign-in on a new device"
    failure = await failure_of(api.notifications.DeleteTemplate(taken_back))
    assert failure is not None
    assert failure.reason == "TEMPLATE_NOT_FOUND"


@pytest.mark.parametrize("text", ["{{ device | trim(3) }}", r"{{ '\ud800' }}"])
async def test_words_that_fail_keep_nobody_from_being_told(reader: Reader, text: str) -> None:
    """Such as were set before they were refused: the mail is in Argus's own."""
    api, db = reader.post.api, reader.post.stack.argus.db
    await acting(reader)
    await api.notifications.SetTemplate(pb.SetTemplateRequest(parent=api.parent, template=words()))
    async with db.transaction() as tx:
        await tx.execute("UPDATE notification_templates SET text = %s WHERE tenant_id = %s", (text, api.tenant_id))
    await new_device(reader)
    assert (await reader.only()).subject == "Sign-in on a new device"


async def test_a_template_is_refused_when_it_is_written_and_shown_before(reader: Reader) -> None:
    api = reader.post.api

    async def refused(template: pb.Template) -> Failure:
        request = pb.SetTemplateRequest(parent=api.parent, template=template)
        failure = await failure_of(api.notifications.SetTemplate(request))
        assert failure is not None
        return failure

    failure = await refused(words(text="{{ password }}"))
    assert (failure.reason, failure.field) == ("TEMPLATE_INVALID", "template.text")
    assert failure.metadata["cause"] == "UNKNOWN_VARIABLE"
    shown = await api.notifications.PreviewTemplate(
        pb.PreviewTemplateRequest(
            parent=api.parent, template=words(), variables=[pb.TemplateVariable(name="device", value="My phone")]
        )
    )
    assert (shown.subject, shown.text) == ("New at Example", "It is\nMy phone.\n")
    assert "device" in shown.known_variables
    assert list((await api.notifications.ListTemplates(pb.ListTemplatesRequest(parent=api.parent))).templates) == []


async def test_a_user_does_without_what_does_not_protect_the_account(reader: Reader) -> None:
    own = await acting(reader)
    shown = {one.notice: one for one in (await own.do("GetOwnPreferences")).preferences}
    assert {one for one in shown if not shown[one].required} == {"new_device", "session_limit"}
    assert {one for one in shown if not shown[one].mail} == {"session_limit"}
    await own.do("UpdateOwnPreferences", preferences=[pb.Preference(notice="new_device", mail=False)])
    await new_device(reader)
    assert await reader.told() == {}
    assert "NOTICES_CHANGED" in await own.kinds()
    failure = await own.refused(
        "UpdateOwnPreferences", preferences=[pb.Preference(notice="password_changed", mail=False)]
    )
    assert (failure.reason, failure.metadata) == ("NOTICE_REQUIRED", {"notice": "password_changed"})
    await own.do("ChangeOwnPassword", password=PASSWORDS, keep_other_sessions=True)
    assert await reader.told() == {"Your password was changed": 1}
    on = [pb.Preference(notice="new_device", mail=True)]
    await reader.post.api.notifications.UpdatePreferences(
        pb.UpdatePreferencesRequest(name=reader.person.name, preferences=on)
    )
    await reader.person.sign_in(password=PASSWORDS)
    assert await reader.told() == {"Sign-in on a new device": 1}
    failure = await own.refused("UpdateOwnPreferences", preferences=[pb.Preference(notice="nothing", mail=True)])
    assert failure.reason == "FIELD_INVALID"


async def test_whoever_switches_a_notice_off_proves_itself_first(reader: Reader) -> None:
    """Not whoever has found a session open; to be told more, or the same, needs nothing."""
    own = await acting(reader)
    await reader.post.stack.advance(timedelta(minutes=20))
    await own.refresh()
    off, on = ([pb.Preference(notice="new_device", mail=is_on)] for is_on in (False, True))
    failure = await own.refused("UpdateOwnPreferences", preferences=off)
    assert (failure.reason, failure.metadata["cause"]) == ("STEP_UP_REQUIRED", "AUTH_AGE")
    await own.do("UpdateOwnPreferences", preferences=on)
    shown = (await own.do("GetOwnPreferences")).preferences
    assert [one.mail for one in shown if one.notice == "new_device"] == [True]
    fresh = await acting(reader)
    await fresh.do("UpdateOwnPreferences", preferences=off)
    await own.do("UpdateOwnPreferences", preferences=off)


async def test_mails_go_over_the_tenants_own_server(reader: Reader, own_server: MailServer) -> None:
    """From its address; the installation's server sees none of them."""
    api = reader.post.api
    await acting(reader)
    url = f"smtp+plain://127.0.0.1:{own_server.port}"
    channel = pb.Channel(kind=pb.CHANNEL_KIND_SMTP, url=url, sender="accounts@acme.example")
    made = await api.notifications.CreateChannel(pb.CreateChannelRequest(parent=api.parent, channel=channel))
    assert made.secret == ""
    tested = await api.notifications.TestChannel(pb.TestChannelRequest(name=made.channel.name))
    assert tested.outcome == "SENT"
    await new_device(reader)
    assert await reader.told() == {}
    (mail,) = own_server.of(reader.person.identifier)
    assert mail.sender == "accounts@acme.example"
    (sent,) = [one for one in await deliveries(reader, pb.DELIVERY_STATE_SENT) if one.channel]
    assert (sent.channel, sent.subject) == (made.channel.name, "mail.new_device")


async def test_a_password_is_sent_nowhere_but_where_it_was_said_for(reader: Reader, own_server: MailServer) -> None:
    """Whoever may change a channel need not know the password, and does not get to know it."""
    api, url = reader.post.api, f"smtp+plain://127.0.0.1:{own_server.port}"
    first = pb.Channel(kind=pb.CHANNEL_KIND_SMTP, url="smtps://127.0.0.1:1", sender="a@acme.example", username="argus")
    made = await api.notifications.CreateChannel(
        pb.CreateChannelRequest(parent=api.parent, channel=first, password=PASSWORDS)
    )

    async def lead(password: str, *paths: str, **fields: Any) -> Failure | None:
        request = pb.UpdateChannelRequest(channel=pb.Channel(name=made.channel.name, **fields), password=password)
        request.update_mask.paths.extend(paths)
        return await failure_of(api.notifications.UpdateChannel(request))

    for paths, fields in ((["url"], {"url": url}), (["username"], {"username": "other"})):
        failure = await lead("", *paths, **fields)
        assert failure is not None
        assert (failure.reason, failure.field) == ("FIELD_INVALID", "password")
    assert await lead("", "sender", "url", sender="b@acme.example", url=first.url) is None
    assert await lead(PASSWORDS, "url", url=url) is None
    assert await lead("", "username", "url", username="", url="smtps://127.0.0.1:2") is None


async def test_a_link_that_has_ended_is_not_sent_again(reader: Reader) -> None:
    api, address = reader.post.api, reader.person.identifier
    await acting(reader)
    reader.post.mails.replies[address] = ["550 no such mailbox"]
    await new_device(reader)
    assert await reader.told() == {}
    (dead,) = await deliveries(reader, pb.DELIVERY_STATE_DEAD)
    await reader.post.stack.advance(timedelta(days=8))
    await api.notifications.RetryDelivery(pb.RetryDeliveryRequest(name=dead.name))
    assert await reader.told() == {}
    (dead,) = await deliveries(reader, pb.DELIVERY_STATE_DEAD)
    assert dead.reason == "LINK_CLOSED"


async def test_a_mail_that_was_refused_is_a_dead_letter_that_can_be_sent_again(reader: Reader) -> None:
    api, address = reader.post.api, reader.person.identifier
    await acting(reader)
    reader.post.mails.replies[address] = ["550 no such mailbox"]
    await new_device(reader)
    assert await reader.told() == {}
    (dead,) = await deliveries(reader, pb.DELIVERY_STATE_DEAD)
    assert (dead.subject, dead.reason, dead.channel) == ("mail.new_device", "SMTP_550", "")
    retried = await api.notifications.RetryDelivery(pb.RetryDeliveryRequest(name=dead.name))
    assert retried.delivery.state == pb.DELIVERY_STATE_WAITING
    assert await reader.told() == {"Sign-in on a new device": 1}
    assert await deliveries(reader, pb.DELIVERY_STATE_DEAD) == []
    kept = await api.notifications.GetDelivery(pb.GetDeliveryRequest(name=dead.name))
    assert (kept.delivery.state, kept.delivery.reason) == (pb.DELIVERY_STATE_SENT, "")
    assert PASSWORD not in str(kept)
