"""Notes refused tokens for the audit, through the engine's queue: it bounds how many rows a flood of them makes."""

from collections.abc import Sequence
from typing import Final

from argus._core import Engine
from argus.base.clock import Now
from argus.base.origin import Origin
from argus.internal.v1.engine_pb2 import Effect, Effects, TokenClaims

TOKEN_REFUSED: Final = "token.refused"  # noqa: S105
"""Event of a presented token that was not good."""


def note_refused_token(
    engine: Engine,
    origin: Origin,
    *,
    caller_id: str,
    fault: str,
    now: Now,
    claims: TokenClaims | None = None,
    events: Sequence[str] = (TOKEN_REFUSED,),
) -> None:
    """Queues the events.

    Args:
        engine: Whose queue it is.
        origin: Of the call.
        caller_id: Client that presented the token.
        fault: Class of its fault; never told to the caller.
        now: The time.
        claims: What the token says, where its signature is good.
        events: Their types.
    """
    told = claims or TokenClaims()
    effects = [
        Effect(
            tenant_id=origin.tenant_id,
            user_id=told.sub,
            session_id=told.session_id,
            client_id=told.client_id,
            time_ms=int(now().timestamp() * 1000),
            event=event,
            outcome="failure",
            reason=fault,
            request_id=origin.request_id,
            caller=caller_id,
            ip_address=origin.ip_address or "",
        )
        for event in events
    ]
    engine.queue_effects(Effects(effects=effects).SerializeToString())
