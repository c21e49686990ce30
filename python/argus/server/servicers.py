"""The servicers of all services, made of the parts."""

from collections.abc import Mapping

from argus.rpc.account_service import AccountServicer
from argus.rpc.authentication_service import AuthenticationServicer
from argus.rpc.client_service import ClientServicer
from argus.rpc.credential_service import CredentialServicer
from argus.rpc.device_service import DeviceServicer
from argus.rpc.key_service import KeyServicer
from argus.rpc.notification_service import NotificationServicer
from argus.rpc.oneself import Recognition
from argus.rpc.passkeys import PasskeyRpcs
from argus.rpc.policy_service import PolicyServicer
from argus.rpc.revocation_service import RevocationServicer
from argus.rpc.self_service import SelfServicer
from argus.rpc.session_service import SessionServicer
from argus.rpc.tenant_service import TenantServicer
from argus.rpc.token_service import TokenServicer
from argus.rpc.user_service import UserServicer
from argus.server.app import Argus


def make_servicers(argus: Argus) -> Mapping[str, object]:
    """By the full name of the service; that none is missing is checked where they are served."""
    accounts = argus.accounts
    return {
        "argus.v1.AccountService": AccountServicer(
            accounts.asking,
            accounts.recovery,
            accounts.registration,
            accounts.verification,
            accounts.invitation,
            accounts.not_me,
            argus.post.links,
            argus.logins,
            argus.users,
        ),
        "argus.v1.AuthenticationService": AuthenticationServicer(
            argus.logins, argus.sign_in, argus.step_up, argus.submit_factor, argus.actions
        ),
        "argus.v1.ClientService": ClientServicer(argus.clients, argus.client_lifecycle),
        "argus.v1.CredentialService": CredentialServicer(
            argus.users,
            argus.passwords,
            argus.kinds.recovery_codes,
            argus.kinds.changes,
            argus.user_lifecycle,
            PasskeyRpcs(argus.tenants, argus.kinds.passkey_changes, argus.kinds.passkey_rules),
        ),
        "argus.v1.DeviceService": DeviceServicer(argus.known_devices, argus.trusting.explain),
        "argus.v1.KeyService": KeyServicer(argus.signing_keys, argus.snapshot),
        "argus.v1.NotificationService": NotificationServicer(
            argus.notifications.channels,
            argus.notifications.deliveries,
            argus.notifications.wordings,
            argus.notifications.preferences,
            argus.desk,
            argus.users,
        ),
        "argus.v1.PolicyService": PolicyServicer(
            argus.tenants, argus.policies.scopes, argus.policy_trials, argus.policy_simulations
        ),
        "argus.v1.RevocationService": RevocationServicer(argus.revocations),
        "argus.v1.SelfService": SelfServicer(argus.self_service, Recognition(argus.hot, argus.refusals)),
        "argus.v1.SessionService": SessionServicer(
            argus.sessions,
            argus.users,
            argus.policies,
            argus.audit,
            argus.vouched_sessions,
            argus.touch_sessions,
            argus.terminate,
            argus.history,
        ),
        "argus.v1.TenantService": TenantServicer(
            argus.tenants, argus.themes, argus.plans, argus.create_tenant, argus.tenant_lifecycle
        ),
        "argus.v1.TokenService": TokenServicer(argus.revoke_token, argus.client_tokens),  # type: ignore[abstract]  # the rest is hot
        "argus.v1.UserService": UserServicer(
            argus.users, argus.groups, argus.group_lifecycle, argus.user_lifecycle, argus.import_users
        ),
    }
