"""Who made an authenticator: the statement by the library, the way to a trusted root by our own steps.

The library's own walk along a chain looks at signatures alone.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from fido2.attestation.apple import AppleAttestation
from fido2.attestation.base import Attestation
from fido2.attestation.packed import PackedAttestation
from fido2.attestation.tpm import TpmAttestation
from fido2.attestation.u2f import FidoU2FAttestation
from fido2.webauthn import AttestationObject

from argus.credentials.webauthn.model import PasskeyRefusedError, RelyingParty

_FORMATS: Final[dict[str, type[Attestation]]] = {
    one.FORMAT: one for one in (AppleAttestation, FidoU2FAttestation, PackedAttestation, TpmAttestation)
}
_LONGEST_CHAIN: Final = 8


def check_attestation(attestation: AttestationObject, digest: bytes, *, rp: RelyingParty, now: datetime) -> bool:
    """Whether the make of the authenticator was proved, as far as the tenant wants to know.

    Args:
        attestation: What the authenticator says.
        digest: SHA-256 of the client data.
        rp: What the tenant wants.
        now: The time, for certificates.

    Raises:
        PasskeyRefusedError: It has to be proved, and was not.
    """
    if attestation.fmt == "none" and attestation.att_stmt != {}:
        raise PasskeyRefusedError("ATTESTATION")
    if rp.attestation == "none":
        return False
    verifier = _FORMATS.get(attestation.fmt)
    if verifier is None:
        raise PasskeyRefusedError("ATTESTATION")
    result = verifier().verify(attestation.att_stmt, attestation.auth_data, digest)
    # Self attestation has no certificates: it says nothing about the make.
    if not leads_to_root(result.trust_path, rp.roots, now):
        raise PasskeyRefusedError("ATTESTATION")
    credential = attestation.auth_data.credential_data
    if rp.aaguids and (credential is None or str(credential.aaguid) not in rp.aaguids):
        raise PasskeyRefusedError("AAGUID")
    return True


def leads_to_root(path: Sequence[bytes], roots: Sequence[bytes], now: datetime) -> bool:
    """Each certificate is issued by the next, and the last one by a root; the leaf itself may be named as a root."""
    if not path or len(path) > _LONGEST_CHAIN:
        return False
    if path[0] in roots:
        return _is_in_time(x509.load_der_x509_certificate(path[0]), now)
    trusted = [x509.load_der_x509_certificate(root) for root in roots]
    chain = [x509.load_der_x509_certificate(one) for one in path]
    if not all(_is_in_time(one, now) for one in chain):
        return False
    for child, parent in itertools.pairwise(chain):
        if child is not chain[0] and child in trusted:
            return True
        if not _issued(parent, child):
            return False
    last = chain[-1]
    return last in trusted or any(_issued(root, last) and _is_in_time(root, now) for root in trusted)


def _issued(parent: x509.Certificate, child: x509.Certificate) -> bool:
    try:
        may_issue = parent.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        child.verify_directly_issued_by(parent)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return may_issue


def _is_in_time(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
