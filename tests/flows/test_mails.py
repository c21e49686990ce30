"""Mails: sent with what they tell of or not at all, nothing lost, nothing twice."""

import asyncio
import secrets
from datetime import timedelta
from typing import Final

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.mail.model import LONGEST_TRIED, MailMessage
from argus.server.api import Api
from argus.v1 import tenant_service_pb2 as tenants
from tests.support.account_links import Post, new_address
from tests.support.logs import captured_logs
from tests.support.mails import MailServer
from tests.support.stack import Stack

FACTS: Final = {"time": "now", "device": "", "place": "", "by": ""}


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
def post(stack: Stack, api: Api, mails: MailServer) -> Post:
    return Post(stack=stack, api=api, mails=mails)


async def enqueue(post: Post, to: str, **fields: object) -> None:
    """Leaves a mail to be sent."""
    argus = post.stack.argus
    message = MailMessage(template="password_changed", to=to, variables=FACTS, **fields)  # type: ignore[arg-type]
    async with argus.db.transaction() as tx:
        await argus.post.mails.enqueue(tx, post.api.tenant_id, message)


async def waiting(post: Post, to: str) -> int:
    """Mails to an address that wait."""
    row = await post.stack.argus.db.fetch_one("SELECT count(*) AS n FROM mails WHERE recipient = %s", (to,))
    assert row is not None
    return int(row["n"])


async def outcome(post: Post, to: str) -> list[tuple[str, str | None]]:
    """What the audit says became of the mails, once none waits."""
    while await waiting(post, to):
        await post.stack.argus.accounts.posting.run_due()
    rows = await post.stack.argus.db.fetch_all(
        "SELECT type, reason FROM audit_events WHERE tenant_id = %s AND user_id = %s", (post.api.tenant_id, to)
    )
    return [(row["type"], row["reason"]) for row in rows]


async def test_a_mail_goes_with_its_transaction_or_not_at_all(post: Post) -> None:
    kept, lost = new_address(), new_address()
    argus = post.stack.argus

    async def change(to: str, *, fails: bool) -> None:
        async with argus.db.transaction() as tx:
            message = MailMessage(template="password_changed", to=to, variables=FACTS)
            await argus.post.mails.enqueue(tx, post.api.tenant_id, message)
            if fails:
                raise LookupError

    with pytest.raises(LookupError):
        await change(lost, fails=True)
    await change(kept, fails=False)
    await post.mails.wait_for(kept)
    assert await waiting(post, lost) == 0
    assert post.mails.of(lost) == []


async def test_a_mail_is_from_the_tenant_in_both_forms(post: Post) -> None:
    name = 'Bäckerei "Müller" & <Söhne>'
    mask = FieldMask(paths=["display_name"])
    changed = tenants.Tenant(name=post.api.parent, display_name=name)
    await post.api.tenants.UpdateTenant(tenants.UpdateTenantRequest(tenant=changed, update_mask=mask))
    to = new_address()
    await enqueue(post, to)
    mail = await post.mail(to)
    assert mail.sender == "accounts@argus.example"
    assert mail.message["From"].addresses[0].display_name == name
    assert mail.message["From"].addresses[0].addr_spec == "accounts@argus.example"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Message-ID"].endswith("@argus.example>")
    assert name in mail.text
    assert "Bäckerei &#34;Müller&#34; &amp; &lt;Söhne&gt;" in mail.html


@pytest.mark.parametrize(
    ("locale", "subject"),
    [
        ("en", "Your password was changed"),
        ("de-AT", "Ihr Passwort wurde geändert"),
        ("DE_ch", "Ihr Passwort wurde geändert"),
        ("fr", "Your password was changed"),
        ("", "Your password was changed"),
    ],
)
async def test_the_language_is_the_readers(post: Post, locale: str, subject: str) -> None:
    to = new_address()
    await enqueue(post, to, locale=locale)
    mail = await post.mail(to)
    assert mail.subject == subject
    assert subject in mail.html


async def test_a_mail_that_can_not_be_handed_over_now_is_handed_over_later(post: Post) -> None:
    """Told to come back, thrown out in the middle; each wait is longer than the one before."""
    to = new_address()
    post.mails.replies[to] = ["451 later", "", "450 later still"]
    await enqueue(post, to)
    for tries, wait in ((1, 10), (2, 20), (3, 40)):
        await post.carry_out()
        await post.mails.until(lambda tries=tries: post.mails.tries.get(to, 0) == tries)  # type: ignore[misc]
        while not await _is_put_off(post, to):
            await post.carry_out()
        await post.stack.advance(timedelta(seconds=wait - 1))
        await post.carry_out()
        assert post.mails.tries[to] == tries
        await post.stack.advance(timedelta(seconds=1))
    await post.mail(to)
    assert await waiting(post, to) == 0
    assert post.mails.tries[to] == 4


