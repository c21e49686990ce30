"""Tells the audit and the counters of tokens that flows refuse, as the engine tells of those that it refuses itself.

The events go through the engine's queue: it bounds how many rows a flood of them makes.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from argus._core import Engine
from argus.base.clock import Now
from argus.base.origin import Origin
from argus.internal.v1.engine_pb2 import Effect, Effects, TokenClaims

TOKEN_REFUSED: Final = "token.refused"  # noqa: S105
"""Event of a presented token that was not good."""


class Refusals:
    """Tokens that were refused outside the engine."""

    def __init__(self, engine: Engine, *, now: Now) -> None:
        self._engine = engine
        self._now = now
        self._counts: Counter[str] = Counter()

    def note(
        self, origin: Origin, *, caller_id: str, fault: str, claims: TokenClaims | None = None, alarm: str = ""
    ) -> None:
        """Counts a refusal and queues its events.

        Args:
            origin: Of the call.
            caller_id: Client that presented the token.
            fault: Class of its fault; never told to the caller.
            claims: What the token says, where its signature is good.
            alarm: Event that somebody should be woken for, if it is more than a token that is not good.
        """
        told = claims or TokenClaims()
        if alarm:
            self._counts[f"alarms{{kind={alarm.replace('.', '_')}}}"] += 1
        self._counts[f"token_faults{{class={fault}}}"] += 1
        effects = [
            Effect(
                tenant_id=origin.tenant_id,
                user_id=told.sub,
                session_id=told.session_id,
                client_id=told.client_id,
                time_ms=int(self._now().timestamp() * 1000),
                event=event,
                outcome="failure",
                reason=fault,
                request_id=origin.request_id,
                caller=caller_id,
                ip_address=origin.ip_address or "",
            )
            for event in filter(None, (alarm, TOKEN_REFUSED))
        ]
        self._engine.queue_effects(Effects(effects=effects).SerializeToString())

    def counters(self) -> Mapping[str, int]:
        """Counts since the start, named as the engine's are, which they belong to."""
        return dict(self._counts)
