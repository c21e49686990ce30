"""A valid request for every RPC, made of a world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from argus.base.clock import now
from argus.rpc.validate import to_timestamp
from argus.v1 import account_service_pb2 as accounts
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import client_service_pb2 as clients
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import device_service_pb2 as devices
from argus.v1 import key_service_pb2 as keys
from argus.v1 import policy_service_pb2 as policies
from argus.v1 import revocation_service_pb2 as revocations
from argus.v1 import self_service_pb2 as self_service
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.notification_requests import NOTIFICATION_REQUESTS

if TYPE_CHECKING:
    from tests.support.world import World

PASSWORD: Final = "three correct horses on one staple"
NEW_PASSWORD: Final = "four incorrect mules at two staples"
# Of "userpassword", as Django writes it; Argus stores it in another notation.
_FOREIGN_HASH: Final = "pbkdf2_sha256$180000$TAWdyXjZhOxy$Gdf7QXtuAA6S330T/w4Ul5LzcReOgDBx7/Ds6TFJWKs="
CONTEXT: Final = types.ClientContext(
    ip_address="192.0.2.10", user_agent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", tls_print="print"
)


def create_user(parent: str, identifier: str) -> users.CreateUserRequest:
    """A user with an address and a password."""
    one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=identifier)
    return users.CreateUserRequest(
        parent=parent, user=users.User(display_name="Owner", identifiers=[one]), password=PASSWORD
    )


def start_login(
    parent: str, identifier: str = "owner@example.com", *, acr_values: Sequence[str] = ()
) -> authentication.StartLoginRequest:
    """A login of that user."""
    return authentication.StartLoginRequest(
        parent=parent, identifier=identifier, client_context=CONTEXT, acr_values=acr_values
    )


def submit_factor(parent: str, login_token: str) -> authentication.SubmitFactorRequest:
    """Its password."""
    return authentication.SubmitFactorRequest(
        parent=parent, login_token=login_token, password=PASSWORD, client_context=CONTEXT
    )


def create_client(parent: str, client_id: str) -> clients.CreateClientRequest:
    """A client that may read."""
    client = clients.Client(display_name="Reader", scopes=["documents.read"], resource="https://documents.example.com")
    return clients.CreateClientRequest(parent=parent, client_id=client_id, client=client)


def create_group(parent: str, group_id: str) -> users.CreateGroupRequest:
    """A group of that id."""
    return users.CreateGroupRequest(parent=parent, group_id=group_id, group=users.Group(display_name="Staff"))


def set_policy(name: str, limit: int) -> policies.SetPolicyRequest:
    """A policy of a few sessions."""
    document = Struct()
    document.update({"session_limit": limit})
    return policies.SetPolicyRequest(policy=policies.Policy(name=name, document=document), reason="made up")


def simulate_policy(parent: str) -> policies.SimulatePolicyRequest:
    """What an empty policy would have decided."""
    return policies.SimulatePolicyRequest(parent=parent, candidate=policies.Policy(name=f"{parent}/policy"))


def _owner(credential: str) -> str:
    return credential.partition("/credentials/")[0]


def _mask(*paths: str) -> FieldMask:
    return FieldMask(paths=paths)


_PHONE: Final = users.Identifier(kind=users.IDENTIFIER_KIND_PHONE, value="+4930123456")

# No link has it: of those that mails bring, tests/flows/test_account_links.py holds what is so.
_LINK: Final = "AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

REQUESTS: Final[dict[str, Callable[[World], Message]]] = {
    **NOTIFICATION_REQUESTS,
    "StartRecovery": lambda w: accounts.StartRecoveryRequest(parent=w.tenant, identifier="owner@example.com"),
    "CompleteRecovery": lambda w: accounts.CompleteRecoveryRequest(parent=w.tenant, token=_LINK, password=NEW_PASSWORD),
    "StartRegistration": lambda w: accounts.StartRegistrationRequest(parent=w.tenant, email="new@example.com"),
    "CompleteRegistration": lambda w: accounts.CompleteRegistrationRequest(
        parent=w.tenant, token=_LINK, password=NEW_PASSWORD
    ),
    "StartVerification": lambda w: accounts.StartVerificationRequest(parent=w.tenant, email="owner@example.com"),
    "CompleteVerification": lambda w: accounts.CompleteVerificationRequest(parent=w.tenant, token=_LINK),
    "InviteUser": lambda w: accounts.InviteUserRequest(parent=w.tenant, email="guest@example.com"),
    "AcceptInvitation": lambda w: accounts.AcceptInvitationRequest(parent=w.tenant, token=_LINK, password=NEW_PASSWORD),
    "SendEmailCode": lambda w: accounts.SendEmailCodeRequest(parent=w.tenant, login_token=w.login_token),
    "GetAccountLink": lambda w: accounts.GetAccountLinkRequest(parent=w.tenant, token=_LINK),
    "StartLogin": lambda w: start_login(w.tenant),
    "StartStepUp": lambda w: authentication.StartStepUpRequest(
        parent=w.tenant, refresh_token=w.refresh_token, client_context=CONTEXT
    ),
    "SubmitFactor": lambda w: submit_factor(w.tenant, w.login_token),
    "StartEnrolment": lambda w: authentication.StartEnrolmentRequest(
        parent=w.tenant, login_token=w.enrolling_token, kind=authentication.FACTOR_KIND_TOTP
    ),
    "SpendActionToken": lambda w: authentication.SpendActionTokenRequest(
        session=w.session, action_token="no-token-of-any-action", action="pay"
    ),
    "GetLogin": lambda w: authentication.GetLoginRequest(name=w.login),
    "CancelLogin": lambda w: authentication.CancelLoginRequest(name=w.login),
    "CreateClient": lambda w: create_client(w.tenant, "another"),
    "GetClient": lambda w: clients.GetClientRequest(name=w.client),
    "ListClients": lambda w: clients.ListClientsRequest(parent=w.tenant),
    "UpdateClient": lambda w: clients.UpdateClientRequest(
        client=clients.Client(name=w.client, display_name="Changed"), update_mask=_mask("display_name")
    ),
    "DeleteClient": lambda w: clients.DeleteClientRequest(name=w.client),
    "RotateClientSecret": lambda w: clients.RotateClientSecretRequest(name=w.client),
    "TerminateClientSessions": lambda w: clients.TerminateClientSessionsRequest(name=w.client),
    "SetPassword": lambda w: credentials.SetPasswordRequest(parent=w.user, password=NEW_PASSWORD),
    "ListCredentials": lambda w: credentials.ListCredentialsRequest(parent=w.user),
    "DeleteCredential": lambda w: credentials.DeleteCredentialRequest(name=w.credential),
    "StartTotpEnrolment": lambda w: credentials.StartTotpEnrolmentRequest(parent=w.enrolling_user),
    "ConfirmTotpEnrolment": lambda w: credentials.ConfirmTotpEnrolmentRequest(
        parent=w.enrolling_user, enrolment_id=w.enrolment_id, code=w.app.code(now(w.clock))
    ),
    "ReplaceRecoveryCodes": lambda w: credentials.ReplaceRecoveryCodesRequest(parent=w.enrolling_user),
    "StartPasskeyEnrolment": lambda w: credentials.StartPasskeyEnrolmentRequest(parent=_owner(w.passkey)),
    "ConfirmPasskeyEnrolment": lambda w: credentials.ConfirmPasskeyEnrolmentRequest(
        parent=_owner(w.passkey), enrolment_id=w.passkey_enrolment_id, response_json=w.passkey_answer
    ),
    "ListPasskeys": lambda w: credentials.ListPasskeysRequest(parent=_owner(w.passkey)),
    "UpdatePasskey": lambda w: credentials.UpdatePasskeyRequest(
        passkey=credentials.Passkey(name=w.passkey, display_name="Changed"), update_mask=_mask("display_name")
    ),
    "GetPasskeySignals": lambda w: credentials.GetPasskeySignalsRequest(parent=_owner(w.passkey)),
    "GetPasskeyRules": lambda w: credentials.GetPasskeyRulesRequest(name=w.tenant),
    "UpdatePasskeyRules": lambda w: credentials.UpdatePasskeyRulesRequest(
        rules=credentials.PasskeyRules(name=w.tenant, rp_name="Changed"), update_mask=_mask("rp_name")
    ),
    "GetDevice": lambda w: devices.GetDeviceRequest(name=w.device),
    "ListDevices": lambda w: devices.ListDevicesRequest(parent=w.user),
    "UpdateDevice": lambda w: devices.UpdateDeviceRequest(
        device=devices.KnownDevice(name=w.device, device=types.Device(category="work")),
        update_mask=_mask("device.category"),
    ),
    "TrustDevice": lambda w: devices.TrustDeviceRequest(name=w.device),
    "ForgetDevice": lambda w: devices.ForgetDeviceRequest(name=w.device),
    "ListDeviceEvents": lambda w: devices.ListDeviceEventsRequest(parent=w.device),
    "ReportPosture": lambda w: devices.ReportPostureRequest(
        name=w.device,
        posture=devices.Posture(source=devices.POSTURE_SOURCE_MDM, measured_time=to_timestamp(now(w.clock))),
    ),
    "ReportDevice": lambda w: accounts.ReportDeviceRequest(parent=w.tenant, token=_LINK),
    "ListKeys": lambda w: keys.ListKeysRequest(parent=w.tenant),
    "RotateKey": lambda w: keys.RotateKeyRequest(parent=w.tenant, use=keys.KEY_USE_REFRESH),
    "RevokeKey": lambda w: keys.RevokeKeyRequest(name=w.key),
    "SnapshotRevocations": lambda w: revocations.SnapshotRevocationsRequest(parent=w.tenant),
    "WatchRevocations": lambda w: revocations.WatchRevocationsRequest(parent=w.tenant),
    "GetSelf": lambda w: self_service.GetSelfRequest(access_token=w.access_token),
    "UpdateSelf": lambda w: self_service.UpdateSelfRequest(
        access_token=w.access_token, user=users.User(locale="de"), update_mask=_mask("locale")
    ),
    "ListOwnSessions": lambda w: self_service.ListOwnSessionsRequest(access_token=w.access_token),
    "UpdateOwnSession": lambda w: self_service.UpdateOwnSessionRequest(
        access_token=w.access_token,
        session=types.Session(name=w.session, device=types.Device(category="work")),
        update_mask=_mask("device.category"),
    ),
    "TerminateOwnSession": lambda w: self_service.TerminateOwnSessionRequest(
        access_token=w.access_token, name=w.session
    ),
    "TerminateOwnSessions": lambda w: self_service.TerminateOwnSessionsRequest(access_token=w.access_token),
    "ListOwnSessionEvents": lambda w: self_service.ListOwnSessionEventsRequest(
        access_token=w.access_token, parent=w.session
    ),
    "ListOwnSecurityEvents": lambda w: self_service.ListOwnSecurityEventsRequest(access_token=w.access_token),
    "UpdateOwnDevice": lambda w: self_service.UpdateOwnDeviceRequest(
        access_token=w.access_token,
        device=devices.KnownDevice(name=w.device, device=types.Device(category="work")),
        update_mask=_mask("device.category"),
    ),
    "TrustOwnDevice": lambda w: self_service.TrustOwnDeviceRequest(
        access_token=w.access_token, device_id=w.device.rpartition("/")[2]
    ),
    "ListOwnDeviceEvents": lambda w: self_service.ListOwnDeviceEventsRequest(
        access_token=w.access_token, device_id=w.device.rpartition("/")[2]
    ),
    "ListOwnDevices": lambda w: self_service.ListOwnDevicesRequest(access_token=w.access_token),
    "ForgetOwnDevice": lambda w: self_service.ForgetOwnDeviceRequest(
        access_token=w.access_token, device_id=w.device_token.partition(".")[0]
    ),
    "ListOwnCredentials": lambda w: self_service.ListOwnCredentialsRequest(access_token=w.access_token),
    "ChangeOwnPassword": lambda w: self_service.ChangeOwnPasswordRequest(
        access_token=w.access_token, password=NEW_PASSWORD
    ),
    "UpdateOwnCredential": lambda w: self_service.UpdateOwnCredentialRequest(
        access_token=w.access_token, name=w.credential, display_name="Mine"
    ),
    "DeleteOwnCredential": lambda w: self_service.DeleteOwnCredentialRequest(
        access_token=w.access_token, name=w.own_recovery_codes
    ),
    "StartOwnTotpEnrolment": lambda w: self_service.StartOwnTotpEnrolmentRequest(access_token=w.access_token),
    "ConfirmOwnTotpEnrolment": lambda w: self_service.ConfirmOwnTotpEnrolmentRequest(
        access_token=w.access_token, enrolment_id=w.own_enrolment_id, code=w.own_app.code(now(w.clock))
    ),
    "ReplaceOwnRecoveryCodes": lambda w: self_service.ReplaceOwnRecoveryCodesRequest(access_token=w.access_token),
    "StartOwnPasskeyEnrolment": lambda w: self_service.StartOwnPasskeyEnrolmentRequest(access_token=w.access_token),
    "ConfirmOwnPasskeyEnrolment": lambda w: self_service.ConfirmOwnPasskeyEnrolmentRequest(
        access_token=w.access_token, enrolment_id=w.own_passkey_enrolment_id, response_json=w.own_passkey_answer
    ),
    "CreateSession": lambda w: sessions.CreateSessionRequest(parent=w.user, client_context=CONTEXT),
    "ExplainTrust": lambda w: devices.ExplainTrustRequest(session=w.session),
    "GetSession": lambda w: sessions.GetSessionRequest(name=w.session),
    "ListSessions": lambda w: sessions.ListSessionsRequest(parent=w.user, current_session=w.session),
    "CountSessions": lambda w: sessions.CountSessionsRequest(parent=w.user),
    "UpdateSession": lambda w: sessions.UpdateSessionRequest(
        session=types.Session(name=w.session, device=types.Device(category="work")),
        update_mask=_mask("device.category"),
    ),
    "TouchSessions": lambda w: sessions.TouchSessionsRequest(
        parent=w.tenant, touches=[sessions.SessionTouch(name=w.session)]
    ),
    "TerminateSession": lambda w: sessions.TerminateSessionRequest(name=w.session),
    "TerminateSessions": lambda w: sessions.TerminateSessionsRequest(parent=w.user, keep_session=w.session),
    "ListSessionEvents": lambda w: sessions.ListSessionEventsRequest(parent=w.session),
    "GetPolicy": lambda w: policies.GetPolicyRequest(name=w.policy),
    "ListPolicies": lambda w: policies.ListPoliciesRequest(parent=w.tenant),
    "SetPolicy": lambda w: set_policy(w.policy, 7),
    "ListPolicyRevisions": lambda w: policies.ListPolicyRevisionsRequest(parent=w.policy),
    "ActivatePolicyRevision": lambda w: policies.ActivatePolicyRevisionRequest(name=w.policy, revision=1),
    "RollBackPolicy": lambda w: policies.RollBackPolicyRequest(name=w.policy),
    "GetEffectivePolicy": lambda w: policies.GetEffectivePolicyRequest(
        parent=w.tenant, subject=policies.PolicySubject(client=w.client, user=w.user)
    ),
    "TestPolicy": lambda w: policies.TestPolicyRequest(
        parent=w.tenant,
        subject=policies.PolicySubject(client=w.client, groups=["staff"]),
        facts=policies.PolicyFacts(acr=1),
    ),
    "SimulatePolicy": lambda w: simulate_policy(w.tenant),
    "GetPolicySimulation": lambda w: policies.GetPolicySimulationRequest(name=w.simulation),
    "CreateTenant": lambda _: tenants.CreateTenantRequest(
        tenant_id="another", tenant=tenants.Tenant(display_name="Another")
    ),
    "GetTenant": lambda w: tenants.GetTenantRequest(name=w.tenant),
    "ListTenants": lambda _: tenants.ListTenantsRequest(),
    "UpdateTenant": lambda w: tenants.UpdateTenantRequest(
        tenant=tenants.Tenant(name=w.tenant, display_name="Changed"), update_mask=_mask("display_name")
    ),
    "GetTheme": lambda w: tenants.GetThemeRequest(name=w.tenant),
    "UpdateTheme": lambda w: tenants.UpdateThemeRequest(
        theme=tenants.Theme(name=w.tenant, title="Changed"), update_mask=_mask("title")
    ),
    "SetPlan": lambda w: tenants.SetPlanRequest(name=w.tenant, plan=tenants.PLAN_ENTERPRISE),
    "GetEntitlements": lambda w: tenants.GetEntitlementsRequest(name=w.tenant),
    "TerminateTenantSessions": lambda w: tenants.TerminateTenantSessionsRequest(name=w.tenant),
    "VerifyAccessToken": lambda w: tokens.VerifyAccessTokenRequest(access_token=w.access_token),
    "BatchVerifyAccessTokens": lambda w: tokens.BatchVerifyAccessTokensRequest(
        requests=[tokens.VerifyAccessTokenRequest(access_token=w.access_token)]
    ),
    "RefreshToken": lambda w: tokens.RefreshTokenRequest(refresh_token=w.refresh_token, client_context=CONTEXT),
    "IntrospectToken": lambda w: tokens.IntrospectTokenRequest(token=w.access_token),
    "RevokeToken": lambda w: tokens.RevokeTokenRequest(token=w.refresh_token),
    "IssueClientToken": lambda w: tokens.IssueClientTokenRequest(
        parent=w.tenant, client_id="reader", client_secret=w.client_secret
    ),
    "CreateUser": lambda w: create_user(w.tenant, "another@example.com"),
    "GetUser": lambda w: users.GetUserRequest(name=w.user),
    "ListUsers": lambda w: users.ListUsersRequest(parent=w.tenant),
    "UpdateUser": lambda w: users.UpdateUserRequest(
        user=users.User(name=w.user, display_name="Changed"), update_mask=_mask("display_name")
    ),
    "DisableUser": lambda w: users.DisableUserRequest(name=w.user),
    "EnableUser": lambda w: users.EnableUserRequest(name=w.user),
    "DeleteUser": lambda w: users.DeleteUserRequest(name=w.user),
    "ImportUsers": lambda w: users.ImportUsersRequest(
        parent=w.tenant,
        users=[
            users.UserImport(user=create_user(w.tenant, "yet-another@example.com").user, password_hash=_FOREIGN_HASH)
        ],
    ),
    "CreateIdentifier": lambda w: users.CreateIdentifierRequest(parent=w.user, identifier=_PHONE),
    "DeleteIdentifier": lambda w: users.DeleteIdentifierRequest(name=w.identifier),
    "CreateGroup": lambda w: create_group(w.tenant, "another"),
    "GetGroup": lambda w: users.GetGroupRequest(name=w.group),
    "ListGroups": lambda w: users.ListGroupsRequest(parent=w.tenant),
    "DeleteGroup": lambda w: users.DeleteGroupRequest(name=w.group),
    "AddGroupMember": lambda w: users.AddGroupMemberRequest(group=w.group, user=w.user),
    "RemoveGroupMember": lambda w: users.RemoveGroupMemberRequest(group=w.group, user=w.user),
}
