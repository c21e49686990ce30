"""The servicers of all services, made of the parts."""

from collections.abc import Mapping

from argus.rpc.authentication_service import AuthenticationServicer
from argus.rpc.client_service import ClientServicer
from argus.rpc.credential_service import CredentialServicer
from argus.rpc.key_service import KeyServicer
from argus.rpc.session_service import SessionServicer
from argus.rpc.tenant_service import TenantServicer
from argus.rpc.token_service import TokenServicer
from argus.rpc.user_service import UserServicer
from argus.server.app import Argus


def make_servicers(argus: Argus) -> Mapping[str, object]:
    """By the full name of the service; that none is missing is checked where they are served."""
    return {
        "argus.v1.AuthenticationService": AuthenticationServicer(
            argus.logins, argus.sign_in, argus.step_up, argus.submit_factor
        ),
        "argus.v1.ClientService": ClientServicer(argus.clients, argus.client_lifecycle),
        "argus.v1.CredentialService": CredentialServicer(argus.users, argus.passwords, argus.user_lifecycle),
        "argus.v1.KeyService": KeyServicer(argus.signing_keys),
        "argus.v1.SessionService": SessionServicer(
            argus.sessions,
            argus.users,
            argus.policies,
            argus.audit,
            argus.vouched_sessions,
            argus.touch_sessions,
            argus.terminate,
        ),
        "argus.v1.TenantService": TenantServicer(argus.tenants, argus.create_tenant, argus.tenant_lifecycle),
        "argus.v1.TokenService": TokenServicer(argus.revoke_token, argus.client_tokens),  # type: ignore[abstract]  # the rest is hot
        "argus.v1.UserService": UserServicer(argus.users, argus.groups, argus.user_lifecycle),
    }
