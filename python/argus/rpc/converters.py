"""What the features keep, as messages."""

import json
from typing import Final

from argus.base import ids
from argus.base.errors import InvalidFieldError
from argus.clients.model import Client
from argus.credentials.model import Credential, CredentialKind
from argus.flows.termination import TerminationState
from argus.groups.model import Group
from argus.plans.model import AddOn, Plan, Subscription
from argus.rpc.validate import to_duration, to_timestamp
from argus.tenants.model import Tenant
from argus.tokens.model import KeyState, KeyUse, SigningKey
from argus.users.model import Identifier, IdentifierKind, User
from argus.v1 import (
    client_service_pb2,
    credential_service_pb2,
    key_service_pb2,
    tenant_service_pb2,
    types_pb2,
    user_service_pb2,
)

ACR_PREFIX: Final = "urn:argus:acr:"

PLAN_NUMBERS: Final[dict[Plan, tenant_service_pb2.Plan.ValueType]] = {
    "enterprise": tenant_service_pb2.PLAN_ENTERPRISE,
    "professional": tenant_service_pb2.PLAN_PROFESSIONAL,
}
ADD_ON_NUMBERS: Final[dict[AddOn, tenant_service_pb2.AddOn.ValueType]] = {
    "advanced_threat_detection": tenant_service_pb2.ADD_ON_ADVANCED_THREAT_DETECTION,
    "multi_device_management": tenant_service_pb2.ADD_ON_MULTI_DEVICE_MANAGEMENT,
}
_KINDS: Final[dict[IdentifierKind, user_service_pb2.IdentifierKind.ValueType]] = {
    "email": user_service_pb2.IDENTIFIER_KIND_EMAIL,
    "username": user_service_pb2.IDENTIFIER_KIND_USERNAME,
    "phone": user_service_pb2.IDENTIFIER_KIND_PHONE,
}
CREDENTIAL_KINDS: Final[dict[CredentialKind, credential_service_pb2.CredentialKind.ValueType]] = {
    "password": credential_service_pb2.CREDENTIAL_KIND_PASSWORD,
    "totp": credential_service_pb2.CREDENTIAL_KIND_TOTP,
    "recovery_codes": credential_service_pb2.CREDENTIAL_KIND_RECOVERY_CODES,
    "webauthn": credential_service_pb2.CREDENTIAL_KIND_WEBAUTHN,
}
_KINDS_BY_NUMBER: Final[dict[int, IdentifierKind]] = {number: kind for kind, number in _KINDS.items()}
_USES: Final[dict[KeyUse, key_service_pb2.KeyUse.ValueType]] = {
    "access": key_service_pb2.KEY_USE_ACCESS,
    "refresh": key_service_pb2.KEY_USE_REFRESH,
    "refresh_id": key_service_pb2.KEY_USE_REFRESH_ID,
}
_USES_BY_NUMBER: Final[dict[int, KeyUse]] = {number: use for use, number in _USES.items()}
_KEY_STATES: Final[dict[KeyState, key_service_pb2.KeyState.ValueType]] = {
    "pending": key_service_pb2.KEY_STATE_PENDING,
    "active": key_service_pb2.KEY_STATE_ACTIVE,
    "retiring": key_service_pb2.KEY_STATE_RETIRING,
    "retired": key_service_pb2.KEY_STATE_RETIRED,
    "revoked": key_service_pb2.KEY_STATE_REVOKED,
}


def tenant_message(tenant: Tenant, bought: Subscription, *, issuer: str) -> tenant_service_pb2.Tenant:
    """A tenant, and what it has bought."""
    return tenant_service_pb2.Tenant(
        name=ids.tenant_name(tenant.tenant_id),
        display_name=tenant.display_name,
        issuer=issuer,
        create_time=to_timestamp(tenant.create_time),
        etag=ids.etag(tenant.revision),
        rsa_bits=tenant.rsa_bits,
        key_rotation_period=None if tenant.key_rotation_period is None else to_duration(tenant.key_rotation_period),
        plan=PLAN_NUMBERS[bought.plan],
        add_ons=sorted(ADD_ON_NUMBERS[one] for one in bought.add_ons),
    )


