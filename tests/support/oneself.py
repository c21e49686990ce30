"""Users that act for themselves, by their own access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from argus.server.api import Api, Failure, failure_of
from argus.v1 import self_service_pb2 as pb
from tests.support.people import context, refresh, step_up

if TYPE_CHECKING:
    from argus.v1 import authentication_service_pb2 as authentication
    from argus.v1 import types_pb2 as types


class Acting:
    """A session of a user, and what its user does from it.

    Attributes:
        session: Resource name of the session.
    """

    def __init__(self, api: Api, done: authentication.SubmitFactorResponse) -> None:
        self.api = api
        self.session: str = done.session.name
        self.device_id: str = done.session.device.name
        self.access_token: str = done.tokens.access_token
        self.refresh_token: str = done.tokens.refresh_token

    async def do(self, rpc: str, *, by: Api | None = None, **fields: Any) -> Any:
        """Calls an RPC of SelfService with the session's token; `by` calls as another service."""
        request = getattr(pb, f"{rpc}Request")(
            **({"access_token": self.access_token, "client_context": context()} | fields)
        )
        return await getattr((by or self.api).self_service, rpc)(request)

    async def refused(self, rpc: str, *, by: Api | None = None, **fields: Any) -> Failure:
        """How the call is refused."""
        failure = await failure_of(self.do(rpc, by=by, **fields))
        assert failure is not None, f"{rpc} was not refused"
        return failure

    async def sessions(self, **fields: Any) -> list[types.Session]:
        """The user's sessions, newest first."""
        return list((await self.do("ListOwnSessions", **fields)).sessions)

    async def credential(self) -> str:
        """Resource name of the user's first credential."""
        return str((await self.do("ListOwnCredentials")).credentials[0].name)

    async def events(self, **fields: Any) -> list[pb.SecurityEvent]:
        """The user's security events, newest first."""
        return list((await self.do("ListOwnSecurityEvents", page_size=100, **fields)).events)

    async def kinds(self) -> list[str]:
        """Kinds of the user's security events, newest first, without what they all begin with."""
        names = [pb.SecurityEventKind.Name(one.kind) for one in await self.events()]
        return [name.removeprefix("SECURITY_EVENT_KIND_") for name in names]

    async def refresh(self) -> None:
        """Gets newer tokens."""
        tokens = (await refresh(self.api, self.refresh_token)).tokens
        self.access_token, self.refresh_token = tokens.access_token, tokens.refresh_token

    async def step_up(self) -> None:
        """Proves itself anew by password."""
        done = await step_up(self.api, self.refresh_token)
        self.access_token, self.refresh_token = done.tokens.access_token, done.tokens.refresh_token
