"""Whether a user exists shows in nothing that a caller gets: the same bytes, and the same work behind them.

What a clock says about it is the business of `make timing`.
"""

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc
import pytest

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.server.api import Api
from argus.threats.guessing.model import IDENTIFIER_BUDGET
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.people import PASSWORD, WRONG_PASSWORD, context, new_person
from tests.support.stack import Stack
from tests.support.work import Work, WorkRecorder

REQUEST_ID: Final = "the-same-in-every-call"
# 32 random bytes of WebAuthn.
CHALLENGE: Final = re.compile(r'(?<="challenge":")[\w-]{43}(?=")')

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """Whom somebody guesses at, and with what."""

    identifier: str
    password: str = WRONG_PASSWORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All that a refused caller gets, the request id included: it is the caller's."""

    code: grpc.StatusCode
    message: str | None
    initial_metadata: tuple[tuple[str, str | bytes], ...]
    trailing_metadata: tuple[tuple[str, str | bytes], ...]

    @property
    def details(self) -> bytes:
        """The encoded `google.rpc.Status`."""
        encoded = dict(self.trailing_metadata)["grpc-status-details-bin"]
        assert isinstance(encoded, bytes)
        return encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a call made Argus do."""

    work: Work
    hashes: int
    audit_rows: int


class Guesser:
    """Calls Argus, and sees what it answers and what that costs."""

    def __init__(self, stack: Stack, api: Api, recorder: WorkRecorder) -> None:
        self.stack = stack
        self.api = api
        self._recorder = recorder
        self._numbers = itertools.count()

    async def start(self, identifier: str, *, device_token: str = "") -> authentication.StartLoginResponse:
        """Begins a login."""
        request = authentication.StartLoginRequest(
            parent=self.api.parent, identifier=identifier, device_token=device_token, client_context=self._context()
        )
        return await self.api.authentication.StartLogin(request, metadata=(("x-request-id", REQUEST_ID),))

    async def submit(self, login_token: str, password: str) -> Answer:
        """Hands in a password that is refused."""
        request = authentication.SubmitFactorRequest(
            parent=self.api.parent, login_token=login_token, password=password, client_context=self._context()
        )
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.api.authentication.SubmitFactor(request, metadata=(("x-request-id", REQUEST_ID),))
        error = refused.value
        return Answer(
            code=error.code(),
            message=error.details(),
            initial_metadata=tuple(sorted(error.initial_metadata() or ())),
            trailing_metadata=tuple(sorted(error.trailing_metadata() or ())),
        )

    async def guess(self, guess: Guess) -> tuple[Answer, Cost]:
        """Begins a login and hands in the password: what comes of the latter."""
        login_token = (await self.start(guess.identifier)).login_token
        return await self.cost_of(self.submit(login_token, guess.password))

    async def cost_of(self, call: Awaitable[T]) -> tuple[T, Cost]:
        """What a call gives, and its cost; nothing else goes on meanwhile."""
        async with self.stack.server.background.held():
            rows, hashes = await self._audit_rows(), self.stack.argus.passwords.hashes_done
            self._recorder.take()
            result = await call
            return result, Cost(
                work=self._recorder.take(),
                hashes=self.stack.argus.passwords.hashes_done - hashes,
                audit_rows=await self._audit_rows() - rows,
            )

    def _context(self) -> types.ClientContext:
        """An address that has not failed yet."""
        return context(f"2001:db8:{next(self._numbers):x}::1")

    async def _audit_rows(self) -> int:
        row = await self.stack.argus.db.fetch_one(
            "SELECT count(*) AS n FROM audit_events WHERE tenant_id = %s", (self.api.tenant_id,)
        )
        assert row is not None
        return int(row["n"])


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
def guesser(stack: Stack, api: Api) -> Iterator[Guesser]:
    recorder = WorkRecorder(REQUEST_ID)
    with recorder.recording():
        yield Guesser(stack, api, recorder)


def nobody() -> Guess:
    """A guess at an identifier that no user has or had."""
    return Guess(identifier=f"n{secrets.token_hex(8)}@example.com")


async def wrong_password(guesser: Guesser) -> Guess:
    return Guess(identifier=(await new_person(guesser.api)).identifier)


async def no_password(guesser: Guesser) -> Guess:
    identifier = f"b{secrets.token_hex(8)}@example.com"
    one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=identifier)
    await guesser.api.users.CreateUser(
        users.CreateUserRequest(parent=guesser.api.parent, user=users.User(identifiers=[one]))
    )
    return Guess(identifier=identifier)


async def many_identifiers_and_groups(guesser: Guesser) -> Guess:
    person, api = await new_person(guesser.api), guesser.api
    for _ in range(5):
        one = users.Identifier(kind=users.IDENTIFIER_KIND_USERNAME, value=f"u{secrets.token_hex(8)}")
        await api.users.CreateIdentifier(users.CreateIdentifierRequest(parent=person.name, identifier=one))
    made = await api.users.CreateGroup(
        users.CreateGroupRequest(parent=api.parent, group_id="staff", group=users.Group(display_name="Staff"))
    )
    await api.users.AddGroupMember(users.AddGroupMemberRequest(group=made.group.name, user=person.name))
    return Guess(identifier=person.identifier)


async def disabled(guesser: Guesser) -> Guess:
    person = await new_person(guesser.api)
    await guesser.api.users.DisableUser(users.DisableUserRequest(name=person.name))
    return Guess(identifier=person.identifier)


async def disabled_with_the_right_password(guesser: Guesser) -> Guess:
    return Guess(identifier=(await disabled(guesser)).identifier, password=PASSWORD)


async def deleted_with_the_right_password(guesser: Guesser) -> Guess:
    person = await new_person(guesser.api)
    await guesser.api.users.DeleteUser(users.DeleteUserRequest(name=person.name))
    return Guess(identifier=person.identifier, password=PASSWORD)


async def closed_to_unknown_devices_with_the_right_password(guesser: Guesser) -> Guess:
    """Nothing may tell that it was the right one: else closing it would not stop the guessing."""
    person = await new_person(guesser.api)
    origin = Origin(tenant_id=guesser.api.tenant_id, actor="system:test", request_id=new_id())
    await guesser.stack.argus.passwords.close_to_unknown_devices(guesser.api.tenant_id, person.user_id, origin)
    return Guess(identifier=person.identifier, password=PASSWORD)


@pytest.mark.parametrize(
    "case",
    [
        wrong_password,
        no_password,
        many_identifiers_and_groups,
        disabled,
        disabled_with_the_right_password,
        deleted_with_the_right_password,
        closed_to_unknown_devices_with_the_right_password,
    ],
)
async def test_a_refused_factor_gives_and_costs_the_same_as_for_nobody(
    guesser: Guesser, case: Callable[[Guesser], Awaitable[Guess]]
) -> None:
    """Same bytes, same statements in the same order, same round trips, same commands, one hash, one audit row."""
    answer, cost = await guesser.guess(await case(guesser))
    answer_of_nobody, cost_of_nobody = await guesser.guess(nobody())
    assert answer == answer_of_nobody
    assert cost == cost_of_nobody
    assert b"FACTOR_REFUSED" in answer.details
    assert (cost.hashes, cost.audit_rows) == (1, 1)
    # The measure itself works.
    assert any("FROM credentials" in statement for statement in cost.work.statements)
    assert any(command.endswith("_take") for command in cost.work.commands)
    assert cost.work.round_trips >= len(cost.work.statements)


@pytest.mark.parametrize("device_token", ["", "made up", "another's"])
async def test_a_login_begins_alike(guesser: Guesser, device_token: str) -> None:
    """Also for somebody who brings a device token, made up or good for another user."""
    person, other = await new_person(guesser.api), await new_person(guesser.api)
    tokens = {"": "", "made up": f"{new_id()}.{new_id()}", "another's": (await other.sign_in()).device_token}
    shown = []
    for identifier in (person.identifier, nobody().identifier):
        begun, cost = await guesser.cost_of(guesser.start(identifier, device_token=tokens[device_token]))
        lengths = len(begun.login.name), len(begun.login_token)
        # Random or a moment later, in one as in the other.
        begun.login.ClearField("name")
        begun.login.ClearField("expire_time")
        begun.ClearField("login_token")
        for challenge in begun.login.challenges:
            challenge.webauthn_options_json = CHALLENGE.sub("", challenge.webauthn_options_json)
        shown.append((begun.SerializeToString(), lengths, cost))
    assert shown[0] == shown[1]
    assert shown[0][2].audit_rows == 1


async def test_throttled_guesses_give_and_cost_the_same(guesser: Guesser) -> None:
    """The same time to wait, to the byte, and nothing is compared."""
    person = await new_person(guesser.api)
    shown = []
    for identifier in (person.identifier, nobody().identifier):
        login_token = (await guesser.start(identifier)).login_token
        for _ in range(IDENTIFIER_BUDGET.free):
            await guesser.stack.argus.guessing.begin(guesser.api.tenant_id, identifier)
        shown.append(await guesser.cost_of(guesser.submit(login_token, PASSWORD)))
    assert shown[0] == shown[1]
    answer, cost = shown[0]
    assert b"GUESSING_THROTTLED" in answer.details
    assert (cost.hashes, cost.audit_rows) == (0, 1)
