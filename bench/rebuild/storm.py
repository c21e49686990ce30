"""Many clients that all want their sessions back at once."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

from argus.server.api import Api, Failure
from argus.v1 import token_service_pb2 as tokens


@dataclass(slots=True)
class Storm:
    """What came of it.

    Attributes:
        seconds: From the first call to the last session that was back.
        answers: Answers by code and reason.
        times: Seconds of each good call.
    """

    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)


async def storm(api: Api, refresh_tokens: Sequence[str], *, clients: int) -> Storm:
    """Each client refreshes its share, one after the other, and comes back when it is told to."""
    outcome = Storm()
    await api.token()
    left = iter(refresh_tokens)

    async def client() -> None:
        for token in left:
            await _refresh(api, token, outcome)

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    outcome.seconds = time.perf_counter() - begun
    return outcome


async def _refresh(api: Api, token: str, outcome: Storm) -> None:
    while True:
        begun = time.perf_counter()
        try:
            await api.tokens.RefreshToken(tokens.RefreshTokenRequest(refresh_token=token))
        except grpc.aio.AioRpcError as error:
            failure = Failure.of(error)
            outcome.answers[f"{failure.code} {failure.reason} {failure.metadata.get('component', '')}".strip()] += 1
            if failure.code != "UNAVAILABLE" or failure.retry_after is None:
                return
            await asyncio.sleep(failure.retry_after.total_seconds())
        else:
            outcome.answers["OK"] += 1
            outcome.times.append(time.perf_counter() - begun)
            return
