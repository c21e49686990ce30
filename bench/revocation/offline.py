"""Watchers of revocations, and the time from an end's answer until each of them knows it."""

import asyncio
import random
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import grpc

from argus.base.ids import new_id
from argus.server.api import Api
from argus.v1 import revocation_service_pb2 as revocations
from argus.v1 import revocation_service_pb2_grpc, types_pb2
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import user_service_pb2 as users

_PATIENCE_SECONDS: Final = 30
# Longer than the server's pause between two looks: an end may fall anywhere in it.
_LONGEST_PAUSE: Final = 0.5


@dataclass(slots=True)
class Arrivals:
    """When the sessions' ends came to the watchers, by the clock of the event loop."""

    watchers: int
    times: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def note(self, session_ids: list[str]) -> None:
        """One watcher has been told of some ends."""
        time = asyncio.get_running_loop().time()
        async with self.news:
            for one in session_ids:
                self.times[one].append(time)
            self.news.notify_all()

    async def of(self, session_id: str) -> list[float]:
        """When each watcher was told of the end."""
        async with asyncio.timeout(_PATIENCE_SECONDS), self.news:
            await self.news.wait_for(lambda: len(self.times[session_id]) == self.watchers)
        return self.times[session_id]


async def learning_seconds(api: Api, *, watchers: int, ends: int, seed: int = 1) -> list[float]:
    """For every watcher and end: from the answer of TerminateSession until the watcher knows, at least 0.

    Each watcher has a connection of its own. An end that is not ENDED at once ends the measurement.

    Args:
        api: A client with every scope of a tenant that nobody else ends sessions of.
        watchers: How many there are.
        ends: Sessions that are ended, one after the other, at random distances.
        seed: Of the distances.
    """
    arrivals = Arrivals(watchers)
    distances = random.Random(seed)  # noqa: S311  # spreads ends, guards nothing
    identifier = users.Identifier(kind=users.IDENTIFIER_KIND_USERNAME, value=f"watched-{new_id()}")
    user = await api.users.CreateUser(
        users.CreateUserRequest(parent=api.parent, user=users.User(identifiers=[identifier]))
    )
    async with AsyncExitStack() as stack:
        for _ in range(watchers):
            await _watch(api, arrivals, stack)
        found = []
        for _ in range(ends):
            begun = await api.sessions.CreateSession(sessions.CreateSessionRequest(parent=user.user.name))
            await asyncio.sleep(distances.uniform(0, _LONGEST_PAUSE))
            ended = await api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=begun.session.name))
            answered = asyncio.get_running_loop().time()
            if ended.state != types_pb2.TERMINATION_STATE_ENDED:
                raise RuntimeError("an end is pending")
            times = await arrivals.of(begun.session.name.rpartition("/")[2])
            found += [max(0.0, time - answered) for time in times]
    return found


async def _watch(api: Api, arrivals: Arrivals, stack: AsyncExitStack) -> None:
    """Opens a stream that goes on beside, and waits until it has told all that was over before."""
    channel = grpc.aio.insecure_channel(api.address, options=(("grpc.use_local_subchannel_pool", 1),))
    stack.push_async_callback(channel.close)
    stub: revocation_service_pb2_grpc.RevocationServiceAsyncStub = revocation_service_pb2_grpc.RevocationServiceStub(
        channel
    )  # type: ignore[assignment]  # one class does both
    request = revocations.WatchRevocationsRequest(parent=api.parent)
    call = stub.WatchRevocations(request, metadata=(("authorization", f"Bearer {await api.token()}"),))
    async for message in call:
        if message.resume_token:
            break

    async def read() -> None:
        async for message in call:
            told = [one.subject for one in message.revocations if one.kind == revocations.REVOCATION_KIND_SESSION]
            if told:
                await arrivals.note(told)

    reading = asyncio.create_task(read())

    async def stop() -> None:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    stack.push_async_callback(stop)
