"""A tenant with a user who holds an authenticator in the hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from argus.server.api import Api, Failure, failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from tests.support.passkeys import authenticator_of, confirm_enrolment, enrol_passkey, sign_in_by_passkey
from tests.support.people import Person, new_person
from tests.support.stack import Stack
from tests.support.virtual_authenticator import Authenticator

ACR = "urn:argus:acr:"
COMPLETE = authentication.LOGIN_STATE_COMPLETE
FACTOR_REQUIRED = authentication.LOGIN_STATE_FACTOR_REQUIRED


@dataclass(frozen=True, slots=True)
class Scene:
    """A tenant, a user of it, and what the user holds in the hand."""

    stack: Stack
    api: Api
    person: Person
    authenticator: Authenticator

    async def enrol(self, authenticator: Authenticator | None = None, **asked: Any) -> credentials.Passkey:
        """Enrols a passkey."""
        return await enrol_passkey(self.api, self.person.name, authenticator or self.authenticator, **asked)

    async def sign_in(self, authenticator: Authenticator | None = None) -> authentication.SubmitFactorResponse:
        """Signs in by passkey alone."""
        return await sign_in_by_passkey(self.api, authenticator or self.authenticator)

    async def passkeys(self) -> list[credentials.Passkey]:
        """The user's passkeys."""
        request = credentials.ListPasskeysRequest(parent=self.person.name)
        return list((await self.api.credentials.ListPasskeys(request)).passkeys)

    async def refusal(self, answer: str, enrolment_id: str) -> str:
        """By which rule an enrolment is refused."""
        failure = await failure_of(confirm_enrolment(self.api, self.person.name, enrolment_id, answer))
        assert isinstance(failure, Failure)
        assert (failure.code, failure.reason, failure.field) == (
            "INVALID_ARGUMENT",
            "PASSKEY_REFUSED",
            "response_json",
        )
        return failure.metadata["rule"]

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """The tenant's audit events of a kind."""
        return await self.stack.argus.db.fetch_all(
            "SELECT outcome, reason, data FROM audit_events WHERE tenant_id = %s AND type = %s ORDER BY time",
            (self.api.tenant_id, kind),
        )


async def new_scene(stack: Stack) -> Scene:
    """A tenant of its own."""
    api = await stack.new_tenant()
    return Scene(stack, api, await new_person(api), await authenticator_of(api))


def level(done: authentication.SubmitFactorResponse) -> tuple[int, list[str]]:
    """Level and methods of a login that is complete."""
    assert done.login.state == COMPLETE, done
    return int(done.session.acr.removeprefix(ACR)), list(done.session.amr)


def kinds(login: authentication.Login) -> list[str]:
    """The challenges of a login, in their order."""
    return [authentication.FactorKind.Name(one.kind).removeprefix("FACTOR_KIND_") for one in login.challenges]
