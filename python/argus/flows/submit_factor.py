"""Takes a factor for whatever the login is for: a sign-in, or the step-up of a session."""

from collections.abc import Sequence
from typing import TypeAlias

from argus.base.errors import InvalidFieldError
from argus.base.origin import Origin
from argus.credentials.levels import Method
from argus.devices.model import DeviceTraits
from argus.flows.factors import Enrolment
from argus.flows.login import Logins, Step
from argus.flows.sign_in import SignIn
from argus.flows.step_up import StepUp
from argus.sessions.login_store import Login
from argus.sessions.model import Session
from argus.sessions.service import Sessions
from argus.v1.types_pb2 import Proof

SessionIds: TypeAlias = tuple[str, str, str]
"""Tenant, user and id of a session."""


class SubmitFactor:
    """Finds the login of a token, and hands the factor to the flow that it belongs to."""

    def __init__(self, logins: Logins, sign_in: SignIn, step_up: StepUp, sessions: Sessions) -> None:
        self._logins = logins
        self._sessions = sessions
        self._sign_in = sign_in
        self._step_up = step_up

    async def submit(
        self,
        tenant_id: str,
        login_token: str,
        method: Method,
        answer: str,
        *,
        traits: DeviceTraits,
        proof: Proof | None,
        origin: Origin,
    ) -> Step:
        """Takes a factor; raises what `SignIn.submit` or `StepUp.submit` does.

        Raises:
            LoginNotFoundError: The token is not that of a login in progress.
            LoginCompleteError: The login is complete.
        """
        login = await self._logins.of_token(tenant_id, login_token)
        if login.is_step_up:
            return await self._step_up.submit(login, method, answer, proof=proof, origin=origin)
        return await self._sign_in.submit(login, method, answer, traits=traits, proof=proof, origin=origin)

    async def end_sessions(
        self,
        tenant_id: str,
        login_token: str,
        names: Sequence[SessionIds],
        *,
        traits: DeviceTraits,
        proof: Proof | None,
        origin: Origin,
    ) -> Step:
        """Takes the user's choice of sessions to end; raises what `SignIn.end_sessions` does.

        Args:
            tenant_id: Tenant.
            login_token: The login's token.
            names: Tenant, user and id of each session.
            traits: What is known about the device.
            proof: Of the key that the session is to be bound to.
            origin: On whose behalf.

        Raises:
            InvalidFieldError: One of them is not the user's.
            LoginNotFoundError: The token is not that of a login in progress.
            LoginCompleteError: The login is complete.
        """
        login = await self._logins.of_token(tenant_id, login_token)
        for place, (tenant, user_id, _) in enumerate(names):
            if (tenant, user_id) != (tenant_id, login.user_id):
                raise InvalidFieldError(f"end_sessions.names[{place}]", "is not among the login's ending_choices")
        ending = [session_id for _, _, session_id in names]
        return await self._sign_in.end_sessions(login, ending, traits=traits, proof=proof, origin=origin)

    async def ending_choices(self, login: Login) -> Sequence[Session]:
        """The sessions that the user of a login may choose from to end, as they are now; the last used first.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        if login.state != "SESSION_LIMIT_REACHED":
            return []
        found = await self._sessions.find_all(login.tenant_id, login.user_id, login.ending_choices)
        living = [one for one in found.values() if not one.has_ended]
        return sorted(living, key=lambda one: one.last_active_time, reverse=True)

    async def begin_enrolment(
        self, tenant_id: str, login_token: str, method: Method, *, origin: Origin
    ) -> tuple[Login, Enrolment]:
        """Makes a factor where the login asks to enrol one; raises what `Logins.begin_enrolment` does.

        Raises:
            LoginNotFoundError: The token is not that of a login in progress.
            LoginCompleteError: The login is complete.
        """
        login = await self._logins.of_token(tenant_id, login_token)
        return await self._logins.begin_enrolment(login, method, origin=origin)
