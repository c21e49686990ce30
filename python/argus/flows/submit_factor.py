"""Takes a factor for whatever the login is for: a sign-in, or the step-up of a session."""

from argus.base.origin import Origin
from argus.credentials.levels import Method
from argus.devices.model import DeviceTraits
from argus.flows.factors import Enrolment
from argus.flows.login import Logins, Step
from argus.flows.sign_in import SignIn
from argus.flows.step_up import StepUp
from argus.sessions.login_store import Login
from argus.v1.types_pb2 import Proof


class SubmitFactor:
    """Finds the login of a token, and hands the factor to the flow that it belongs to."""

    def __init__(self, logins: Logins, sign_in: SignIn, step_up: StepUp) -> None:
        self._logins = logins
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
