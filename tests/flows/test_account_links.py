"""Links in mails: each works once, for its purpose, in its tenant, until it expires; looking at it changes nothing."""

import asyncio
from datetime import timedelta
from typing import Final

import httpx
import pytest

from argus.accounts.model import LINK_LIVES, LinkInvalidError
from argus.accounts.service import Links
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.server.api import failure_of
from argus.v1 import account_service_pb2 as accounts
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.account_links import NEW_PASSWORD, Post, new_address
from tests.support.mails import MailServer
from tests.support.people import PASSWORD, Person, new_person, reason_of, refresh
from tests.support.stack import Stack

PURPOSES: Final = ("recovery", "registration", "verification", "invitation")
# What a table is left with after a link was followed by a program.
_TABLES: Final = ("users", "identifiers", "credentials", "sessions", "account_links")


@pytest.fixture(scope="module")
async def post(stack: Stack, mails: MailServer) -> Post:
    post = Post(stack=stack, api=await stack.new_tenant(), mails=mails)
    await post.set_policy(self_registration=True)
    return post


@pytest.fixture
async def person(post: Post) -> Person:
    return await new_person(post.api)


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_a_link_works_once(post: Post, purpose: str) -> None:
    mail = await post.link(purpose)
    assert f"/account/{purpose}#" in mail.link
    await post.complete(purpose, mail.token)
    assert await reason_of(post.complete(purpose, mail.token)) == "LINK_INVALID"
    assert await reason_of(post.look(mail.token)) == "LINK_INVALID"


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_of_many_at_once_one_uses_a_link(post: Post, purpose: str) -> None:
    token = (await post.link(purpose)).token
    outcomes = await asyncio.gather(*(reason_of(post.complete(purpose, token)) for _ in range(8)))
    assert outcomes.count("") == 1
    # Of registrations the slower ones may find the address taken before they find the link used.
    assert set(outcomes) <= {"", "LINK_INVALID", *(["IDENTIFIER_TAKEN"] if purpose == "registration" else [])}


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_a_link_ends_in_its_time(post: Post, purpose: str) -> None:
    """To the millisecond, by the clock that decides everything."""
    token = (await post.link(purpose)).token
    argus = post.stack.argus
    links, origin = argus.post.links, Origin(tenant_id=post.api.tenant_id, actor="system:test", request_id=new_id())
    link = await links.open(post.api.tenant_id, token, purpose, origin=origin)  # type: ignore[arg-type]
    assert link.expire_time - link.create_time == LINK_LIVES[link.purpose]
    for late, is_good in ((timedelta(milliseconds=-1), True), (timedelta(0), False)):
        then = link.expire_time + late
        later = Links(argus.db, links._key, now=lambda then=then: then)  # type: ignore[misc]
        if is_good:
            assert await later.open(post.api.tenant_id, token, link.purpose, origin=origin) == link
        else:
            with pytest.raises(LinkInvalidError):
                await later.open(post.api.tenant_id, token, link.purpose, origin=origin)


async def test_an_expired_link_does_nothing(post: Post, person: Person) -> None:
    await post.recover(person.identifier)
    token = (await post.mail(person.identifier)).token
    await post.stack.advance(timedelta(hours=1, seconds=1))
    assert await reason_of(post.complete("recovery", token)) == "LINK_INVALID"
    assert (await person.sign_in()).session.name


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_link_scanners_spend_nothing(post: Post, purpose: str) -> None:
    """Programs that fetch every link of a mail, some of them with script, before a person gets to see it."""
    mail = await post.link(purpose)
    path = mail.link.partition("#")[0].replace(post.stack.argus.settings.base_url, post.stack.server.http_url)
    before = await _rows(post)
    async with httpx.AsyncClient(follow_redirects=True) as http:
        for method in ("GET", "HEAD", "OPTIONS"):
            for url in (path, f"{path}#{mail.token}"):
                assert (await http.request(method, url)).status_code < 500
    # What a page asks that runs its script.
    shown = [await post.look(mail.token) for _ in range(3)]
    assert await _rows(post) == before
    assert {one.email for one in shown} == {mail.recipient}
    assert {accounts.LinkPurpose.Name(one.purpose) for one in shown} == {f"LINK_PURPOSE_{purpose.upper()}"}
    await post.complete(purpose, mail.token)


