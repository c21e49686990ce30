"""Whether anybody has an address shows in nothing that they get who ask for a mail: same bytes, same work, same limits.

What a clock says about it is the business of `make timing`.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

import grpc
import pytest

from argus.server.api import Api
from argus.threats.guessing.model import ASKING_BUDGET
from argus.v1 import account_service_pb2 as accounts
from argus.v1 import user_service_pb2 as users
from tests.support.account_links import Post, new_address
from tests.support.mails import MailServer
from tests.support.people import context, new_person
from tests.support.stack import Stack
from tests.support.work import Work, WorkRecorder

REQUEST_ID: Final = "the-same-in-every-question"
RPCS: Final = ("StartRecovery", "StartRegistration", "StartVerification")

_networks = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All that a caller gets, and what it cost."""

    code: str
    message: str | None
    content: bytes
    initial_metadata: tuple[tuple[str, str | bytes], ...]
    trailing_metadata: tuple[tuple[str, str | bytes], ...]
    work: Work
    hashes: int


class Asker:
    """Asks for mails, and sees what that gives and costs."""

    def __init__(self, post: Post, recorder: WorkRecorder) -> None:
        self.post = post
        self._recorder = recorder

    async def ask(self, rpc: str, address: str, *, ip: str = "") -> Answer:
        """Asks for a mail to an address, from a network that has asked for none."""
        api: Api = self.post.api
        fields: dict[str, Any] = {"identifier" if rpc == "StartRecovery" else "email": address}
        fields["client_context"] = context(ip or f"2001:db8:{next(_networks):x}:a::1")
        request = getattr(accounts, f"{rpc}Request")(parent=api.parent, **fields)
        hashes = self.post.stack.argus.passwords.hashes_done
        self._recorder.take()
        call = getattr(api.accounts, rpc)(request, metadata=(("x-request-id", REQUEST_ID),))
        content, message = b"", None
        try:
            content = (await call).SerializeToString()
        except grpc.aio.AioRpcError as error:
            message = error.details()
        return Answer(
            code=(await call.code()).name,
            message=message,
            content=content,
            initial_metadata=tuple(sorted(await call.initial_metadata() or ())),
            trailing_metadata=tuple(sorted(await call.trailing_metadata() or ())),
            work=self._recorder.take(),
            hashes=self.post.stack.argus.passwords.hashes_done - hashes,
        )


@pytest.fixture(scope="module")
async def post(stack: Stack, mails: MailServer) -> Post:
    post = Post(stack=stack, api=await stack.new_tenant(), mails=mails)
    await post.set_policy(self_registration=True)
    await post.register(new_address())  # numbers the policy, once for the tenant
    return post


@pytest.fixture
def asker(post: Post) -> Iterator[Asker]:
    recorder = WorkRecorder(REQUEST_ID)
    with recorder.recording():
        yield Asker(post, recorder)


@pytest.fixture
def quiet(stack: Stack) -> AbstractAsyncContextManager[None]:
    """While the server does nothing beside the calls: its loops and calls of one moment share trips to stores."""
    return stack.server.background.held()


async def known(post: Post) -> str:
    return (await new_person(post.api)).identifier


async def verified(post: Post) -> str:
    address = await known(post)
    await post.verify(address)
    await post.complete("verification", (await post.mail(address)).token)
    return address


async def disabled(post: Post) -> str:
    person = await new_person(post.api)
    await post.api.users.DisableUser(users.DisableUserRequest(name=person.name))
    return person.identifier


async def deleted(post: Post) -> str:
    person = await new_person(post.api)
    await post.api.users.DeleteUser(users.DeleteUserRequest(name=person.name))
    return person.identifier


async def mailed_enough(post: Post) -> str:
    address = await known(post)
    for _ in range(4):
        await post.recover(address)
    await post.carry_out()
    return address


async def invited(post: Post) -> str:
    address = new_address()
    await post.invite(address)
    return address


