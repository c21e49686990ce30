"""What a browser can do about its session, whoever asks: the JSON endpoints, or a page of Argus's own.

Each action hands the flows what they want to know, and says which cookies change; it decides nothing. No refusal
changes a cookie: answers arrive in any order, and one about a session that is over must not take those of the next.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from argus.base.errors import ArgusError, Code, UnavailableError
from argus.clients.model import ACCOUNT_CLIENT
from argus.credentials.levels import Method
from argus.flows.browser_sessions import BrowserSessions
from argus.flows.create_session import CreatedSession
from argus.flows.factors import Enrolment
from argus.flows.login import Logins, Step
from argus.flows.sign_in import LoginRequest, SignIn
from argus.flows.step_up import StepUp, StepUpRequest
from argus.flows.submit_factor import SessionIds, SubmitFactor
from argus.flows.termination import TerminationState
from argus.policies.service import Policies
from argus.sessions.errors import TokenInvalidError
from argus.sessions.login_store import Login, LoginNotFoundError
from argus.sessions.model import Session
from argus.v1 import token_service_pb2 as tokens
from argus.v1.errors_pb2 import ErrorReason
from argus.v1.types_pb2 import ACTIVITY_PASSIVE
from argus.web.browser.cookie_rules import CookiePolicies
from argus.web.browser.cookies import ACCESS, DEVICE, LOGIN, REFRESH, Change
from argus.web.browser.visits import Visit

# There is nobody, as far as the cookies say: not a failure, where somebody only looks.
_NOBODY: Final = frozenset({ErrorReason.ERROR_REASON_TOKEN_INVALID, ErrorReason.ERROR_REASON_SESSION_ENDED})


class ForbiddenByPolicyError(ArgusError):
    """The policy does not let browsers do it. Nothing was done."""

    def __init__(self, field: str) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            ErrorReason.ERROR_REASON_FORBIDDEN_BY_POLICY,
            f"the policy does not allow it ({field})",
            policyField=field,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A sign-in or step-up after a step, and what becomes of the cookies.

    Attributes:
        choices: Sessions of which the user is to end some first.
    """

    step: Step
    changes: Sequence[Change]
    choices: Sequence[Session] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """A session whose tokens are new, and what becomes of the cookies."""

    response: tokens.RefreshTokenResponse
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut:
    """How far the end has come, and what becomes of the cookies."""

    state: TerminationState
    changes: Sequence[Change]


