"""Webhooks: an event is sent with what has happened or not at all, signed, at least once, and what fails is seen."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import Parse

from argus.base.clock import now
from argus.base.origin import Origin
from argus.notifications.deliveries.model import Delivery
from argus.server.api import Api, failure_of
from argus.v1 import events_pb2
from argus.v1 import notification_service_pb2 as pb
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import user_service_pb2 as users
from tests.support.hooks import Hooked, hooked
from tests.support.own_stores import until
from tests.support.people import Person, new_person, terminate
from tests.support.receivers import Posted, Receiver, receiver, status

if TYPE_CHECKING:
    from tests.support.stack import Stack

WAITS: Final = (5, 60, 300, 1800, 7200, 18_000, 28_800, 28_800)


@pytest.fixture
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


@pytest.fixture
async def endpoint() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def hook(stack: Stack, api: Api, person: Person, endpoint: Receiver) -> Hooked:
    """It is told what happens to users and sessions."""
    return await hooked(stack, api, endpoint, "user.*", "session.*")


def is_signed(posted: Posted, secret: str) -> bool:
    """Whether a signature of the secret is among those of the message, by the words of the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{posted.id}.{posted.headers['webhook-timestamp']}.{posted.body}".encode()
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{signature}" in posted.headers["webhook-signature"].split(" ")


async def test_what_is_sent_is_the_public_event_and_is_signed(hook: Hooked, person: Person, stack: Stack) -> None:
    done = await person.sign_in(ip="192.0.2.7")
    (posted,) = await hook.receiver.wait_for(1)
    assert is_signed(posted, hook.secret)
    assert not is_signed(posted, "whsec_" + base64.b64encode(b"x" * 32).decode())
    assert posted.path == "/hooks?from=argus"
    assert posted.headers["content-type"] == "application/json"
    told = Parse(posted.body, events_pb2.Event())
    assert (told.type, told.ip_address, told.user_id) == ("session.created", "192.0.2.7", person.user_id)
    request = sessions.ListSessionEventsRequest(parent=done.session.name, page_size=100)
    listed = (await hook.api.sessions.ListSessionEvents(request)).events
    assert told in listed
    assert posted.id == told.name == json.loads(posted.body)["name"]
    assert abs(int(posted.headers["webhook-timestamp"]) - now(stack.private.clock).timestamp()) < 30
    assert not any(secret in posted.body for secret in (done.tokens.refresh_token, done.device_token))


async def test_only_what_was_asked_for_is_sent_and_only_while_it_is_on(
    stack: Stack, api: Api, person: Person, endpoint: Receiver
) -> None:
    """By type or by noun; of this tenant alone; not from a channel that is off."""
    ends = await hooked(stack, api, endpoint, "session.ended")
    other_api = await stack.new_tenant()
    await (await new_person(other_api)).sign_in()
    done = await person.sign_in()
    await ends.happen(person)
    await terminate(api, done.session.name)
    (posted,) = await endpoint.wait_for(1)
    told = json.loads(posted.body)
    assert (told["type"], told["reason"]) == ("session.ended", "ENDED_BY_ADMIN")
    await ends.update("state", state=pb.CHANNEL_STATE_DISABLED)
    await terminate(api, (await person.sign_in()).session.name)
    assert [one.subject for one in await ends.settled()] == ["session.ended"]
    await ends.update("state", state=pb.CHANNEL_STATE_ACTIVE)
    await terminate(api, (await person.sign_in()).session.name)
    assert len(await endpoint.wait_for(2)) == 2


async def test_a_channel_that_is_turned_off_while_it_sends_keeps_no_try_open(
    hook: Hooked, person: Person, stack: Stack
) -> None:
    """Whoever turns it off holds the channel, then its deliveries; whoever sends does so in this order, too."""
    hook.receiver.gate = asyncio.Event()
    await hook.happen(person)
    sending = asyncio.create_task(hook.send_due())
    await hook.receiver.wait_for(1)
    db, tenant_id = stack.argus.db, hook.api.tenant_id
    async with db.transaction(
        Origin(tenant_id=tenant_id, actor="test", request_id="r"), now=now(stack.private.clock)
    ) as tx:
        await stack.argus.notifications.channels.hold(tx, tenant_id, hook.channel_id)
        hook.receiver.gate.set()
        waiting = "SELECT 1 AS one FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await until(lambda: db.fetch_one(waiting))
        await stack.argus.notifications.deliveries.give_up(tx, tenant_id, hook.channel_id, reason="CHANNEL_DISABLED")
    await sending
    (delivery,) = await hook.settled()
    assert [one.outcome for one in (await hook.delivery(delivery.name)).attempts] == ["SENT"]


