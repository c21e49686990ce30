"""Registration and authentication, step by step (WebAuthn Level 3, 7.1 and 7.2)."""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from fido2.webauthn import AttestationObject, AuthenticatorData

from argus.credentials.webauthn.attestation import check_attestation
from argus.credentials.webauthn.forms import AuthenticationResponse, RegistrationResponse, check_client_data
from argus.credentials.webauthn.keys import check_signature, encoded_key
from argus.credentials.webauthn.model import (
    MAX_CREDENTIAL_ID,
    Asserted,
    Expected,
    Known,
    PasskeyRefusedError,
    Registered,
    RelyingParty,
)

_FLAG = AuthenticatorData.FLAG


def verify_registration(
    response: RegistrationResponse, *, rp: RelyingParty, expected: Expected, now: datetime
) -> Registered:
    """What a registration brings. That its credential is new is for the store to say.

    Args:
        response: The answer.
        rp: Whom it has to be for.
        expected: What was asked for.
        now: The time, for certificates.

    Raises:
        PasskeyRefusedError: A step of the standard, or a rule of the tenant, is broken.
    """
    digest = check_client_data(response.client_data, "webauthn.create", rp=rp, expected=expected)
    with _refusing():
        attestation = AttestationObject(response.attestation_object)
        data = attestation.auth_data
        credential = data.credential_data
        _check_data(data, rp, expected)
        if credential is None or not 1 <= len(credential.credential_id) <= MAX_CREDENTIAL_ID:
            raise PasskeyRefusedError("CREDENTIAL_ID")
        if credential.credential_id != response.webauthn_id:
            raise PasskeyRefusedError("CREDENTIAL_ID")
        algorithm = credential.public_key[3]
        if algorithm not in expected.algorithms:
            raise PasskeyRefusedError("ALGORITHM")
        return Registered(
            webauthn_id=credential.credential_id,
            public_key=encoded_key(credential.public_key),
            algorithm=algorithm,
            sign_count=data.counter,
            user_verified=data.is_user_verified(),
            backup_eligible=data.is_backup_eligible(),
            backed_up=data.is_backed_up(),
            attested=check_attestation(attestation, digest, rp=rp, now=now),
            attestation_format=attestation.fmt,
            aaguid=str(credential.aaguid),
            transports=response.transports,
            discoverable=response.discoverable,
        )


def verify_authentication(
    response: AuthenticationResponse, known: Known, *, rp: RelyingParty, expected: Expected, names_user: bool
) -> Asserted:
    """What an authentication says. What its counter means is for the store to say.

    Args:
        response: The answer.
        known: The credential that it names.
        rp: Whom it has to be for.
        expected: What was asked for.
        names_user: The answer alone says who the user is, so it has to.

    Raises:
        PasskeyRefusedError: A step of the standard is broken.
    """
    if response.user_handle is None:
        is_user = not names_user
    else:
        is_user = hmac.compare_digest(response.user_handle, known.user_handle)
    if not is_user:
        raise PasskeyRefusedError("USER_HANDLE")
    digest = check_client_data(response.client_data, "webauthn.get", rp=rp, expected=expected)
    with _refusing():
        data = AuthenticatorData(response.authenticator_data)
        _check_data(data, rp, expected)
        if data.is_backup_eligible() != known.backup_eligible:
            raise PasskeyRefusedError("BACKUP_ELIGIBILITY_CHANGED")
        check_signature(known.public_key, response.authenticator_data + digest, response.signature)
        return Asserted(
            user_verified=data.is_user_verified(),
            backed_up=data.is_backed_up(),
            sign_count=data.counter,
            is_platform=response.is_platform,
        )


def _check_data(data: AuthenticatorData, rp: RelyingParty, expected: Expected) -> None:
    """The steps that both ceremonies have in common."""
    if not hmac.compare_digest(data.rp_id_hash, hashlib.sha256(rp.rp_id.encode()).digest()):
        raise PasskeyRefusedError("RP_ID")
    if not data.is_user_present() and not expected.is_conditional:
        raise PasskeyRefusedError("USER_PRESENCE")
    if not data.is_user_verified() and expected.user_verification == "required":
        raise PasskeyRefusedError("USER_VERIFICATION")
    if data.is_backed_up() and not data.is_backup_eligible():
        raise PasskeyRefusedError("BACKUP_FLAGS")


@contextmanager
def _refusing() -> Iterator[None]:
    """Whatever the library runs into over a stranger's bytes is a refusal; it raises much (and AssertionError)."""
    try:
        yield
    except PasskeyRefusedError:
        raise
    except Exception as error:
        raise PasskeyRefusedError("MALFORMED") from error
