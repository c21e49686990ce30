"""How a service calls Argus: a client token, got by id and secret, in every call."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

import grpc
from google.rpc import error_details_pb2, status_pb2

from argus.base.clock import Clock, now
from argus.rpc.interceptors import STATUS_HEADER
from argus.v1 import (
    account_service_pb2_grpc,
    authentication_service_pb2_grpc,
    client_service_pb2_grpc,
    credential_service_pb2_grpc,
    device_service_pb2_grpc,
    key_service_pb2_grpc,
    notification_service_pb2_grpc,
    policy_service_pb2_grpc,
    revocation_service_pb2_grpc,
    self_service_pb2_grpc,
    session_service_pb2_grpc,
    tenant_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    user_service_pb2_grpc,
)

_EARLY: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a refused call was told."""

    code: str
    reason: str
    message: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)
    field: str = ""
    retry_after: timedelta | None = None
    request_id: str = ""

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> Self:
        """Of the error that a stub raised."""
        trailing = dict(error.trailing_metadata() or ())
        status = status_pb2.Status.FromString(trailing.get(STATUS_HEADER, b""))
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        has_retry = False
        for detail in status.details:
            has_retry = detail.Unpack(retry) or has_retry
            detail.Unpack(info)
            detail.Unpack(bad)
        return cls(
            code=error.code().name,
            reason=info.reason,
            message=error.details() or "",
            metadata=dict(info.metadata),
            field=bad.field_violations[0].field if bad.field_violations else "",
            violations={one.field: one.description for one in bad.field_violations},
            retry_after=retry.retry_delay.ToTimedelta() if has_retry else None,
            request_id=str(trailing.get("x-request-id", "")),
        )


class Stubs:
    """The stubs of all services on one channel.

    The generated types know asynchronous stubs; at run time one class does both.
    """

    accounts: "account_service_pb2_grpc.AccountServiceAsyncStub"
    authentication: "authentication_service_pb2_grpc.AuthenticationServiceAsyncStub"
    clients: "client_service_pb2_grpc.ClientServiceAsyncStub"
    credentials: "credential_service_pb2_grpc.CredentialServiceAsyncStub"
    devices: "device_service_pb2_grpc.DeviceServiceAsyncStub"
    keys: "key_service_pb2_grpc.KeyServiceAsyncStub"
    notifications: "notification_service_pb2_grpc.NotificationServiceAsyncStub"
    policies: "policy_service_pb2_grpc.PolicyServiceAsyncStub"
    revocations: "revocation_service_pb2_grpc.RevocationServiceAsyncStub"
    self_service: "self_service_pb2_grpc.SelfServiceAsyncStub"
    sessions: "session_service_pb2_grpc.SessionServiceAsyncStub"
    tenants: "tenant_service_pb2_grpc.TenantServiceAsyncStub"
    tokens: "token_service_pb2_grpc.TokenServiceAsyncStub"
    users: "user_service_pb2_grpc.UserServiceAsyncStub"

    def __init__(self, channel: grpc.aio.Channel) -> None:
        stubs: dict[str, Any] = {
            "accounts": account_service_pb2_grpc.AccountServiceStub,
            "authentication": authentication_service_pb2_grpc.AuthenticationServiceStub,
            "clients": client_service_pb2_grpc.ClientServiceStub,
            "credentials": credential_service_pb2_grpc.CredentialServiceStub,
            "devices": device_service_pb2_grpc.DeviceServiceStub,
            "keys": key_service_pb2_grpc.KeyServiceStub,
            "notifications": notification_service_pb2_grpc.NotificationServiceStub,
            "policies": policy_service_pb2_grpc.PolicyServiceStub,
            "revocations": revocation_service_pb2_grpc.RevocationServiceStub,
            "self_service": self_service_pb2_grpc.SelfServiceStub,
            "sessions": session_service_pb2_grpc.SessionServiceStub,
            "tenants": tenant_service_pb2_grpc.TenantServiceStub,
            "tokens": token_service_pb2_grpc.TokenServiceStub,
            "users": user_service_pb2_grpc.UserServiceStub,
        }
        for name, stub in stubs.items():
            setattr(self, name, stub(channel))


class Api(Stubs):
    """All services of one server, called as one client."""

    def __init__(
        self, address: str, *, tenant_id: str, client_id: str, client_secret: str, clock: Clock, scope: str = ""
    ) -> None:
        """Connects at the first call.

        Args:
            address: Host and port.
            tenant_id: Tenant of the client.
            client_id: Client to call as.
            client_secret: Its secret.
            clock: Says when the client token is to be renewed.
            scope: Scope of the client token; empty: all that the client has.
        """
        self.address = address
        self.tenant_id = tenant_id
        self.client_id = client_id
        self._secret = client_secret
        self._scope = scope
        self.clock = clock
        self._token = ""
        self._renew_at: datetime | None = None
        self._bare = grpc.aio.insecure_channel(address)
        self._issuing = Stubs(self._bare)
        self._channel = grpc.aio.insecure_channel(
            address, interceptors=[_Bearer(self.token), _StreamBearer(self.token)]
        )
        super().__init__(self._channel)

    @property
    def parent(self) -> str:
        """Resource name of the tenant."""
        return f"tenants/{self.tenant_id}"

    def at(self, address: str, *, clock: Clock | None = None) -> Self:
        """The same client, calling another server; it asks for a token of its own.

        Args:
            address: Host and port of that server.
            clock: The server's, if it has another one.
        """
        return type(self)(
            address,
            tenant_id=self.tenant_id,
            client_id=self.client_id,
            client_secret=self._secret,
            clock=clock or self.clock,
            scope=self._scope,
        )

    async def token(self) -> str:
        """A client token that is good for a while yet."""
        if self._renew_at is None or now(self.clock) >= self._renew_at:
            issued = await self.issue()
            self._token = issued.tokens.access_token
            self._renew_at = now(self.clock) + issued.tokens.expires_in.ToTimedelta() - _EARLY
        return self._token

    async def issue(self, *, secret: str | None = None) -> token_service_pb2.IssueClientTokenResponse:
        """Asks for a new client token."""
        request = token_service_pb2.IssueClientTokenRequest(
            parent=self.parent,
            client_id=self.client_id,
            client_secret=self._secret if secret is None else secret,
            scope=self._scope,
        )
        return await self._issuing.tokens.IssueClientToken(request)

    async def close(self) -> None:
        """Closes the connections."""
        await self._channel.close()
        await self._bare.close()


async def failure_of(call: Awaitable[object]) -> Failure | None:
    """What a call was refused with; None if it was not."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return Failure.of(error)
    return None


class _WithToken:
    def __init__(self, token: Callable[[], Awaitable[str]]) -> None:
        self._token = token

    async def _call(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        metadata.add("authorization", f"Bearer {await self._token()}")
        return await continuation(details._replace(metadata=metadata), request)


class _Bearer(_WithToken, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await self._call(continuation, details, request)


# grpc.aio takes an interceptor for one kind of call alone.
class _StreamBearer(_WithToken, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await self._call(continuation, details, request)
