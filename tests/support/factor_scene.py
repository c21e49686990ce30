"""A user with factors, and the steps of its logins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from argus.base import clock as clocks
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from tests.support.authenticator import App, enrol_app
from tests.support.people import PASSWORD, Person, new_person, submit

if TYPE_CHECKING:
    from datetime import datetime

    from argus.server.api import Api
    from tests.support.stack import Stack

ACR: Final = "urn:argus:acr:"
STEP: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Scene:
    """A tenant and a user of it."""

    stack: Stack
    api: Api
    person: Person

    @property
    def now(self) -> datetime:
        return clocks.now(self.stack.private.clock)

    async def next_step(self) -> None:
        """Moves the time to the beginning of a step that no code was used of."""
        into = timedelta(seconds=self.now.timestamp() % 30)
        await self.stack.advance(10 * STEP - into)

    async def app(self) -> App:
        """Enrols an authenticator app."""
        return await enrol_app(self.api, self.person.name, self.now)

    async def codes(self) -> list[str]:
        """Makes recovery codes."""
        request = credentials.ReplaceRecoveryCodesRequest(parent=self.person.name)
        return list((await self.api.credentials.ReplaceRecoveryCodes(request)).codes)

    async def credentials(self) -> dict[int, credentials.Credential]:
        """The user's credentials by kind."""
        request = credentials.ListCredentialsRequest(parent=self.person.name)
        return {one.kind: one for one in (await self.api.credentials.ListCredentials(request)).credentials}

    async def start(
        self, *, acr_values: tuple[str, ...] = (), device_token: str = ""
    ) -> authentication.StartLoginResponse:
        """Begins a login."""
        return await self.api.authentication.StartLogin(
            authentication.StartLoginRequest(
                parent=self.api.parent,
                identifier=self.person.identifier,
                acr_values=acr_values,
                device_token=device_token,
            )
        )

    async def past_password(self, **asked: Any) -> authentication.SubmitFactorResponse:
        """A login whose password was taken."""
        begun = await self.start(**asked)
        return await submit(self.api, begun.login_token, PASSWORD)

    async def hand_in(self, login_token: str, **factor: Any) -> authentication.SubmitFactorResponse:
        """Hands in a factor."""
        request = authentication.SubmitFactorRequest(parent=self.api.parent, login_token=login_token, **factor)
        return await self.api.authentication.SubmitFactor(request)

    async def events(self, kind: str) -> int:
        """How many events of a kind the tenant's audit has."""
        found = await self.stack.argus.db.fetch_one(
            "SELECT count(*) AS n FROM audit_events WHERE tenant_id = %s AND type = %s",
            (self.api.tenant_id, kind),
        )
        return 0 if found is None else int(found["n"])

    async def signed_in(self, app: App) -> authentication.SubmitFactorResponse:
        """A sign-in by password and app, in a step of which no code was used."""
        await self.next_step()
        first = await self.past_password()
        return await self.hand_in(first.login_token, totp=app.code(self.now))

    async def start_step_up(self, refresh_token: str, **asked: Any) -> authentication.StartStepUpResponse:
        """Begins a step-up."""
        request = authentication.StartStepUpRequest(parent=self.api.parent, refresh_token=refresh_token, **asked)
        return await self.api.authentication.StartStepUp(request)


async def new_scene(stack: Stack) -> Scene:
    """A new user of a new tenant."""
    api = await stack.new_tenant()
    return Scene(stack, api, await new_person(api))


def kinds(login: authentication.Login) -> list[str]:
    """The challenges of a login, in their order."""
    return [authentication.FactorKind.Name(one.kind).removeprefix("FACTOR_KIND_") for one in login.challenges]
