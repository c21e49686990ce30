"""Verifies access tokens by asking Argus each time: nothing is as fresh, and nothing works without Argus."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from argus.sdk.errors import (
    ProofRequiredError,
    ScopeMissingError,
    StepUpRequiredError,
    TokenRefusedError,
    VerifierUnavailableError,
)
from argus.sdk.model import NO_PROOF, NO_REQUIREMENT, Proof, Requirement, Verified
from argus.sdk.tokens.failures import Told
from argus.sdk.tokens.renewal import RenewalUnavailableError
from argus.v1 import token_service_pb2 as pb
from argus.v1 import types_pb2 as types
from argus.v1.token_service_pb2_grpc import TokenServiceStub

__all__ = ["OnlineVerifier"]

_DEADLINE: Final = timedelta(seconds=2)


class OnlineVerifier:
    """Asks `VerifyAccessToken`. Belongs to the event loop that it is first used in."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        resource: str = "",
        is_strong: bool = False,
        is_activity: bool = True,
        deadline: timedelta = _DEADLINE,
    ) -> None:
        """Asks for nothing yet.

        Args:
            channel: To Argus, with the service's own token on its calls, which needs the scope `tokens.verify`.
            resource: Resource that tokens must be for; empty: the one that the service is registered with.
            is_strong: Argus reads the state anew for every call (`CONSISTENCY_STRONG`).
            is_activity: A call keeps its session from timing out.
            deadline: Longest wait for an answer.
        """
        self._stub: Any = TokenServiceStub(channel)
        self._resource = resource
        self._consistency = types.CONSISTENCY_STRONG if is_strong else types.CONSISTENCY_UNSPECIFIED
        self._activity = types.ACTIVITY_UNSPECIFIED if is_activity else types.ACTIVITY_PASSIVE
        self._deadline = deadline.total_seconds()

    async def verify(
        self, token: str, requirement: Requirement = NO_REQUIREMENT, *, proof: Proof = NO_PROOF
    ) -> Verified:
        """What Argus knows of a good token; whatever is not a clear yes is raised, as `Verifier` says."""
        request = pb.VerifyAccessTokenRequest(
            access_token=token,
            resource=self._resource,
            required_scopes=requirement.scopes,
            acr_values=requirement.acr_values,
            max_age=_duration(requirement.max_age),
            proof=_proof(proof),
            consistency=self._consistency,
            activity=self._activity,
        )
        try:
            answer = await self._stub.VerifyAccessToken(request, timeout=self._deadline)
        except grpc.RpcError as error:
            raise _failure(Told.by(error), requirement) from error
        except RenewalUnavailableError as error:
            raise VerifierUnavailableError(str(error), retry_after=error.retry_after) from error
        return _verified(answer)


def _failure(told: Told, requirement: Requirement) -> Exception:
    """Only what Argus says of the token is about the token; all else is an outage, or this service's own mistake."""
    if told.reason in {"TOKEN_INVALID", "SESSION_ENDED"}:
        return TokenRefusedError(told.reason)
    if told.reason == "STEP_UP_REQUIRED":
        age = told.metadata.get("maxAgeSeconds")
        levels = tuple(told.metadata.get("acrValues", "").split())
        return StepUpRequiredError(acr_values=levels, max_age=timedelta(seconds=int(age)) if age else None)
    if told.reason == "TOKEN_SCOPE_MISSING":
        return ScopeMissingError(requirement.scopes)
    if told.reason == "TOKEN_PROOF_REQUIRED":
        return ProofRequiredError(told.metadata.get("binding", "key"))
    cause = f"{told.code.name} {told.reason}".rstrip()
    return VerifierUnavailableError(
        f"Argus did not say whether the token is good: {cause}", retry_after=told.retry_after
    )


def _proof(proof: Proof) -> types.Proof | None:
    if proof.dpop:
        dpop = types.DpopProof(jwt=proof.dpop, http_method=proof.http_method, http_uri=proof.http_uri)
        return types.Proof(dpop=dpop)
    if proof.certificate_sha256:
        return types.Proof(mtls_certificate_sha256=proof.certificate_sha256)
    return None


def _duration(span: timedelta | None) -> Duration | None:
    if span is None:
        return None
    duration = Duration()
    duration.FromTimedelta(span)
    return duration


def _verified(answer: pb.VerifyAccessTokenResponse) -> Verified:
    tenant_id = answer.iss.rpartition("/t/")[2]
    return Verified(
        session=answer.session,
        session_id=answer.session.rpartition("/")[2],
        issuer=answer.iss,
        tenant_id=tenant_id,
        subject=answer.sub,
        client_id=answer.client_id,
        token_id=answer.jti,
        audience=tuple(answer.aud),
        scopes=frozenset(answer.scopes),
        acr=answer.acr,
        amr=tuple(answer.amr),
        auth_time=_time(answer.auth_time) if answer.session else None,
        expire_time=_time(answer.expire_time),
        groups=tuple(value.string_value for value in answer.claims.fields["groups"].list_value.values),
        state_time=_time(answer.state_time),
        staleness=None,
    )


def _time(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)
