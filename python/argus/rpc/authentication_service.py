"""Serves `argus.v1.AuthenticationService`."""

from collections.abc import Sequence
from typing import Any, Final

import grpc

from argus.base.errors import InvalidFieldError
from argus.base.ids import login_name
from argus.flows.login import Logins, Step
from argus.flows.revoke import ANY_CLIENT_SCOPE
from argus.flows.sign_in import LoginRequest, SignIn
from argus.flows.step_up import StepUp, StepUpRequest
from argus.flows.submit_factor import SubmitFactor
from argus.rpc import validate
from argus.rpc.context import current_caller, origin_of
from argus.rpc.requests import MAX_TEXT
from argus.rpc.session_messages import acr_level, session_message, traits
from argus.sessions.login_store import Login
from argus.sessions.model import ACR_PREFIX
from argus.users.model import MAX_IDENTIFIER
from argus.v1 import authentication_service_pb2 as pb
from argus.v1 import authentication_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_TOKEN: Final = 128
_MAX_ACR_VALUES: Final = 10
_MAX_PASSWORD: Final = 4096


class AuthenticationServicer(authentication_service_pb2_grpc.AuthenticationServiceServicer):
    """Serves `argus.v1.AuthenticationService`."""

    def __init__(self, logins: Logins, sign_in: SignIn, step_up: StepUp, submit_factor: SubmitFactor) -> None:
        self._logins = logins
        self._sign_in = sign_in
        self._step_up = step_up
        self._submit_factor = submit_factor

    async def StartLogin(self, request: pb.StartLoginRequest, context: Context) -> pb.StartLoginResponse:
        """Begins a login."""
        tenant_id = validate.tenant(request.parent, "parent")
        asked = LoginRequest(
            tenant_id=tenant_id,
            client_id=validate.client_id(request.client_id, "client_id") or current_caller().client_id,
            identifier=validate.text(request.identifier, "identifier", MAX_IDENTIFIER, required=True),
            scopes=validate.scope(request.scope, "scope"),
            resource=validate.resource(request.resource, "resource"),
            acr_values=_acr_values(request.acr_values),
            device_token=validate.text(request.device_token, "device_token", _MAX_TOKEN),
        )
        step = await self._sign_in.start(asked, origin=origin_of(request))
        return pb.StartLoginResponse(login=_login_message(step.login), login_token=step.login_token)

    async def StartStepUp(self, request: pb.StartStepUpRequest, context: Context) -> pb.StartStepUpResponse:
        """Begins a step-up."""
        caller = current_caller()
        asked = StepUpRequest(
            tenant_id=validate.tenant(request.parent, "parent"),
            refresh_token=validate.text(request.refresh_token, "refresh_token", MAX_TEXT, required=True),
            caller_id=caller.client_id,
            may_any=ANY_CLIENT_SCOPE in caller.scopes,
            acr_values=_acr_values(request.acr_values),
            proof=request.proof if request.HasField("proof") else None,
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
        if factor != "password":
            raise InvalidFieldError(factor, "is not among the login's challenges")
        step = await self._submit_factor.password(
            tenant_id,
            login_token,
            validate.text(request.password, "password", _MAX_PASSWORD, required=True),
            traits=traits(request.client_context),
            proof=request.proof if request.HasField("proof") else None,
            origin=origin_of(request),
        )
        return _submitted(step)

    async def GetLogin(self, request: pb.GetLoginRequest, context: Context) -> pb.GetLoginResponse:
        """Reads a login."""
        name = validate.login(request.name, "name")
        return pb.GetLoginResponse(login=_login_message(await self._logins.get(*name)))

    async def CancelLogin(self, request: pb.CancelLoginRequest, context: Context) -> pb.CancelLoginResponse:
        """Gives a login up."""
        name = validate.login(request.name, "name")
        await self._logins.cancel(*name, origin=origin_of(request))
        return pb.CancelLoginResponse()


def _acr_values(values: Sequence[str]) -> list[str]:
    """Acceptable levels by their full names."""
    if len(values) > _MAX_ACR_VALUES:
        raise InvalidFieldError("acr_values", f"must have at most {_MAX_ACR_VALUES} items")
    levels = [acr_level(value, f"acr_values[{index}]", default=1) for index, value in enumerate(values)]
    return [f"{ACR_PREFIX}{level}" for level in levels]


def _submitted(step: Step) -> pb.SubmitFactorResponse:
    response = pb.SubmitFactorResponse(login=_login_message(step.login), login_token=step.login_token)
    if step.created is not None:
        response.session.CopyFrom(session_message(step.created.session))
        response.device_token = step.created.device_token
        if step.created.tokens is not None:
            response.tokens.CopyFrom(step.created.tokens)
    return response


def _login_message(login: Login) -> pb.Login:
    message = pb.Login(
        name=login_name(login.tenant_id, login.login_id),
        state=pb.LOGIN_STATE_COMPLETE if login.is_complete else pb.LOGIN_STATE_FACTOR_REQUIRED,
        expire_time=validate.to_timestamp(login.expires_at),
    )
    if not login.is_complete:
        message.challenges.add(kind=pb.FACTOR_KIND_PASSWORD)
    return message
