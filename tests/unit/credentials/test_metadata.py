"""Files of a metadata service (MDS3): which makes they vouch for, and which files are refused."""

import base64
import json
from datetime import UTC, date, datetime

import pytest

from argus.base.errors import InvalidFieldError
from argus.credentials.webauthn.metadata import read_metadata
from tests.support.metadata import make, metadata_file
from tests.support.virtual_authenticator import Maker

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NEXT = date(2026, 7, 1)
ONE, OTHER, BROKEN = (f"{digit * 8}-{digit * 4}-{digit * 4}-{digit * 4}-{digit * 12}" for digit in "123")


@pytest.fixture(scope="module")
def service() -> Maker:
    return Maker(between="authority")


def refusal(blob: bytes, root: bytes, **more: object) -> str:
    with pytest.raises(InvalidFieldError) as refused:
        read_metadata(blob, root=root, now=NOW, **more)  # type: ignore[arg-type]
    return f"{refused.value.field}: {refused.value}"


def test_all_makes_that_are_not_broken(service: Maker) -> None:
    """Their roots, each once."""
    root, shared = Maker().root, Maker().root
    makes = [
        make(OTHER, [shared], "UPDATE_AVAILABLE"),
        make(ONE, [root, shared], "FIDO_CERTIFIED_L1"),
        make(BROKEN, [Maker().root], "FIDO_CERTIFIED_L1", "ATTESTATION_KEY_COMPROMISE"),
    ]
    found = read_metadata(metadata_file(service, makes, next_update=NEXT), root=service.root, now=NOW)
    assert (found.number, found.next_update, found.aaguids) == (7, NEXT, [ONE, OTHER])
    assert found.roots == [root, shared]


@pytest.mark.parametrize(
    "status",
    [
        "REVOKED",
        "ATTESTATION_KEY_COMPROMISE",
        "USER_VERIFICATION_BYPASS",
        "USER_KEY_REMOTE_COMPROMISE",
        "USER_KEY_PHYSICAL_COMPROMISE",
    ],
)
def test_a_broken_make_is_wanted_in_vain(service: Maker, status: str) -> None:
    blob = metadata_file(service, [make(ONE, [Maker().root]), make(BROKEN, [], status)], next_update=NEXT)
    assert "is marked as broken" in refusal(blob, service.root, aaguids=[BROKEN])
    assert read_metadata(blob, root=service.root, aaguids=[ONE], now=NOW).aaguids == [ONE]


def test_files_that_are_none(service: Maker) -> None:
    """Changed, signed by somebody else, too old, and of other formats."""
    good = metadata_file(service, [make(ONE, [Maker().root])], next_update=NEXT)
    header, payload, signature = good.split(b".")
    changed = json.loads(base64.urlsafe_b64decode(payload + b"==")) | {"no": 8}
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=")
    assert "not signed" in refusal(b".".join((header, forged, signature)), service.root)
    assert "does not lead to the root" in refusal(good, Maker().root)
    leaf = Maker(between="leaf")
    assert "does not lead to the root" in refusal(metadata_file(leaf, [], next_update=NEXT), leaf.root)
    assert "too old" in refusal(metadata_file(service, [], next_update=date(2026, 5, 31)), service.root)
    for other in (
        b"",
        b"a.b.c",
        b"{}",
        header + b"." + payload,
        b"e30.e30.AA",
        metadata_file(service, [], next_update=NEXT, alg="none"),
    ):
        assert "is no file of" in refusal(other, service.root), other
