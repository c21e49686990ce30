"""Whether a user exists shows in nothing that a browser gets: same bytes, same work, same waits.

What is random in every answer is blanked; that it is there, and how long it is, is compared.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import httpx
import pytest

from argus.server.api import Api
from argus.threats.guessing.model import ASKING_BUDGET, IDENTIFIER_BUDGET
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import user_service_pb2 as users
from tests.support.authenticator import enrol_app
from tests.support.browsers import Browser
from tests.support.factor_scene import Scene
from tests.support.passkeys import authenticator_of, enrol_passkey
from tests.support.people import PASSWORD, WRONG_PASSWORD, Person, new_person
from tests.support.work import Work, WorkRecorder

if TYPE_CHECKING:
    from tests.support.stack import Stack

FORM: Final = {
    "content-type": "application/x-www-form-urlencoded",
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}
# Random, or a moment: ids and secrets of logins, challenges, nonces of the content policy, times.
_RANDOM: Final = re.compile(
    r"(?<=nonce-)[^'\"]+|(?<=nonce=\")[^\"]+|[A-Za-z0-9_-]{22,}(\.[A-Za-z0-9_-]{20,})?"
    r"|\d{4}-\d\d-\d\dT[0-9:.]+Z?|[A-Z][a-z]{2}, \d.* GMT"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """All that a browser gets, and what it cost."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    work: Work
    hashes: int


class Onlooker:
    """Somebody with a browser who wants to know who has an account."""

    def __init__(self, browser: Browser, stack: Stack, recorder: WorkRecorder) -> None:
        self.browser = browser
        self.stack = stack
        self._recorder = recorder

    async def endpoints(self, identifier: str, password: str) -> list[Shown]:
        """What the endpoints for scripts say to a sign-in."""
        one = self.browser.copied()
        return [
            await self._seen(identifier, one.ask("/sign-in", {"identifier": identifier})),
            await self._seen(identifier, one.ask("/factor", {"password": password})),
        ]

    async def pages(self, identifier: str, password: str) -> list[Shown]:
        """What the page for people says to a sign-in, and to who asks for a new password."""
        return [
            await self._seen(identifier, self._post("/sign-in", identifier=identifier, password=password)),
            await self._seen(identifier, self._post("/recovery", identifier=identifier)),
        ]

    async def recovery(self, identifier: str) -> Shown:
        """What the page says to who asks for a new password."""
        return await self._seen(identifier, self._post("/recovery", identifier=identifier))

    async def _post(self, path: str, **form: str) -> httpx.Response:
        url = f"{self.stack.server.http_url}/t/{self.browser.tenant_id}{path}"
        headers = FORM | {"origin": self.browser.origin, "user-agent": self.browser.user_agent}
        return await self.browser.http.post(url, headers=headers, content=urlencode(form))

    async def _seen(self, identifier: str, call: Awaitable[httpx.Response]) -> Shown:
        hashes = self.stack.argus.passwords.hashes_done
        self._recorder.take()
        answer = await call
        return Shown(
            status=answer.status_code,
            headers=[(name, _blanked(value, identifier)) for name, value in answer.headers.multi_items()],
            body=_blanked(answer.text, identifier),
            work=self._recorder.take(),
            hashes=self.stack.argus.passwords.hashes_done - hashes,
        )


def _blanked(text: str, identifier: str) -> str:
    return _RANDOM.sub(lambda found: "#" * len(found.group(0)), text.replace(identifier, "WHO"))


@pytest.fixture
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def onlooker(stack: Stack, api: Api) -> AsyncIterator[Onlooker]:
    recorder = WorkRecorder()
    async with httpx.AsyncClient(timeout=30) as http:
        with recorder.recording():
            yield Onlooker(Browser(stack, api.tenant_id, http=http), stack, recorder)


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody, and what is tried as its password."""

    person: Person
    password: str = WRONG_PASSWORD


async def wrong_password(_stack: Stack, api: Api) -> Case:
    return Case(await new_person(api))


async def disabled(_stack: Stack, api: Api) -> Case:
    person = await new_person(api)
    await api.users.DisableUser(users.DisableUserRequest(name=person.name))
    return Case(person, PASSWORD)


async def deleted(_stack: Stack, api: Api) -> Case:
    person = await new_person(api)
    await api.users.DeleteUser(users.DeleteUserRequest(name=person.name))
    return Case(person, PASSWORD)


async def with_an_app(stack: Stack, api: Api) -> Case:
    person = await new_person(api)
    await enrol_app(api, person.name, Scene(stack, api, person).now)
    return Case(person)


async def with_a_passkey(_stack: Stack, api: Api) -> Case:
    person = await new_person(api)
    await enrol_passkey(api, person.name, await authenticator_of(api))
    return Case(person)


async def with_a_passkey_alone(_stack: Stack, api: Api) -> Case:
    person = await new_person(api)
    await enrol_passkey(api, person.name, await authenticator_of(api))
    listed = await api.credentials.ListCredentials(credentials.ListCredentialsRequest(parent=person.name))
    (password,) = (one for one in listed.credentials if one.kind == credentials.CREDENTIAL_KIND_PASSWORD)
    await api.credentials.DeleteCredential(credentials.DeleteCredentialRequest(name=password.name))
    return Case(person, PASSWORD)


CASES: Final = [wrong_password, disabled, deleted, with_an_app, with_a_passkey, with_a_passkey_alone]


@pytest.mark.parametrize("case", CASES)
async def test_a_sign_in_looks_and_costs_the_same_as_nobodys(
    stack: Stack, api: Api, onlooker: Onlooker, case: Callable[[Stack, Api], Awaitable[Case]]
) -> None:
    """The first step, passkey options included, and a refused password; by endpoints, and on the page."""
    tried = await case(stack, api)
    async with stack.server.background.held():
        for way in (onlooker.endpoints, onlooker.pages):
            await way(_nobody(), WRONG_PASSWORD)  # connections open, statements get prepared
            shown = await way(tried.person.identifier, tried.password)
            of_nobody = await way(_nobody(), tried.password)
            assert shown == of_nobody
            assert sum(one.hashes for one in shown) == 1
            assert any("FROM credentials" in text for one in shown for text in one.work.statements)


async def test_a_wait_is_the_same_for_everybody(stack: Stack, api: Api, onlooker: Onlooker) -> None:
    """Beyond the tries of an identifier: the same seconds, nothing compared."""
    person = await new_person(api)
    shown = []
    async with stack.server.background.held():
        for identifier in (_nobody(), person.identifier, _nobody()):
            for _ in range(IDENTIFIER_BUDGET.free):
                await stack.argus.guessing.begin(api.tenant_id, identifier)
            shown.append(await onlooker.endpoints(identifier, PASSWORD))
            shown[-1] += (await onlooker.pages(identifier, PASSWORD))[:1]
    assert shown[1] == shown[2]
    assert [(one.status, one.hashes) for one in shown[1]] == [(200, 0), (429, 0), (429, 0)]


async def test_so_many_mails_may_be_asked_for_whoever_they_are_for(stack: Stack, api: Api, onlooker: Onlooker) -> None:
    person = await new_person(api)
    for _ in range(ASKING_BUDGET.free):
        await stack.argus.guessing.begin_asking(api.tenant_id, ip_address="127.0.0.1")
    async with stack.server.background.held():
        await onlooker.recovery(_nobody())
        shown = [await onlooker.recovery(one) for one in (person.identifier, _nobody())]
    assert shown[0] == shown[1]
    assert shown[0].status == 429


def _nobody() -> str:
    """As long as everybody's."""
    return f"p{secrets.token_hex(8)}@example.com"