def user_message(user: User) -> user_service_pb2.User:
    """A user with its identifiers."""
    is_disabled = user.disabled
    return user_service_pb2.User(
        name=ids.user_name(user.tenant_id, user.user_id),
        display_name=user.display_name,
        state=user_service_pb2.USER_STATE_DISABLED if is_disabled else user_service_pb2.USER_STATE_ACTIVE,
        identifiers=[identifier_message(user.tenant_id, user.user_id, one) for one in user.identifiers],
        groups=user.groups,
        create_time=to_timestamp(user.create_time),
        etag=ids.etag(user.revision),
        locale=user.locale,
    )


def identifier_message(tenant_id: str, user_id: str, identifier: Identifier) -> user_service_pb2.Identifier:
    """An identifier of a user."""
    return user_service_pb2.Identifier(
        name=ids.identifier_name(tenant_id, user_id, identifier.identifier_id),
        kind=_KINDS[identifier.kind],
        value=identifier.value,
        verify_time=to_timestamp(identifier.verify_time),
    )


def identifier_kind(number: int, field: str) -> IdentifierKind:
    """The kind of an identifier that is to be made."""
    if number not in _KINDS_BY_NUMBER:
        raise InvalidFieldError(field, "is required")
    return _KINDS_BY_NUMBER[number]


def group_message(group: Group) -> user_service_pb2.Group:
    """A group."""
    return user_service_pb2.Group(
        name=ids.group_name(group.tenant_id, group.group_id),
        display_name=group.display_name,
        member_count=group.member_count,
        create_time=to_timestamp(group.create_time),
    )


def credential_message(credential: Credential, *, recovery_codes_left: int = 0) -> credential_service_pb2.Credential:
    """A credential, without its secret.

    Args:
        credential: The credential.
        recovery_codes_left: How many recovery codes the user has.
    """
    return credential_service_pb2.Credential(
        name=ids.credential_name(credential.tenant_id, credential.user_id, credential.credential_id),
        kind=CREDENTIAL_KINDS[credential.kind],
        create_time=to_timestamp(credential.create_time),
        last_use_time=to_timestamp(credential.last_use_time),
        closed_to_unknown_devices=credential.closed_to_unknown_devices,
        display_name=credential.display_name,
        recovery_codes_left=recovery_codes_left if credential.kind == "recovery_codes" else 0,
    )


def client_message(client: Client) -> client_service_pb2.Client:
    """A client, without its secret."""
    return client_service_pb2.Client(
        name=ids.client_name(client.tenant_id, client.client_id),
        display_name=client.display_name,
        scopes=client.scopes,
        resource=client.resource,
        max_asserted_acr=f"{ACR_PREFIX}{client.max_asserted_acr}",
        disabled=client.disabled,
        create_time=to_timestamp(client.create_time),
        etag=ids.etag(client.revision),
    )


def key_message(key: SigningKey) -> key_service_pb2.Key:
    """A key's public half."""
    return key_service_pb2.Key(
        name=ids.key_name(key.tenant_id, key.kid),
        use=_USES[key.use],
        state=_KEY_STATES[key.state],
        algorithm=key.algorithm,
        bits=key.bits,
        public_jwk="" if key.public_jwk is None else json.dumps(key.public_jwk, sort_keys=True, separators=(",", ":")),
        create_time=to_timestamp(key.create_time),
        active_time=to_timestamp(key.active_time),
        retire_time=to_timestamp(key.retire_time),
    )


def key_use(number: int, field: str) -> KeyUse:
    """What a key that is to be made is for."""
    if number not in _USES_BY_NUMBER:
        raise InvalidFieldError(field, "is required")
    return _USES_BY_NUMBER[number]


def termination_state(state: TerminationState) -> types_pb2.TerminationState.ValueType:
    """How far an end has come."""
    if state is TerminationState.ENDED:
        return types_pb2.TERMINATION_STATE_ENDED
    return types_pb2.TERMINATION_STATE_PENDING
