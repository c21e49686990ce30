"""Wrong passwords for users that exist and for users that don't, over gRPC, each timed."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from argus.server.api import Api, failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.passkeys import authenticator_of, enrol_passkey

Kind = Literal["known", "unknown"]

_PASSWORD: Final = "seven quiet otters under a bridge"  # noqa: S105  # of users that live as long as the run
_GUESS: Final = "seven loud otters over a bridge"
_CREATED_AT_A_TIME: Final = 2
_USER_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class UnexpectedAnswerError(Exception):
    """A guess was answered otherwise than by FACTOR_REFUSED: its time means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """How long one guess took, in ms."""

    kind: Kind
    start_login: float
    submit_factor: float


async def create_users(api: Api, number: int, *, created: Callable[[], None]) -> list[str]:
    """Identifiers of so many new users with a password and a passkey.

    Args:
        api: Client of their tenant.
        number: How many.
        created: Called for each.
    """
    identifiers = [new_identifier() for _ in range(number)]
    waiting = iter(identifiers)
    authenticator = await authenticator_of(api)

    async def work() -> None:
        for identifier in waiting:
            one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=identifier)
            user = users.User(identifiers=[one])
            request = users.CreateUserRequest(parent=api.parent, user=user, password=_PASSWORD)
            await enrol_passkey(api, (await api.users.CreateUser(request)).user.name, authenticator)
            created()

    await asyncio.gather(*(work() for _ in range(_CREATED_AT_A_TIME)))
    return identifiers


async def guess_in_pairs(api: Api, identifiers: list[str]) -> AsyncIterator[tuple[Timed, Timed]]:
    """Guesses once at each of these users, next to a guess at one that doesn't exist, in random order.

    Args:
        api: Client of their tenant; may say what address a user has.
        identifiers: Users that nobody has guessed at.

    Raises:
        UnexpectedAnswerError: A guess was not just refused.
    """
    networks = addresses()
    coin = secrets.SystemRandom()
    for identifier in identifiers:
        kinds: list[tuple[Kind, str]] = [("known", identifier), ("unknown", new_identifier())]
        coin.shuffle(kinds)
        first, second = [await _guess(api, kind, who, next(networks)) for kind, who in kinds]
        yield first, second


async def _guess(api: Api, kind: Kind, identifier: str, address: str) -> Timed:
    context = types.ClientContext(ip_address=address, user_agent=_USER_AGENT)
    starting = authentication.StartLoginRequest(parent=api.parent, identifier=identifier, client_context=context)
    await api.token()  # so that none is fetched while the clock runs
    before = time.perf_counter()
    begun = await api.authentication.StartLogin(starting)
    between = time.perf_counter()
    submitting = authentication.SubmitFactorRequest(
        parent=api.parent, login_token=begun.login_token, password=_GUESS, client_context=context
    )
    submitted = time.perf_counter()
    failure = await failure_of(api.authentication.SubmitFactor(submitting))
    after = time.perf_counter()
    if failure is None or failure.reason != "FACTOR_REFUSED":
        raise UnexpectedAnswerError(f"a guess at a user that is {kind} was answered by {failure or 'a session'}")
    return Timed(kind=kind, start_login=(between - before) * 1000, submit_factor=(after - submitted) * 1000)


def new_identifier() -> str:
    """One that nobody has, of the length that all have."""
    return f"u{secrets.token_hex(8)}@example.com"


def addresses() -> Iterator[str]:
    """Each in a network of its own, so that none comes near the budget of an address."""
    for number in range(1 << 32):
        yield f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1"