@pytest.mark.parametrize("rpc", RPCS)
@pytest.mark.parametrize("case", [known, verified, disabled, deleted, mailed_enough, invited])
async def test_asking_gives_and_costs_the_same_as_for_nobody(
    asker: Asker, quiet: AbstractAsyncContextManager[None], rpc: str, case: Callable[[Post], Awaitable[str]]
) -> None:
    """Same bytes, same statements, round trips and commands; no hash, and no mail in the caller's time."""
    address = await case(asker.post)
    async with quiet:
        for _ in range(3):
            answer, of_nobody = await asker.ask(rpc, address), await asker.ask(rpc, new_address())
            assert answer.work == of_nobody.work
            assert answer == of_nobody
            assert (answer.code, answer.content, answer.hashes) == ("OK", b"", 0)
            statements = answer.work.statements
            assert sum("INSERT INTO account_requests" in one for one in statements) == 1
            assert sum("INSERT INTO audit_events" in one for one in statements) == 1
            # Neither who it is nor what comes of it is looked at before the answer.
            assert not any(
                table in one for one in statements for table in ("mails", "identifiers", "users", "account_links")
            )
            assert any(command.endswith("_take") for command in answer.work.commands)


@pytest.mark.parametrize("rpc", RPCS)
async def test_the_limit_is_the_askers(asker: Asker, quiet: AbstractAsyncContextManager[None], rpc: str) -> None:
    """The same time to wait, to the byte, for known and unknown addresses."""
    shown: list[Answer] = []
    whom = await known(asker.post), new_address()
    async with quiet:
        for _ in range(5):  # the first wait is a second, which a busy machine may spend elsewhere
            shown = [await _beyond_the_limit(asker, rpc, one) for one in whom]
            if all(one.code == "RESOURCE_EXHAUSTED" for one in shown):
                break
    assert shown[0] == shown[1]
    assert shown[0].code == "RESOURCE_EXHAUSTED"
    assert not any("INSERT" in statement for statement in shown[0].work.statements)


async def _beyond_the_limit(asker: Asker, rpc: str, address: str) -> Answer:
    """What a network gets that has asked for as much as it may."""
    ip, guessing = f"2001:db8:{next(_networks):x}:b::1", asker.post.stack.argus.guessing
    asking = (guessing.begin_asking(asker.post.api.tenant_id, ip_address=ip) for _ in range(ASKING_BUDGET.free))
    await asyncio.gather(*asking)
    return await asker.ask(rpc, address, ip=ip)


async def test_a_closed_registration_is_closed_to_everybody(stack: Stack, mails: MailServer) -> None:
    closed = Post(stack=stack, api=await stack.new_tenant(), mails=mails)
    recorder, whom = WorkRecorder(REQUEST_ID), (await known(closed), new_address())
    await Asker(closed, recorder).ask("StartRegistration", new_address())
    async with stack.server.background.held():
        with recorder.recording():
            asker = Asker(closed, recorder)
            shown = [await asker.ask("StartRegistration", one) for one in whom]
    assert shown[0] == shown[1]
    assert shown[0].code == "FAILED_PRECONDITION"


async def test_the_worker_does_as_much_for_nobody(stack: Stack, mails: MailServer) -> None:
    """A link and a mail are made for an unknown address, too; the mail goes nowhere."""
    post, db = Post(stack=stack, api=await stack.new_tenant(), mails=mails), stack.argus.db
    counts = []
    for address in (await known(post), new_address()):
        before = await db.fetch_one(
            "SELECT count(*) AS n FROM account_links WHERE tenant_id = %s", (post.api.tenant_id,)
        )
        await post.recover(address)
        await post.carry_out()
        after = await db.fetch_one(
            "SELECT count(*) AS n FROM account_links WHERE tenant_id = %s", (post.api.tenant_id,)
        )
        assert before is not None
        assert after is not None
        counts.append(after["n"] - before["n"])
    assert counts == [1, 1]
    waiting = await db.fetch_one(
        "SELECT count(*) AS n FROM mails WHERE tenant_id = %s AND recipient = ''", (post.api.tenant_id,)
    )
    assert waiting == {"n": 0}
