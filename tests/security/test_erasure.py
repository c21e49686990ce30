"""A user that is deleted is forgotten: every table is searched, whatever features come to keep of users."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from argus.base.ids import new_id
from argus.contexts.model import Context
from argus.contexts.store import ContextStore
from argus.mail import store as waiting_mails
from argus.mail.model import MailMessage, QueuedMail
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import device_service_pb2 as devices
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.account_links import Post, new_address
from tests.support.features import origin
from tests.support.known_devices import MACHINE, arrive, name_of
from tests.support.moments import now
from tests.support.own_stores import until
from tests.support.people import PASSWORD, Person, new_person
from tests.support.policies import set_document

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.mails import MailServer
    from tests.support.stack import Stack

NAME: Final = "Canary Erasmus"
NUMBER: Final = "+31105550123"
LOCALE: Final = "frr-DK"
DEVICE: Final = "canary's slate"
GROUP: Final = "canary's things"
APP: Final = "CanaryNotes"
ADDRESS: Final = "198.51.100.207"
SEEN_ADDRESS: Final = "2001:db8:207::77"
CITY: Final = "Canaryville"
SAID: Final[dict[str, Any]] = {
    "ip_address": ADDRESS,
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 CanaryAgent/7",
    "installation_id": "canary-installation",
    "app": f"{APP}/4.2",
    "fingerprint": MACHINE,
}
# The id stays where history needs it: that and when there were sessions, what was decided, what was told.
_KEEP_THE_ID: Final = {"users", "sessions", "deliveries"}
# Records of their own, with as much as they are meant to tell; nothing of them says what a user was called.
_JOURNALS: Final = ("audit_events", "policy_simulation")


async def owner_of_everything(stack: Stack, api: Api) -> Person:
    """Somebody of whom each feature knows something."""
    email = f"canary-{new_id()}@example.com"
    identifiers = [
        users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=email),
        users.Identifier(kind=users.IDENTIFIER_KIND_PHONE, value=NUMBER),
    ]
    user = users.User(display_name=NAME, locale=LOCALE, identifiers=identifiers)
    await set_document(stack, api.tenant_id, {"password_history": 4})
    made = await api.users.CreateUser(users.CreateUserRequest(parent=api.parent, user=user, password=PASSWORD[::-1]))
    person = Person(api=api, name=made.user.name, identifier=email)
    await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id="staff"))
    await api.users.AddGroupMember(users.AddGroupMemberRequest(group=f"{api.parent}/groups/staff", user=person.name))
    await api.credentials.SetPassword(credentials.SetPasswordRequest(parent=person.name, password=PASSWORD))
    await _use(stack, person)
    await _write_to(stack, person)
    return person


async def _use(stack: Stack, person: Person) -> None:
    """Signs in twice, on a device that tells much of itself and has a name; one of the sessions is over."""
    api = person.api
    await arrive(person, **SAID)
    done = await arrive(person, **SAID)
    await api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=done.session.name))
    device = name_of(person, done)
    named = devices.KnownDevice(name=device, device=types.Device(display_name=DEVICE, category=GROUP))
    mask = FieldMask(paths=["device.display_name", "device.category"])
    await api.devices.UpdateDevice(devices.UpdateDeviceRequest(device=named, update_mask=mask))
    posture = devices.Posture(source=devices.POSTURE_SOURCE_MDM)
    posture.measured_time.FromMilliseconds(stack.private.clock.now_ms())
    await api.devices.ReportPosture(devices.ReportPostureRequest(name=device, posture=posture))


async def _write_to(stack: Stack, person: Person) -> None:
    """Leaves what is on its way to it, and what no database of places is installed for."""
    argus, tenant_id, who = stack.argus, person.api.tenant_id, person.user_id
    by = origin(tenant_id)
    await argus.notifications.preferences.update(tenant_id, who, {"session_limit": True}, origin=by)
    message = MailMessage(template="password_changed", to=person.identifier, user_id=who, variables={"place": ADDRESS})
    kept = {"template": message.template, "to": message.to, "variables": dict(message.variables)}
    async with argus.db.transaction(by, now=now(stack)) as tx:
        await argus.post.links.make(tx, "recovery", tenant_id, user_id=who, address=person.identifier)
        later = now(stack) + timedelta(hours=1)
        await waiting_mails.insert(tx, tenant_id, new_id(), message, at=later, expire_time=later)
        await argus.notifications.deliveries.log_mail(
            tx,
            tenant_id=tenant_id,
            mail_id=new_id(),
            template=message.template,
            channel_id="",
            user_id=who,
            create_time=now(stack),
            attempts=1,
            failure="REFUSED",
            kept=kept,
        )
        for session in await person.list(with_ended=True):
            known = Context(country="NL", network_class="access")
            await ContextStore(argus.db).put(tx, tenant_id, session.name.rpartition("/")[2], known, now=now(stack))
        await tx.execute("UPDATE devices SET city = %s WHERE user_id = %s", (CITY, who))
        await tx.execute(
            "UPDATE sessions SET city = %s, seen_ip_address = %s WHERE user_id = %s", (CITY, SEEN_ADDRESS, who)
        )


async def tables_with(stack: Stack, words: list[str]) -> dict[str, set[str]]:
    """Which tables say which of some words, in any column."""
    found: dict[str, set[str]] = {}
    rows = await stack.argus.db.fetch_all("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    for name in sorted(row["name"] for row in rows):
        for word in words:
            said = await stack.argus.db.fetch_one(
                f"SELECT 1 AS one FROM {name} t WHERE row_to_json(t)::text ILIKE %s LIMIT 1", (f"%{word}%",)
            )
            if said:
                found.setdefault(name, set()).add(word)
    return found


async def tables_of(stack: Stack, user_id: str) -> set[str]:
    """The tables with a row of a user, but for journals."""
    rows = await stack.argus.db.fetch_all(
        "SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND column_name = 'user_id'"
    )
    found = set()
    for name in [row["name"] for row in rows if not row["name"].startswith(_JOURNALS)]:
        if await stack.argus.db.fetch_one(f"SELECT 1 AS one FROM {name} WHERE user_id = %s LIMIT 1", (user_id,)):
            found.add(name)
    return found


async def in_redis(stack: Stack, words: list[str]) -> set[str]:
    """Which of some words a value in Redis has."""
    client, found = stack.argus.redis.client, set[str]()
    readers: dict[Any, Any] = {b"string": client.get, b"hash": client.hgetall}
    async for key in client.scan_iter(count=1000):
        reader = readers.get(await client.type(key))
        content = repr(await reader(key)) if reader else ""
        found |= {word for word in words if word in content or word in repr(key)}
    return found


async def test_nothing_is_left_of_a_deleted_user_but_its_id(stack: Stack) -> None:
    """Neither what it is called, nor what it signed in on, nor from where; the audit keeps addresses for its time."""
    api = await stack.new_tenant()
    person = await owner_of_everything(stack, api)
    await stack.argus.effects.flush()
    words = [NAME, person.identifier, NUMBER, LOCALE, DEVICE, GROUP, APP, "CanaryAgent", ADDRESS, SEEN_ADDRESS, CITY]
    before = await tables_with(stack, words)
    assert set().union(*before.values()) == set(words)
    assert {"users", "identifiers", "devices", "sessions", "mails", "deliveries", "account_links"} <= before.keys()
    kept = await tables_of(stack, person.user_id)
    assert {"credentials", "devices", "group_members", "notification_preferences", "mails", "account_links"} < kept
    await api.users.DeleteUser(users.DeleteUserRequest(name=person.name, comment="Art. 17"))
    await stack.argus.effects.flush()
    assert await tables_of(stack, person.user_id) <= _KEEP_THE_ID
    after = await tables_with(stack, words)
    assert {name: said for name, said in after.items() if not name.startswith("audit_events")} == {}
    assert set().union(*after.values()) <= {ADDRESS, SEEN_ADDRESS}
    contexts = (
        "SELECT 1 AS one FROM session_contexts c JOIN sessions s USING (tenant_id, session_id) WHERE s.user_id = %s"
    )
    assert await stack.argus.db.fetch_one(contexts, (person.user_id,)) is None
    assert await in_redis(stack, words) == set()


async def test_a_mail_that_was_under_way_brings_nothing_back(stack: Stack) -> None:
    """A mail server that refuses it after its user was deleted leaves no dead letter with an address."""
    api = await stack.new_tenant()
    person = await owner_of_everything(stack, api)
    names = "tenant_id, mail_id, template, locale, user_id, recipient, variables, link_id, code_id, create_time"
    taken = await stack.argus.db.fetch_all(
        f"SELECT {names}, expire_time, attempts FROM mails WHERE user_id = %s", (person.user_id,)
    )
    assert taken
    await api.users.DeleteUser(users.DeleteUserRequest(name=person.name))
    for row in taken:
        await stack.argus.accounts.posting._close(QueuedMail(**row), "mail.refused", "550")
    assert await tables_with(stack, [person.identifier]) == {}


async def _delete(api: Api, name: str) -> None:
    await api.users.DeleteUser(users.DeleteUserRequest(name=name))


async def test_a_dead_mail_that_is_sent_again_while_its_user_is_deleted_does_not_stay(stack: Stack) -> None:
    """The deletion waits until the mail waits again, and takes it along."""
    api = await stack.new_tenant()
    person = await owner_of_everything(stack, api)
    argus = stack.argus
    dead = "SELECT delivery_id FROM deliveries WHERE tenant_id = %s AND mail ->> 'to' = %s LIMIT 1"
    row = await argus.db.fetch_one(dead, (api.tenant_id, person.identifier))
    assert row is not None
    async with argus.db.transaction(origin(api.tenant_id), now=now(stack)) as tx:
        letter = await argus.notifications.deliveries.revive(tx, api.tenant_id, row["delivery_id"])
        fields: dict[str, Any] = dict(letter.mail or {})
        deleting = asyncio.ensure_future(_delete(api, person.name))
        while not await argus.db.fetch_one("SELECT 1 AS one FROM pg_locks WHERE NOT granted LIMIT 1"):
            assert not deleting.done()
        await argus.post.mails.revive(tx, api.tenant_id, row["delivery_id"], MailMessage(**fields))
    await deleting
    assert await tables_with(stack, [person.identifier]) == {}


async def test_who_registered_by_mail_leaves_no_address(stack: Stack, mails: MailServer) -> None:
    """Neither of the link that was used, nor of one that was not, nor of mails that wait or could not be delivered."""
    post = Post(stack=stack, api=await stack.new_tenant(), mails=mails)
    await post.set_policy(self_registration=True)
    address = new_address()
    await post.register(address)
    token = (await post.mail(address)).token
    # The second one can't be delivered, in whatever letters.
    typed = address.upper()
    for form in (typed, address, f"{typed.partition('@')[0]}@{address.partition('@')[2]}"):
        mails.replies[form] = ["550 no such mailbox"]
    await post.register(typed)
    await post.carry_out()
    tables = await tables_with(stack, [address])
    assert {"account_links", "deliveries"} <= tables.keys(), tables
    made = (await post.complete("registration", token)).user
    async with stack.argus.db.transaction(origin(post.api.tenant_id), now=now(stack)) as tx:
        waiting = MailMessage(template="registration", to=address, locale="en")
        later = now(stack) + timedelta(hours=1)
        await waiting_mails.insert(tx, post.api.tenant_id, new_id(), waiting, at=later, expire_time=later)
    spent = "SELECT 1 AS one FROM account_links WHERE user_id = %s AND use_time IS NOT NULL"
    assert await stack.argus.db.fetch_one(spent, (made.name.rpartition("/")[2],))
    await post.api.users.DeleteUser(users.DeleteUserRequest(name=made.name))
    assert await tables_with(stack, [address]) == {}


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_context_that_was_being_judged_brings_nothing_back(stack: Stack, is_first: bool) -> None:
    """Whichever comes first: the write of the context, which the deletion then waits for, or the deletion."""
    api, db = await stack.new_tenant(), stack.argus.db
    person = await new_person(api)
    session_id = (await arrive(person)).session.name.rpartition("/")[2]
    known = Context(country_address=ADDRESS, network_address=ADDRESS)

    async def is_waiting() -> object:
        return await db.fetch_one("SELECT 1 AS one FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    async def delete() -> None:
        await api.users.DeleteUser(users.DeleteUserRequest(name=person.name))

    async with asyncio.TaskGroup() as group, db.transaction(origin(api.tenant_id), now=now(stack)) as tx:
        if not is_first:
            await delete()
        await ContextStore(db).put(tx, api.tenant_id, session_id, known, now=now(stack))
        if is_first:
            group.create_task(delete())
            await until(is_waiting)
    left = await db.fetch_one("SELECT 1 AS one FROM session_contexts WHERE session_id = %s", (session_id,))
    assert left is None