async def test_a_link_is_good_for_its_purpose_and_tenant_alone(post: Post) -> None:
    """And stays good for it, whoever tried."""
    other = await post.stack.new_tenant()
    for purpose in PURPOSES:
        token = (await post.link(purpose)).token
        for another in PURPOSES:
            if another != purpose:
                assert await reason_of(post.complete(another, token)) == "LINK_INVALID"
        link_id, _, secret = token.partition(".")
        spoilt = [f"{link_id}.{'B' if secret[0] == 'A' else 'A'}{secret[1:]}", f"{link_id}.", f"{new_id()}.{secret}"]
        for one in (*spoilt, link_id, "x", "é.é", ".", "\0.x", f"{link_id}\0.{secret}"):
            assert await reason_of(post.complete(purpose, one)) == "LINK_INVALID"
        assert await reason_of(post.complete(purpose, token, api=other)) == "LINK_INVALID"
        await post.complete(purpose, token)


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_nothing_of_a_token_is_stored(post: Post, purpose: str) -> None:
    """Whoever reads PostgreSQL, while the mail waits or later, has no link."""
    mail = await post.link(purpose)
    stored = await _dump(post)
    assert mail.recipient in stored
    link_id, _, secret = mail.token.partition(".")
    assert link_id in stored
    assert secret not in stored
    await post.complete(purpose, mail.token)
    assert secret not in await _dump(post)


async def test_recovery_sets_a_password_and_ends_every_session(post: Post, person: Person) -> None:
    before = await person.sign_in()
    await post.recover(person.identifier)
    mail = await post.mail(person.identifier)
    done = await post.complete("recovery", mail.token)
    assert done.sessions_state == types.TERMINATION_STATE_ENDED
    assert await person.count() == 0
    assert await reason_of(refresh(post.api, before.tokens.refresh_token)) == "SESSION_ENDED"
    assert await reason_of(person.sign_in()) == "FACTOR_REFUSED"
    assert (await person.sign_in(password=NEW_PASSWORD)).session.name
    # They are on their way side by side.
    told = {(await post.mail(person.identifier)).subject for _ in range(2)}
    assert told == {"Your password was changed", "Sign-in on a new device"}


async def test_recovery_signs_nobody_in(post: Post, person: Person) -> None:
    """A second factor is not skipped: there is no session before the next sign-in, which asks for it."""
    await post.recover(person.identifier)
    response = await post.complete("recovery", (await post.mail(person.identifier)).token)
    assert {one.name for one, _ in response.ListFields()} == {"sessions_state"}
    assert await person.list(with_ended=True) == []


async def test_recovery_may_leave_the_sessions_by_policy(post: Post, stack: Stack, mails: MailServer) -> None:
    own = Post(stack=stack, api=await stack.new_tenant(), mails=mails)
    await own.set_policy(recovery_ends_sessions=False)
    person = await new_person(own.api)
    await person.sign_in()
    await own.recover(person.identifier)
    done = await own.complete("recovery", (await own.mail(person.identifier)).token)
    assert done.sessions_state == types.TERMINATION_STATE_UNSPECIFIED
    assert await person.count() == 1


async def test_a_refused_password_leaves_the_link_good(post: Post, person: Person) -> None:
    await post.recover(person.identifier)
    token = (await post.mail(person.identifier)).token
    failure = await failure_of(post.complete("recovery", token, "short"))
    assert failure is not None
    assert (failure.reason, failure.metadata["rule"]) == ("PASSWORD_REFUSED", "TOO_SHORT")
    await post.complete("recovery", token)


async def test_a_new_password_closes_the_links_to_set_one(post: Post, person: Person) -> None:
    """Somebody else may have them."""
    tokens = []
    for _ in range(2):
        await post.recover(person.identifier)
        tokens.append((await post.mail(person.identifier)).token)
    await post.complete("recovery", tokens[0])
    assert await reason_of(post.complete("recovery", tokens[1])) == "LINK_INVALID"


async def test_an_address_that_is_no_longer_the_users_recovers_nothing(post: Post, person: Person) -> None:
    await post.recover(person.identifier)
    token = (await post.mail(person.identifier)).token
    user = (await post.api.users.GetUser(users.GetUserRequest(name=person.name))).user
    another = users.Identifier(kind=users.IDENTIFIER_KIND_USERNAME, value=f"u{new_id()[:8].strip('-_')}x")
    await post.api.users.CreateIdentifier(users.CreateIdentifierRequest(parent=person.name, identifier=another))
    await post.api.users.DeleteIdentifier(users.DeleteIdentifierRequest(name=user.identifiers[0].name))
    assert await reason_of(post.complete("recovery", token)) == "LINK_INVALID"


