"""A metadata service: says of makes of authenticators what FIDO's says of real ones (MDS3)."""

import base64
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from tests.support.vectors import encode
from tests.support.virtual_authenticator import Maker


def make(aaguid: str, roots: Sequence[bytes], *statuses: str) -> dict[str, Any]:
    """What the file says of one make."""
    return {
        "aaguid": aaguid,
        "metadataStatement": {
            "aaguid": aaguid,
            "description": "An authenticator",
            "authenticatorVersion": 1,
            "schema": 3,
            "upv": [{"major": 1, "minor": 1}],
            "attestationTypes": ["basic_full"],
            "userVerificationDetails": [[{"userVerificationMethod": "presence_internal"}]],
            "keyProtection": ["hardware"],
            "matcherProtection": ["on_chip"],
            "attachmentHint": ["internal"],
            "tcDisplay": [],
            "attestationRootCertificates": [base64.b64encode(root).decode() for root in roots],
        },
        "statusReports": [{"status": status, "effectiveDate": "2026-01-01"} for status in statuses],
        "timeOfLastStatusChange": "2026-01-01",
    }


def metadata_file(
    signer: Maker, makes: Sequence[dict[str, Any]], *, next_update: date, number: int = 7, alg: str = "ES256"
) -> bytes:
    """A file, signed by a certificate below the signer's root."""
    payload = {"legalHeader": "", "no": number, "nextUpdate": next_update.isoformat(), "entries": list(makes)}
    content, signature = signer.signed(lambda chain: _signing_input(payload, chain, alg))
    return content + b"." + encode(signature).encode()


def _signing_input(payload: dict[str, Any], chain: Sequence[bytes], alg: str) -> bytes:
    header = {"alg": alg, "typ": "JWT", "x5c": [base64.b64encode(one).decode() for one in chain]}
    return ".".join(encode(json.dumps(part).encode()) for part in (header, payload)).encode()
