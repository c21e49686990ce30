"""Sessions whose tokens a browser keeps in cookies: refreshed, looked at and ended by Argus's own HTTP edge.

The edge calls the engine as everybody does, as the tenant's built-in client `account`: the same checks, the same table
of rotation, the same limits. Its client tokens are made in this process and never leave it.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from argus._core import Engine
from argus.base.clock import Now
from argus.base.errors import ArgusError, Code
from argus.base.origin import Origin
from argus.clients.model import ACCOUNT_CLIENT
from argus.flows.client_token import ClientTokens
from argus.flows.hot import HotCalls
from argus.flows.refusals import Refusals
from argus.flows.snapshot import Snapshot, confirmed, read_claims
from argus.flows.terminate import Terminate
from argus.flows.termination import Termination
from argus.internal.v1.engine_pb2 import TokenClaims
from argus.sessions.errors import SessionNotFoundError
from argus.sessions.model import EndReason
from argus.v1 import errors_pb2, token_service_pb2

_REFRESH: Final = "/argus.v1.TokenService/RefreshToken"
_VERIFY: Final = "/argus.v1.TokenService/VerifyAccessToken"
_LOGIN_SCOPE: Final = "login.run"
_STATUS: Final = 1
_CALLER_TOKEN_INVALID: Final = errors_pb2.ERROR_REASON_CALLER_TOKEN_INVALID
_EARLY: Final = timedelta(seconds=20)
_MOST_TENANTS: Final = 10_000

Ask: TypeAlias = Callable[[str], Awaitable[tuple[int, bytes]]]
"""Asks the engine with the value of `authorization`."""


class EngineRefusedError(ArgusError):
    """What the engine has refused, as it says it."""

    def __init__(self, status: status_pb2.Status) -> None:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        for detail in status.details:
            detail.Unpack(info) or detail.Unpack(retry)
        reason = errors_pb2.ErrorReason.Value(f"ERROR_REASON_{info.reason or 'INTERNAL'}")
        super().__init__(Code(status.code), reason, status.message)
        self.metadata.update(info.metadata)
        self.field = info.metadata.get("field")
        if retry.HasField("retry_delay"):
            self.retry_after = retry.retry_delay.ToTimedelta()


class BrowserSessions:
    """What the HTTP edge does with the tokens of cookies."""

    def __init__(
        self,
        engine: Engine,
        hot: HotCalls,
        client_tokens: ClientTokens,
        terminate: Terminate,
        refusals: Refusals,
        snapshot: Snapshot,
        *,
        deadline: timedelta,
        now: Now,
    ) -> None:
        """Keeps what it needs.

        Args:
            engine: Reads tokens.
            hot: Refreshes and verifies.
            client_tokens: Makes the edge's own.
            terminate: Ends sessions.
            refusals: Is told of tokens that are not good.
            snapshot: What the engine knows.
            deadline: Longest time that a call may take.
            now: The time.
        """
        self._engine = engine
        self._hot = hot
        self._client_tokens = client_tokens
        self._terminate = terminate
        self._refusals = refusals
        self._snapshot = snapshot
        self._deadline_ms = int(deadline.total_seconds() * 1000)
        self._now = now
        self._own: dict[str, tuple[str, datetime]] = {}

    async def admit(self, tenant_id: str, *, origin: Origin) -> None:
        """Lets a sign-in or step-up go on, if the tenant serves browsers.

        Raises:
            EngineRefusedError: Its client is disabled, or has made as many calls as it may.
            ClientDisabledError: The same, where it is noticed earlier.
            UnavailableError: A store is away.
        """

        async def ask(authorization: str) -> tuple[int, bytes]:
            return await confirmed(
                lambda is_confirmed: self._engine.authenticate(
                    authorization,
                    scope=_LOGIN_SCOPE,
                    system_tenant_only=False,
                    request_id=origin.request_id,
                    snapshot_confirmed=is_confirmed,
                ),
                self._snapshot,
            )

        await self._as_account(tenant_id, ask)

    async def refresh(
        self, tenant_id: str, request: token_service_pb2.RefreshTokenRequest, *, origin: Origin
    ) -> token_service_pb2.RefreshTokenResponse:
        """Changes a refresh token for new tokens; whoever holds an older one of a lost answer gets the newest.

        Raises:
            EngineRefusedError: As `RefreshToken` refuses it.
            UnavailableError: A store is away; nothing is spent.
        """
        answer = await self._ask(tenant_id, _REFRESH, request, origin)
        return token_service_pb2.RefreshTokenResponse.FromString(answer)

    async def verify(
        self, tenant_id: str, request: token_service_pb2.VerifyAccessTokenRequest, *, origin: Origin
    ) -> token_service_pb2.VerifyAccessTokenResponse:
        """Says whether an access token is good.

        Raises:
            EngineRefusedError: As `VerifyAccessToken` refuses it.
            UnavailableError: A store is away.
        """
        answer = await self._ask(tenant_id, _VERIFY, request, origin)
        return token_service_pb2.VerifyAccessTokenResponse.FromString(answer)

    async def end(self, token: str, *, origin: Origin) -> Termination | None:
        """Signs out: ends the session of a token, whatever generation it is of. None: there is nothing to end.

        Raises:
            UnavailableError: No store can take it, or whether the token is good can't be told.
        """
        claims = await self._claims(token, origin)
        if claims is None:
            return None
        try:
            return await self._terminate.session(
                claims.tenant_id, claims.sub, claims.session_id, reason=EndReason.SIGNED_OUT, origin=origin
            )
        except SessionNotFoundError:
            return None

    async def _claims(self, token: str, origin: Origin) -> TokenClaims | None:
        """What a token of a browser's session says; None if it is not one, of this tenant."""
        claims, fault = await read_claims(
            lambda confirmed: self._engine.read_token(token, snapshot_confirmed=confirmed), self._snapshot
        )
        if not fault and claims.tenant_id != origin.tenant_id:
            fault = "tenant"
        # A service's own token is not to be signed out by whoever puts it into a cookie.
        if not fault and (claims.client_id != ACCOUNT_CLIENT or not claims.session_id):
            fault = "client"
        if fault:
            self._refusals.note(origin, caller_id=ACCOUNT_CLIENT, fault=fault)
            return None
        return claims

    async def _ask(self, tenant_id: str, method: str, request: Message, origin: Origin) -> bytes:
        """What the engine answers to one of its own calls."""
        return await self._as_account(
            tenant_id,
            lambda authorization: self._hot.answer(
                method,
                request.SerializeToString(),
                authorization=authorization,
                request_id=origin.request_id,
                deadline_ms=self._deadline_ms,
            ),
        )

    async def _as_account(self, tenant_id: str, ask: Ask) -> bytes:
        """What the edge is answered, whose client token may have ended early, with all of the tenant's."""
        try:
            return _answered(await ask(await self._authorization(tenant_id)))
        except EngineRefusedError as refused:
            if refused.reason != _CALLER_TOKEN_INVALID:
                raise
        self._own.pop(tenant_id, None)
        return _answered(await ask(await self._authorization(tenant_id)))

    async def _authorization(self, tenant_id: str) -> str:
        token, renew_at = self._own.get(tenant_id, ("", self._now()))
        if self._now() >= renew_at:
            tokens = await self._client_tokens.of_account(tenant_id)
            token = tokens.access_token
            if len(self._own) >= _MOST_TENANTS:
                self._own.clear()
            self._own[tenant_id] = (token, self._now() + tokens.expires_in.ToTimedelta() - _EARLY)
        return f"Bearer {token}"


def _answered(answer: tuple[int, bytes]) -> bytes:
    kind, content = answer
    if kind == _STATUS:
        raise EngineRefusedError(status_pb2.Status.FromString(content))
    return content