async def test_a_try_that_fails_in_argus_itself_is_a_failed_try(hook: Hooked, person: Person, stack: Stack) -> None:
    """Such as one with words that were set before they were refused: it is shown, and tried again."""
    template = pb.Template(
        notice="user.updated", medium=pb.TEMPLATE_MEDIUM_WEBHOOK, locale="en", text='{"text": "{{ user_id }}"}'
    )
    await hook.api.notifications.SetTemplate(pb.SetTemplateRequest(parent=hook.api.parent, template=template))
    await hook.update(use_templates=True)
    async with stack.argus.db.transaction() as tx:
        broken = r'{"text": "\ud800 {{ user_id }}"}'
        sql = "UPDATE notification_templates SET text = %s WHERE tenant_id = %s"
        await tx.execute(sql, (broken, hook.api.tenant_id))
    await hook.happen(person)
    (delivery,) = await hook.settled()
    assert (delivery.state, delivery.reason) == (pb.DELIVERY_STATE_WAITING, "FAILED")
    assert [one.outcome for one in (await hook.delivery(delivery.name)).attempts] == ["FAILED"]
    assert delivery.HasField("next_attempt_time")


async def test_nothing_is_told_of_what_did_not_happen(hook: Hooked, person: Person) -> None:
    await hook.api.users.DisableUser(users.DisableUserRequest(name=person.name, validate_only=True))
    assert await hook.deliveries() == []
    await hook.api.users.DisableUser(users.DisableUserRequest(name=person.name))
    assert {one.subject for one in await hook.deliveries()} == {"user.disabled", "user.sessions_ended"}


async def test_a_failure_is_tried_again_later_and_later_under_the_same_id(
    hook: Hooked, person: Person, stack: Stack
) -> None:
    """Refused, cut off, sent elsewhere; nothing that the endpoint says is kept."""
    hook.receiver.answers = [status(500), None, status(302, "location: http://127.0.0.1:1/")]
    await hook.happen(person)
    for tries, wait in enumerate(WAITS[:3], start=1):
        (delivery,) = await hook.settled()
        assert delivery.attempt_count == tries
        waited = delivery.next_attempt_time.ToDatetime() - now(stack.private.clock).replace(tzinfo=None)
        assert timedelta(seconds=wait * 0.8 - 2) < waited < timedelta(seconds=wait * 1.1 + 1)
        await stack.advance(timedelta(seconds=wait * 1.1))
    posted = await hook.receiver.wait_for(4)
    (delivery,) = await hook.settled()
    assert (delivery.state, delivery.reason) == (pb.DELIVERY_STATE_SENT, "")
    outcomes = [one.outcome for one in (await hook.delivery(delivery.name)).attempts]
    assert outcomes == ["HTTP_500", "PROTOCOL", "REDIRECT", "SENT"]
    assert len({(one.id, one.body) for one in posted}) == 1
    assert not (await hook.channel()).HasField("failing_since_time")


async def test_what_fails_to_the_end_is_a_dead_letter_that_can_be_sent_again(
    hook: Hooked, person: Person, stack: Stack
) -> None:
    hook.receiver.usual = status(503)
    await hook.happen(person)
    while not (dead := await hook.deliveries(pb.DELIVERY_STATE_DEAD)):
        (delivery,) = await hook.settled()
        due = delivery.next_attempt_time.ToDatetime() - now(stack.private.clock).replace(tzinfo=None)
        await stack.advance(max(due, timedelta(0)) + timedelta(seconds=1))
    if (await hook.channel()).HasField("pause_time"):
        await hook.api.notifications.ResumeChannel(pb.ResumeChannelRequest(name=hook.name))
    (letter,) = dead
    assert letter.reason == "HTTP_503"
    assert letter.attempt_count == len(WAITS) + 1
    failure = await failure_of(hook.api.notifications.RetryDelivery(pb.RetryDeliveryRequest(name=f"{letter.name}x")))
    assert failure is not None
    assert failure.reason == "DELIVERY_NOT_FOUND"
    hook.receiver.usual = status(200)
    await hook.api.notifications.RetryDelivery(pb.RetryDeliveryRequest(name=letter.name))
    (sent,) = await hook.settled()
    assert sent.state == pb.DELIVERY_STATE_SENT
    failure = await failure_of(hook.api.notifications.RetryDelivery(pb.RetryDeliveryRequest(name=letter.name)))
    assert failure is not None
    assert (failure.reason, failure.metadata["state"]) == ("DELIVERY_NOT_DEAD", "SENT")
    types = await audit_types(stack, hook.api)
    assert {"delivery.dead", "delivery.retried"} <= set(types)


