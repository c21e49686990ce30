"""Many sign-ins of one user at once over several servers, and what can be known of them afterwards.

Two witnesses, who know nothing of each other: the rows of PostgreSQL, which say from when to when each session lived;
and a watcher that has every token verified all the time, and so knows of spans in which a session certainly lived.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import grpc

from argus.base.ids import new_id
from argus.server.api import Failure, failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.support.people import PASSWORD, context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from argus.server.api import Api
    from argus.storage.postgres import Database
    from tests.support.people import Person

_PASSING: Final = frozenset(
    {"UNAVAILABLE", "GUESSING_THROTTLED", "QUOTA_EXCEEDED", "OVERLOADED", "LOGIN_NOT_FOUND", "DEADLINE_EXCEEDED"}
)
_TRIES: Final = 1000
_PAUSE_SECONDS: Final = 0.2
# After these it is not known how far a call came: it may have had a place, and a claim on somebody else's.
_UNCERTAIN: Final = frozenset({"UNAVAILABLE", "OVERLOADED", "DEADLINE_EXCEEDED"})
_WAITING: Final = authentication.LOGIN_STATE_SESSION_LIMIT_REACHED


@dataclass(kw_only=True)
class Made:
    """A session whose tokens came, and what was seen of it.

    Attributes:
        answered: When they came; the sign-in was over by then.
        chosen: Ids that its user chose to end.
        seen: When a server said that its token is good, by Redis.
    """

    session_id: str
    access_token: str = field(repr=False)
    answered: datetime
    chosen: frozenset[str]
    seen: list[datetime] = field(default_factory=list)


class Storm:
    """Sign-ins of one user at several servers.

    Attributes:
        device_tokens: Of the devices that they come from; empty: each from a new one.
        given_up: From when to when calls lasted that may have held a place, and came to nothing.
    """

    def __init__(self, person: Person, servers: Sequence[Api], *, seed: int = 0) -> None:
        self.person = person
        self._servers = servers
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self.device_tokens: list[str] = [""]
        self.made: list[Made] = []
        self.refused: list[Failure] = []
        self.given_up: list[tuple[datetime, datetime]] = []

    async def rage(self, count: int, *, by_password: bool) -> None:
        """So many at once."""
        way = self.sign_in if by_password else self.create
        await asyncio.gather(*(way(self._servers[number % len(self._servers)]) for number in range(count)))

    async def sign_in(self, api: Api) -> None:
        """By password; chooses as many as it takes where it is asked, and starts anew where a store was away."""
        for _ in range(_TRIES):
            begun = datetime.now(UTC)
            failure = await failure_of(self.sign_in_once(api))
            if failure is None:
                return
            if not await self._passes(failure, begun):
                self.refused.append(failure)
                return
        raise AssertionError("a sign-in that never came through")

    async def sign_in_once(self, api: Api) -> authentication.SubmitFactorResponse:
        """By password, from one of the devices."""
        begin = authentication.StartLoginRequest(
            parent=api.parent,
            identifier=self.person.identifier,
            client_context=context(),
            device_token=self._random.choice(self.device_tokens),
        )
        token = (await api.authentication.StartLogin(begin)).login_token
        request = authentication.SubmitFactorRequest(
            parent=api.parent, login_token=token, password=PASSWORD, client_context=context()
        )
        done = await api.authentication.SubmitFactor(request)
        chosen: list[str] = []
        while done.login.state == _WAITING:
            choices = [one.name for one in done.login.ending_choices]
            names = self._random.sample(choices, min(len(choices), done.login.end_at_least))
            chosen = [name.rpartition("/")[2] for name in names]
            request = authentication.SubmitFactorRequest(
                parent=api.parent,
                login_token=done.login_token,
                end_sessions=authentication.EndSessions(names=names),
                client_context=context(),
            )
            done = await api.authentication.SubmitFactor(request)
        self._note(done.session.name, done.tokens.access_token, chosen)
        return done

    async def create(self, api: Api) -> None:
        """On a backend's word, which asks its user where it has to."""
        request = sessions.CreateSessionRequest(
            parent=self.person.name,
            client_context=context(),
            device_token=self._random.choice(self.device_tokens),
            request_id=new_id(),
        )
        for _ in range(_TRIES):
            begun = datetime.now(UTC)
            try:
                done = await api.sessions.CreateSession(request)
            except grpc.aio.AioRpcError as error:
                failure = Failure.of(error)
                if failure.reason == "REQUEST_ALREADY_DONE":
                    return  # an answer that was lost; it has ended since
                if choices := failure.metadata.get("endingChoices", "").split():
                    names = self._random.sample(choices, int(failure.metadata["endAtLeast"]))
                    del request.end_sessions[:]
                    request.end_sessions.extend(f"{self.person.name}/sessions/{one}" for one in names)
                    request.request_id = new_id()
                    continue
                if not await self._passes(failure, begun):
                    self.refused.append(failure)
                    return
                continue
            self._note(
                done.session.name,
                done.tokens.access_token,
                [name.rpartition("/")[2] for name in request.end_sessions],
            )
            return
        raise AssertionError("a creation that never came through")

    async def _passes(self, failure: Failure, begun: datetime) -> bool:
        """Whether another try may do; waits for it. Sign-ins in flight are over soon."""
        if failure.reason in _UNCERTAIN:
            self.given_up.append((begun, datetime.now(UTC)))
        is_full = failure.reason == "SESSION_LIMIT_REACHED" and failure.metadata["onLimit"] != "deny"
        if failure.reason not in _PASSING and not is_full:
            return False
        await asyncio.sleep(_PAUSE_SECONDS)
        return True

    def _note(self, name: str, access_token: str, chosen: Sequence[str]) -> None:
        self.made.append(
            Made(
                session_id=name.rpartition("/")[2],
                access_token=access_token,
                answered=datetime.now(UTC),
                chosen=frozenset(chosen),
            )
        )

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Has all tokens verified over and over for the time of the block."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        over: set[str] = set()
        while True:
            found = [one for one in self.made if one.session_id not in over]
            for one, is_over in zip(found, await asyncio.gather(*map(self._look, found)), strict=True):
                if is_over:
                    over.add(one.session_id)
            await asyncio.sleep(0.005)

    async def look(self) -> None:
        """Has all tokens verified once."""
        await asyncio.gather(*map(self._look, self.made))

    async def _look(self, one: Made) -> bool:
        """Whether it is over."""
        request = tokens.VerifyAccessTokenRequest(
            access_token=one.access_token,
            activity=types.ACTIVITY_PASSIVE,
            consistency=types.CONSISTENCY_STRONG,
        )
        api = self._random.choice(list(self._servers))

        async def verify() -> None:
            answer = await api.tokens.VerifyAccessToken(request)
            one.seen.append(answer.state_time.ToDatetime(UTC))

        failure = await failure_of(verify())
        return failure is not None and failure.reason == "SESSION_ENDED"


