"""The options that browsers take, in their JSON forms (parseCreationOptionsFromJSON, parseRequestOptionsFromJSON)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from argus.credentials.webauthn.forms import encode
from argus.credentials.webauthn.model import Attestation, Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A credential, as options name it."""

    webauthn_id: bytes
    transports: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom a credential is made for, as authenticators show it."""

    user_handle: bytes
    name: str
    display_name: str


def creation_options(
    expected: Expected,
    *,
    rp_id: str,
    rp_name: str,
    account: Account,
    exclude: Sequence[Descriptor],
    resident_key: str,
    attestation: Attestation,
    timeout: timedelta,
) -> str:
    """PublicKeyCredentialCreationOptionsJSON.

    Args:
        expected: What the answer will be held to.
        rp_id: Domain that the credential is bound to.
        rp_name: What authenticators call the service.
        account: Whom it is for.
        exclude: What the user has: the same authenticator makes no second one.
        resident_key: "required", "preferred" or "discouraged": whether it can be found without its id.
        attestation: Whether the make has to be proved.
        timeout: How long the browser should wait.
    """
    return _text(
        {
            "rp": {"id": rp_id, "name": rp_name},
            "user": {
                "id": encode(account.user_handle),
                "name": account.name,
                "displayName": account.display_name or account.name,
            },
            "challenge": expected.challenge,
            "pubKeyCredParams": [{"type": "public-key", "alg": one} for one in expected.algorithms],
            "timeout": _milliseconds(timeout),
            "excludeCredentials": _descriptors(exclude),
            "authenticatorSelection": {
                "residentKey": resident_key,
                "requireResidentKey": resident_key == "required",
                "userVerification": expected.user_verification,
            },
            "hints": [],
            "attestation": attestation,
            "extensions": {"credProps": True},
        }
    )


def request_options(expected: Expected, *, rp_id: str, allow: Sequence[Descriptor], timeout: timedelta) -> str:
    """PublicKeyCredentialRequestOptionsJSON; without `allow` the authenticator says who the user is."""
    return _text(
        {
            "challenge": expected.challenge,
            "timeout": _milliseconds(timeout),
            "rpId": rp_id,
            "allowCredentials": _descriptors(allow),
            "userVerification": expected.user_verification,
            "hints": [],
        }
    )


def accepted_credentials(*, rp_id: str, user_handle: bytes, credentials: Sequence[bytes]) -> str:
    """What PublicKeyCredential.signalAllAcceptedCredentials takes: authenticators forget all others of the user."""
    return _text(
        {
            "rpId": rp_id,
            "userId": encode(user_handle),
            "allAcceptedCredentialIds": [encode(one) for one in credentials],
        }
    )


def user_details(*, rp_id: str, account: Account) -> str:
    """What PublicKeyCredential.signalCurrentUserDetails takes: authenticators show the names of today."""
    return _text(
        {
            "rpId": rp_id,
            "userId": encode(account.user_handle),
            "name": account.name,
            "displayName": account.display_name or account.name,
        }
    )


def _descriptors(credentials: Sequence[Descriptor]) -> list[dict[str, Any]]:
    return [
        {
            "type": "public-key",
            "id": encode(one.webauthn_id),
            **({"transports": list(one.transports)} if one.transports else {}),
        }
        for one in credentials
    ]


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _text(members: dict[str, Any]) -> str:
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False)