@pytest.mark.parametrize("way", ["disabled", "deleted"])
async def test_a_user_that_is_gone_recovers_nothing(post: Post, person: Person, way: str) -> None:
    await post.recover(person.identifier)
    token = (await post.mail(person.identifier)).token
    if way == "disabled":
        await post.api.users.DisableUser(users.DisableUserRequest(name=person.name))
    else:
        await post.api.users.DeleteUser(users.DeleteUserRequest(name=person.name))
    expected = "USER_DISABLED" if way == "disabled" else "LINK_INVALID"
    assert await reason_of(post.complete("recovery", token)) == expected


async def test_mails_go_to_the_address_that_is_kept_not_to_the_one_that_was_typed(post: Post) -> None:
    """Two addresses that compare as equal may be of two people (fullwidth letters, case of a domain's script)."""
    kept = new_address()
    one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=kept)
    await post.api.users.CreateUser(users.CreateUserRequest(parent=post.api.parent, user=users.User(identifiers=[one])))
    await post.recover(kept.replace("example", "ｅxample").upper())
    assert (await post.mail(kept)).subject == "Set a new password"
    assert {one.recipient for one in post.mails.received if one.recipient.casefold() != kept} == {
        one.recipient for one in post.mails.received if "ｅ" not in one.recipient and one.recipient.casefold() != kept
    }


async def test_a_user_name_recovers_by_the_users_address(post: Post, person: Person) -> None:
    name = f"u{new_id().replace('-', '').replace('_', '')}"
    one = users.Identifier(kind=users.IDENTIFIER_KIND_USERNAME, value=name)
    await post.api.users.CreateIdentifier(users.CreateIdentifierRequest(parent=person.name, identifier=one))
    assert (await post.mail(person.identifier)).subject == "A user name was added"
    await post.recover(name)
    await post.complete("recovery", (await post.mail(person.identifier)).token)


async def test_nobody_registers_where_the_policy_says_nothing(stack: Stack, mails: MailServer) -> None:
    closed = Post(stack=stack, api=await stack.new_tenant(), mails=mails)
    assert await reason_of(closed.register(new_address())) == "REGISTRATION_CLOSED"


async def test_a_registration_makes_a_user_with_a_verified_address(post: Post) -> None:
    address = new_address()
    await post.register(address)
    token = (await post.mail(address)).token
    assert not await _has_user(post, address)  # nothing is there before the address is proved
    made = (await post.complete("registration", token)).user
    assert [one.value for one in made.identifiers] == [address]
    assert made.identifiers[0].HasField("verify_time")
    person = Person(api=post.api, name=made.name, identifier=address)
    assert (await person.sign_in(password=NEW_PASSWORD)).session.name


async def test_a_registration_ends_with_the_policy(post: Post, stack: Stack, mails: MailServer) -> None:
    own = Post(stack=stack, api=await stack.new_tenant(), mails=mails)
    await own.set_policy(self_registration=True)
    token = (await own.link("registration")).token
    await own.set_policy(self_registration=False)
    assert await reason_of(own.complete("registration", token)) == "REGISTRATION_CLOSED"


async def test_who_has_an_account_is_told_so_by_mail_alone(post: Post, person: Person) -> None:
    await post.register(person.identifier)
    mail = await post.mail(person.identifier)
    assert mail.subject == "You have an account already"
    assert "/account/" not in mail.text


async def test_a_verification_marks_the_address(post: Post, person: Person) -> None:
    await post.verify(person.identifier)
    done = await post.complete("verification", (await post.mail(person.identifier)).token)
    assert done.email == person.identifier
    user = (await post.api.users.GetUser(users.GetUserRequest(name=person.name))).user
    assert user.identifiers[0].HasField("verify_time")
    await post.verify(person.identifier)
    await post.withheld("VERIFIED_ALREADY")


async def test_an_invited_user_chooses_a_password(post: Post) -> None:
    address = new_address()
    user = await post.invite(address, display_name="Guest", locale="de")
    mail = await post.mail(address)
    assert mail.subject == "Ihre Einladung"
    person = Person(api=post.api, name=user.name, identifier=address)
    assert await reason_of(person.sign_in(password=NEW_PASSWORD)) == "FACTOR_REFUSED"
    again = await post.invite(address)
    assert again.name == user.name
    await post.complete("invitation", (await post.mail(address)).token)
    assert (await person.sign_in(password=NEW_PASSWORD)).session.name
    assert await reason_of(post.complete("invitation", mail.token)) == "LINK_INVALID"
    assert await reason_of(post.invite(address)) == "IDENTIFIER_TAKEN"


