"""How long a session that was ended on one process is still taken for good on another, which has it in memory."""

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Final

from argus.server.api import Api, failure_of
from argus.server.bench.hot import Begun, WrongStateError
from argus.v1.session_service_pb2 import TerminateSessionRequest
from argus.v1.token_service_pb2 import VerifyAccessTokenRequest
from argus.v1.types_pb2 import TerminationState

_WARM_UP: Final = 3


async def times_to_refusal(sessions: Sequence[Begun], *, ending: Api, verifying: Api) -> list[float]:
    """Ends each session on one server while another one verifies it without a pause.

    Args:
        sessions: That are good; they have ended afterwards.
        ending: The server that ends them.
        verifying: Another one, over the same stores.

    Returns:
        For each, the milliseconds from the answer of the end to the beginning of the last verification that was still
        good; 0 where none was.

    Raises:
        WrongStateError: A session could not be ended, or was refused before its end or for something else.
    """
    return [await _time_to_refusal(session, ending, verifying) for session in sessions]


def percentile(times: Sequence[float], percent: float) -> float:
    """The least of the times that so many of them do not exceed."""
    return sorted(times)[max(0, math.ceil(len(times) * percent / 100) - 1)]


async def _time_to_refusal(session: Begun, ending: Api, verifying: Api) -> float:
    request = VerifyAccessTokenRequest(access_token=session.access_token)
    for _ in range(_WARM_UP):
        await verifying.tokens.VerifyAccessToken(request)
    last_good = 0.0

    async def verify_until_refused() -> None:
        nonlocal last_good
        while True:
            begun = time.monotonic()
            failure = await failure_of(verifying.tokens.VerifyAccessToken(request))
            if failure is not None:
                break
            last_good = begun
        if failure.reason != "SESSION_ENDED":
            raise WrongStateError(f"the ended session was refused with {failure.reason}")

    verifications = asyncio.create_task(verify_until_refused())
    ended = await ending.sessions.TerminateSession(TerminateSessionRequest(name=session.name))
    answered = time.monotonic()
    if ended.state != TerminationState.TERMINATION_STATE_ENDED:
        verifications.cancel()
        raise WrongStateError("the session could not be ended at once")
    await verifications
    return max(0.0, last_good - answered) * 1000