async def test_what_the_server_refuses_for_good_is_not_tried_again(post: Post) -> None:
    to = new_address()
    post.mails.replies[to] = ["550 no such mailbox"]
    await enqueue(post, to, user_id=to)
    assert await outcome(post, to) == [("mail.refused", "SMTP_550")]
    assert post.mails.tries[to] == 1


async def test_what_nobody_wants_any_more_is_given_up(post: Post) -> None:
    to = new_address()
    post.mails.replies[to] = ["451 later"] * 1000
    await enqueue(post, to, user_id=to)
    await post.carry_out()
    await post.stack.argus.db.fetch_one("SELECT 1")
    async with post.stack.argus.db.transaction() as tx:  # in the place of two days, which would end all sessions
        await tx.execute(
            "UPDATE mails SET expire_time = expire_time - %s, attempt_time = attempt_time - %s WHERE recipient = %s",
            (LONGEST_TRIED, LONGEST_TRIED, to),
        )
    assert await outcome(post, to) == [("mail.given_up", "EXPIRED")]


async def test_any_number_of_workers_send_a_mail_once(post: Post) -> None:
    addresses = [new_address() for _ in range(20)]
    for to in addresses:
        await enqueue(post, to)
    await asyncio.gather(*(post.stack.argus.accounts.posting.run_due() for _ in range(6)))
    for to in addresses:
        await post.mails.wait_for(to)
    assert [len(post.mails.of(to)) for to in addresses] == [1] * 20


async def test_a_worker_that_dies_leaves_its_mail_to_others(post: Post) -> None:
    """Taken and not sent: after the lease somebody else sends it."""
    to = new_address()
    argus = post.stack.argus
    await enqueue(post, to)
    async with argus.db.transaction() as tx:  # as `take` leaves it
        await tx.execute(
            "UPDATE mails SET attempts = 1, attempt_time = attempt_time + interval '2 minutes' WHERE recipient = %s",
            (to,),
        )
    if await waiting(post, to):  # else a loop of the server was faster
        await post.carry_out()
        await post.stack.advance(timedelta(minutes=2))
    assert (await post.mail(to)).message["Message-ID"]
    assert len(post.mails.of(to)) == 1


async def test_an_address_that_no_mail_can_have_holds_nothing_up(post: Post) -> None:
    to = f"{secrets.token_hex(4)}@{'ü' * 70}.example"
    await enqueue(post, to, user_id=to)
    assert await outcome(post, to) == [("mail.refused", "MALFORMED_ADDRESS")]


async def test_an_address_of_any_script_is_written_to(post: Post) -> None:
    await enqueue(post, "post@bücher.example")
    assert await post.mails.wait_for("post@xn--bcher-kva.example")


async def test_a_link_that_was_closed_meanwhile_is_not_sent(post: Post) -> None:
    to = new_address()
    argus = post.stack.argus
    user = await post.invite(to)
    first = await post.mail(to)
    post.mails.replies[to] = ["451 later"]
    await post.invite(to)
    await post.carry_out()
    await post.complete("invitation", first.token)
    await post.stack.advance(timedelta(seconds=20))
    while await waiting(post, to):
        await argus.accounts.posting.run_due()
    assert user.name
    assert len(post.mails.of(to)) == 1


async def test_nothing_of_a_mail_is_logged(post: Post) -> None:
    to = new_address()
    post.mails.replies[to] = ["451 later"]
    with captured_logs(redact=True) as log:
        await post.invite(to)
        await post.carry_out()
        await post.stack.advance(timedelta(seconds=20))
        mail = await post.mail(to)
    assert "mail.delayed" in log.getvalue()
    assert to not in log.getvalue()
    assert mail.token.partition(".")[2] not in log.getvalue()


async def _is_put_off(post: Post, to: str) -> bool:
    """It is no longer in the hands of a worker."""
    row = await post.stack.argus.db.fetch_one(
        "SELECT attempt_time < %s AS put_off FROM mails WHERE recipient = %s",
        (post.stack.argus.post.mails._now() + timedelta(seconds=61), to),
    )
    return row is not None and bool(row["put_off"])


async def test_an_installation_without_mail_says_so(stack: Stack) -> None:
    from argus.mail.model import MailOffError
    from argus.mail.service import Mails

    argus = stack.argus
    off = Mails(argus.db, None, sender="", locale="en", now=argus.post.mails._now)
    assert not off.is_on
    with pytest.raises(MailOffError):
        off.check_on()
    origin = Origin(tenant_id="nobody", actor="system:test", request_id=new_id())
    async with argus.db.transaction(origin) as tx:  # and what only tells of something goes on without
        await off.enqueue(tx, "nobody", MailMessage(template="password_changed", to="a@example.com"))