@dataclass(frozen=True, kw_only=True)
class Lived:
    """A row of PostgreSQL."""

    session_id: str
    create_time: datetime
    end_time: datetime | None
    auth_time: datetime
    trust: float | None
    new_session: str


async def rows_of(db: Database, person: Person) -> list[Lived]:
    """All sessions that the user has or had, by their creation."""
    rows = await db.fetch_all(
        """SELECT session_id, create_time, end_time, auth_time, trust,
                  COALESCE(end_detail->>'new_session', '') AS new_session
             FROM sessions WHERE tenant_id = %s AND user_id = %s ORDER BY create_time, session_id""",
        (person.api.tenant_id, person.user_id),
    )
    return [Lived(**row) for row in rows]


async def removed(db: Database, person: Person) -> list[datetime]:
    """When those sessions began whose rows were removed: they had lost their places before anybody had tokens."""
    rows = await db.fetch_all(
        """SELECT time FROM audit_events e WHERE tenant_id = %s AND user_id = %s AND type = 'session.created'
              AND NOT EXISTS (SELECT 1 FROM sessions s
                               WHERE s.tenant_id = e.tenant_id AND s.session_id = e.session_id)""",
        (person.api.tenant_id, person.user_id),
    )
    return [row["time"] for row in rows]


def most_at_once(spans: Sequence[tuple[datetime, datetime | None]], *, is_closed: bool) -> int:
    """The most spans that have an instant in common.

    Args:
        spans: First instant and last; None: it goes on.
        is_closed: The last instant belongs to the span; else it is the first that does not.
    """
    begins, ends = (1, 2) if is_closed else (2, 1)
    events: list[tuple[datetime, int, int]] = []
    for first, last in spans:
        events.append((first, begins, 1))
        if last is not None:
            events.append((last, ends, -1))
    most = now = 0
    for _, _, change in sorted(events):
        now += change
        most = max(most, now)
    return most
