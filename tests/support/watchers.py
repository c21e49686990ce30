"""The plainest service that verifies by itself: a list, filled by a stream that may be cut and gone on with."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import grpc

from argus.base.clock import now
from argus.server.api import Failure
from argus.v1 import revocation_service_pb2 as pb

if TYPE_CHECKING:
    from argus.server.api import Api

PATIENCE_SECONDS: Final = 30
Entry = tuple[str, str]
"""Kind and subject."""


class Watcher:
    """One such service."""

    def __init__(self, api: Api, *, comes_back: bool = False) -> None:
        """Reads nothing yet.

        Args:
            api: Where.
            comes_back: It goes on by itself where the server is unavailable.
        """
        self.api = api
        self._comes_back = comes_back
        self.entries: dict[Entry, pb.Revocation] = {}
        self.resume_token = ""
        self.state_time: datetime | None = None
        self.snapshots = 0
        self.messages = 0
        self.failure: Failure | None = None
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    def connect(self, api: Api | None = None, *, resume_token: str | None = None) -> None:
        """Begins or goes on, at another server if one is given."""
        assert self._task is None
        self.api = api or self.api
        token = self.resume_token if resume_token is None else resume_token
        self._task = asyncio.create_task(self._read(token))

    async def disconnect(self) -> None:
        """Hangs up; what came so far is kept."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def forget(self) -> None:
        """Loses everything, as one that was started anew."""
        self.entries.clear()
        self.resume_token, self.state_time = "", None

    def trim(self, time: datetime) -> None:
        """Drops what has expired."""
        expired = [key for key, one in self.entries.items() if one.expire_time.ToDatetime(UTC) <= time]
        for key in expired:
            del self.entries[key]

    async def until(self, moment: datetime) -> None:
        """Waits until the list holds all that had ended by a moment."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: self.failure or (self.state_time and self.state_time >= moment))
        assert self.failure is None, self.failure

    async def caught_up(self) -> None:
        """Waits until the list holds all that has ended up to now."""
        await self.until(now(self.api.clock))

    async def has(self, kind: str, subject: str) -> pb.Revocation:
        """Waits for an entry."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: self.failure or (kind, subject) in self.entries)
        return self.entries[kind, subject]

    async def failed(self) -> Failure:
        """Waits until the server ends the stream."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: self.failure)
        await self.disconnect()
        failure, self.failure = self.failure, None
        assert failure is not None
        return failure

    async def _read(self, resume_token: str) -> None:
        request = pb.WatchRevocationsRequest(parent=self.api.parent, resume_token=resume_token)
        call = self.api.revocations.WatchRevocations(request)
        try:
            async for message in call:
                await self._take(message)
        except grpc.aio.AioRpcError as error:
            failure = Failure.of(error)
        else:
            raise AssertionError("a stream ends with an error")
        finally:
            with suppress(AttributeError):  # not begun yet
                call.cancel()
        if self._comes_back and failure.code == "UNAVAILABLE" and failure.retry_after:
            await asyncio.sleep(failure.retry_after.total_seconds())  # as it was told
            await self._read(self.resume_token)
            return
        async with self._news:
            self.failure = failure
            self._news.notify_all()

    async def _take(self, message: pb.WatchRevocationsResponse) -> None:
        async with self._news:
            for one in message.revocations:
                add(self.entries, one)
            self.resume_token = message.resume_token or self.resume_token
            self.snapshots += message.is_snapshot
            self.messages += 1
            if message.HasField("state_time"):
                self.state_time = message.state_time.ToDatetime(UTC)
            self._news.notify_all()


def add(entries: dict[Entry, pb.Revocation], one: pb.Revocation) -> None:
    """Puts a revocation on a list: the later one counts."""
    key = (pb.RevocationKind.Name(one.kind).removeprefix("REVOCATION_KIND_").lower(), one.subject)
    before = entries.get(key)
    if before is None or before.expire_time.ToDatetime() <= one.expire_time.ToDatetime():
        entries[key] = one
