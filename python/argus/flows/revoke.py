"""Revokes a token by ending its session (RFC 7009)."""

from typing import Final

from argus._core import Engine
from argus.base.clock import Now
from argus.base.errors import ArgusError, Code, UnavailableError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.flows.refusals import Refusals
from argus.flows.snapshot import Snapshot, read_claims
from argus.flows.terminate import Terminate
from argus.flows.termination import TerminationState
from argus.sessions.errors import SessionNotFoundError
from argus.sessions.model import EndReason
from argus.storage.postgres import Database
from argus.v1.errors_pb2 import ErrorReason

ANY_CLIENT_SCOPE: Final = "tokens.refresh_for_clients"
"""Scope of callers that may present other clients' tokens."""


class ForeignTokenError(ArgusError):
    """The token is another client's, and the caller may not present those."""

    def __init__(self) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            ErrorReason.ERROR_REASON_CALLER_SCOPE_MISSING,
            "the token is not the caller's own",
            requiredScope=ANY_CLIENT_SCOPE,
        )


class RevokeToken:
    """Ends the session of a presented token; a token that is not good (any more) is none of anybody's business."""

    def __init__(
        self, engine: Engine, refusals: Refusals, snapshot: Snapshot, terminate: Terminate, db: Database, *, now: Now
    ) -> None:
        self._engine = engine
        self._refusals = refusals
        self._snapshot = snapshot
        self._terminate = terminate
        self._db = db
        self._now = now

    async def revoke(self, token: str, *, caller_id: str, may_any: bool, origin: Origin) -> None:
        """Ends the token's session.

        Args:
            token: Access or refresh token.
            caller_id: Client that presents it.
            may_any: The caller may present other clients' tokens.
            origin: On whose behalf.

        Raises:
            ForeignTokenError: It is another client's.
            UnavailableError: A store is away: the end is not known everywhere yet, or whether the token is good.
        """
        claims, fault = await read_claims(
            lambda confirmed: self._engine.read_token(token, snapshot_confirmed=confirmed), self._snapshot
        )
        if not fault and claims.tenant_id != origin.tenant_id:
            fault = "tenant"
        if fault:
            self._refusals.note(origin, caller_id=caller_id, fault=fault)
            return
        if not claims.session_id:
            return
        if claims.client_id != caller_id and not may_any:
            raise ForeignTokenError
        try:
            ended = await self._terminate.session(
                claims.tenant_id, claims.sub, claims.session_id, reason=EndReason.TOKEN_REVOKED, origin=origin
            )
        except SessionNotFoundError:
            return
        if ended.state is not TerminationState.ENDED:
            raise UnavailableError("stores")
        event = Event(
            type="token.revoked", user_id=claims.sub, session_id=claims.session_id, client_id=claims.client_id
        )
        await self._db.record(origin, event, self._now())
