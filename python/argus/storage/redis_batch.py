"""Many calls of functions of Redis in one round trip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from argus import _core
from argus.storage.redis import Argument, Redis

# What one pipeline carries at most, so that neither side holds much of it in memory.
_MOST_ARGUMENTS: Final = 20_000
_UNKNOWN_FUNCTION: Final = "Function not found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a function of Argus.

    Attributes:
        reads: The function only reads.
    """

    function: str
    keys: Sequence[bytes]
    args: Sequence[Argument] = ()
    reads: bool = False


async def call_all(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    """Makes all calls; their answers in the same order. Every one must bear being made twice.

    Raises:
        UnavailableError: Redis is away, or not known to be the one that counts now; which calls took place is unknown.
    """
    answers: list[Any] = []
    for batch in _batches(calls):
        try:
            answers += await _send(redis, batch)
        except ResponseError as error:
            if _UNKNOWN_FUNCTION not in str(error):
                raise
            # A restarted, emptied or upgraded server.
            await redis.load_functions()
            answers += await _send(redis, batch)
    return answers


async def _send(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    async with redis.guard():
        pipeline = redis.client.pipeline(transaction=False)
        for call in calls:
            command = "FCALL_RO" if call.reads else "FCALL"
            pipeline.execute_command(
                command, _core.function_name(call.function), len(call.keys), *call.keys, *call.args
            )
        answers: list[Any] = await pipeline.execute()
    for answer in answers:
        redis.check(answer)
    return answers


def _batches(calls: Sequence[Call]) -> Iterator[list[Call]]:
    batch: list[Call] = []
    size = 0
    for call in calls:
        if batch and size + len(call.args) > _MOST_ARGUMENTS:
            yield batch
            batch, size = [], 0
        batch.append(call)
        size += len(call.keys) + len(call.args)
    if batch:
        yield batch
