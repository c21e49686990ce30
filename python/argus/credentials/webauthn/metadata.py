"""What the FIDO Metadata Service says of the makers of authenticators (MDS3): whom to trust, read from a file of it.

The library reads the statements and checks the signature; the way from its certificate to the root is walked by our own
steps, as that of an authenticator is.
"""

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from fido2.mds3 import AuthenticatorStatus, MetadataBlobPayload, MetadataBlobPayloadEntry, parse_blob

from argus.base.errors import InvalidFieldError
from argus.credentials.webauthn.attestation import leads_to_root

# What makes a statement worth nothing: anybody may have the make's keys, or get at a user's (MDS3, section 3.1.4).
_BROKEN: Final = frozenset(
    {
        AuthenticatorStatus.REVOKED,
        AuthenticatorStatus.ATTESTATION_KEY_COMPROMISE,
        AuthenticatorStatus.USER_VERIFICATION_BYPASS,
        AuthenticatorStatus.USER_KEY_REMOTE_COMPROMISE,
        AuthenticatorStatus.USER_KEY_PHYSICAL_COMPROMISE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Makes:
    """Makes of authenticators that can be trusted.

    Attributes:
        number: Of the file; it grows with each.
        next_update: When there will be a newer one.
        aaguids: The makes, in order.
        roots: DER of the certificates that their statements lead to, each once.
    """

    number: int
    next_update: date
    aaguids: Sequence[str]
    roots: Sequence[bytes]


def read_metadata(blob: bytes, *, root: bytes, aaguids: Collection[str] = (), now: datetime) -> Makes:
    """The makes that a file of the FIDO Metadata Service vouches for.

    Args:
        blob: The file, as `https://mds3.fidoalliance.org/` gives it.
        root: DER of the certificate that its signature leads to.
        aaguids: The only makes that are wanted; none: all that are not known to be broken.
        now: The time; the file must not be older than it says it may be.

    Raises:
        InvalidFieldError: It is none, is not signed by whoever should have, is too old, or lacks a make that is wanted.
    """
    found = _verified(blob, root, now)
    if found.next_update < now.date():
        raise InvalidFieldError("metadata", f"is too old: there is a newer one since {found.next_update}")
    trusted = {str(one.aaguid): one for one in found.entries if one.aaguid and not _is_broken(one)}
    missing = sorted(set(aaguids) - trusted.keys())
    if missing:
        raise InvalidFieldError("aaguid", f"{missing[0]} is not in the metadata, or is marked as broken there")
    wanted = sorted(aaguids or trusted)
    roots = {
        root: None
        for aaguid in wanted
        if (statement := trusted[aaguid].metadata_statement) is not None
        for root in statement.attestation_root_certificates
    }
    return Makes(number=found.no, next_update=found.next_update, aaguids=wanted, roots=list(roots))


def _verified(blob: bytes, root: bytes, now: datetime) -> MetadataBlobPayload:
    try:
        header = json.loads(base64.urlsafe_b64decode(blob.partition(b".")[0] + b"=="))
        path = [base64.b64decode(one, validate=True) for one in header["x5c"]]
        leads = leads_to_root(path, [root], now)
        found = parse_blob(blob.strip(), root) if leads else None
    except InvalidSignature:
        raise InvalidFieldError("metadata", "is not signed by whoever it names") from None
    except Exception:  # noqa: BLE001 - the library lets whatever it meets in a bad file fall through
        raise InvalidFieldError("metadata", "is no file of the FIDO Metadata Service (MDS3)") from None
    if found is None:
        raise InvalidFieldError("metadata", "is signed by somebody whose certificate does not lead to the root")
    return found


def _is_broken(entry: MetadataBlobPayloadEntry) -> bool:
    return any(report.status in _BROKEN for report in entry.status_reports)
