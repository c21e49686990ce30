"""Serves `argus.v1.AuthenticationService`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

import grpc

from argus.base.errors import InvalidFieldError
from argus.base.ids import login_name
from argus.credentials.levels import Method
from argus.flows.actions import Actions
from argus.flows.login import Logins, Step
from argus.flows.revoke import ANY_CLIENT_SCOPE
from argus.flows.sign_in import LoginRequest, SignIn
from argus.flows.step_up import StepUp, StepUpRequest
from argus.flows.submit_factor import SubmitFactor
from argus.rpc import validate
from argus.rpc.context import current_caller, origin_of
from argus.rpc.session_messages import acr_level, session_message, session_names, traits
from argus.sessions.login_store import Login, LoginState
from argus.sessions.model import ACR_PREFIX, Session
from argus.users.model import MAX_IDENTIFIER
from argus.v1 import authentication_service_pb2 as pb
from argus.v1 import authentication_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_TOKEN: Final = 128
_MAX_ACTION: Final = 4096
_MAX_ACR_VALUES: Final = 10

_KINDS: Final[dict[Method, pb.FactorKind.ValueType]] = {
    "password": pb.FACTOR_KIND_PASSWORD,
    "totp": pb.FACTOR_KIND_TOTP,
    "recovery_code": pb.FACTOR_KIND_RECOVERY_CODE,
    "webauthn": pb.FACTOR_KIND_WEBAUTHN,
    "email_code": pb.FACTOR_KIND_EMAIL_CODE,
}
_METHOD_OF_KIND: Final = {kind: method for method, kind in _KINDS.items()}
_STATES: Final[dict[LoginState, pb.LoginState.ValueType]] = {
    "FACTOR_REQUIRED": pb.LOGIN_STATE_FACTOR_REQUIRED,
    "ENROLMENT_REQUIRED": pb.LOGIN_STATE_ENROLMENT_REQUIRED,
    "SESSION_LIMIT_REACHED": pb.LOGIN_STATE_SESSION_LIMIT_REACHED,
    "COMPLETE": pb.LOGIN_STATE_COMPLETE,
}
# The fields of a SubmitFactorRequest that hold a factor, and the most characters of each.
_METHODS: Final[dict[str, Method]] = {
    "password": "password",
    "totp": "totp",
    "recovery_code": "recovery_code",
    "webauthn_json": "webauthn",
    "email_code": "email_code",
}
_LONGEST: Final = {"password": 4096, "totp": 32, "recovery_code": 64, "webauthn_json": 65_536, "email_code": 32}


class AuthenticationServicer(authentication_service_pb2_grpc.AuthenticationServiceServicer):
    """Serves `argus.v1.AuthenticationService`."""

    def __init__(
        self, logins: Logins, sign_in: SignIn, step_up: StepUp, submit_factor: SubmitFactor, actions: Actions
    ) -> None:
        self._logins = logins
        self._sign_in = sign_in
        self._step_up = step_up
        self._submit_factor = submit_factor
        self._actions = actions

    async def StartLogin(self, request: pb.StartLoginRequest, context: Context) -> pb.StartLoginResponse:
        """Begins a login."""
        tenant_id = validate.tenant(request.parent, "parent")
        asked = LoginRequest(
            tenant_id=tenant_id,
            client_id=validate.client_id(request.client_id, "client_id") or current_caller().client_id,
            identifier=validate.text(request.identifier, "identifier", MAX_IDENTIFIER),
            scopes=validate.scope(request.scope, "scope"),
            resource=validate.resource(request.resource, "resource"),
            asked_acr=_asked_acr(request.acr_values),
            device_token=validate.text(request.device_token, "device_token", _MAX_TOKEN),
        )
        step = await self._sign_in.start(asked, origin=origin_of(request))
        return pb.StartLoginResponse(login=_login_message(step.login), login_token=step.login_token)

    async def StartStepUp(self, request: pb.StartStepUpRequest, context: Context) -> pb.StartStepUpResponse:
        """Begins a step-up."""
        caller = current_caller()
        asked = StepUpRequest(
            tenant_id=validate.tenant(request.parent, "parent"),
            refresh_token=validate.presented_token(request.refresh_token, "refresh_token"),
            caller_id=caller.client_id,
            may_any=ANY_CLIENT_SCOPE in caller.scopes,
            asked_acr=_asked_acr(request.acr_values),
            proof=request.proof if request.HasField("proof") else None,
            action=validate.text(request.action, "action", _MAX_ACTION),
            action_resource=validate.resource(request.action_resource, "action_resource"),
        )
        step = await self._step_up.start(asked, origin=origin_of(request))
        return pb.StartStepUpResponse(login=_login_message(step.login), login_token=step.login_token)

    async def SubmitFactor(self, request: pb.SubmitFactorRequest, context: Context) -> pb.SubmitFactorResponse:
        """Takes a factor."""
        tenant_id = validate.tenant(request.parent, "parent")
        login_token = validate.text(request.login_token, "login_token", _MAX_TOKEN, required=True)
        factor = request.WhichOneof("factor")
        if factor is None:
            raise InvalidFieldError("factor", "is required")
        if factor == "end_sessions":
            return await self._end_sessions(tenant_id, login_token, request)
        if factor not in _METHODS:
            raise InvalidFieldError(factor, "is not among the login's challenges")
        step = await self._submit_factor.submit(
            tenant_id,
            login_token,
            _METHODS[factor],
            validate.text(getattr(request, factor), factor, _LONGEST[factor], required=True),
            traits=traits(request.client_context),
            proof=request.proof if request.HasField("proof") else None,
            origin=origin_of(request),
        )
        return await self._submitted(step)

    async def _end_sessions(
        self, tenant_id: str, login_token: str, request: pb.SubmitFactorRequest
    ) -> pb.SubmitFactorResponse:
        step = await self._submit_factor.end_sessions(
            tenant_id,
            login_token,
            session_names(request.end_sessions.names, "end_sessions.names"),
            traits=traits(request.client_context),
            proof=request.proof if request.HasField("proof") else None,
            origin=origin_of(request),
        )
        return await self._submitted(step)

    async def StartEnrolment(self, request: pb.StartEnrolmentRequest, context: Context) -> pb.StartEnrolmentResponse:
        """Makes a factor for a login that asks to enrol one."""
        tenant_id = validate.tenant(request.parent, "parent")
        login_token = validate.text(request.login_token, "login_token", _MAX_TOKEN, required=True)
        method = _METHOD_OF_KIND.get(request.kind)
        if method is None:
            raise InvalidFieldError("kind", "is required")
        login, enrolment = await self._submit_factor.begin_enrolment(
            tenant_id, login_token, method, origin=origin_of(request)
        )
        return pb.StartEnrolmentResponse(
            login=_login_message(login),
            secret=enrolment.secret,
            uri=enrolment.uri,
            qr_svg=enrolment.qr_svg,
            webauthn_options_json=enrolment.options_json,
        )

    async def SpendActionToken(
        self, request: pb.SpendActionTokenRequest, context: Context
    ) -> pb.SpendActionTokenResponse:
        """Takes an action token for the action that it is of."""
        grant = await self._actions.spend(
            validate.session(request.session, "session"),
            validate.text(request.action_token, "action_token", _MAX_TOKEN, required=True),
            validate.text(request.action, "action", _MAX_ACTION, required=True),
            resource=validate.resource(request.resource, "resource"),
            caller_id=current_caller().client_id,
            origin=origin_of(request),
        )
        return pb.SpendActionTokenResponse(
            client_id=grant.client_id,
            acr=f"{ACR_PREFIX}{grant.acr}",
            amr=grant.amr,
            auth_time=validate.to_timestamp(datetime.fromtimestamp(grant.auth_time, UTC)),
        )

    async def GetLogin(self, request: pb.GetLoginRequest, context: Context) -> pb.GetLoginResponse:
        """Reads a login."""
        name = validate.login(request.name, "name")
        login = await self._logins.get(*name)
        return pb.GetLoginResponse(login=_login_message(login, await self._submit_factor.ending_choices(login)))

    async def CancelLogin(self, request: pb.CancelLoginRequest, context: Context) -> pb.CancelLoginResponse:
        """Gives a login up."""
        name = validate.login(request.name, "name")
        await self._logins.cancel(*name, origin=origin_of(request))
        return pb.CancelLoginResponse()

    async def _submitted(self, step: Step) -> pb.SubmitFactorResponse:
        choices = await self._submit_factor.ending_choices(step.login)
        response = pb.SubmitFactorResponse(login=_login_message(step.login, choices), login_token=step.login_token)
        if step.created is not None:
            response.session.CopyFrom(session_message(step.created.session))
            response.device_token = step.created.device_token
            response.action_token = step.created.action_token
            if step.created.tokens is not None:
                response.tokens.CopyFrom(step.created.tokens)
        return response


def _asked_acr(values: Sequence[str]) -> int:
    """The lowest of the acceptable levels, which every higher one stands for, too; 0: none is named."""
    if len(values) > _MAX_ACR_VALUES:
        raise InvalidFieldError("acr_values", f"must have at most {_MAX_ACR_VALUES} items")
    return min((acr_level(value, f"acr_values[{index}]", default=1) for index, value in enumerate(values)), default=0)


def _login_message(login: Login, choices: Sequence[Session] = ()) -> pb.Login:
    message = pb.Login(
        name=login_name(login.tenant_id, login.login_id),
        state=_STATES[login.state],
        expire_time=validate.to_timestamp(login.expires_at),
        ending_choices=[session_message(session) for session in choices],
        end_at_least=login.end_at_least,
    )
    for method, text in login.challenges.items():
        message.challenges.add(kind=_KINDS[cast("Method", method)], webauthn_options_json=text)
    return message
