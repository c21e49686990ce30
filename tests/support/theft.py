"""A session of which somebody has a copy: how it becomes contested, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from argus.server.api import failure_of
from argus.v1 import events_pb2
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from tests.support.people import Person, refresh

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.server.private_stack import PrivateStack
    from tests.support.stack import Stack

OUT_OF_STEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theft:
    """A session of which somebody has a copy, and the tokens of its first family, oldest first.

    The thief's access token is of the same family; so is the owner's.
    """

    session: str
    refresh_tokens: list[str]
    access_token: str

    @property
    def old(self) -> str:
        """The token that was replayed."""
        return self.refresh_tokens[0]

    @property
    def newest(self) -> str:
        """The token that was good until then."""
        return self.refresh_tokens[-1]


async def rotate(stack: Stack | PrivateStack, person: Person, times: int = 2) -> Theft:
    """A session that has been refreshed some times, each in step."""
    done = await person.sign_in()
    refresh_tokens, access_token = [done.tokens.refresh_token], done.tokens.access_token
    for _ in range(times):
        await stack.advance(OUT_OF_STEP)
        made = (await refresh(person.api, refresh_tokens[-1])).tokens
        refresh_tokens.append(made.refresh_token)
        access_token = made.access_token
    return Theft(session=done.session.name, refresh_tokens=refresh_tokens, access_token=access_token)


async def contest(stack: Stack | PrivateStack, person: Person) -> Theft:
    """A session whose first token is used a second time, two generations later."""
    theft = await rotate(stack, person)
    assert await cause_of(refresh(person.api, theft.old)) == "REPLAYED"
    return theft


async def cause_of(call: object) -> str:
    """Why a step-up is demanded; fails if none is."""
    failure = await failure_of(call)  # type: ignore[arg-type]  # a call of grpc.aio is awaitable, and not typed
    assert failure is not None
    assert (failure.code, failure.reason) == ("UNAUTHENTICATED", "STEP_UP_REQUIRED"), failure
    return failure.metadata.get("cause", "")


async def state_of(api: Api, name: str) -> types.Session:
    return (await api.sessions.GetSession(sessions.GetSessionRequest(name=name))).session


async def events_of(api: Api, name: str) -> list[events_pb2.Event]:
    return list((await api.sessions.ListSessionEvents(sessions.ListSessionEventsRequest(parent=name))).events)
