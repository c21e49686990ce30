"""Users of a tenant, and what they do: sign in, use their tokens, go away."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from argus.server.api import Api, Failure, failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import client_service_pb2 as clients
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users

if TYPE_CHECKING:
    from argus.server.private_stack import PrivateStack

PASSWORD: Final = "seven quiet otters under a bridge"
WRONG_PASSWORD: Final = "seven loud otters over a bridge"
FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of a tenant."""

    api: Api
    name: str
    identifier: str

    @property
    def user_id(self) -> str:
        """Id of the user."""
        return self.name.rpartition("/")[2]

    async def start(self, *, device_token: str = "", ip: str = "", scope: str = "") -> str:
        """Begins a login; returns its token."""
        return await start_login(self.api, self.identifier, device_token=device_token, ip=ip, scope=scope)

    async def sign_in(
        self, *, password: str = PASSWORD, device_token: str = "", ip: str = "", scope: str = ""
    ) -> authentication.SubmitFactorResponse:
        """Signs in by password."""
        login_token = await self.start(device_token=device_token, ip=ip, scope=scope)
        return await submit(self.api, login_token, password, ip=ip)

    async def try_password(
        self, password: str = WRONG_PASSWORD, *, device_token: str = "", ip: str = ""
    ) -> Failure | None:
        """How a sign-in is refused; None if it is not."""
        return await failure_of(self.sign_in(password=password, device_token=device_token, ip=ip))

    async def list(self, *, with_ended: bool = False) -> list[types.Session]:
        """The user's sessions, newest first."""
        request = sessions.ListSessionsRequest(parent=self.name, show_ended=with_ended, page_size=100)
        return list((await self.api.sessions.ListSessions(request)).sessions)

    async def count(self) -> int:
        """How many sessions are not over."""
        request = sessions.CountSessionsRequest(parent=self.name)
        return int((await self.api.sessions.CountSessions(request)).active_count)


async def new_person(api: Api, *, password: str = PASSWORD) -> Person:
    """A new user of the tenant of `api`."""
    identifier = f"p{secrets.token_hex(8)}@example.com"
    one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=identifier)
    request = users.CreateUserRequest(parent=api.parent, user=users.User(identifiers=[one]), password=password)
    created = await api.users.CreateUser(request)
    return Person(api=api, name=created.user.name, identifier=identifier)


async def new_client(api: Api, private: PrivateStack, *, resource: str = "") -> Api:
    """A further client of the tenant, with all its scopes, and its resource if no other is given."""
    client_id = f"c{secrets.token_hex(4)}"
    own = (await api.clients.GetClient(clients.GetClientRequest(name=f"{api.parent}/clients/backend"))).client
    client = clients.Client(scopes=own.scopes, resource=resource or own.resource)
    made = await api.clients.CreateClient(
        clients.CreateClientRequest(parent=api.parent, client_id=client_id, client=client)
    )
    await private.server.argus.snapshot.refresh()
    return Api(
        private.server.grpc_address,
        tenant_id=api.tenant_id,
        client_id=client_id,
        client_secret=made.client_secret,
        clock=private.clock,
    )


async def start_login(api: Api, identifier: str, *, device_token: str = "", ip: str = "", scope: str = "") -> str:
    """Begins a login of whoever has the identifier; returns its token."""
    request = authentication.StartLoginRequest(
        parent=api.parent,
        identifier=identifier,
        device_token=device_token,
        scope=scope,
        client_context=context(ip),
    )
    return str((await api.authentication.StartLogin(request)).login_token)


async def submit(api: Api, login_token: str, password: str, *, ip: str = "") -> authentication.SubmitFactorResponse:
    """Hands in a password."""
    request = authentication.SubmitFactorRequest(
        parent=api.parent, login_token=login_token, password=password, client_context=context(ip)
    )
    return await api.authentication.SubmitFactor(request)


async def start_step_up(api: Api, refresh_token: str, *, ip: str = "") -> str:
    """Begins a step-up of a token's session; returns its login token."""
    request = authentication.StartStepUpRequest(
        parent=api.parent, refresh_token=refresh_token, client_context=context(ip)
    )
    return str((await api.authentication.StartStepUp(request)).login_token)


async def step_up(
    api: Api, refresh_token: str, password: str = PASSWORD, *, ip: str = ""
) -> authentication.SubmitFactorResponse:
    """Steps up by password."""
    return await submit(api, await start_step_up(api, refresh_token, ip=ip), password, ip=ip)


def context(ip: str = "") -> types.ClientContext:
    """What is known about a device at this address."""
    return types.ClientContext(ip_address=ip, user_agent=FIREFOX)


async def verify(
    api: Api, access_token: str, *, passive: bool = False, strong: bool = True
) -> tokens.VerifyAccessTokenResponse:
    """Verifies an access token."""
    request = tokens.VerifyAccessTokenRequest(
        access_token=access_token,
        activity=types.ACTIVITY_PASSIVE if passive else types.ACTIVITY_USER,
        consistency=types.CONSISTENCY_STRONG if strong else types.CONSISTENCY_BOUNDED,
    )
    return await api.tokens.VerifyAccessToken(request)


async def refresh(api: Api, refresh_token: str, *, attempt_id: str = "") -> tokens.RefreshTokenResponse:
    """Changes a refresh token for new tokens."""
    request = tokens.RefreshTokenRequest(refresh_token=refresh_token, attempt_id=attempt_id, client_context=context())
    return await api.tokens.RefreshToken(request)


async def terminate(api: Api, name: str, *, comment: str = "") -> sessions.TerminateSessionResponse:
    """Ends a session."""
    return await api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=name, comment=comment))


async def reason_of(call: object) -> str:
    """Why a call is refused; "" if it is not."""
    failure = await failure_of(call)  # type: ignore[arg-type]  # a call of grpc.aio is awaitable, and not typed
    return failure.reason if failure else ""