async def test_an_endpoint_that_fails_for_a_day_is_paused_and_goes_on_where_it_was(
    hook: Hooked, person: Person, stack: Stack
) -> None:
    """What happens meanwhile waits; nothing is sent to a paused channel."""
    hook.receiver.usual = status(500)
    await hook.happen(person)
    await hook.settled()
    assert (await hook.channel()).state == pb.CHANNEL_STATE_ACTIVE
    assert (await hook.channel()).HasField("failing_since_time")
    await stack.advance(timedelta(hours=25))
    await hook.settled()
    paused = await hook.channel()
    assert (paused.state, paused.pause_reason) == (pb.CHANNEL_STATE_PAUSED, "HTTP_500")
    assert "channel.paused" in await audit_types(stack, hook.api)
    tries = len(hook.receiver.posted)
    await hook.happen(person, "Changed again")
    await stack.advance(timedelta(hours=1))
    await hook.send_due()
    assert len(hook.receiver.posted) == tries
    hook.receiver.usual = status(200)
    resumed = await hook.api.notifications.ResumeChannel(pb.ResumeChannelRequest(name=hook.name))
    assert resumed.channel.state == pb.CHANNEL_STATE_ACTIVE
    assert [one.state for one in await hook.settled()] == [pb.DELIVERY_STATE_SENT] * 2


async def test_an_endpoint_that_is_gone_is_paused_at_once(hook: Hooked, person: Person) -> None:
    hook.receiver.usual = status(410)
    await hook.happen(person)
    await hook.settled()
    assert ((await hook.channel()).state, (await hook.channel()).pause_reason) == (
        pb.CHANNEL_STATE_PAUSED,
        "ENDPOINT_GONE",
    )


async def test_what_waits_for_a_channel_that_is_turned_off_is_given_up(hook: Hooked, person: Person) -> None:
    """It can be sent again, and comes by itself no more."""
    hook.receiver.usual = status(500)
    await hook.happen(person)
    await hook.settled()
    await hook.update("state", state=pb.CHANNEL_STATE_DISABLED)
    (dead,) = await hook.deliveries(pb.DELIVERY_STATE_DEAD)
    assert dead.reason == "CHANNEL_DISABLED"
    hook.receiver.usual = status(200)
    await hook.update("state", state=pb.CHANNEL_STATE_ACTIVE)
    assert [one.state for one in await hook.settled()] == [pb.DELIVERY_STATE_DEAD]
    await hook.api.notifications.RetryDelivery(pb.RetryDeliveryRequest(name=dead.name))
    assert [one.state for one in await hook.settled()] == [pb.DELIVERY_STATE_SENT]


async def test_what_waits_for_a_paused_channel_is_sent_when_it_is_turned_on(hook: Hooked, person: Person) -> None:
    hook.receiver.usual = status(410)
    await hook.happen(person)
    await hook.settled()
    hook.receiver.usual = status(200)
    assert (await hook.update("state", state=pb.CHANNEL_STATE_ACTIVE)).pause_reason == ""
    assert [one.state for one in await hook.settled()] == [pb.DELIVERY_STATE_SENT]


async def test_what_waits_for_too_long_is_given_up_and_the_log_is_forgotten(
    hook: Hooked, person: Person, stack: Stack
) -> None:
    hook.receiver.usual = status(410)
    await hook.happen(person)
    await hook.settled()
    await stack.advance(timedelta(days=3, minutes=1))
    await stack.argus.notifications.deliveries.tidy()
    (dead,) = await hook.deliveries(pb.DELIVERY_STATE_DEAD)
    assert dead.reason == "ENDPOINT_GONE"
    await stack.advance(timedelta(days=28))
    await stack.argus.notifications.deliveries.tidy()
    assert await hook.deliveries() == []