class Actions:
    """Sign-in, refresh, step-up and sign-out of browsers."""

    def __init__(
        self,
        sessions: BrowserSessions,
        logins: Logins,
        sign_in: SignIn,
        step_up: StepUp,
        submit_factor: SubmitFactor,
        policies: Policies,
    ) -> None:
        """Takes the flows.

        Args:
            sessions: Tokens of browsers.
            logins: Logins in progress.
            sign_in: Begins sign-ins.
            step_up: Begins step-ups.
            submit_factor: Takes factors.
            policies: What browsers may do.
        """
        self._sessions = sessions
        self._logins = logins
        self._sign_in = sign_in
        self._step_up = step_up
        self._submit_factor = submit_factor
        self._policies = policies
        self._cookies = CookiePolicies(policies)

    async def start_sign_in(self, visit: Visit, *, identifier: str, asked_acr: int = 0) -> Progress:
        """Begins a sign-in; raises what `SignIn.start` does.

        Args:
            visit: The request.
            identifier: Who it is; empty: a passkey will say.
            asked_acr: Lowest level that is acceptable; 0: as the policy says.
        """
        asked = LoginRequest(
            tenant_id=visit.tenant_id,
            client_id=ACCOUNT_CLIENT,
            identifier=identifier,
            asked_acr=asked_acr,
            device_token=visit.cookies.get(DEVICE, ""),
        )
        await self._sessions.admit(visit.tenant_id, origin=visit.origin)
        return await self._progress(visit, await self._sign_in.start(asked, origin=visit.origin))

    async def start_step_up(
        self, visit: Visit, *, asked_acr: int = 0, action: str = "", action_resource: str = ""
    ) -> Progress:
        """Begins a step-up of the session that the cookies are of; raises what `StepUp.start` does.

        Args:
            visit: The request.
            asked_acr: Lowest level that is acceptable; 0: as the policy says.
            action: The one action that the user is to prove itself for; empty: for none.
            action_resource: Resource that carries it out; empty: the client's own.
        """
        asked = StepUpRequest(
            tenant_id=visit.tenant_id,
            refresh_token=_refresh_token(visit),
            caller_id=ACCOUNT_CLIENT,
            may_any=False,
            asked_acr=asked_acr,
            proof=visit.proof,
            action=action,
            action_resource=action_resource,
        )
        await self._sessions.admit(visit.tenant_id, origin=visit.origin)
        return await self._progress(visit, await self._step_up.start(asked, origin=visit.origin))

    async def submit(
        self, visit: Visit, method: Method, answer: str, *, fingerprint: Mapping[str, str] | None = None
    ) -> Progress:
        """Takes a factor for whatever is in progress; raises what `SubmitFactor.submit` does.

        Args:
            visit: The request.
            method: Kind of the factor.
            answer: As typed or made.
            fingerprint: What the page's script says about the machine.
        """
        await self._sessions.admit(visit.tenant_id, origin=visit.origin)
        step = await self._submit_factor.submit(
            visit.tenant_id,
            _login_token(visit),
            method,
            answer,
            traits=visit.traits(fingerprint),
            proof=visit.proof,
            origin=visit.origin,
        )
        return await self._submitted(visit, step)

    async def end_sessions(self, visit: Visit, names: Sequence[SessionIds]) -> Progress:
        """Takes the choice of sessions to end; raises what `SubmitFactor.end_sessions` does."""
        await self._sessions.admit(visit.tenant_id, origin=visit.origin)
        step = await self._submit_factor.end_sessions(
            visit.tenant_id,
            _login_token(visit),
            names,
            traits=visit.traits(),
            proof=visit.proof,
            origin=visit.origin,
        )
        return await self._submitted(visit, step)

    async def ending_choices(self, login: Login) -> Sequence[Session]:
        """The sessions that the user of a login may choose from to end; raises what `SubmitFactor` does."""
        return await self._submit_factor.ending_choices(login)

    async def begin_enrolment(self, visit: Visit, method: Method) -> tuple[Login, Enrolment]:
        """Makes a factor where what is in progress asks for one; raises what `SubmitFactor.begin_enrolment` does."""
        await self._sessions.admit(visit.tenant_id, origin=visit.origin)
        return await self._submit_factor.begin_enrolment(
            visit.tenant_id, _login_token(visit), method, origin=visit.origin
        )

    async def cancel(self, visit: Visit) -> Sequence[Change]:
        """Gives up what is in progress, if anything is."""
        with suppress(LoginNotFoundError):
            login = await self._logins.of_token(visit.tenant_id, _login_token(visit))
            await self._logins.cancel(visit.tenant_id, login.login_id, origin=visit.origin)
        return [Change(kind=LOGIN, value=None)]

    async def refresh(
        self, visit: Visit, *, attempt_id: str = "", user_active: bool = False, wants_access_token: bool = False
    ) -> Refreshed:
        """Makes the tokens new.

        Args:
            visit: The request.
            attempt_id: The same where a refresh is asked for again whose answer was lost.
            user_active: The user did something, for policies by which a refresh alone is no activity.
            wants_access_token: The caller wants to see the access token.

        Raises:
            TokenInvalidError: There is no refresh token.
            ForbiddenByPolicyError: Scripts see no access tokens; nothing was spent.
            ArgusError: What `BrowserSessions.refresh` raises.
        """
        token = _refresh_token(visit)
        if wants_access_token:
            await self._check_access_token_policy(visit.tenant_id)
        request = tokens.RefreshTokenRequest(
            refresh_token=token,
            proof=visit.proof,
            client_context=visit.context,
            user_active=user_active,
            attempt_id=attempt_id,
        )
        response = await self._sessions.refresh(visit.tenant_id, request, origin=visit.origin)
        rules = await self._cookies.of(visit.tenant_id)
        return Refreshed(response=response, changes=rules.of(response.tokens, before=token))

    async def current(self, visit: Visit) -> tokens.VerifyAccessTokenResponse | None:
        """The session of the access token; None if there is none, or it is over. It does not count as activity.

        Raises:
            ArgusError: What `BrowserSessions.verify` raises otherwise, STEP_UP_REQUIRED first of all.
        """
        if ACCESS not in visit.cookies:
            return None
        request = tokens.VerifyAccessTokenRequest(
            access_token=visit.cookies[ACCESS],
            activity=ACTIVITY_PASSIVE,
            proof=visit.proof,
            client_context=visit.context,
        )
        try:
            return await self._sessions.verify(visit.tenant_id, request, origin=visit.origin)
        except ArgusError as error:
            if error.reason in _NOBODY:
                return None
            raise

    async def sign_out(self, visit: Visit) -> SignedOut:
        """Ends the session, and forgets its cookies; the device stays known. Without a session it is done already.

        Raises:
            UnavailableError: No store can take the end; the cookies stay, so that it can be asked for again.
        """
        token = visit.cookies.get(REFRESH) or visit.cookies.get(ACCESS)
        ended = await self._sessions.end(token, origin=visit.origin) if token else None
        gone = [Change(kind=kind, value=None) for kind in (REFRESH, ACCESS, LOGIN)]
        return SignedOut(state=ended.state if ended else TerminationState.ENDED, changes=gone)

    async def _submitted(self, visit: Visit, step: Step) -> Progress:
        created = step.created
        if created is not None:
            await self._end_replaced(visit, created)
        return replace(await self._progress(visit, step), choices=await self.ending_choices(step.login))

    async def _end_replaced(self, visit: Visit, created: CreatedSession) -> None:
        """Nobody holds the session any more that the browser had before, and nobody should (ASVS 5.0, 7.2.4)."""
        before = visit.cookies.get(REFRESH)
        is_new = created.session.family == 1
        if before and is_new:
            with suppress(UnavailableError):  # it ends by itself when it was idle for long enough
                await self._sessions.end(before, origin=visit.origin)

    async def _progress(self, visit: Visit, step: Step) -> Progress:
        if step.created is None or step.created.tokens is None:
            return Progress(step=step, changes=[Change(kind=LOGIN, value=step.login_token)])
        rules = await self._cookies.of(visit.tenant_id)
        changes = [*rules.of(step.created.tokens), Change(kind=LOGIN, value=None)]
        if step.created.device_token:
            changes.append(Change(kind=DEVICE, value=step.created.device_token))
        return Progress(step=step, changes=changes)

    async def _check_access_token_policy(self, tenant_id: str) -> None:
        effective = await self._policies.effective(tenant_id, ACCOUNT_CLIENT)
        if not effective.policy.script_access_token:
            raise ForbiddenByPolicyError("script_access_token")


def _refresh_token(visit: Visit) -> str:
    token = visit.cookies.get(REFRESH)
    if token is None:
        raise TokenInvalidError
    return token


def _login_token(visit: Visit) -> str:
    token = visit.cookies.get(LOGIN)
    if token is None:
        raise LoginNotFoundError
    return token
