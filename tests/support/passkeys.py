"""What tests do with passkeys over gRPC: enrol one, sign in and step up with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from tests.support.virtual_authenticator import Authenticator

if TYPE_CHECKING:
    from argus.server.api import Api


async def authenticator_of(api: Api, **traits: Any) -> Authenticator:
    """An authenticator, new from the shop, with a browser at the tenant's own origin."""
    request = credentials.GetPasskeyRulesRequest(name=api.parent)
    rules = (await api.credentials.GetPasskeyRules(request)).in_force
    return Authenticator(origin=rules.origins[0], **traits)


async def start_enrolment(api: Api, user: str, **asked: Any) -> credentials.StartPasskeyEnrolmentResponse:
    """Begins to enrol a passkey."""
    request = credentials.StartPasskeyEnrolmentRequest(parent=user, **asked)
    return await api.credentials.StartPasskeyEnrolment(request)


async def confirm_enrolment(
    api: Api, user: str, enrolment_id: str, response_json: str, **more: Any
) -> credentials.Passkey:
    """Hands in what the browser made."""
    request = credentials.ConfirmPasskeyEnrolmentRequest(
        parent=user, enrolment_id=enrolment_id, response_json=response_json, **more
    )
    return (await api.credentials.ConfirmPasskeyEnrolment(request)).passkey


async def enrol_passkey(
    api: Api, user: str, authenticator: Authenticator, *, display_name: str = "", **asked: Any
) -> credentials.Passkey:
    """Enrols a passkey in an authenticator."""
    begun = await start_enrolment(api, user, **asked)
    answer = authenticator.create(begun.options_json)
    return await confirm_enrolment(api, user, begun.enrolment_id, answer, display_name=display_name)


async def start_passkey_login(api: Api, identifier: str = "", **asked: Any) -> authentication.StartLoginResponse:
    """Begins a login; without an identifier the passkey will say who it is."""
    request = authentication.StartLoginRequest(parent=api.parent, identifier=identifier, **asked)
    return await api.authentication.StartLogin(request)


async def hand_in(api: Api, login_token: str, **factor: Any) -> authentication.SubmitFactorResponse:
    """Hands in a factor."""
    request = authentication.SubmitFactorRequest(parent=api.parent, login_token=login_token, **factor)
    return await api.authentication.SubmitFactor(request)


async def sign_in_by_passkey(
    api: Api, authenticator: Authenticator, identifier: str = ""
) -> authentication.SubmitFactorResponse:
    """Signs in, as far as a passkey alone leads."""
    begun = await start_passkey_login(api, identifier)
    return await hand_in(api, begun.login_token, webauthn_json=authenticator.get(options_of(begun.login)))


def options_of(login: authentication.Login) -> str:
    """The request options of a login."""
    return next(one.webauthn_options_json for one in login.challenges if one.webauthn_options_json)


def allowed_by(login: authentication.Login) -> list[str]:
    """The credentials that they name."""
    return [one["id"] for one in json.loads(options_of(login))["allowCredentials"]]


async def set_rules(api: Api, **rules: Any) -> credentials.PasskeyRules:
    """Changes the tenant's rules."""
    request = credentials.UpdatePasskeyRulesRequest(rules=credentials.PasskeyRules(name=api.parent, **rules))
    request.update_mask.paths.extend(rules)
    return (await api.credentials.UpdatePasskeyRules(request)).rules
