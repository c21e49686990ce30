"""One-time codes by mail: of one login and user, five tries, ten minutes, one use, level 1, silent about users."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from argus.accounts.model import CODE_TRIES
from argus.server.api import Api
from argus.server.private_stack import PrivateStack, stack_over
from argus.storage.embedded import StoreUrls
from argus.v1 import account_service_pb2 as accounts
from argus.v1 import authentication_service_pb2 as authentication
from tests.support.account_links import new_address
from tests.support.mails import MailServer
from tests.support.people import Person, context, new_person, reason_of
from tests.support.stack import Stack


@pytest.fixture(scope="module")
async def server(stack: Stack, stores: StoreUrls, mails: MailServer) -> AsyncIterator[PrivateStack]:
    """A further server over the same stores, which offers codes."""
    settings = stack.private.settings
    async with stack_over(
        stores,
        clock=stack.private.clock,
        key_encryption_key=settings.key_encryption_key,
        mail_url=SecretStr(f"smtp+plain://127.0.0.1:{mails.port}"),
        mail_from="accounts@argus.example",
        email_codes=True,
    ) as server:
        yield server


@pytest.fixture(scope="module")
async def api(server: PrivateStack) -> AsyncIterator[Api]:
    async with server.fresh_tenant() as api:
        yield api


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


async def start(person: Person) -> authentication.StartLoginResponse:
    """Begins a login."""
    request = authentication.StartLoginRequest(
        parent=person.api.parent, identifier=person.identifier, client_context=context()
    )
    return await person.api.authentication.StartLogin(request)


async def send(api: Api, login_token: str) -> None:
    """Asks for the code of a login."""
    await api.accounts.SendEmailCode(accounts.SendEmailCodeRequest(parent=api.parent, login_token=login_token))


async def submit(api: Api, login_token: str, code: str) -> authentication.SubmitFactorResponse:
    """Hands in a code."""
    request = authentication.SubmitFactorRequest(
        parent=api.parent, login_token=login_token, email_code=code, client_context=context()
    )
    return await api.authentication.SubmitFactor(request)


async def code_of(person: Person, mails: MailServer, login_token: str) -> str:
    """The code of a login, out of the mail."""
    after = len(mails.of(person.identifier))
    await send(person.api, login_token)
    return (await mails.next(person.identifier, after=after)).code


async def test_a_code_signs_in_at_level_1(person: Person, mails: MailServer) -> None:
    begun = await start(person)
    kinds = [one.kind for one in begun.login.challenges]
    assert authentication.FACTOR_KIND_EMAIL_CODE in kinds
    done = await submit(person.api, begun.login_token, await code_of(person, mails, begun.login_token))
    assert (done.session.acr, list(done.session.amr)) == ("urn:argus:acr:1", ["otp"])
    assert done.tokens.access_token


async def test_a_code_counts_once(person: Person, mails: MailServer) -> None:
    begun = await start(person)
    code = await code_of(person, mails, begun.login_token)
    outcomes = await asyncio.gather(*(reason_of(submit(person.api, begun.login_token, code)) for _ in range(4)))
    assert outcomes.count("") == 1
    assert await person.count() == 1


async def test_a_code_is_of_its_login_and_user_alone(api: Api, person: Person, mails: MailServer) -> None:
    other = await new_person(api)
    first, second, theirs = await start(person), await start(person), await start(other)
    code = await code_of(person, mails, first.login_token)
    for login_token in (second.login_token, theirs.login_token):
        await send(api, login_token)
        assert await reason_of(submit(api, login_token, code)) == "FACTOR_REFUSED"
    assert (await submit(api, first.login_token, code)).session.name


async def test_a_code_takes_five_tries(person: Person, mails: MailServer) -> None:
    """Asking for it again sends the same one and gives no further try; after the last one it is refused."""
    begun = await start(person)
    code = await code_of(person, mails, begun.login_token)
    assert await code_of(person, mails, begun.login_token) == code
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for _ in range(CODE_TRIES):
        assert await reason_of(submit(person.api, begun.login_token, wrong)) == "FACTOR_REFUSED"
    assert await reason_of(send(person.api, begun.login_token)) == "LOGIN_NOT_FOUND"
    assert await reason_of(submit(person.api, begun.login_token, code)) == "FACTOR_REFUSED"


async def test_tries_at_once_share_the_five(person: Person, mails: MailServer) -> None:
    begun = await start(person)
    code = await code_of(person, mails, begun.login_token)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    await asyncio.gather(*(reason_of(submit(person.api, begun.login_token, wrong)) for _ in range(8)))
    assert await reason_of(submit(person.api, begun.login_token, code)) != ""


async def test_a_code_ends_with_its_login(server: PrivateStack, person: Person, mails: MailServer) -> None:
    begun = await start(person)
    code = await code_of(person, mails, begun.login_token)
    await server.advance(timedelta(minutes=10, seconds=1))
    assert await reason_of(submit(person.api, begun.login_token, code)) == "LOGIN_NOT_FOUND"


async def test_a_code_that_was_never_asked_for_is_none(server: PrivateStack, person: Person) -> None:
    """Computed or not: it is good once it was sent for."""
    begun = await start(person)
    login_id = begun.login.name.rpartition("/")[2]
    code = server.server.argus.post.codes.digits(person.api.tenant_id, login_id, person.user_id)
    assert await reason_of(submit(person.api, begun.login_token, code)) == "FACTOR_REFUSED"


async def test_a_code_of_nobody_is_asked_for_and_refused_alike(server: PrivateStack, person: Person) -> None:
    nobody = Person(api=person.api, name="", identifier=new_address())
    shown = []
    for one in (person, nobody):
        begun = await start(one)
        await send(one.api, begun.login_token)
        hashes = server.server.argus.passwords.hashes_done
        shown.append(
            (
                [challenge.kind for challenge in begun.login.challenges],
                [await reason_of(submit(one.api, begun.login_token, "12345x")) for _ in range(2)],
                server.server.argus.passwords.hashes_done - hashes,
            )
        )
    assert shown[0] == shown[1]
    assert shown[0][1:] == (["FACTOR_REFUSED"] * 2, 0)


async def test_where_codes_are_off_none_is_sent(stack: Stack) -> None:
    api = await stack.new_tenant()
    person = await new_person(api)
    begun = await start(person)
    assert authentication.FACTOR_KIND_EMAIL_CODE not in [one.kind for one in begun.login.challenges]
    assert await reason_of(send(api, begun.login_token)) == "FIELD_INVALID"
    assert await reason_of(submit(api, begun.login_token, "123456")) == "FIELD_INVALID"