async def test_an_invitation_goes_where_it_was_sent_in_the_language_of_its_user(post: Post) -> None:
    first, second, name = new_address(), new_address(), f"n{new_address().partition('@')[0]}"
    kinds = {
        first: users.IDENTIFIER_KIND_EMAIL,
        second: users.IDENTIFIER_KIND_EMAIL,
        name: users.IDENTIFIER_KIND_USERNAME,
    }
    identifiers = [users.Identifier(kind=kind, value=value) for value, kind in kinds.items()]
    user = users.User(identifiers=identifiers, locale="de")
    await post.api.users.CreateUser(users.CreateUserRequest(parent=post.api.parent, user=user))
    await post.invite(second)
    assert (await post.mail(second)).subject == "Ihre Einladung"
    assert not post.mails.of(first)
    assert await reason_of(post.invite(name)) == "FIELD_INVALID"


async def test_who_was_invited_and_disabled_accepts_nothing(post: Post) -> None:
    address = new_address()
    user = await post.invite(address)
    token = (await post.mail(address)).token
    await post.api.users.DisableUser(users.DisableUserRequest(name=user.name))
    assert await reason_of(post.complete("invitation", token)) == "USER_DISABLED"
    await post.api.users.EnableUser(users.EnableUserRequest(name=user.name))
    await post.complete("invitation", token)


async def test_an_invitation_is_repeated_by_its_request_id(post: Post) -> None:
    address, request_id = new_address(), new_id()
    first = await post.invite(address, request_id=request_id)
    assert (await post.invite(address, request_id=request_id)).name == first.name
    await post.mail(address)
    await post.stack.argus.accounts.posting.run_due()
    assert len(post.mails.of(address)) == 1


async def test_strangers_can_not_fill_a_mailbox_nor_keep_its_owner_out(post: Post, person: Person) -> None:
    """Of many requests few become mails; those stay good, and one that is used makes room for others."""
    for _ in range(12):
        await post.recover(person.identifier)
    await post.withheld("ENOUGH_SENT")
    await post.stack.argus.accounts.answering.run_due()
    received = await post.mails.wait_for(person.identifier, 3)
    assert len(received) == 3
    await post.complete("recovery", received[1].token)
    await post.mails.wait_for(person.identifier, 4)  # of the new password
    await post.recover(person.identifier)
    assert (await post.mails.wait_for(person.identifier, 5))[4].subject == "Set a new password"


async def test_other_mails_leave_an_owner_its_recovery(post: Post, person: Person) -> None:
    """Whatever else strangers ask for, it is nothing that the owner could set a password by."""
    for _ in range(8):
        await post.verify(person.identifier)
        await post.register(person.identifier)
    await post.carry_out()
    sent = len(post.mails.of(person.identifier))
    await post.recover(person.identifier)
    await post.carry_out()
    assert (await post.mails.wait_for(person.identifier, sent + 1))[-1].subject == "Set a new password"


async def test_one_address_asks_for_so_many_mails(post: Post) -> None:
    """Known or not: what is counted is who asks."""
    outcomes = [await reason_of(post.recover(new_address(), ip="2001:db8:7::1")) for _ in range(25)]
    assert outcomes[:20] == [""] * 20
    assert set(outcomes[20:]) == {"GUESSING_THROTTLED"}
    assert await reason_of(post.recover(new_address(), ip="2001:db8:8::1")) == ""


async def test_an_administrators_password_is_told_to_the_user(post: Post, person: Person) -> None:
    from argus.v1 import credential_service_pb2 as credentials

    request = credentials.SetPasswordRequest(parent=person.name, password=NEW_PASSWORD + PASSWORD[:4])
    await post.api.credentials.SetPassword(request)
    assert (await post.mail(person.identifier)).subject == "Your password was changed"


async def _has_user(post: Post, address: str) -> bool:
    listed = await post.api.users.ListUsers(users.ListUsersRequest(parent=post.api.parent, page_size=100))
    return any(one.value == address for user in listed.users for one in user.identifiers)


async def _rows(post: Post) -> list[str]:
    """All that the tenant has in the tables that a link could change."""
    rows = []
    for table in _TABLES:
        found = await post.stack.argus.db.fetch_all(
            f"SELECT row_to_json(t)::text AS row FROM {table} t WHERE tenant_id = %s ORDER BY 1",
            (post.api.tenant_id,),
        )
        rows += [row["row"] for row in found]
    return rows


async def _dump(post: Post) -> str:
    """Every row of every table."""
    tables = await post.stack.argus.db.fetch_all("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows: list[str] = []
    for table in (row["tablename"] for row in tables):
        found = await post.stack.argus.db.fetch_all(f"SELECT row_to_json(t)::text AS row FROM {table} t")
        rows += [row["row"] for row in found]
    return "\n".join(rows)