async def test_a_new_secret_signs_beside_the_old_one_for_as_long_as_was_said(
    hook: Hooked, person: Person, stack: Stack
) -> None:
    request = pb.RotateChannelSecretRequest(name=hook.name, overlap=Duration(seconds=3600))
    newer = (await hook.api.notifications.RotateChannelSecret(request)).secret
    await hook.happen(person)
    await hook.receiver.wait_for(1)
    await stack.advance(timedelta(hours=1, seconds=1))
    await hook.happen(person, "Changed again")
    both, one = await hook.receiver.wait_for(2)
    assert is_signed(both, hook.secret)
    assert is_signed(both, newer)
    assert is_signed(one, newer)
    assert not is_signed(one, hook.secret)


async def test_a_secret_is_kept_encrypted_and_told_once(hook: Hooked, stack: Stack) -> None:
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))
    assert len(key) == 32
    rows = await stack.argus.db.fetch_all("SELECT ciphertext FROM channel_secrets")
    assert rows
    assert not any(hook.secret.encode() in bytes(row["ciphertext"]) or key in bytes(row["ciphertext"]) for row in rows)
    assert hook.secret not in str(await hook.channel())


async def test_a_test_is_sent_at_once_and_changes_nothing(hook: Hooked) -> None:
    answer = await hook.api.notifications.TestChannel(pb.TestChannelRequest(name=hook.name))
    assert answer.outcome == "SENT"
    (posted,) = hook.receiver.posted
    assert is_signed(posted, hook.secret)
    assert json.loads(posted.body)["type"] == "channel.tested"
    hook.receiver.usual = status(418)
    assert (await hook.api.notifications.TestChannel(pb.TestChannelRequest(name=hook.name))).outcome == "HTTP_418"
    assert not (await hook.channel()).HasField("failing_since_time")
    assert await hook.deliveries() == []


async def test_a_slow_endpoint_holds_up_no_other(stack: Stack, api: Api, person: Person, hook: Hooked) -> None:
    """Only so many are sent to one endpoint at a time."""
    hook.receiver.gate = asyncio.Event()
    async with receiver() as quick:
        await hooked(stack, api, quick, "user.*")
        for number in range(12):
            await hook.happen(person, f"Name {number}")
        assert len(await quick.wait_for(12)) == 12
        assert len(hook.receiver.posted) <= 4
        hook.receiver.gate.set()
        hook.receiver.gate = None
        await hook.receiver.wait_for(12)


async def test_who_comes_too_late_says_nothing(
    hook: Hooked, person: Person, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery is of whoever has taken it last; each is taken by one at a time."""

    async def nothing() -> int:
        return 0

    monkeypatch.setattr(stack.argus.courier, "_begin", nothing)
    deliveries = stack.argus.notifications.deliveries
    await hook.happen(person)

    async def taken() -> list[Delivery]:
        found = await deliveries.take(size=100, each=4, busy=())
        return [one for one in found if one.channel_id == hook.channel_id]

    async def says(delivery: Delivery, outcome: str) -> bool:
        is_sent = outcome == "SENT"
        async with stack.argus.db.transaction(
            Origin(tenant_id=hook.api.tenant_id, actor="system:test", request_id=""), now=now(stack.private.clock)
        ) as tx:
            return await deliveries.note(
                tx, delivery, outcome=outcome, duration=timedelta(0), is_sent=is_sent, is_final=not is_sent
            )

    (late,) = await taken()
    assert await taken() == []
    await stack.advance(timedelta(minutes=2, seconds=1))
    (last,) = await taken()
    assert not await says(late, "TIMEOUT")
    assert await says(last, "SENT")
    assert not await says(last, "TIMEOUT")
    (found,) = await hook.deliveries()
    assert (found.state, found.reason) == (pb.DELIVERY_STATE_SENT, "")


async def test_a_deleted_channel_takes_what_waits_with_it(hook: Hooked, person: Person) -> None:
    hook.receiver.usual = status(500)
    await hook.happen(person)
    await hook.settled()
    await hook.api.notifications.DeleteChannel(pb.DeleteChannelRequest(name=hook.name))
    failure = await failure_of(hook.channel())
    assert failure is not None
    assert failure.reason == "CHANNEL_NOT_FOUND"
    assert await hook.deliveries() == []


async def audit_types(stack: Stack, api: Api) -> list[str]:
    """Types of all events of a tenant."""
    rows = await stack.argus.db.fetch_all("SELECT type FROM audit_events WHERE tenant_id = %s", (api.tenant_id,))
    return [row["type"] for row in rows]
