"""A machine over the real server, with what the model makes of each answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from argus.base.clock import now
from argus.server.api import failure_of
from argus.v1 import types_pb2 as types
from tests.property.session_model import ROUNDING, ModelSession, ModelUser

if TYPE_CHECKING:
    from argus.server.api import Api, Failure
    from tests.support.stack import Stack

T = TypeVar("T")

GRACE_AND_DEADLINE = timedelta(seconds=40)


class SessionScene(RuleBasedStateMachine):
    """Users and sessions as the model has them, beside the server that they are played on."""

    stack: Stack
    api: Api
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.users: list[ModelUser] = []
        self.sessions: list[ModelSession] = []

    def _check(self, session: ModelSession, time: datetime, failure: Failure | None) -> None:
        """Whether a call with a good token of the session fared as it must."""
        if session.surely_over(time):
            assert failure is not None
            # Past its absolute end a refresh token has expired, too.
            assert failure.reason in {"SESSION_ENDED", "TOKEN_INVALID"}
            assert failure.reason == "SESSION_ENDED" or time > session.absolute - ROUNDING
        elif session.surely_alive(time):
            if session.is_contested:
                assert failure is not None
                assert failure.reason == "STEP_UP_REQUIRED"
            else:
                assert failure is None, failure
        elif failure is not None and failure.reason == "SESSION_ENDED":
            session.is_over = True

    def _take(self, session: ModelSession, made: types.TokenSet, time: datetime) -> None:
        session.access = made.access_token
        session.access_until = time + made.expires_in.ToTimedelta()
        if made.refresh_token == session.refresh_tokens[-1]:
            return
        assert time > session.newest_made + GRACE_AND_DEADLINE - ROUNDING or len(session.refresh_tokens) == 1
        session.refresh_tokens.append(made.refresh_token)
        session.newest_made = time

    def _settle(self, who: int) -> None:
        """Decides what the model leaves open by what the server says."""
        self._do(self.stack.argus.effects.flush())
        shown = {one.name for one in self._do(self.users[who].person.list())}
        for one in self.sessions:
            if one.owner == who and one.name not in shown:
                assert not one.surely_alive(self._now())
                one.is_over = True

    def _device(self, who: int) -> str:
        known = [one.device_token for one in self.sessions if one.owner == who]
        return known[0] if known else ""

    def _pick(self, pick: int) -> ModelSession:
        return self.sessions[pick % len(self.sessions)]

    def _now(self) -> datetime:
        return now(self.stack.private.clock)

    def _outcome(self, call: Awaitable[T]) -> tuple[Failure | None, T]:
        answers: list[Any] = [None]

        async def run() -> None:
            answers[0] = await call

        return self._do(failure_of(run())), answers[0]

    def _do(self, call: Awaitable[T]) -> T:
        async def run() -> T:
            return await call

        return self.loop.run_until_complete(run())
