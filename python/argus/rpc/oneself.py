"""Whose access token a request of `SelfService` carries: the engine verifies it, as for VerifyAccessToken."""

import hashlib
from typing import Any, Final, Protocol, TypeVar

from google.protobuf.message import Message

from argus.base.origin import Origin
from argus.flows.refusals import Refusals
from argus.flows.self.oneself import Oneself
from argus.rpc import validate
from argus.rpc.context import current_call, current_caller, origin_of
from argus.rpc.errors import StatusError
from argus.sessions.errors import TokenInvalidError
from argus.v1 import token_service_pb2, types_pb2

SELF_SCOPE: Final = "self.act"
"""Scope of services that may act for users by their access tokens."""

M = TypeVar("M", bound=Message)


class Verify(Protocol):
    """Verifies an access token for a caller that has been authenticated for another RPC."""

    async def verify_for(
        self, request: bytes, *, scope: str, authorization: str | None, request_id: str, deadline_ms: int
    ) -> tuple[int, bytes]:
        """(0, encoded VerifyAccessTokenResponse) or (1, encoded google.rpc.Status)."""
        ...


class Recognition:
    """Says on whose own behalf a request is made."""

    def __init__(self, verify: Verify, refusals: Refusals) -> None:
        self._verify = verify
        self._refusals = refusals

    async def __call__(self, request: Any) -> tuple[Oneself, Origin]:
        """The user whose token `request` carries, and the origin of what it changes.

        Raises:
            StatusError: The token is not good here; the engine says why.
            TokenInvalidError: It is a client token.
        """
        validate.presented_token(request.access_token, "access_token")
        origin = origin_of(_bare(request))
        asked = token_service_pb2.VerifyAccessTokenRequest(
            access_token=request.access_token,
            proof=request.proof if request.HasField("proof") else None,
            client_context=request.client_context if request.HasField("client_context") else None,
            consistency=types_pb2.CONSISTENCY_STRONG,
            attempt_id=_attempt(origin),
        )
        call = current_call()
        outcome, answer = await self._verify.verify_for(
            asked.SerializeToString(),
            scope=SELF_SCOPE,
            authorization=call.authorization,
            request_id=call.request_id,
            deadline_ms=call.deadline_ms,
        )
        if outcome != 0:
            raise StatusError.from_bytes(answer)
        verified = token_service_pb2.VerifyAccessTokenResponse.FromString(answer)
        try:
            oneself = Oneself.of(verified)
        except TokenInvalidError:
            self._refusals.note(origin, caller_id=current_caller().client_id, fault="client_token")
            raise
        return oneself, oneself.origin(origin)


def _bare(request: M) -> M:
    """What is asked for: a repeat may come with a newer token, and with another proof."""
    bare = type(request)()
    bare.CopyFrom(request)
    for field in ("access_token", "proof"):
        bare.ClearField(field)
    return bare


def _attempt(origin: Origin) -> str:
    """A repeat by its `request_id` may show the same DPoP proof again; all else needs a new one."""
    if not origin.idempotency_key:
        return ""
    return hashlib.sha256(origin.method.encode() + origin.request_sha256).hexdigest()
